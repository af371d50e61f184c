"""What of an event stands where in aushape's documents. Does no I/O.

Source: aushape 1.x's output, README and schemas; docs/audit.md lists the differences.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from steno.audit.aushape.markup import ITEM, Field, Group, Node, Text
from steno.audit.event import Event
from steno.structs import json_decoder


class LoggedField(msgspec.Struct, frozen=True):
    """A field of `Event.records`."""

    raw: str
    value: str | None = None


class LoggedRecord(msgspec.Struct, frozen=True):
    """A record of `Event.records`."""

    type: str
    fields: dict[str, LoggedField] = {}


_decode_records = json_decoder(list[LoggedRecord])

_LISTED_LAST = ("PATH", "OBJ_PID", "AVC", "NETFILTER_CFG")
"""Types that come more than once in an event: aushape lists them, after all others."""

_SHOWN_WITH_RAW = frozenset(["proctitle", "data", "saddr"])
"""Encoded strings whose encoded form aushape shows, too; of PATH also `name`."""

_ARGUMENTS = frozenset(["a0", "a1", "a2", "a3"])
"""A system call's arguments are hexadecimal; aushape says so where they mean nothing else."""

_ARGUMENT = re.compile(r"a(\d+)\Z")


def read_records(event: Event) -> list[LoggedRecord]:
    """Return the records underneath `event`, without the one that only says that it is over."""
    return [record for record in _decode_records(event.records) if record.type != "EOE"]


def shape_data(event: Event, records: Sequence[LoggedRecord]) -> tuple[Group, str | None]:
    """Return the member `data` and, where records are missing, a sentence that says so."""
    by_type: dict[str, list[LoggedRecord]] = {}
    for record in records:
        by_type.setdefault(record.type, []).append(record)
    execve = by_type.pop("EXECVE", [])
    last = {name: by_type.pop(name) for name in _LISTED_LAST if name in by_type}
    members: list[Node] = [
        _listed(name, found) if len(found) > 1 else Group(_member(name), _fields(found[0]))
        for name, found in by_type.items()
    ]
    error = None
    if execve:
        arguments = _arguments(event, execve)
        announced = _announced(execve)
        if announced is not None and announced != len(arguments):
            error = f"EXECVE announced {announced} arguments, {len(arguments)} were logged"
        texts = tuple(Text("a", argument) for argument in arguments)
        members.append(Group("execve", texts, is_list=True, is_cuttable=True))
    members += [_listed(name, found) for name, found in last.items()]
    return Group("data", tuple(members), is_cuttable=True), error


def shape_text(lines: Sequence[str]) -> Group:
    """Return the member `text`: the records as they were logged."""
    texts = tuple(Text("line", line) for line in lines)
    return Group("text", texts, is_list=True, is_cuttable=True)


def _member(record_type: str) -> str:
    return record_type.lower()


def _fields(record: LoggedRecord, *, without: str = "") -> tuple[Field, ...]:
    """Return a record's fields, but for those in capitals: auditd's own words about others."""
    return tuple(
        _field(record.type, name, field)
        for name, field in record.fields.items()
        if name != without and not name.isupper()
    )


def _field(record_type: str, name: str, field: LoggedField) -> Field:
    raw, value = field.raw, field.value
    if value is None and record_type == "SYSCALL" and name in _ARGUMENTS:
        value = f"0x{raw}"
    if value is None or value == raw:
        return Field(name, raw)
    is_shown = name in _SHOWN_WITH_RAW or (record_type == "PATH" and name == "name")
    return Field(name, value, raw, is_plain=not is_shown and _only_encodes(raw, value))


def _only_encodes(raw: str, value: str) -> bool:
    if raw[:1] in ('"', "'"):
        return raw[1:-1] == value
    try:
        return bytes.fromhex(raw).decode("utf-8", "replace") == value
    except ValueError:
        return False


def _listed(record_type: str, found: list[LoggedRecord]) -> Group:
    """Return records of one type as a list; PATHs in the order of their numbers."""
    without = ""
    if record_type == "PATH":
        numbers = [_item_number(record) for record in found]
        found = [record for _, record in sorted(zip(numbers, found, strict=True), key=_by_number)]
        if sorted(numbers) == list(range(len(found))):
            without = "item"
    items = tuple(Group(ITEM, _fields(record, without=without)) for record in found)
    return Group(_member(record_type), items, is_list=True, is_cuttable=True)


def _by_number(numbered: tuple[int, LoggedRecord]) -> int:
    return numbered[0]


def _item_number(record: LoggedRecord) -> int:
    item = record.fields.get("item")
    return int(item.raw) if item is not None and item.raw.isdecimal() else 1 << 30


def _arguments(event: Event, execve: list[LoggedRecord]) -> list[str]:
    if event.process.arguments is not None:
        return event.process.arguments
    return [
        field.value if field.value is not None else field.raw
        for record in execve
        for name, field in record.fields.items()
        if _ARGUMENT.match(name)
    ]


def _announced(execve: list[LoggedRecord]) -> int | None:
    for record in execve:
        count = record.fields.get("argc")
        if count is not None and count.raw.isdecimal():
            return int(count.raw)
    return None
