"""From bytes of an audit log to events: the one way in for command line, host and server.

Does no I/O and reads no clock.
"""

from __future__ import annotations

from steno.audit.coalescing import Coalescer
from steno.audit.event import Event
from steno.audit.events import EventBuilder
from steno.audit.records import DamagedLine, LineReader


class EventReader:
    """Turn bytes of a log, or of the dispatcher's `string` protocol, into events, however cut.

    Args:
        builder: What makes events of the records; it knows the host and whose names are whose.
        finds_losses: Look for missing serials; wrong for filtered input (ausearch's).
    """

    def __init__(self, builder: EventBuilder | None = None, *, finds_losses: bool = False) -> None:
        self._builder = builder or EventBuilder()
        self._lines = LineReader()
        self._groups = Coalescer(finds_losses=finds_losses)

    def feed(self, data: bytes) -> list[Event]:
        """Return the events that `data` completes, in the order of their ends."""
        build = self._builder.build
        return [build(group) for group in self._groups.feed(self._lines.feed(data))]

    def expire(self) -> list[Event]:
        """Return all events that wait for more records; for when nothing came for a while."""
        return [self._builder.build(group) for group in self._groups.expire()]

    def finish(self) -> list[Event]:
        """Return what is left when the log has ended."""
        groups = self._groups.feed(self._lines.finish()) + self._groups.finish()
        return [self._builder.build(group) for group in groups]

    def take_damage(self) -> list[DamagedLine]:
        """Return what was no record since the last call."""
        return self._lines.take_damage()
