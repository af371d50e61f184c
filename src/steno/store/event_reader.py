"""Stored audit events, read by their places in the index's database."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import apsw
import msgspec
import zstandard

from steno.audit.event import Event
from steno.errors import StoreError
from steno.store.event_schema import CHUNK_EVENTS, PLACE_BITS
from steno.store.events import PlacedEvent, StoredEvent
from steno.store.joined_events import RecordingEvents
from steno.structs import json_decoder

_CACHED_CHUNKS = 64

_decode_events = json_decoder(list[PlacedEvent])


class Trail(msgspec.Struct, frozen=True):
    """What a row of `trails` says that its events need."""

    key: int
    trail: str
    sender: str
    boot_id: str


class EventReader:
    """Reads stored events by their places, within one transaction.

    Attributes:
        chunks_read: How many chunks were unpacked so far: what the work was.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._chunks: OrderedDict[int, list[PlacedEvent]] = OrderedDict()
        self._trails: dict[int, Trail] = {}
        self.chunks_read = 0

    def placed(self, place: int) -> PlacedEvent:
        """Return the event at a place.

        Raises:
            StoreError: The index is damaged.
        """
        key, number = divmod(place, 1 << PLACE_BITS)
        chunk_id = key << PLACE_BITS | number // CHUNK_EVENTS
        events = self._chunks.get(chunk_id)
        if events is None:
            row: Any = self._connection.execute(
                "SELECT body FROM event_chunks WHERE id = ?", (chunk_id,)
            ).fetchone()
            events = [] if row is None else unpack(row[0])
            self._chunks[chunk_id] = events
            self.chunks_read += 1
            if len(self._chunks) > _CACHED_CHUNKS:
                self._chunks.popitem(last=False)
        else:
            self._chunks.move_to_end(chunk_id)
        if number % CHUNK_EVENTS >= len(events):
            raise StoreError(
                "the index is damaged: an event is missing; run `steno server reindex`"
            )
        return events[number % CHUNK_EVENTS]

    def event(self, place: int) -> Event:
        """Return what the event at a place says, without its records."""
        return self.placed(place).event

    def locate(self, place: int, recording: RecordingEvents) -> int | None:
        """Return the instant in a recording of the event at a place; None: it is none of its."""
        placed, trail = self.placed(place), self.trail(place >> PLACE_BITS)
        event = placed.event
        return recording.locate(event.at_unix_us, trail.trail, event.serial, placed.offset_bytes)

    def stored(self, place: int) -> StoredEvent:
        """Return the event at a place, and whose it is."""
        placed = self.placed(place)
        trail = self.trail(place >> PLACE_BITS)
        return StoredEvent(
            trail.trail,
            trail.sender or None,
            placed.event,
            placed.offset_bytes,
            placed.length_bytes,
        )

    def trail(self, key: int) -> Trail:
        """Return the trail with this key."""
        trail = self._trails.get(key)
        if trail is None:
            row: Any = self._connection.execute(
                "SELECT key, trail, sender, boot_id FROM trails WHERE key = ?", (key,)
            ).fetchone()
            trail = self._trails[key] = Trail(*row)
        return trail


def unpack(body: bytes) -> list[PlacedEvent]:
    """Return a chunk's events.

    Raises:
        StoreError: The index is damaged.
    """
    try:
        return _decode_events(zstandard.ZstdDecompressor().decompress(body))
    except (zstandard.ZstdError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StoreError(f"the index is damaged: {error}; run `steno server reindex`") from error
