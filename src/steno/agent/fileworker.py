"""Reading or writing one file in a thread of its own: files may take any time.

A user's file may be on a server that is away, or in a file system that the user's own program
serves (FUSE) and that answers when it likes. Neither may hold up the loop, nor the threads that all
share.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable

from steno.agent.loop import Loop


class FileWorker:
    """Does one piece of work on a descriptor at a time. Owns the descriptor.

    Attributes:
        is_busy: Whether it is doing something.
    """

    def __init__(self, loop: Loop, fd: int) -> None:
        """Take over `fd`; the thread is started when there is work."""
        self.is_busy = False
        self._loop = loop
        self._fd = fd
        self._queue: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._is_stopped = False

    def do(
        self, work: Callable[[int], bytes | int], done: Callable[[bytes | int | OSError], None]
    ) -> None:
        """Call `work` with the descriptor in the thread, and `done` with its result in the loop.

        After `stop`, `done` is not called any more.
        """
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="steno-file", daemon=True)
            self._thread.start()
        self.is_busy = True

        def finish(result: bytes | int | OSError) -> None:
            self.is_busy = False
            if not self._is_stopped:
                done(result)

        def perform() -> None:
            result: bytes | int | OSError
            try:
                result = work(self._fd)
            except OSError as error:
                result = error
            self._loop.post(lambda: finish(result))

        self._queue.put(perform)

    def stop(self) -> None:
        """Close the descriptor when what is being done has been done, however long that takes."""
        self._is_stopped = True
        if self._thread is None:
            os.close(self._fd)
        else:
            self._queue.put(None)

    def _run(self) -> None:
        while (perform := self._queue.get()) is not None:
            perform()
        os.close(self._fd)
