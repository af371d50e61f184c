"""An event's records, sorted by what they tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from steno.audit import _records
from steno.audit.coalescing import Coalescer, RecordGroup
from steno.audit.records import LineReader, Record
from steno.audit.words.actions import SUPPORTING
from steno.audit.words.gathering import Gathered, MainFields, PathFields, gather, read_main

DATA = Path(__file__).parents[2] / "data" / "audit"
SINGLE = {"SYSCALL": "call", "PROCTITLE": "title", "CWD": "directory", "SOCKADDR": "peer"}


def sort(group: RecordGroup) -> Gathered:
    """Do in Python, record by record, what is done in C."""
    found = Gathered()
    for record in group.records:
        if record.type == "PATH":
            path = PathFields(*(record.get(name) for name in PathFields._fields))
            (found.parents if path.nametype == b"PARENT" else found.paths).append(path)
        elif record.type in SINGLE:
            setattr(found, SINGLE[record.type], record)
        elif record.type == "EXECVE":
            found.runs.append(record)
        elif record.type == "OBJ_PID":
            found.targets.append(record)
        elif record.type in SUPPORTING:
            found.details[record.type] = record
        elif found.lead is None:
            found.lead = record
    return found


def groups_of(data: bytes) -> list[RecordGroup]:
    """Return the events of a log."""
    coalescer = Coalescer()
    return coalescer.feed(LineReader().feed(data)) + coalescer.finish()


@pytest.mark.parametrize(
    "log", ["f1/audit-enriched.log", "f2/plugin-string-zoo.log", "f5/audit-immutable-kernel6.1.log"]
)
def test_real_events(log: str) -> None:
    """Every record of every real event is where it is looked for."""
    for group in groups_of((DATA / log).read_bytes()):
        found = gather(group)
        assert found == sort(group)
        assert all(type(path) is PathFields for path in found.paths + found.parents)


def test_records_that_come_twice() -> None:
    """Of records that should be alone, the last counts; the first of others leads."""
    lines = b"".join(
        b"type=%s msg=audit(1.234:5): a=%d name=x\n" % (kind, number)
        for number, kind in enumerate(
            [b"AVC", b"CWD", b"SYSCALL", b"CWD", b"LOGIN", b"SYSCALL", b"PATH", b"MMAP", b"MMAP"]
        )
    )
    (group,) = groups_of(lines)
    found = gather(group)
    assert found == sort(group)
    assert [found.lead, found.call, found.directory] == [
        group.records[0],
        group.records[5],
        group.records[3],
    ]


def test_main_fields() -> None:
    """Each is the first of its name, None where there is none."""
    record = Record(b'type=SYSCALL msg=audit(1.234:5): uid=1 uid=2 gid= exe="x"\x1dUID="q"')
    expected = dict.fromkeys(MainFields._fields) | {
        "uid": b"1",
        "gid": b"",
        "exe": b'"x"',
        "UID": b'"q"',
    }
    assert read_main(record)._asdict() == expected


def test_refuses_what_are_no_records() -> None:
    """Anything but a list of records, and places that there are not, are programming errors."""
    with pytest.raises(TypeError):
        _records.gather([None], {}, (), tuple.__new__, tuple)  # type: ignore[list-item]
    record = Record(b"type=A msg=audit(1.234:5): a=b")
    with pytest.raises(ValueError, match="place"):
        _records.gather([record], {"A": 99}, (), tuple.__new__, tuple)
