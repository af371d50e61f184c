"""One event's records, sorted by what they tell; what is asked of them often, read at once."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from steno.audit import _records
from steno.audit.coalescing import RecordGroup
from steno.audit.records import Record
from steno.audit.words.actions import SUPPORTING

Raw = bytes | None
"""A field's value as it stands; None: it is not there."""


class MainFields(NamedTuple):
    """What SYSCALL and most other records say of who did something and how; names as they stand."""

    arch: Raw
    syscall: Raw
    success: Raw
    exit: Raw
    a0: Raw
    a1: Raw
    a2: Raw
    ppid: Raw
    pid: Raw
    auid: Raw
    uid: Raw
    gid: Raw
    euid: Raw
    tty: Raw
    ses: Raw
    comm: Raw
    exe: Raw
    key: Raw
    SYSCALL: Raw
    AUID: Raw
    UID: Raw
    GID: Raw
    EUID: Raw


class PathFields(NamedTuple):
    """What a PATH record says."""

    name: Raw
    inode: Raw
    mode: Raw
    ouid: Raw
    nametype: Raw
    OUID: Raw


class Gathered(msgspec.Struct, gc=False):
    """The records of one event, each where it is looked for.

    Attributes:
        call: SYSCALL.
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
    paths: list[PathFields] = []
    parents: list[PathFields] = []
    runs: list[Record] = []
    peer: Record | None = None
    title: Record | None = None
    targets: list[Record] = []
    details: dict[str, Record] = {}


def gather(group: RecordGroup) -> Gathered:
    """Sort the records of `group`."""
    names = PathFields._fields
    return Gathered(*_records.gather(group.records, CALL_PLACES, names, _make, PathFields))


def named(paths: list[PathFields]) -> list[PathFields]:
    """Return the paths that have a name; all if none has.

    Where overlayfs is asked for a file, what it does to the layers below stands in the same event
    (a file that is only written to is created in the upper layer), without names.
    """
    if len(paths) < 2:
        return paths
    return [path for path in paths if path.name != b"(null)"] or paths


def read_main(record: Record) -> MainFields:
    """Read the main fields of `record`."""
    return _make(MainFields, record.values(MainFields._fields))


_make = tuple.__new__
"""What `_make` of named tuples does besides, is known to be so: the number of fields."""

# The same numbers as `enum place` in native/audit_places.h.
_CALL, _DIRECTORY, _PEER, _TITLE, _PATH, _RUN, _TARGET, _DETAIL, LEAD = range(9)

CALL_PLACES = dict.fromkeys(SUPPORTING, _DETAIL) | {
    "SYSCALL": _CALL,
    "CWD": _DIRECTORY,
    "SOCKADDR": _PEER,
    "PROCTITLE": _TITLE,
    "PATH": _PATH,
    "EXECVE": _RUN,
    "OBJ_PID": _TARGET,
}
"""The types of records that tell of a system call, and where they are put; all others lead."""
