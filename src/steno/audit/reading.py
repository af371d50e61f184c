"""From bytes of an audit log to events: the one way in for command line, host and server.

Does no I/O and reads no clock.
"""

from __future__ import annotations

from steno.audit.coalescing import Coalescer, RecordGroup
from steno.audit.event import Event
from steno.audit.events import EventBuilder
from steno.audit.records import DamagedLine
from steno.audit.sources import GuessingReader
from steno.audit.witness.hearing import JournalWords


class EventReader:
    """Turn bytes of a log, of the dispatcher or of the journal into events, however cut.

    Args:
        builder: What makes events of the records; it knows the host and whose names are whose.
        finds_losses: Look for missing serials; wrong for filtered input (ausearch's).
        words: Hears what login programs say in a journal: their events come with `feed` and
            `finish`, as they have no records.
    """

    def __init__(
        self,
        builder: EventBuilder | None = None,
        *,
        finds_losses: bool = False,
        words: JournalWords | None = None,
    ) -> None:
        self._builder = builder or EventBuilder()
        self._words = words
        self._lines = GuessingReader(words)
        self._groups = Coalescer(finds_losses=finds_losses)

    def feed(self, data: bytes) -> list[Event]:
        """Return the events that `data` completes, in the order of their ends."""
        return [event for event, _ in self.feed_groups(data)] + self._heard()

    def expire(self) -> list[Event]:
        """Return all events that wait for more records; for when nothing came for a while."""
        return [event for event, _ in self.expire_groups()]

    def finish(self) -> list[Event]:
        """Return what is left when the log has ended."""
        return [event for event, _ in self.finish_groups()] + self._heard()

    def feed_groups(self, data: bytes) -> list[tuple[Event, RecordGroup]]:
        """Return what `feed` does, each event with its records."""
        return self.build(self._groups.feed(self._lines.feed(data)))

    def expire_groups(self) -> list[tuple[Event, RecordGroup]]:
        """Return what `expire` does, each event with its records."""
        return self.build(self._groups.expire())

    def finish_groups(self) -> list[tuple[Event, RecordGroup]]:
        """Return what `finish` does, each event with its records."""
        return self.build(self._groups.feed(self._lines.finish()) + self._groups.finish())

    def _heard(self) -> list[Event]:
        return [] if self._words is None else self._words.take()

    def take_damage(self) -> list[DamagedLine]:
        """Return what was no record since the last call."""
        return self._lines.take_damage()

    def build(self, groups: list[RecordGroup]) -> list[tuple[Event, RecordGroup]]:
        """Return the events of groups, each with its records."""
        return list(zip(self._builder.build_all(groups), groups, strict=True))
