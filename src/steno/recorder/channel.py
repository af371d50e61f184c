"""One way through the relay: where bytes are read, and where they go."""

from __future__ import annotations

import enum
import errno
import os
import select
from collections.abc import Iterable

from steno.errors import DISK_FULL, NoSpaceError, StenoError
from steno.recorder.flow import Flow
from steno.recorder.sink import Sink

_READ_BYTES = 4096
"""What one read(2) asks for. Terminals never give more, and pieces of this size fill messages."""
_LONG_BYTES = 1024
"""After a read this long there is likely more."""
_JOIN_BYTES = 3072
"""A read that is long, but shorter than this, is worth a second one before it is passed on."""
_GONE = (errno.EIO, errno.EPIPE, errno.ECONNRESET, errno.ENXIO, errno.EBADF)


class Stream(enum.Enum):
    """What a channel carries."""

    INPUT = enum.auto()
    OUTPUT = enum.auto()
    ERROR = enum.auto()


_NAMES = {
    Stream.INPUT: "the program's input",
    Stream.OUTPUT: "standard output",
    Stream.ERROR: "standard error",
}


class Channel:
    """Reads from one descriptor and writes to another, in order, keeping what doesn't fit.

    Attributes:
        stream: What it carries.
        source: The descriptor that is read; None once it has ended.
        sink: Where bytes go; None once nobody takes them.
        flow: Bytes that were read and not taken yet.
        failure: Why the sink takes no more, unless its reader went away: its disk is full, say.
        reads_per_turn: How often the source may be read before others get their turn; 1 where a
            read without a poll(2) before it could block.
    """

    def __init__(
        self,
        stream: Stream,
        source: int,
        sink: Sink,
        *,
        limit_bytes: int = 65536,
        reads_per_turn: int = 1,
    ) -> None:
        self.stream = stream
        self.source: int | None = source
        self.sink: Sink | None = sink
        self.flow = Flow(limit_bytes)
        self.failure: StenoError | None = None
        self.reads_per_turn = reads_per_turn

    def direct_way(self) -> tuple[int, int] | None:
        """Return source and sink if what is read may be written at once, and nothing waits."""
        sink = self.sink
        if self.source is None or sink is None or not sink.is_direct or self.flow.size_bytes:
            return None
        return self.source, sink.fd

    def read(self) -> bytes | None:
        """Return what can be read now, b"" at the end, None when there is nothing yet."""
        if self.source is None:
            return b""
        try:
            data = os.read(self.source, _READ_BYTES)
            if self.reads_per_turn > 1 and _LONG_BYTES <= len(data) < _JOIN_BYTES:
                return data + self._read_more()
        except BlockingIOError:
            return None
        except OSError as error:
            # A terminal's other side has closed: Linux says EIO on a master.
            if error.errno in _GONE:
                return b""
            raise
        return data

    def _read_more(self) -> bytes:
        """Return what can be read besides; an end that this meets is met again by the next."""
        try:
            return os.read(self.source, _READ_BYTES) if self.source is not None else b""
        except OSError:
            return b""

    def has_likely_more(self, data: bytes) -> bool:
        """Return whether another read is worth it after one that gave `data`."""
        return len(data) >= _LONG_BYTES and not self.flow.size_bytes

    def pass_on(self, data: bytes | memoryview) -> bool:
        """Write `data` or keep it; return False when nobody takes it any more."""
        sink = self.sink
        if sink is None:
            return True
        if self.flow.size_bytes:
            self.flow.put(data)
            return True
        try:
            taken = os.write(sink.fd, data) if sink.is_direct else sink.write(data)
        except BlockingIOError:
            taken = 0
        except OSError as error:
            return self._lose_sink(error)
        if taken < len(data):
            self.flow.put(memoryview(data)[taken:])
        return True

    def drain(self) -> bool:
        """Write what was kept, as far as it is taken; return False when nobody takes any more."""
        if self.sink is None or not self.flow.size_bytes:
            return True
        try:
            self.flow.advance(self.sink.write_all(self.flow.head()))
        except OSError as error:
            return self._lose_sink(error)
        return True

    def drop_sink(self) -> None:
        """Forget what was kept and write no more."""
        self.sink = None
        self.flow.clear()

    def close_source(self, *, spares: int | None) -> None:
        """Close what is read, unless it is `spares`, somebody else's; forget it."""
        if self.source is not None and self.source != spares:
            os.close(self.source)
        self.source = None

    def close_idle_sink(self) -> None:
        """Close what was passed on whole and gets no more."""
        sink = self.sink
        if self.source is not None or sink is None or self.flow.size_bytes:
            return
        self.drop_sink()
        if self.stream is Stream.INPUT:
            os.close(sink.fd)
        elif sink.fd == 1:
            # Its reader sees the end now, as it would without us. Standard error stays: we
            # may have something to say there ourselves.
            null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
            os.dup2(null, sink.fd)
            os.close(null)

    def _lose_sink(self, error: OSError) -> bool:
        if error.errno not in _GONE:
            kind = NoSpaceError if error.errno in DISK_FULL else StenoError
            self.failure = kind(f"{_NAMES[self.stream]}: {error.strerror}; the rest was lost there")
        self.drop_sink()
        return False


def find_channel(channels: Iterable[Channel], stream: Stream) -> Channel | None:
    """Return the channel that carries `stream`; None: none does."""
    return next((channel for channel in channels if channel.stream is stream), None)


def has_input(channels: Iterable[Channel]) -> bool:
    """Return whether something can be read right now (however late it is that we look)."""
    ready = select.poll()
    for channel in channels:
        if channel.source is not None:
            ready.register(channel.source, select.POLLIN)
    return bool(ready.poll(0))
