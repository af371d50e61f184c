"""Which recording an audit event belongs to: the one whose page shows it."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from steno.audit.event import Event
from steno.store.events import SessionKey, StoredEvent
from steno.store.joined_events import RecordingEvents
from steno.store.protocol import Store, Summary


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
        self._known: dict[SessionKey, list[tuple[Summary, RecordingEvents]]] = {}

    def place(self, stored: StoredEvent) -> FoundEvent:
        """Return the event with its recording: the one that began last, where there are several."""
        event = stored.event
        for summary, recording in reversed(self._of(stored)):
            at_us = recording.locate(
                event.at_unix_us, stored.trail, event.serial, stored.offset_bytes
            )
            if at_us is not None:
                return FoundEvent(stored.trail, stored.sender, event, summary.rec, at_us)
        return FoundEvent(stored.trail, stored.sender, event)

    def _of(self, stored: StoredEvent) -> list[tuple[Summary, RecordingEvents]]:
        event = stored.event
        if event.boot_id is None or event.audit_session is None:
            return []
        key = SessionKey(stored.sender, event.boot_id, event.audit_session)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = [
                (summary, RecordingEvents.of(summary, self._store.joined_events(summary.rec)))
                for summary in self._store.session_recordings(key)
                if self._may_see(summary)
            ]
        return found
