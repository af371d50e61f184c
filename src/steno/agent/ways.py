"""One stream of a captured command on its way: from a pipe to where it was to go, or back."""

from __future__ import annotations

import errno
import os
import select
from collections.abc import Callable

from steno.agent.fileworker import FileWorker
from steno.agent.loop import GONE, READABLE, WRITABLE, Loop
from steno.agent.shared import SharedSink, SharedSource
from steno.agent.strangers import let_go
from steno.recorder.flow import Flow

_READ_BYTES = 65536
"""What a pipe holds, by default."""
_RECORDED_READ_BYTES = 8192
"""Recording takes longer than passing on, above all of what is no text: 0.4 ms for so much."""
_FLOW_BYTES = 65536
"""With so much not taken yet, the source is not read."""
_GONE_ERRORS = (errno.EPIPE, errno.ECONNRESET, errno.EIO, errno.ENXIO)
"""What a write says when nobody reads any more."""


class Way:
    """Reads a source, tells what it read, and writes it to a sink; closes both at the end.

    What ends on one side ends on the other: the source's end closes the sink when everything is
    written; a sink that nobody reads closes the source, so that its writer gets EPIPE.

    Attributes:
        name: `output`, `error` or `input`.
        is_recorded: Whether `take` still records what it is told.
        is_over: Whether both sides are closed.
        failure: Why the sink took no more, unless its reader went away.
    """

    def __init__(
        self,
        loop: Loop,
        name: str,
        source: SharedSource | None,
        sink: SharedSink,
        *,
        take: Callable[[bytes], bool],
        finish: Callable[[], None],
        waiting: bytes = b"",
    ) -> None:
        """Take over both descriptors; `start` begins.

        Args:
            loop: What waits for them.
            name: Which stream it is.
            source: Where bytes come from; None: it has ended.
            sink: Where they go.
            take: Told what was read before it is passed on; returns whether it wants more.
            finish: Told once, when the way is over.
            waiting: What another process has read and not passed on.
        """
        self.name = name
        self.is_recorded = True
        self.is_over = False
        self.failure: OSError | None = None
        self._loop = loop
        self._source = source
        self._sink = sink
        self._take = take
        self._finish = finish
        self._flow = Flow(_FLOW_BYTES)
        self._flow.put(waiting)
        self._is_held = False
        self._has_left = False
        self._asked: dict[int, int] = {}
        is_file = source is not None and source.is_slow
        self._reader = FileWorker(loop, source.fd) if source is not None and is_file else None
        self._writer = FileWorker(loop, sink.fd) if sink.is_slow else None

    @property
    def waiting_bytes(self) -> int:
        """How much was read and not taken yet."""
        return self._flow.size_bytes

    @property
    def has_something(self) -> bool:
        """Whether something waits to be read or to be taken now."""
        if self.is_over:
            return False
        if self._flow.size_bytes or self._source is None or self._is_working:
            return True
        ready = select.poll()
        ready.register(self._source.fd, select.POLLIN)
        return any(events & select.POLLIN for _, events in ready.poll(0))

    @property
    def _is_working(self) -> bool:
        return any(worker is not None and worker.is_busy for worker in (self._reader, self._writer))

    @property
    def source(self) -> int | None:
        """Where bytes come from; None when that has ended."""
        return None if self._source is None else self._source.fd

    @property
    def sink(self) -> int | None:
        """Where bytes go; None when nobody takes any more."""
        return None if self.is_over else self._sink.fd

    def start(self) -> None:
        """Begin to relay.

        Raises:
            OSError: The loop cannot watch the descriptors.
        """
        self._drain()
        self._settle()

    def leave(self) -> bytes | None:
        """Stop for good without closing anything; return what was read and not taken yet.

        None: a file is being read or written just now; nobody knows how far that gets.
        """
        if self._is_working:
            return None
        for fd in [*self._asked]:
            self._watch(fd, None, self._serve_source)
        self._has_left = True
        return b"".join(bytes(chunk) for chunk in self._flow.all())

    def hold(self, is_held: bool) -> None:
        """Stop to read the source, or go on: the recording's destinations are behind."""
        if is_held != self._is_held:
            self._is_held = is_held
            self._ask()

    def close(self) -> None:
        """Let go of both sides at once; what was not taken yet is lost."""
        self._flow.clear()
        self._close_source()
        if not self.is_over:
            self._close_sink()

    def _serve_source(self, _events: int) -> None:
        if self._source is not None and self._wants():
            try:
                data = self._source.read(self._read_bytes)
            except OSError:
                # A socket or terminal whose other side broke off: it ends here.
                data = b""
            if data is not None:
                self._take_read(data)
        self._settle()

    @property
    def _read_bytes(self) -> int:
        return _RECORDED_READ_BYTES if self.is_recorded else _READ_BYTES

    def _take_read(self, data: bytes) -> None:
        """Take what was read; nothing: the source has ended."""
        if data:
            self.is_recorded = self._take(data)
            self._flow.put(data)
            self._drain()
        else:
            self._close_source()

    def _read_file(self, reader: FileWorker) -> None:
        if not self._wants() or reader.is_busy:
            return
        size_bytes = self._read_bytes

        def take(result: bytes | int | OSError) -> None:
            self._take_read(result if isinstance(result, bytes) else b"")
            self._settle()

        reader.do(lambda fd: os.read(fd, size_bytes), take)

    def _serve_sink(self, events: int) -> None:
        if events & WRITABLE:
            self._drain()
        if events & GONE and not self.is_over:
            self._lose_sink()
        self._settle()

    def _drain(self) -> None:
        if self._writer is not None:
            self._write_file(self._writer)
            return
        while self._flow.size_bytes and not self.is_over:
            try:
                taken = self._sink.write(self._flow.head())
            except OSError as error:
                self._fail_sink(error)
                return
            if not taken:
                return
            self._flow.advance(taken)

    def _write_file(self, writer: FileWorker) -> None:
        if self.is_over or writer.is_busy or not self._flow.size_bytes:
            return
        chunks = self._flow.head()

        def take(result: bytes | int | OSError) -> None:
            if isinstance(result, int):
                self._flow.advance(result)
                self._write_file(writer)
            elif isinstance(result, OSError):
                self._fail_sink(result)
            self._settle()

        writer.do(lambda fd: os.writev(fd, chunks), take)

    def _fail_sink(self, error: OSError) -> None:
        if error.errno not in _GONE_ERRORS:
            self.failure = error
        self._lose_sink()

    def _lose_sink(self) -> None:
        self._flow.clear()
        self._close_source()
        self._close_sink()

    def _settle(self) -> None:
        if self.is_over:
            return
        if self._source is None and not self._flow.size_bytes:
            self._close_sink()
        else:
            self._ask()

    def _wants(self) -> bool:
        return not self._has_left and not self._is_held and not self._flow.is_full

    def _ask(self) -> None:
        """Tell the loop what is worth waiting for."""
        if self._has_left:
            return
        source = self._source
        if source is not None and self._reader is not None:
            self._read_file(self._reader)
        elif source is not None:
            # A source that is not read is not watched: the loop would hear of its end all the time.
            self._watch(source.fd, READABLE if self._wants() else None, self._serve_source)
        if not self.is_over and self._writer is None:
            wanted = WRITABLE if self._flow.size_bytes else 0
            self._watch(self._sink.fd, wanted, self._serve_sink)

    def _watch(self, fd: int, events: int | None, callback: Callable[[int], None]) -> None:
        if self._asked.get(fd) == events:
            return
        if events is None:
            self._loop.ignore(fd)
            del self._asked[fd]
        else:
            try:
                self._loop.watch(fd, events, callback)
            except OSError as error:
                # Nothing that could be waited for (O_PATH, say), or the system has no room.
                self._fail_sink(error)
                return
            self._asked[fd] = events

    def _close_source(self) -> None:
        if self._source is not None:
            self._let_go(self._source.fd, self._reader)
            self._source = None

    def _close_sink(self) -> None:
        self.is_over = True
        self._let_go(self._sink.fd, self._writer)
        self._finish()

    def _let_go(self, fd: int, worker: FileWorker | None) -> None:
        if worker is not None:
            worker.stop()
            return
        self._loop.ignore(fd)
        self._asked.pop(fd, None)
        let_go([fd])
