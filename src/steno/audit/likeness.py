"""Events that are like one that was told before, but for their numbers.

Hosts do the same things all day: a daemon opens the same file, a job runs the same commands. Such
events differ in serial, time, process ids, audit session, inodes, and in the addresses that their
system calls were given. All else that is told of them is the same, and is taken from the first one
of them; any other difference between the records is enough for an event to be told anew.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec
from msgspec.structs import astuple, replace

from steno.audit import _records
from steno.audit.coalescing import RecordGroup
from steno.audit.event import Event, Process, Thing
from steno.audit.records import Record
from steno.audit.words.actions import TYPES
from steno.audit.words.gathering import CALL_PLACES, LEAD
from steno.model import NO_AUDIT_SESSION

LIMIT_BYTES = 2 << 20
"""So much of records is remembered; then all is forgotten. Of events it is about as much."""

LIMIT_SEEN = 16384
"""So many likenesses were seen once; then that is forgotten. Most never come again."""

WINDOW = 1024
WORTH = WINDOW // 4
REST = 4 * WINDOW
"""Of so many events, so many must be like others; else for so many nobody looks."""

Numbers = tuple[int | None, ...]
"""Process id, its parent's, audit session, and the inodes of PATH records, in order."""

_INODES_AT = 3

_PLACES = CALL_PLACES | {
    name: LEAD for name, rule in TYPES.items() if not {"pid", "ses"} & set(rule.fields)
}
"""What has a likeness: system calls by themselves, and reports that do not name their numbers."""

_NO_RECORDS = msgspec.Raw(b"[]")


class Told(msgspec.Struct, frozen=True, gc=False):
    """An event that was told.

    Attributes:
        event: It, without its records.
        process: Its process but for the first two, the ids.
        inodes: Its inodes.
        inodes_at: For each of its objects, which of the numbers is its inode; None: it has none.
        text: Its sentence; in two parts where an inode stands between them, for want of a name.
    """

    event: Event
    process: tuple[object, ...]
    inodes: Numbers
    inodes_at: tuple[int | None, ...]
    text: tuple[str, ...]

    def tell_again(self, group: RecordGroup, numbers: Numbers, records: msgspec.Raw) -> Event:
        """Return the event that other records tell of, which have these numbers."""
        event = self.event
        session = numbers[2]
        objects, text = event.objects, event.text
        if numbers[_INODES_AT:] != self.inodes:
            objects = [
                thing if at is None else _with_inode(thing, numbers[at])
                for thing, at in zip(objects, self.inodes_at, strict=True)
            ]
            if len(self.text) > 1:
                text = objects[0].name.join(self.text)
        # Positional, in the order of `Event`: keywords would take eight times as long.
        return Event(
            group.serial,
            group.at_unix_us,
            event.action,
            event.result,
            event.host,
            event.boot_id,
            None if session == NO_AUDIT_SESSION else session,
            event.error,
            event.exit,
            event.signal,
            event.syscall,
            event.keys,
            event.who,
            Process(numbers[0], numbers[1], *self.process),  # type: ignore[arg-type]
            objects,
            text,
            event.typed,
            group.lost_before,
            records,
        )


class Likenesses:
    """What was told of events, by what they have in common with others.

    Args:
        counted: Which arguments of a system call count, a bit for each, by the `arch` and
            `syscall` of its record.
    """

    def __init__(self, counted: Mapping[tuple[bytes, bytes], int]) -> None:
        self._counted = counted
        self._told: dict[bytes, Told | None] = {}
        self._size_bytes = 0
        self._seen: set[int] = set()
        self._asked = self._known = self._resting = 0

    def find(self, records: list[Record]) -> tuple[bytes, Numbers] | None:
        """Return what an event is found by, and its numbers; None: it is like no other."""
        if self._resting:
            self._resting -= 1
            return None
        return _records.find_likeness(records, _PLACES, self._counted)

    def get(self, likeness: bytes) -> Told | None:
        """Return what was told of an event like this."""
        told = self._told.get(likeness)
        self._asked += 1
        self._known += told is not None
        if self._asked == WINDOW:
            if self._known < WORTH:
                self._resting = REST
            self._asked = self._known = 0
        return told

    def keep(self, likeness: bytes, numbers: Numbers, event: Event) -> None:
        """Remember what was told of an event, if it is not the first one like this."""
        trace = hash(likeness)
        if trace not in self._seen:
            if len(self._seen) >= LIMIT_SEEN:
                self._seen.clear()
            self._seen.add(trace)
        elif likeness not in self._told:
            if self._size_bytes > LIMIT_BYTES:
                self.forget()
            self._size_bytes += len(likeness)
            self._told[likeness] = _prepare(likeness, numbers, event)

    def forget(self) -> None:
        """Let everything be told anew: names may have changed."""
        self._told.clear()
        self._size_bytes = 0


def _prepare(likeness: bytes, numbers: Numbers, event: Event) -> Told | None:
    """Return what is needed to tell it again; None where its inodes stand in several places."""
    inodes = numbers[_INODES_AT:]
    # Two paths with one inode have it in every event that is like this one.
    inodes_at = tuple(
        None if thing.inode is None else _INODES_AT + inodes.index(thing.inode)
        for thing in event.objects
    )
    text: tuple[str, ...] = (event.text,)
    nameless = [thing.name for thing in event.objects if _is_nameless(thing)]
    if nameless:
        text = tuple(event.text.split(nameless[0]))
        if len(nameless) > 1 or event.objects[0].name not in nameless or len(text) != 2:
            return None
        if _NAMED_SO.search(likeness):
            return None
    kept = replace(event, records=_NO_RECORDS)
    return Told(kept, astuple(event.process)[2:], inodes, inodes_at, text)


_NAMED_SO = re.compile(rb"inode |696e6f646520", re.IGNORECASE)
"""A file whose name looks like what stands for those without a name, plain or hexadecimal."""


def _is_nameless(thing: Thing) -> bool:
    """Tell whether a file's inode stands for its name."""
    return thing.inode is not None and thing.name == f"inode {thing.inode}"


def _with_inode(thing: Thing, inode: int | None) -> Thing:
    """Return what is like `thing` but has this inode."""
    name = f"inode {inode}" if _is_nameless(thing) else thing.name
    return Thing(thing.kind, name, thing.role, thing.name_hex, inode, thing.mode, thing.owner)
