"""The embedded store: recordings in files, everything derived from them in SQLite."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from steno.audit.event import Event
from steno.audit.trail import Lost, decode_line
from steno.errors import NotFoundError, StoreError
from steno.model import Command, Damage, Keyframe, TextLine, is_trail
from steno.store import derived as rows
from steno.store import event_rows, hearing, join_rows, left_rows
from steno.store.changes import Changes
from steno.store.event_groups import check_event_query
from steno.store.event_reader import EventReader
from steno.store.event_search import find_events
from steno.store.events import (
    DerivedEvents,
    EventQuery,
    Login,
    LoginFailures,
    LoginQuery,
    SessionKey,
    StoredEvent,
    TrailSummary,
)
from steno.store.expressions import Expression
from steno.store.fleet import Heard, Liveness, Numbers
from steno.store.index import Database
from steno.store.joined_events import JoinedEvents
from steno.store.logins import find_failures, find_logins
from steno.store.protocol import (
    Change,
    Counts,
    Derived,
    DerivedState,
    Hit,
    LeftAlone,
    Page,
    Summary,
)
from steno.store.query import format_query
from steno.store.search import Search
from steno.store.truth import Truth


class SqliteStore:
    """A store in one directory; docs/formats/store.md describes its files.

    Implements `steno.store.protocol.Store`. Threads may share it, and processes the directory.
    """

    def __init__(self, directory: Path) -> None:
        """Open the store, making what is not there yet.

        Raises:
            StoreError: It is of a newer version, damaged, or its directory cannot be used.
        """
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._truth = Truth(directory / "recordings")
        except OSError as error:
            raise StoreError(f"{directory}: {error.strerror}") from error
        self._database = Database(directory / "index.sqlite")
        self._changes = Changes(directory / "changes")

    # The truth.

    def append(self, rec: str, offset_bytes: int, data: bytes, *, sender: str | None) -> int:
        """Append; see `Store.append`."""
        length = self._truth.append(rec, offset_bytes, data, sender)
        self._changes.announce(Change(rec, "appended", length))
        return length

    def durable_bytes(self, rec: str) -> int:
        """Return how much of `rec` is safe on disk; 0 when it is unknown."""
        return self._truth.durable_bytes(rec)

    def size_bytes(self, rec: str) -> int:
        """Return how much of `rec` can be read; 0 when it is unknown."""
        return self._truth.size_bytes(rec)

    def read(
        self, rec: str, offset_bytes: int = 0, end_bytes: int | None = None
    ) -> Iterator[bytes]:
        """Yield original bytes; see `Store.read`."""
        return self._truth.read(rec, offset_bytes, end_bytes)

    def recs(self) -> Iterator[str]:
        """Yield the ids of all recordings that hold at least one byte."""
        return (rec for rec in self._truth.recs() if not is_trail(rec))

    def trails(self) -> Iterator[str]:
        """Yield the ids of all audit trails that hold at least one byte."""
        return filter(is_trail, self._truth.recs())

    def sender_of(self, rec: str) -> str | None:
        """Return the authenticated host that delivers `rec`."""
        return self._truth.sender_of(rec)

    def senders(self) -> dict[str, int]:
        """Return how many recordings each authenticated host delivered, by its name."""
        with self._database.reading() as connection:
            return rows.senders(connection)

    # What hosts say of themselves.

    def put_heard(self, heard: Heard) -> None:
        """Keep a heartbeat; see `Store.put_heard`."""
        with self._database.writing() as connection:
            changed = hearing.put(connection, heard)
        for rec in changed:
            self._changes.announce(Change(rec, "heard", 0))

    def heard(self, host: str | None = None) -> list[Heard]:
        """Return the last heartbeat of each source of `host`, or of all hosts."""
        with self._database.reading() as connection:
            return hearing.heard(connection, host)

    def liveness(self, rec: str) -> Liveness | None:
        """Return what its host says of `rec`; None: nothing."""
        with self._database.reading() as connection:
            return hearing.liveness(connection, rec)

    def numbers(self) -> dict[str, Numbers]:
        """Return which running numbers each sender's recordings bear, by its name."""
        with self._database.reading() as connection:
            return hearing.numbers(connection)

    def number_gaps(self, sender: str, upto: int) -> list[tuple[int, int]]:
        """Return the running numbers that no recording bears; see `Store.number_gaps`."""
        with self._database.reading() as connection:
            return hearing.number_gaps(connection, sender, upto)

    # What is derived.

    def put_derived(self, rec: str, derived: Derived) -> None:
        """Add what was learnt to the index, all or nothing; see `Store.put_derived`."""
        with self._database.writing() as connection:
            rows.put(connection, rec, derived)
            left_rows.clear(connection, rec)
        if not derived.summary.is_live:
            with suppress(NotFoundError):
                self._truth.settle(rec)
        self._changes.announce(Change(rec, "derived", derived.upto_bytes))

    def derived_bytes(self, rec: str) -> int:
        """Return how much of `rec` is accounted for in the index."""
        return self.derived_state(rec).upto_bytes

    def derived_state(self, rec: str) -> DerivedState:
        """Return how far the index of `rec` is, and what its indexer left there to go on."""
        with self._database.reading() as connection:
            if is_trail(rec):
                return event_rows.state_of(connection, rec)
            return rows.state_of(connection, rec)

    def index_states(self) -> Iterator[tuple[str, bool]]:
        """Yield all recordings, and whether the index has all bytes of each and its end."""
        for rec, size_bytes in self._truth.sizes():
            with self._database.reading() as connection:
                if is_trail(rec):
                    is_current = event_rows.state_of(connection, rec).upto_bytes >= size_bytes
                else:
                    is_current = rows.is_current(connection, rec, size_bytes)
            yield rec, is_current

    def clear_derived(self, rec: str) -> None:
        """Forget all that is derived from `rec`."""
        with self._database.writing() as connection:
            (event_rows.clear if is_trail(rec) else rows.clear)(connection, rec)
            left_rows.clear(connection, rec)
        self._changes.announce(Change(rec, "derived", 0))

    def leave_alone(self, rec: str, reason: str, at_unix_us: int) -> None:
        """Note that the indexer follows a recording or trail no more."""
        left = LeftAlone(rec, self._truth.sender_of(rec), at_unix_us, reason)
        with self._database.writing() as connection:
            left_rows.put(connection, left)

    def left_alone(self, sender: str | None = None) -> list[LeftAlone]:
        """Return what the indexer follows no more, of one sender or of all."""
        with self._database.reading() as connection:
            return left_rows.read(connection, sender)

    # Audit trails.

    def put_events(self, trail: str, derived: DerivedEvents) -> None:
        """Add what was learnt of a trail; see `EventStore.put_events`."""
        with self._database.writing() as connection:
            event_rows.put(connection, trail, derived)
            left_rows.clear(connection, trail)
        if derived.summary.end is not None:
            with suppress(NotFoundError):
                self._truth.settle(trail)
        self._changes.announce(Change(trail, "derived", derived.upto_bytes))

    def trail_summaries(
        self, *, sender: str | None = None, boot_id: str | None = None
    ) -> list[TrailSummary]:
        """Return trails by their start; see `EventStore.trail_summaries`."""
        with self._database.reading() as connection:
            return event_rows.trails(connection, sender, boot_id)

    def losses(self, trail: str) -> list[Lost]:
        """Return what a trail says is missing in it, in order."""
        with self._database.reading() as connection:
            return event_rows.losses(connection, trail)

    def events(
        self, query: EventQuery, *, cursor: str | None = None, limit: int = 50
    ) -> Page[StoredEvent]:
        """Return events in the order of their instants; see `EventStore.events`."""
        if query.expression is not None:
            check_event_query(query.expression, format_query(query.expression))
        with self._database.reading() as connection:
            return find_events(connection, query, cursor, max(1, limit))

    def session_recordings(self, session: SessionKey) -> list[Summary]:
        """Return the recordings that were made in an audit session, by their start."""
        with self._database.reading() as connection:
            return event_rows.recordings_of(connection, session)

    def unjoined_sessions(self, limit: int = 100) -> list[tuple[SessionKey, int]]:
        """Return sessions that are to be joined; see `EventStore.unjoined_sessions`."""
        with self._database.reading() as connection:
            return join_rows.unjoined(connection, limit)

    def put_joined(self, session: SessionKey, since: int, joined: dict[str, JoinedEvents]) -> None:
        """Keep what joining found; see `EventStore.put_joined`."""
        with self._database.writing() as connection:
            join_rows.put_all(connection, session, since, joined)

    def joined_events(self, rec: str) -> JoinedEvents | None:
        """Return what joining a recording found; None: it was not joined yet."""
        with self._database.reading() as connection:
            key = rows.key_of(connection, rec)
            return None if key is None else join_rows.read(connection, key)

    def event(self, trail: str, serial: int) -> StoredEvent:
        """Return one event whole; see `EventStore.event`."""
        with self._database.reading() as connection:
            place = event_rows.place_of(connection, trail, serial)
            if place is None:
                raise NotFoundError(f"no event {serial} in {trail}")
            stored = EventReader(connection).stored(place)
        end_bytes = stored.offset_bytes + stored.length_bytes
        line = b"".join(self._truth.read(trail, stored.offset_bytes, end_bytes))
        _, item = decode_line(line)
        if not isinstance(item, Event) or item.serial != serial:
            raise StoreError(f"the index is wrong about {trail}; run `steno server reindex`")
        whole = msgspec.structs.replace(stored.event, records=item.records)
        return msgspec.structs.replace(stored, event=whole)

    def logins(
        self, query: LoginQuery, *, cursor: str | None = None, limit: int = 50
    ) -> Page[Login]:
        """Return logins, newest first."""
        with self._database.reading() as connection:
            return find_logins(connection, query, cursor, max(1, limit))

    def login_failures(
        self, query: LoginQuery, *, cursor: str | None = None, limit: int = 50
    ) -> Page[LoginFailures]:
        """Return failed attempts, taken together, those with the newest first."""
        with self._database.reading() as connection:
            return find_failures(connection, query, cursor, max(1, limit))

    # Finding and reading.

    def find(self, rec_or_prefix: str) -> Summary:
        """Return the recording that goes by this id or this beginning; see `Store.find`."""
        with self._database.reading() as connection:
            return rows.find(connection, rec_or_prefix)

    def counts(self) -> Counts:
        """Return how many recordings are in the index."""
        with self._database.reading() as connection:
            return rows.counts(connection)

    def recordings(
        self,
        query: Expression | None = None,
        *,
        sort: str = "-started",
        cursor: str | None = None,
        limit: int = 50,
        visible_to: str | None = None,
    ) -> Page[Summary]:
        """Return recordings that match; see `Store.recordings`."""
        with self._database.reading() as connection:
            return Search(connection, query, visible_to).recordings(sort, cursor, max(1, limit))

    def search(
        self,
        query: Expression,
        *,
        rec: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
        context_lines: int = 2,
        visible_to: str | None = None,
    ) -> Page[Hit]:
        """Return lines that match; see `Store.search`."""
        with self._database.reading() as connection:
            search = Search(connection, query, visible_to)
            if rec is None:
                return search.hits(cursor, max(1, limit), context_lines)
            return search.hits_within(rec, cursor, max(1, limit), context_lines)

    def lines(self, rec: str, first: int = 0, limit: int | None = None) -> Iterator[TextLine]:
        """Yield the screen text from line number `first` on."""
        first = max(0, first)
        left = limit
        while left is None or left > 0:
            with self._database.reading() as connection:
                key = rows.key_of(connection, rec)
                piece = [] if key is None else rows.lines_from(connection, key, first)
            if not piece:
                return
            piece = piece[:left]
            yield from piece
            first += len(piece)
            left = None if left is None else left - len(piece)

    def lines_count(self, rec: str) -> int:
        """Return how many lines of screen text the recording has so far."""
        with self._database.reading() as connection:
            return rows.lines_count(connection, rec)

    def commands(self, rec: str) -> list[Command]:
        """Return the commands found, in order."""
        with self._database.reading() as connection:
            key = rows.key_of(connection, rec)
            return [] if key is None else rows.commands(connection, key)

    def damages(self, rec: str) -> list[Damage]:
        """Return the unreadable stretches, in order."""
        with self._database.reading() as connection:
            if is_trail(rec):
                return event_rows.damages(connection, rec)
            key = rows.key_of(connection, rec)
            return [] if key is None else rows.damages(connection, key)

    def activity(self, rec: str) -> list[tuple[int, int]]:
        """Return (second, output bytes) for every second with output, in order."""
        with self._database.reading() as connection:
            key = rows.key_of(connection, rec)
            return [] if key is None else rows.activity(connection, key)

    def keyframes(self, rec: str) -> list[Keyframe]:
        """Return all keyframes in order, with empty `data`."""
        with self._database.reading() as connection:
            key = rows.key_of(connection, rec)
            return [] if key is None else rows.keyframes(connection, key)

    def keyframe(self, rec: str, number: int) -> Keyframe:
        """Return the keyframe with this number, from 0, whole.

        Raises:
            NotFoundError: The recording has none with this number.
        """
        with self._database.reading() as connection:
            key = rows.key_of(connection, rec)
            keyframe = None if key is None else rows.keyframe(connection, key, number)
        if keyframe is None:
            raise NotFoundError(f"recording {rec} has no keyframe {number}")
        return keyframe

    # Being told.

    def subscribe(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Call `listener` from any thread after each change; return what ends that."""
        return self._changes.subscribe(listener)

    def close(self) -> None:
        """Release everything; the store cannot be used afterwards."""
        self._changes.close()
        self._truth.close()
        self._database.close()
