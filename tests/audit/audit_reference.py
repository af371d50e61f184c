"""The lexer in C and its JSON, once more in Python: slow, and easy to check by eye."""

from __future__ import annotations

import re
from typing import Any

from steno.audit.records import Field
from steno.audit.values.decoding import Decoder
from steno.audit.values.fields import kind_of, kinds_of_arguments
from steno.audit.values.kinds import NEEDS_ARCH, NEEDS_ARGUMENT_BEFORE, Kind

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
        main, suffixes = self.parts()
        return main + suffixes

    def parts(self) -> tuple[list[Field], list[Field]]:
        """Return the record's own fields, and those of the ENRICHED part."""
        _, _, suffix = self.line[self._body :].partition(b"\x1d")
        return _read_fields(self._main())[0], _read_fields(suffix)[0]

    @property
    def words(self) -> bytes:
        """What is no field."""
        _, _, suffix = self.line[self._body :].partition(b"\x1d")
        return b" ".join(_read_fields(self._main())[1] + _read_fields(suffix)[1])

    def get(self, name: str) -> bytes | None:
        """Return the first field's value."""
        return next((value for found, value in self.pairs if found == name), None)

    def values(self, names: tuple[str, ...]) -> tuple[bytes | None, ...]:
        """Return the first values of those fields."""
        return tuple(self.get(name) for name in names)

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


def encode_records(decoder: Decoder, records: list[Record]) -> list[dict[str, Any]]:
    """Return what the JSON of `Event.records` says, decoded."""
    return [_encode_record(decoder, record) for record in records]


_ENRICHED = frozenset({Kind.UID, Kind.GID, Kind.ARCH, Kind.SYSCALL})
_FACTS = dict.fromkeys(NEEDS_ARCH, "arch") | dict.fromkeys(NEEDS_ARGUMENT_BEFORE, "argument")


def _encode_record(decoder: Decoder, record: Record) -> dict[str, Any]:
    main, suffixes = record.parts()
    known = {name: _unquote(value) for name, value in reversed(suffixes)}
    kinds = [(name, kind_of(record.type, name)) for name, _ in main]
    used = {name.upper() for name, kind in kinds if kind in _ENRICHED} & known.keys()
    rest = list(suffixes)
    for name in used:
        rest.remove(next(pair for pair in suffixes if pair[0] == name))
    fields: dict[str, Any] = {}
    facts = {"arch": b"", "syscall": b"", "argument": b""}
    for number, (name, raw) in enumerate(main + rest):
        kind = kind_of(record.type, name)
        is_argument = Kind.ARGUMENT_0 <= kind <= Kind.ARGUMENT_3
        if is_argument:
            kind = kinds_of_arguments(facts["arch"], facts["syscall"])[int(name[1])]
        suffix = known.get(name.upper()) if kind in _ENRICHED and number < len(main) else None
        fact = facts[_FACTS[kind]] if kind in _FACTS else b""
        _add(fields, name, raw, decoder.value(kind, raw, fact, suffix))
        if is_argument:
            facts["argument"] = raw
        elif kind in (Kind.ARCH, Kind.SYSCALL):
            facts[name] = raw
    encoded: dict[str, Any] = {"type": record.type, "fields": fields}
    if record.words:
        encoded |= _both("words", record.words)
    return encoded


def _add(fields: dict[str, Any], name: str, raw: bytes, value: str | bytes | None) -> None:
    times = 1 + sum(1 for found in fields if found.partition("#")[0] == name)
    said: dict[str, str] = _both("raw", raw)
    if value is not None:
        said["value"] = value if isinstance(value, str) else value.decode(errors="replace")
    fields[name if times == 1 else f"{name}#{times}"] = said


def _both(name: str, data: bytes) -> dict[str, str]:
    text = data.decode(errors="replace")
    return {name: text} if text.encode() == data else {name: text, f"{name}_hex": data.hex()}


def _unquote(value: bytes) -> bytes:
    is_quoted = len(value) > 1 and value[:1] == b'"' == value[-1:]
    return value[1:-1] if is_quoted else value
