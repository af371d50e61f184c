"""Which recording an audit event belongs to: the one whose page shows it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeVar

import msgspec

from steno.audit.event import Event
from steno.audit.session.bunches import (
    LEAST,
    bunch_key,
    find_bunches,
    name_in_bunch,
    tell_bunch,
)
from steno.store.events import SessionKey, StoredEvent
from steno.store.joined_events import RecordingEvents
from steno.store.page import Page
from steno.store.protocol import Hit, Store, Summary

T = TypeVar("T")

PAGES_OF_BUNCHES = 40
"""So many pages are read at most to fill one whose events stand together."""
_MOST_AHEAD = 256


class FoundBunch(msgspec.Struct, frozen=True):
    """Events that say the same, told as one.

    Attributes:
        first_unix_us: The earliest one's instant.
        last_unix_us: The latest one's.
        text: The sentence for all.
        serials: Their numbers, in the order of the list.
    """

    first_unix_us: int
    last_unix_us: int
    text: str
    serials: list[int]


class FoundEvent(msgspec.Struct, frozen=True):
    """An audit event.

    Attributes:
        trail: Whose event it is; with `event.serial` it names the event.
        sender: The enrolled host that delivered the trail; null: imported.
        event: The event; in lists without the records underneath.
        rec: The recording whose page shows it; null: none that the caller may see.
        at_us: Its instant in that recording.
        bunch: What it stands for, where that was asked for and is more than itself.
    """

    trail: str
    sender: str | None
    event: Event
    rec: str | None = None
    at_us: int | None = None
    bunch: FoundBunch | None = None


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

    def place_bunched(
        self, read: Callable[[str | None, int], Page[StoredEvent]], cursor: str | None, limit: int
    ) -> Page[FoundEvent]:
        """Return a page of events in which denials that say the same stand together.

        Args:
            read: Returns events from a cursor on, at most so many.
            cursor: Where to begin.
            limit: How many rows at most.
        """
        rows, cursor = gather_bunched(read, _key, cursor, limit)
        return Page([self._place_with(first, members) for first, members in rows], cursor)

    def _place_with(self, first: StoredEvent, members: list[StoredEvent]) -> FoundEvent:
        found = self.place(first)
        if not members:
            return found
        return msgspec.structs.replace(found, bunch=tell_found([one.event for one in members]))

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


def _key(stored: StoredEvent) -> tuple[int, Hashable | None]:
    """Return an event's instant, and what the events of a bunch have in common."""
    return stored.event.at_unix_us, key_in_trail(stored)


def key_in_trail(stored: StoredEvent) -> Hashable | None:
    """Return what the events of a bunch have in common: they are of one trail, too."""
    key = bunch_key(stored.event)
    return None if key is None else (stored.trail, key)


def hit_key(hit: Hit) -> tuple[int, Hashable | None]:
    """Return a hit's instant, and what the hits that are one have in common."""
    if hit.event is None:
        return 0, None
    key = key_in_trail(hit.event)
    return hit.event.event.at_unix_us, None if key is None else (hit.summary.rec, key)


def tell_found(events: list[Event]) -> FoundBunch:
    """Return what stands for events that say the same."""
    stamps = [event.at_unix_us for event in events]
    text = tell_bunch([event.text for event in events], list(map(name_in_bunch, events)))
    return FoundBunch(min(stamps), max(stamps), text, [event.serial for event in events])


def tell_hit(hit: Hit, members: list[Hit]) -> Hit:
    """Return `hit` with the sentence that stands for all `members`; without any, as it is."""
    stored = hit.event
    if stored is None or not members:
        return hit
    text = tell_found([one.event.event for one in members if one.event]).text
    event = msgspec.structs.replace(stored.event, text=text)
    return msgspec.structs.replace(hit, event=msgspec.structs.replace(stored, event=event))


def gather_bunched(
    read: Callable[[str | None, int], Page[T]],
    keyed: Callable[[T], tuple[int, Hashable | None]],
    cursor: str | None,
    limit: int,
) -> tuple[list[tuple[T, list[T]]], str | None]:
    """Return a page's rows, each with all that it stands for ([] for itself), and its cursor.

    Args:
        read: Returns what is found from a cursor on, at most so many.
        keyed: Returns an item's instant and what the items of a bunch have in common.
        cursor: Where to begin.
        limit: How many rows at most. A bunch at the page's end is read on, as far as
            `PAGES_OF_BUNCHES` go; what comes after that begins anew on the next page.
    """
    items: list[T] = []
    bunches: dict[int, list[int]] = {}
    rows = 0
    ahead = LEAST
    for _ in range(PAGES_OF_BUNCHES):
        page = _read_on(read, keyed, items, cursor, ahead)
        ahead = min(2 * ahead, _MOST_AHEAD)
        if not page.items and rows >= limit:
            break
        if not page.items:
            page = read(cursor, limit - rows)
        items += page.items
        cursor = page.cursor
        bunches = find_bunches(map(keyed, items))
        rows = len(items) - sum(len(members) - 1 for members in bunches.values())
        if cursor is None:
            break
    followers = {number for members in bunches.values() for number in members[1:]}
    found = [
        (item, [items[one] for one in bunches.get(number, [])])
        for number, item in enumerate(items)
        if number not in followers
    ]
    return found, cursor


def _read_on(
    read: Callable[[str | None, int], Page[T]],
    keyed: Callable[[T], tuple[int, Hashable | None]],
    items: list[T],
    cursor: str | None,
    ahead: int,
) -> Page[T]:
    """Return what comes next as far as it goes on with a bunch of `items`: no row is added."""
    if not items or keyed(items[-1])[1] is None:
        return Page([], cursor)
    page = read(cursor, ahead)
    bunches = find_bunches(map(keyed, [*items, *page.items]))
    begun = {one for first, members in bunches.items() if first < len(items) for one in members}
    count = 0
    while count < len(page.items) and len(items) + count in begun:
        count += 1
    if count == 0:
        return Page([], cursor)
    return page if count == len(page.items) else read(cursor, count)
