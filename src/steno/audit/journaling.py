"""Audit records from journald: `journalctl -o export` or `-o json`, its transport `audit`.

journald takes a record apart; here the line that auditd would have written is put together again,
with the entry's host as `node=`. Entries of other transports are passed over, unless somebody wants
to hear them. journald drops EOE.

Sources: systemd, src/journal/journald-audit.c, process_audit_string();
https://systemd.io/JOURNAL_EXPORT_FORMATS/
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from steno.audit.record_types import name_of
from steno.audit.records import DamagedLine, Damages, Record
from steno.audit.witness.hearing import FIELDS, JournalWords
from steno.structs import json_decoder

_WANTED = frozenset({
    b"_TRANSPORT", b"_AUDIT_TYPE", b"_AUDIT_TYPE_NAME", b"_AUDIT_ID", b"_HOSTNAME", b"MESSAGE",
    b"_SOURCE_REALTIME_TIMESTAMP",
})  # fmt: skip
_MAX_FIELD_BYTES = 1024 * 1024
_MAX_KEPT_BYTES = 4 * 1024 * 1024
_OLD_PREFIX = re.compile(rb"<audit-\d{1,5}> ?")
_NODE = re.compile(rb"[^ \n]{1,255}\Z")

_decode_entry = json_decoder(dict[str, object])


def is_audit(entry: Mapping[bytes, bytes]) -> bool:
    """Tell whether a journal entry is an audit record."""
    return entry.get(b"_TRANSPORT") == b"audit"


def line_of(entry: Mapping[bytes, bytes]) -> bytes:
    """Return an entry as the line that auditd would have written.

    Raises:
        ValueError: It lacks what makes a record.
    """
    kind, serial = entry.get(b"_AUDIT_TYPE", b""), entry.get(b"_AUDIT_ID", b"")
    name = entry.get(b"_AUDIT_TYPE_NAME", b"")
    at_us, message = entry.get(b"_SOURCE_REALTIME_TIMESTAMP", b""), entry.get(b"MESSAGE")
    if not (serial.isdigit() and at_us.isdigit() and len(at_us) < 18) or message is None:
        raise ValueError("an audit entry without its number, time or message")
    body = message.removeprefix(name).lstrip(b" ") if name else _OLD_PREFIX.sub(b"", message, 1)
    # journald has names of its own for what it does not know: AUDIT1423.
    type_ = name_of(int(kind)).encode() if kind.isdigit() and len(kind) < 6 else name
    host = entry.get(b"_HOSTNAME", b"")
    node = b"node=%s " % host if _NODE.match(host) else b""
    seconds, rest_us = divmod(int(at_us), 1_000_000)
    time = b"%d.%03d" % (seconds, rest_us // 1000)
    return b"%stype=%s msg=audit(%s:%s): %s" % (node, type_, time, serial, body)


class _Entries:
    """Makes records of entries, and damage of what is none."""

    def __init__(self, words: JournalWords | None) -> None:
        self.wanted = _WANTED if words is None else _WANTED | FIELDS
        self._words = words
        self._number = 0
        self._damages = Damages()

    def add(self, entry: Mapping[bytes, bytes], raw: bytes, offset_bytes: int) -> list[Record]:
        """Return the record that an entry holds, if it holds one."""
        self._number += 1
        if not is_audit(entry):
            if self._words is not None:
                self._words.hear(entry)
            return []
        if self._words is not None:
            self._words.give_way(entry)
        try:
            line = line_of(entry)
        except ValueError as error:
            self._damages.add(self._number, offset_bytes, raw, str(error))
            return []
        return self._damages.read(self._number, offset_bytes, line, raw)

    def add_damage(self, raw: bytes, offset_bytes: int, reason: str) -> None:
        """Note what is no entry."""
        self._number += 1
        self._damages.add(self._number, offset_bytes, raw, reason)

    def take_damage(self) -> list[DamagedLine]:
        """Return the damage since the last call."""
        return self._damages.take()


class JournalExportReader:
    """Turn journald's export format into records. Does no I/O; bounded in memory.

    Fields are `NAME=value` lines, or a line `NAME`, 64 bits of length, little-endian, the value and
    a newline; a blank line ends an entry.

    Args:
        words: Hears what programs say.
    """

    def __init__(self, words: JournalWords | None = None) -> None:
        """Begin at an entry's start."""
        self._entries = _Entries(words)
        self._rest = b""
        self._offset_bytes = 0
        self._begin_bytes = 0  # where the entry begins
        self._entry: dict[bytes, bytes] = {}
        self._raw: list[bytes] = []
        self._raw_bytes = 0
        self._skip_bytes = 0  # of a value that is too long to be of use

    def feed(self, data: bytes) -> list[Record]:
        """Return the records that `data` completes."""
        rest = self._rest + data
        records: list[Record] = []
        at = 0
        while at < len(rest):
            if self._skip_bytes:
                size = min(self._skip_bytes, len(rest) - at)
                self._skip_bytes -= size
                at += size
                continue
            end = self._read_field(rest, at)
            if end is None:
                break
            if rest[at:end] == b"\n":
                records += self._end_entry(self._offset_bytes + end)
            elif self._raw_bytes < _MAX_KEPT_BYTES:
                self._raw.append(rest[at:end])
                self._raw_bytes += end - at
            at = end
        self._offset_bytes += at
        self._rest = rest[at:]
        return records

    def finish(self) -> list[Record]:
        """Return the last entry's record; what was cut short is damage."""
        rest, self._rest = self._rest, b""
        begin = self._offset_bytes
        self._offset_bytes += len(rest)
        records = self._end_entry(self._offset_bytes)
        if rest:
            self._entries.add_damage(rest, begin, "a journal entry cut short")
        return records

    def take_damage(self) -> list[DamagedLine]:
        """Return what was no record since the last call."""
        return self._entries.take_damage()

    def _read_field(self, data: bytes, at: int) -> int | None:
        """Read the field, or the end of an entry, at `at`; return where it ends; None: not yet."""
        newline = data.find(b"\n", at)
        if newline < 0:
            if len(data) - at > _MAX_FIELD_BYTES:
                return len(data)  # a value that is too long; what follows is a field of no name
            return None
        name, equals, value = data[at:newline].partition(b"=")
        if equals or newline == at:
            self._keep(name, value)
            return newline + 1
        if len(data) < newline + 9:
            return None
        size = int.from_bytes(data[newline + 1 : newline + 9], "little")
        begin = newline + 9
        if size > _MAX_FIELD_BYTES:
            self._skip_bytes = size + 1
            return begin
        if len(data) < begin + size + 1:
            return None
        self._keep(name, data[begin : begin + size])
        return begin + size + 1

    def _keep(self, name: bytes, value: bytes) -> None:
        if name in self._entries.wanted:
            self._entry[name] = value

    def _end_entry(self, end_bytes: int) -> list[Record]:
        entry, self._entry = self._entry, {}
        raw, self._raw = b"".join(self._raw), []
        begin, self._begin_bytes = self._begin_bytes, end_bytes
        self._raw_bytes = 0
        return self._entries.add(entry, raw, begin) if raw else []


class JournalJsonReader:
    """Turn `journalctl -o json`, an object a line, into records. Does no I/O.

    Args:
        words: Hears what programs say.
    """

    def __init__(self, words: JournalWords | None = None) -> None:
        """Begin at a line's start."""
        self._entries = _Entries(words)
        self._rest = b""
        self._offset_bytes = 0

    def feed(self, data: bytes) -> list[Record]:
        """Return the records that `data` completes."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _MAX_KEPT_BYTES:
            lines, self._rest = [*lines, self._rest], b""
            self._offset_bytes -= 1  # it has no newline
        return [record for line in lines for record in self._read(line)]

    def finish(self) -> list[Record]:
        """Return the last record when no newline ends it."""
        line, self._rest = self._rest, b""
        return self._read(line) if line else []

    def take_damage(self) -> list[DamagedLine]:
        """Return what was no record since the last call."""
        return self._entries.take_damage()

    def _read(self, line: bytes) -> list[Record]:
        offset_bytes = self._offset_bytes
        self._offset_bytes += len(line) + 1
        if not line.strip():
            return []
        try:
            decoded = _decode_entry(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            decoded = {}
        if "__CURSOR" not in decoded and "_TRANSPORT" not in decoded:
            self._entries.add_damage(line, offset_bytes, "not a journal entry")
            return []
        entry = {
            name.encode(errors="surrogatepass"): _bytes_of(value)
            for name, value in decoded.items()
            if name.encode(errors="surrogatepass") in self._entries.wanted
        }
        return self._entries.add(entry, line, offset_bytes)


def _bytes_of(value: object) -> bytes:
    """Return a value's bytes: a list of numbers stands for bytes that are no text."""
    if isinstance(value, str):
        return value.encode(errors="surrogatepass")
    if isinstance(value, list):
        if value and isinstance(value[0], str):
            return value[0].encode(errors="surrogatepass")
        if all(isinstance(number, int) and 0 <= number < 256 for number in value):
            return bytes(value)
    return b""
