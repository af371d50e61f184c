"""auditd's dispatcher, `format = binary`: records behind small headers.

A header is four 32-bit integers in the host's byte order: the protocol's version (0 or 1), the
header's length (16), the record's type, the data's length. Version 0 carries what the kernel sent,
`audit(...): ...`; version 1 the line as it would stand in the log. Some versions of auditd write
whole slots, a header and 8970 bytes, whatever the data's length; what is behind the data is
remains of older records then, and no part of the stream.

Source: audit, lib/libaudit.h, struct audit_dispatcher_header, MAX_AUDIT_MESSAGE_LENGTH;
src/auditd-dispatch.c, dispatch_event(); audisp/audispd.c, write_to_plugin().
"""

from __future__ import annotations

import struct

from steno.audit.record_types import name_of
from steno.audit.records import DamagedLine, Damages, Record

_HEADER = struct.Struct("=4I")
_MAX_DATA_BYTES = 8970
_SLOT_BYTES = _HEADER.size + _MAX_DATA_BYTES
_LENGTH = struct.pack("=I", _HEADER.size)
_MAX_DAMAGE_BYTES = 1024 * 1024


def is_header(data: bytes) -> bool:
    """Tell whether `data` begins with a header that makes sense."""
    if len(data) < _HEADER.size:
        return False
    version, length, kind, size = _HEADER.unpack_from(data)
    is_sane = version <= 1 and length == _HEADER.size and 1000 <= kind < 3000
    return bool(is_sane and 0 < size <= _MAX_DATA_BYTES)


def _find_header(data: bytes, at: int) -> int:
    """Return where the next header begins, or where one might that is not all there yet."""
    last = max(at, len(data) - _HEADER.size + 1)
    while (place := data.find(_LENGTH, at + 4, last + 8) - 4) >= at:
        if is_header(data[place : place + _HEADER.size]):
            return place
        at = place + 1
    return last


class BinaryReader:
    """Turn bytes of the dispatcher's `binary` protocol into records. Does no I/O.

    Whether records stand in slots is found out from one record to the next.
    """

    def __init__(self) -> None:
        """Begin at the stream's start."""
        self._rest = b""
        self._offset_bytes = 0
        self._number = 0
        self._padding_bytes = 0  # how much of a slot is left, if the record stood in one
        self._has_slots: bool | None = None  # None: not known yet
        self._bad = b""
        self._damages = Damages()

    def feed(self, data: bytes) -> list[Record]:
        """Return the records that `data` completes."""
        rest = self._rest + data if self._rest else data
        records: list[Record] = []
        at = 0
        while len(rest) - at >= _HEADER.size:
            if not is_header(rest[at : at + _HEADER.size]):
                after = self._pass(rest, at)
                if after == at:
                    break
                at = after
                continue
            end = at + _HEADER.size + _HEADER.unpack_from(rest, at)[3]
            if end > len(rest):
                break
            if self._padding_bytes:
                self._has_slots = False
            self._end_damage(at)
            records += self._read(rest[at:end], self._offset_bytes + at)
            self._padding_bytes = _SLOT_BYTES - (end - at)
            at = end
        self._offset_bytes += at
        self._rest = rest[at:]
        return records

    def finish(self) -> list[Record]:
        """Note what was cut short, as damage; there is no record without its end."""
        rest, self._rest = self._rest, b""
        is_padding = self._padding_bytes and self._has_slots is not False and not is_header(rest)
        self._offset_bytes += len(rest)
        if not is_padding:
            self._bad += rest
        self._end_damage(0)
        return []

    def take_damage(self) -> list[DamagedLine]:
        """Return what was no record since the last call."""
        return self._damages.take()

    def _read(self, piece: bytes, offset_bytes: int) -> list[Record]:
        version, _, kind, _ = _HEADER.unpack_from(piece)
        line = piece[_HEADER.size :].rstrip(b"\0\n")
        self._number += 1
        if version == 0:
            line = b"type=%s msg=%s" % (name_of(kind).encode(), line)
        return self._damages.read(self._number, offset_bytes, line, piece)

    def _pass(self, rest: bytes, at: int) -> int:
        """Return where to go on after what is no header; `at`: more must come first."""
        if self._padding_bytes and self._has_slots is not False:
            end = at + self._padding_bytes
            if end + _HEADER.size > len(rest):
                return at
            if is_header(rest[end : end + _HEADER.size]):
                self._padding_bytes = 0
                self._has_slots = True
                return end
        self._padding_bytes = 0
        after = _find_header(rest, at + 1)
        self._bad += rest[at:after]
        if len(self._bad) > _MAX_DAMAGE_BYTES:
            self._end_damage(after)
        return after

    def _end_damage(self, at: int) -> None:
        if self._bad:
            begin = self._offset_bytes + at - len(self._bad)
            self._number += 1
            self._damages.add(self._number, begin, self._bad, "no header")
            self._bad = b""
