"""When appended lines must be on disk, and a thread that sees to it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

SYNC_EVERY_US = 1_000_000
"""A host that loses power loses at most this much, and what was not cut into lines yet."""


class SyncRule:
    """Decide when a file must be synced: so long after its first unsynced write. Does no I/O."""

    def __init__(self, every_us: int = SYNC_EVERY_US) -> None:
        self._every_us = every_us
        self._since_us: int | None = None

    def wrote(self, now_us: int) -> None:
        """Take note of a write."""
        if self._since_us is None:
            self._since_us = now_us

    def begin_sync(self) -> int | None:
        """Count all writes until now as synced; return what `failed` takes back."""
        since_us, self._since_us = self._since_us, None
        return since_us

    def failed(self, since_us: int | None) -> None:
        """Take `begin_sync` back: the sync did not work."""
        if since_us is not None:
            self._since_us = since_us

    @property
    def due_us(self) -> int | None:
        """The instant by which to sync, on the clock of `wrote`; None when all is synced."""
        return None if self._since_us is None else self._since_us + self._every_us


class Syncable(Protocol):
    """What the thread looks after: a SpoolFile."""

    @property
    def sync_due_us(self) -> int | None:
        """When it must be synced; None when it need not be."""

    def sync(self) -> None:
        """Put everything on disk; failures are kept and raised by the next append."""


class SyncThread:
    """Sync files when they are due, so that a slow disk never holds up who writes them.

    Use it as a context manager, or call `close`: both end the thread.
    """

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._files: set[Syncable] = set()
        self._changed = threading.Condition()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="steno-sync", daemon=True)
        self._thread.start()

    def watch(self, file: Syncable) -> None:
        """Look after `file` from now on."""
        with self._changed:
            self._files.add(file)
            self._changed.notify()

    def forget(self, file: Syncable) -> None:
        """Look after `file` no longer; call it before the file is closed for good."""
        with self._changed:
            self._files.discard(file)

    def close(self) -> None:
        """End the thread; files stay as they are."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join()

    def __enter__(self) -> SyncThread:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._is_closed:
                    return
                now_us = self._clock()
                due = [
                    file
                    for file in self._files
                    if file.sync_due_us is not None
                    and file.sync_due_us - SYNC_EVERY_US // 4 <= now_us
                ]
                if not due:
                    # Four looks a second bound the delay without the writer having to wake us.
                    self._changed.wait(SYNC_EVERY_US / 4 / 1_000_000 if self._files else None)
                    continue
            for file in due:
                try:
                    file.sync()
                except OSError:
                    # The file keeps its failure and raises it where lines are appended.
                    self.forget(file)
