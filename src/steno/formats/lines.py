"""Cut bytes into lines, however they arrive, within a limit."""

from __future__ import annotations

import msgspec

MAX_LINE_BYTES = 16 * 1024 * 1024


class Line(msgspec.Struct, frozen=True, gc=False):
    """A line and where it stands.

    Attributes:
        number: The line's number, from 1.
        offset_bytes: Where it begins.
        length_bytes: Its length, its newline included.
        data: The line without its newline; None when it was longer than the limit.
        is_whole: Whether a newline ended it, not the input.
    """

    number: int
    offset_bytes: int
    length_bytes: int
    data: bytes | None
    is_whole: bool = True


class LineSplitter:
    """Turn bytes into lines. Does no I/O; holds at most `limit_bytes`."""

    def __init__(
        self, *, limit_bytes: int = MAX_LINE_BYTES, first_line: int = 1, offset_bytes: int = 0
    ) -> None:
        """Begin at the line `first_line` of an input, which stands at `offset_bytes`."""
        self._limit_bytes = limit_bytes
        self._number = first_line - 1
        self._offset_bytes = offset_bytes
        self._rest = bytearray()
        self._skipped_bytes = 0

    @property
    def next_bytes(self) -> int:
        """Where in the input the bytes for the next `feed` begin."""
        return self._offset_bytes + self._skipped_bytes + len(self._rest)

    def feed(self, data: bytes) -> list[Line]:
        """Return the lines that `data` completes."""
        lines: list[Line] = []
        start = 0
        while (end := data.find(b"\n", start)) >= 0:
            self._hold(data[start:end])
            lines.append(self._take(newline_bytes=1))
            start = end + 1
        self._hold(data[start:])
        return lines

    def finish(self) -> list[Line]:
        """Return the last line when it has no newline."""
        if not self._rest and not self._skipped_bytes:
            return []
        return [self._take(newline_bytes=0)]

    def _hold(self, data: bytes) -> None:
        if self._skipped_bytes or len(self._rest) + len(data) > self._limit_bytes:
            self._skipped_bytes += len(self._rest) + len(data)
            self._rest.clear()
        else:
            self._rest += data

    def _take(self, *, newline_bytes: int) -> Line:
        data = None if self._skipped_bytes else bytes(self._rest)
        length = self._skipped_bytes + len(self._rest) + newline_bytes
        self._number += 1
        line = Line(self._number, self._offset_bytes, length, data, bool(newline_bytes))
        self._offset_bytes += length
        self._skipped_bytes = 0
        self._rest.clear()
        return line
