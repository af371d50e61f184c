"""Audit records: one line each, with named fields; RAW and ENRICHED, with and without `node=`.

A line is `[node=HOST ]type=TYPE msg=audit(SECONDS.MILLISECONDS:SERIAL): ` and fields. In the
ENRICHED format the byte 0x1d follows, and then what auditd knew about some fields (`UID="root"`).
They are read in C (native/audit_lexing.c); `Record` is described in _records.pyi.

Source: Linux, kernel/audit.c, audit_log_start(); audit, src/auditd-event.c, format_enrich().
"""

from __future__ import annotations

import msgspec

from steno.audit._records import Record, split

__all__ = ["DamagedLine", "Damages", "Field", "LineReader", "Record"]

Field = tuple[str, bytes]
"""A field's name, and its value as it stands in the record, quotes included."""

MAX_LINE_BYTES = 1024 * 1024
"""Far more than auditd writes: it cuts records at 8970 bytes, and adds some to each."""


class DamagedLine(msgspec.Struct, frozen=True):
    """A line that is no audit record, kept whole.

    Attributes:
        number: The line's number in the input, from 1; the record's for binary input.
        offset_bytes: Where in the input it begins.
        line: Its bytes, without the newline.
        reason: What is wrong with it.
    """

    number: int
    offset_bytes: int
    line: bytes
    reason: str


class Damages:
    """What is no record, until somebody asks for it."""

    def __init__(self) -> None:
        self._lines: list[DamagedLine] = []

    def add(self, number: int, offset_bytes: int, line: bytes, reason: str) -> None:
        """Note what is no record; see `DamagedLine`."""
        self._lines.append(DamagedLine(number, offset_bytes, line, reason))

    def read(self, number: int, offset_bytes: int, line: bytes, whole: bytes) -> list[Record]:
        """Return the record that `line` is; if it is none, note `whole`, in which it came."""
        try:
            return [Record(line, offset_bytes)]
        except ValueError as error:
            self.add(number, offset_bytes, whole, str(error))
            return []

    def take(self) -> list[DamagedLine]:
        """Return what was noted since the last call."""
        lines, self._lines = self._lines, []
        return lines


class LineReader:
    """Turn bytes of a log, or of the dispatcher's `string` protocol, into records. Does no I/O.

    Blank lines, and the `----` and `time->` lines that ausearch prints between events, are
    passed over.
    """

    def __init__(self, *, limit_bytes: int = MAX_LINE_BYTES) -> None:
        """Begin at an input's start; a longer line than the limit is damage, in pieces."""
        self._limit_bytes = limit_bytes
        self._rest = b""
        self._offset_bytes = 0
        self._lines = 0
        self._is_too_long = False
        self._damages = Damages()

    def feed(self, data: bytes) -> list[Record]:
        """Return the records that `data` completes."""
        if self._is_too_long:
            data = self._pass_long_line(data)
        end = data.rfind(b"\n") + 1
        if not end:
            self._rest += data
            self._check_length()
            return []
        records = self._split(self._rest + data[:end])
        self._rest = data[end:]
        self._check_length()
        return records

    @property
    def is_between_lines(self) -> bool:
        """Whether all that was fed were whole lines."""
        return not self._rest and not self._is_too_long

    def pass_over(self, size_bytes: int, lines: int) -> None:
        """Note that whole lines were read by somebody else."""
        self._offset_bytes += size_bytes
        self._lines += lines

    def finish(self) -> list[Record]:
        """Return the last record when no newline ends it."""
        line, self._rest = self._rest, b""
        return self._split(line + b"\n") if line else []

    def take_damage(self) -> list[DamagedLine]:
        """Return what was no record since the last call."""
        return self._damages.take()

    def _split(self, data: bytes) -> list[Record]:
        records, damage, used, lines = split(data, self._offset_bytes)
        for line, offset_bytes, raw in damage:
            number = self._lines + line + 1
            self._damages.add(number, offset_bytes, raw, "not an audit record")
        self._offset_bytes += used
        self._lines += lines
        return records

    def _check_length(self) -> None:
        if len(self._rest) > self._limit_bytes:
            piece, self._rest = self._rest, b""
            self._add_piece(piece)
            self._is_too_long = True

    def _pass_long_line(self, data: bytes) -> bytes:
        """Return what follows the line that is too long."""
        piece, newline, data = data.partition(b"\n")
        if piece:
            self._add_piece(piece)
        if newline:
            self._is_too_long = False
            self._offset_bytes += 1
            self._lines += 1
        return data

    def _add_piece(self, piece: bytes) -> None:
        reason = f"a line of more than {self._limit_bytes} bytes"
        self._damages.add(self._lines + 1, self._offset_bytes, piece, reason)
        self._offset_bytes += len(piece)
