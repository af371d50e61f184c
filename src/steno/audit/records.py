"""Audit records: one line each, with named fields; RAW and ENRICHED, with and without `node=`.

A line is `[node=HOST ]type=TYPE msg=audit(SECONDS.MILLISECONDS:SERIAL): ` and fields. In the
ENRICHED format the byte 0x1d follows, and then what auditd knew about some fields (`UID="root"`).

Source: Linux, kernel/audit.c, audit_log_start(); audit, src/auditd-event.c, format_enrich().
"""

from __future__ import annotations

import re
from typing import Protocol

import msgspec

Field = tuple[str, bytes]
"""A field's name, and its value as it stands in the record, quotes included."""


class RecordLike(Protocol):
    """What all records have: those that C reads and the reference in the tests.

    Attributes:
        type: `SYSCALL`, or `UNKNOWN[1423]` where auditd did not know it.
        at_unix_us: When, to the millisecond.
        serial: The event's number.
        node: The host, where the line says it (`node=`), else "".
        key: (node, at_unix_us, serial): which event it belongs to.
        line: The line as it was, without its newline.
        offset_bytes: Where in the input it begins; -1 where there is no such place.
    """

    type: str
    at_unix_us: int
    serial: int
    node: str
    key: tuple[str, int, int]
    line: bytes
    offset_bytes: int

    @property
    def fields(self) -> dict[str, bytes]:
        """The fields as they stand, those within `msg='...'` and of the ENRICHED part (`UID`) too.

        Made anew each time; the first of several of one name. SELinux' `avc:  denied  { read
        write } for` gives `seresult` (`denied`) and `seperms` (`read write`).
        """
        ...

    @property
    def pairs(self) -> list[Field]:
        """All fields in order, also several of one name; those of the ENRICHED part last."""
        ...

    @property
    def words(self) -> bytes:
        """What stands among the fields and is none, with one blank between."""
        ...

    def get(self, name: str) -> bytes | None:
        """Return the value of the first field of that name, as it stands."""
        ...


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


_HEADER = re.compile(
    rb"(?:node=([^ ]{1,255}) )?type=([A-Z0-9_\[\]]{1,64}) "
    rb"msg=audit\((\d{1,11})\.(\d{3}):(\d{1,18})\):(?: |\Z)?"
)
_NAME = re.compile(rb"[A-Za-z0-9_][A-Za-z0-9_.:/\[\]-]{0,63}(?==)")


_DENIAL = re.compile(rb"avc: +([^ {}]+) +\{ *([^{}]*[^{} ]) *\} +for(?= |\Z)")


class Record:
    """One audit record."""

    __slots__ = ("_body", "at_unix_us", "key", "line", "node", "offset_bytes", "serial", "type")

    def __init__(self, line: bytes, offset_bytes: int = -1) -> None:
        """Read the line's head; its fields are read when they are asked for.

        Raises:
            ValueError: It is no audit record.
        """
        match = _HEADER.match(line)
        if match is None:
            raise ValueError("not an audit record")
        node, type_, seconds, milliseconds, serial = match.groups()
        self.type = type_.decode()
        self.node = (node or b"").decode("utf-8", "surrogateescape")
        self.at_unix_us = int(seconds) * 1_000_000 + int(milliseconds) * 1000
        self.serial = int(serial)
        self.key = (self.node, self.at_unix_us, self.serial)
        self.line = line
        self.offset_bytes = offset_bytes
        self._body = match.end()

    @property
    def fields(self) -> dict[str, bytes]:
        """The first field of each name."""
        return dict(reversed(self.pairs))

    @property
    def pairs(self) -> list[Field]:
        """All fields in order."""
        _, _, suffix = self.line[self._body :].partition(b"\x1d")
        return _read_fields(self._main())[0] + _read_fields(suffix)[0]

    @property
    def words(self) -> bytes:
        """What is no field."""
        _, _, suffix = self.line[self._body :].partition(b"\x1d")
        return b" ".join(_read_fields(self._main())[1] + _read_fields(suffix)[1])

    def get(self, name: str) -> bytes | None:
        """Return the first field's value."""
        return next((value for found, value in self.pairs if found == name), None)

    def _main(self) -> bytes:
        main = self.line[self._body :].partition(b"\x1d")[0].rstrip(b" ")
        return main[:-1] if b"msg='" in main and main.endswith(b"'") else main


def _read_fields(body: bytes) -> tuple[list[Field], list[bytes]]:
    fields: list[Field] = []
    words: list[bytes] = []
    at, end = 0, len(body)
    while at < end:
        if body[at] == 0x20:
            at += 1
            continue
        if body.startswith(b"msg='", at):
            at += 5
            continue
        denial = _DENIAL.match(body, at)
        if denial is not None:
            fields += [("seresult", denial[1]), ("seperms", denial[2])]
            at = denial.end()
            continue
        name = _NAME.match(body, at)
        begin = at if name is None else name.end() + 1
        at = _end_of_value(body, begin)
        if name is None:
            words.append(body[begin:at])
            continue
        if name[0] == b"op" and body[begin : begin + 1] != b'"':
            at = _end_of_operation(body, at)
        fields.append((name[0].decode(), body[begin:at]))
    return fields, words


def _end_of_value(body: bytes, at: int) -> int:
    """Find the blank that ends a value; those within quotes or braces do not."""
    closing = {0x22: b'"', 0x7B: b" }"}.get(body[at]) if at < len(body) else None
    if closing is not None and (close := body.find(closing, at + 1)) >= 0:
        at = close + len(closing)
    blank = body.find(b" ", at)
    return len(body) if blank < 0 else blank


def _end_of_operation(body: bytes, at: int) -> int:
    """Find where `op=deleting user entries id=` ends: before what has a name."""
    end = at
    while at < len(body):
        if body[at] == 0x20:
            at += 1
            continue
        if _NAME.match(body, at):
            break
        end = at = _end_of_value(body, at)
    return end


class LineReader:
    """Turn bytes of a log, or of the dispatcher's `string` protocol, into records. Does no I/O.

    Blank lines, and the `----` and `time->` lines that ausearch prints between events, are
    passed over.
    """

    def __init__(self, *, limit_bytes: int = 1024 * 1024) -> None:
        """Begin at an input's start; a longer line than the limit is damage, in pieces."""
        self._limit_bytes = limit_bytes
        self._rest = b""
        self._offset_bytes = 0
        self._number = 0
        self._damage: list[DamagedLine] = []

    def feed(self, data: bytes) -> list[Record]:
        """Return the records that `data` completes."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        found = [record for line in lines if (record := self._read(line, 1)) is not None]
        while len(self._rest) > self._limit_bytes:
            piece, self._rest = self._rest[: self._limit_bytes], self._rest[self._limit_bytes :]
            self._damage.append(
                DamagedLine(self._number + 1, self._offset_bytes, piece, "a line too long")
            )
            self._offset_bytes += len(piece)
        return found

    def finish(self) -> list[Record]:
        """Return the last record when no newline ends it."""
        line, self._rest = self._rest, b""
        record = self._read(line, 0) if line else None
        return [] if record is None else [record]

    def take_damage(self) -> list[DamagedLine]:
        """Return what was no record since the last call."""
        damage, self._damage = self._damage, []
        return damage

    def _read(self, line: bytes, newline_bytes: int) -> Record | None:
        offset_bytes = self._offset_bytes
        self._offset_bytes += len(line) + newline_bytes
        self._number += 1
        if not line.strip() or line == b"----" or line.startswith(b"time->"):
            return None
        try:
            return Record(line, offset_bytes)
        except ValueError as error:
            self._damage.append(DamagedLine(self._number, offset_bytes, line, str(error)))
            return None
