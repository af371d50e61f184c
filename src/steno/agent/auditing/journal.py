"""Audit records in the systemd journal, where no auditd takes them, and programs' own words there.

journald keeps a record's text without its head, and that in fields; here they are put together
again. What login programs say of themselves counts only while no audit records come, so that no
login is told twice. Source: systemd 252, journald-audit.c, process_audit_string(); journalctl(1),
`-o export`, and systemd's JOURNAL_EXPORT_FORMATS.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec

from steno.agent.auditing.bookmark import Bookmark, write_bookmark
from steno.agent.auditing.deafness import is_told_by_journald, tells_deafness
from steno.agent.configuration import AuditSource
from steno.audit.coalescing import RecordGroup
from steno.audit.event import Event
from steno.audit.records import DamagedLine, LineReader, Record
from steno.audit.trail import Lost
from steno.audit.values.names import Names
from steno.audit.witness.witness import Heard, Known, Witness

_LENGTH_BYTES = 8
_MOST_BYTES = 1 << 20
"""A field that says to be longer is damage."""
_SWITCHED_OFF = b"op=set audit_enabled=0 "
"""What the kernel says last before it says no more, in one event. Source: Linux, kernel/audit.c."""

Key = tuple[str, int, int]


class _Place(NamedTuple):
    """A place in the journal from which reading can begin again."""

    number: int
    cursor: str | None
    known: list[Known]
    has_audit: bool
    serial: int | None
    is_deaf: bool


class JournalReader:
    """Turns `journalctl -o export` into records, and knows up to where they were dealt with.

    Args:
        bookmark: Where reading begins.
        source: Whether programs' own words are heard: `auto` while no audit records come.
        names: Gives uids their names.
    """

    def __init__(
        self,
        bookmark: Bookmark,
        source: AuditSource = "records",
        names: Names | None = None,
    ) -> None:
        self._begun = bookmark
        self._source = source
        self._has_audit = bookmark.has_audit
        self._serial = bookmark.serial
        self._switched_off = -1
        self._is_deaf = bookmark.is_deaf
        self._losses: list[Lost] = []
        self._witness = Witness(names or Names(), bookmark.known)
        self._known = bookmark.known
        self._events: list[Event] = []
        self._lines = LineReader()
        self._rest = b""
        self._entry: dict[bytes, bytes] = {}
        self._cursor = bookmark.cursor
        self._damage: list[DamagedLine] = []
        self._number = 0
        self._skipped = {(at_unix_us, serial) for at_unix_us, serial in bookmark.done}
        self._open: dict[Key, _Place] = {}
        """For each event that began, the place before it."""
        self._done: dict[tuple[int, int], int] = {}
        """For each event that was taken, the number of the last entry by then."""

    @property
    def is_listening(self) -> bool:
        """Whether programs' own words count now."""
        return self._source == "words" or (self._source == "auto" and not self._has_audit)

    @property
    def is_deaf(self) -> bool:
        """Whether journald has stopped to take audit events; the next that it takes ends that."""
        return self._is_deaf

    @property
    def begun_serial(self) -> int | None:
        """The greatest serial of an audit event before reading began; None: nobody knows it."""
        return self._begun.serial

    @property
    def heard(self) -> Heard:
        """How much was heard of programs' own words."""
        return self._witness.heard

    def skip(self, events: Iterable[tuple[int, int]]) -> None:
        """Take these events (instant, serial) to be dealt with already."""
        self._skipped |= {*events}

    def feed(self, data: bytes) -> list[Record]:
        """Return the records that `data` completes."""
        self._rest += data
        records: list[Record] = []
        at = 0
        while (end := self._rest.find(b"\n", at)) >= 0:
            line = self._rest[at:end]
            if not line:
                records += self._take_entry()
            elif b"=" in line:
                name, _, value = line.partition(b"=")
                self._entry[name] = value
            else:
                after = self._take_long(line, end + 1)
                if after is None:
                    break
                end = after
            at = end + 1
        self._rest = self._rest[at:]
        return records

    def finish(self) -> list[Record]:
        """Return what is left at the end: an entry that is not whole is none."""
        return self._take_entry() if self._entry and not self._rest else []

    def take_damage(self) -> list[DamagedLine]:
        """Return what was no record since the last call."""
        damage, self._damage = self._damage, []
        return damage

    def take_events(self) -> list[Event]:
        """Return what programs themselves told since the last call; it is dealt with by that."""
        events, self._events = self._events, []
        return events

    def take_losses(self) -> list[Lost]:
        """Return what journald itself told of losses since the last call."""
        losses, self._losses = self._losses, []
        return losses

    def take(self, group: RecordGroup) -> bool:
        """Take note that an event is dealt with; return whether that is so for the first time."""
        self._open.pop((group.node, group.at_unix_us, group.serial), None)
        event = group.at_unix_us, group.serial
        self._done[event] = self._number
        return event not in self._skipped

    def bookmark(self) -> Bookmark:
        """Return where to go on if all events that were taken are written."""
        # Dicts keep the order in which the events began.
        safe = next(iter(self._open.values()), self._place())
        self._done = {event: last for event, last in self._done.items() if last > safe.number}
        return msgspec.structs.replace(
            self._begun,
            cursor=safe.cursor,
            done=sorted(self._done),
            known=safe.known,
            has_audit=safe.has_audit,
            serial=safe.serial,
            is_deaf=safe.is_deaf,
        )

    def _place(self) -> _Place:
        audit = self._has_audit, self._serial, self._is_deaf
        return _Place(self._number, self._cursor, self._known, *audit)

    def _take_long(self, name: bytes, at: int) -> int | None:
        """Take a field in its binary form; return where its last byte is, None: not there yet."""
        head = self._rest[at : at + _LENGTH_BYTES]
        if len(head) < _LENGTH_BYTES:
            return None
        length = int.from_bytes(head, "little")
        if length > _MOST_BYTES:
            self._damage.append(DamagedLine(self._number, -1, name, "a field too long"))
            return at - 1
        end = at + _LENGTH_BYTES + length
        if len(self._rest) <= end:
            return None
        self._entry[name] = self._rest[at + _LENGTH_BYTES : end]
        return end

    def _take_entry(self) -> list[Record]:
        entry, self._entry = self._entry, {}
        if not entry:
            return []
        before = self._place()
        self._number += 1
        if b"__CURSOR" in entry:
            self._cursor = entry[b"__CURSOR"].decode("ascii", "replace")
        if is_told_by_journald(entry):
            self._note_deafness(entry)
            return []
        if entry.get(b"_TRANSPORT", b"audit") != b"audit":
            self._hear(entry)
            return []
        line = _render(entry)
        if line is None:
            self._damage.append(DamagedLine(self._number, -1, b"", "no audit record"))
            return []
        records = self._lines.feed(line)
        self._damage += self._lines.take_damage()
        for record in records:
            self._open.setdefault(record.key, before)
            self._note_record(record, entry)
        return records

    def _note_record(self, record: Record, entry: dict[bytes, bytes]) -> None:
        """Take note that audit records come, unless this belongs to the last event of them."""
        serial = record.key[2]
        self._serial = max(serial, self._serial or 0)
        self._is_deaf = False
        if _SWITCHED_OFF in entry.get(b"MESSAGE", b""):
            self._switched_off = serial
        self._has_audit = serial != self._switched_off

    def _note_deafness(self, entry: dict[bytes, bytes]) -> None:
        """Take note if journald stops to take audit events: programs' words are what is left."""
        if not tells_deafness(entry):
            return
        at_unix_us = int(entry.get(b"__REALTIME_TIMESTAMP", b"0"))
        name = at_unix_us, 0  # no event has that serial
        self._done[name] = self._number
        if not self._is_deaf and name not in self._skipped:
            self._losses.append(Lost(at_unix_us, 0, "deaf"))
        self._is_deaf = True
        self._has_audit = False

    def _hear(self, entry: dict[bytes, bytes]) -> None:
        """Take what a program said, unless audit records say it better."""
        if not self.is_listening:
            return
        event = self._witness.look(entry)
        self._known = self._witness.known
        if event is None:
            return
        name = event.at_unix_us, event.serial
        self._done[name] = self._number
        if name not in self._skipped:
            self._events.append(event)


def _render(entry: dict[bytes, bytes]) -> bytes | None:
    """Return an entry as auditd would have written it; None: it is no audit record."""
    try:
        kind = int(entry[b"_AUDIT_TYPE"])
        serial = int(entry[b"_AUDIT_ID"])
        at_unix_us = int(entry[b"_SOURCE_REALTIME_TIMESTAMP"])
    except (KeyError, ValueError):
        return None
    name = entry.get(b"_AUDIT_TYPE_NAME", b"UNKNOWN[%d]" % kind)
    text = entry.get(b"MESSAGE", b"").removeprefix(name).strip().replace(b"\n", b" ")
    seconds, milliseconds = divmod(at_unix_us // 1000, 1000)
    return b"type=%s msg=audit(%d.%03d:%d): %s\n" % (name, seconds, milliseconds, serial, text)


class JournalMarks:
    """Keeps the bookmark in a file; see pipeline.Marks."""

    def __init__(self, reader: JournalReader, path: Path) -> None:
        self._reader = reader
        self._path = path

    def take(self, group: RecordGroup) -> bool:
        """Take note of an event; return whether it came for the first time."""
        return self._reader.take(group)

    def written(self) -> None:
        """Keep where to go on: all that was taken is written."""
        write_bookmark(self._path, self._reader.bookmark())
