"""One event's records, sorted by what they tell."""

from __future__ import annotations

import msgspec

from steno.audit.actions import SUPPORTING
from steno.audit.coalescing import RecordGroup
from steno.audit.records import Record


class Gathered(msgspec.Struct):
    """The records of one event, each where it is looked for.

    Attributes:
        call: SYSCALL, or URINGOP.
        lead: The first record that stands for itself (LOGIN, USER_AUTH, AVC ...).
        directory: CWD.
        paths: PATH records that are no PARENT, in order.
        parents: PATH records that are.
        runs: EXECVE records.
        peer: SOCKADDR.
        title: PROCTITLE.
        targets: OBJ_PID records.
        details: All others that only support the call, by type.
    """

    call: Record | None = None
    lead: Record | None = None
    directory: Record | None = None
    paths: list[Record] = []
    parents: list[Record] = []
    runs: list[Record] = []
    peer: Record | None = None
    title: Record | None = None
    targets: list[Record] = []
    details: dict[str, Record] = {}


def gather(group: RecordGroup) -> Gathered:
    """Sort the records of `group`."""
    found = Gathered()
    for record in group.records:
        kind = record.type
        if kind == "PATH":
            is_parent = record.get("nametype") == b"PARENT"
            (found.parents if is_parent else found.paths).append(record)
        elif kind in _SINGLE:
            setattr(found, _SINGLE[kind], record)
        elif kind == "EXECVE":
            found.runs.append(record)
        elif kind == "OBJ_PID":
            found.targets.append(record)
        elif kind in SUPPORTING:
            found.details[kind] = record
        elif found.lead is None:
            found.lead = record
    return found


_SINGLE = {"SYSCALL": "call", "PROCTITLE": "title", "CWD": "directory", "SOCKADDR": "peer"}
