"""Which recording an audit event belongs to: that of its session and time."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from steno.audit.event import Event
from steno.store.events import SessionKey, StoredEvent
from steno.store.protocol import Store, Summary

EARLY_US = 20_000
"""So much before a recording's start an event of it may be stamped: the audit trail's clock ticks
every 1 to 10 ms and is read when a system call begins, and auditd cuts off microseconds."""

_FOREVER = (1 << 62) - 1


class Span(msgspec.Struct, frozen=True):
    """When one recording of an audit session was made.

    Attributes:
        from_unix_us: Its start, and `EARLY_US` before it.
        until_unix_us: Its last piece's instant; of a live one, for ever.
    """

    from_unix_us: int
    until_unix_us: int

    def holds(self, at_unix_us: int) -> bool:
        """Return whether an instant lies in it."""
        return self.from_unix_us <= at_unix_us <= self.until_unix_us


def span_of(started_unix_us: int, duration_us: int, *, is_live: bool) -> Span:
    """Return when a recording was made, as events are held to it."""
    end = _FOREVER if is_live else started_unix_us + duration_us
    return Span(started_unix_us - EARLY_US, end)


class FoundEvent(msgspec.Struct, frozen=True):
    """An audit event.

    Attributes:
        trail: Whose event it is; with `event.serial` it names the event.
        sender: The enrolled host that delivered the trail; null: imported.
        event: The event; in lists without the records underneath.
        rec: The recording that was made when it happened; null: none that the caller may see.
        at_us: Its instant in that recording.
    """

    trail: str
    sender: str | None
    event: Event
    rec: str | None = None
    at_us: int | None = None


class EventPlaces:
    """Finds the recordings that events belong to, among those that somebody may see."""

    def __init__(
        self, store: Store, may_see: Callable[[Summary], bool] = lambda _summary: True
    ) -> None:
        self._store = store
        self._may_see = may_see
        self._known: dict[SessionKey, list[Summary]] = {}

    def place(self, stored: StoredEvent) -> FoundEvent:
        """Return the event with its recording: the one that began last, where there are several."""
        event = stored.event
        for summary in reversed(self._of(stored)):
            span = span_of(summary.started_unix_us, summary.duration_us, is_live=summary.is_live)
            if span.holds(event.at_unix_us):
                at_us = max(0, event.at_unix_us - summary.started_unix_us)
                at_us = min(at_us, summary.duration_us)
                return FoundEvent(stored.trail, stored.sender, event, summary.rec, at_us)
        return FoundEvent(stored.trail, stored.sender, event)

    def _of(self, stored: StoredEvent) -> list[Summary]:
        event = stored.event
        if event.boot_id is None or event.audit_session is None:
            return []
        key = SessionKey(stored.sender, event.boot_id, event.audit_session)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = [
                summary for summary in self._store.session_recordings(key) if self._may_see(summary)
            ]
        return found
