"""A library that is a store's directory on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from steno.audit.session.recorded import RecordedCommands
from steno.integrity.chain import verify_stream
from steno.model import Command, Damage, TextLine, Verification
from steno.store.event_groups import check_event_query
from steno.store.event_places import (
    EventPlaces,
    FoundEvent,
    gather_bunched,
    hit_key,
    tell_hit,
)
from steno.store.events import EventQuery, KnownTrail, Login, LoginFailures, LoginQuery
from steno.store.opening import open_store
from steno.store.protocol import Hit, Page, Summary
from steno.store.query import parse
from steno.web.trail_joining import TrailJoiner


class StoreLibrary:
    """Reads a store directly; whoever may read its files may see all of it.

    Raises:
        NotFoundError: There is no store in the directory; none is made.
        StoreError: It is of a newer version, damaged, or cannot be used.
    """

    def __init__(self, directory: Path) -> None:
        self._store = open_store(directory, must_exist=True)

    def recordings(
        self, query: str | None, *, sort: str, cursor: str | None, limit: int
    ) -> Page[Summary]:
        """Return recordings that match `query`, or all."""
        expression = parse(query) if query else None
        return self._store.recordings(expression, sort=sort, cursor=cursor, limit=limit)

    def search(
        self,
        query: str,
        *,
        rec: str | None,
        cursor: str | None,
        limit: int,
        context_lines: int,
        is_bunched: bool = False,
    ) -> Page[Hit]:
        """Return lines and events that match `query`, in all recordings or in one.

        `is_bunched`: of denials that say the same the first stands for all, with their sentence.
        """
        expression = parse(query)

        def read(after: str | None, count: int) -> Page[Hit]:
            return self._store.search(
                expression, rec=rec, cursor=after, limit=count, context_lines=context_lines
            )

        if not is_bunched:
            return read(cursor, limit)
        rows, cursor = gather_bunched(read, hit_key, cursor, limit)
        return Page([tell_hit(hit, members) for hit, members in rows], cursor)

    def find(self, rec: str) -> Summary:
        """Return the recording with this id, or the only one whose id begins so."""
        return self._store.find(rec)

    def read(self, rec: str, offset_bytes: int = 0) -> Iterator[bytes]:
        """Yield the original lines' bytes, however cut."""
        return self._store.read(rec, offset_bytes)

    def lines(self, rec: str) -> Iterator[TextLine]:
        """Yield the screen text."""
        return self._store.lines(rec)

    def commands(self, rec: str) -> list[Command]:
        """Return the commands found."""
        return self._store.commands(rec)

    def recorded_commands(self, rec: str) -> RecordedCommands:
        """Return what was typed and what ran."""
        return TrailJoiner(self._store).find(self._store.find(rec)).commands

    def damages(self, rec: str) -> list[Damage]:
        """Return the stretches that could not be read."""
        return self._store.damages(rec)

    def verification(self, rec: str) -> Verification:
        """Return what the chain proves, computed here and now from the original lines.

        What the index remembers of the chain must agree with them.
        """
        known = self._store.find(rec).chain
        return verify_stream(self._store.read(rec), known)

    def trails(self) -> list[KnownTrail]:
        """Return all audit trails by id, also those that only the index remembers."""
        known = {
            one.trail: KnownTrail(one.trail, one.chain, one.follows, one.follows_head)
            for one in self._store.trail_summaries()
        }
        return [
            known.get(trail, KnownTrail(trail)) for trail in sorted({*known, *self._store.trails()})
        ]

    def events(
        self,
        query: str | None,
        *,
        is_ascending: bool,
        cursor: str | None,
        limit: int,
        is_bunched: bool = False,
    ) -> Page[FoundEvent]:
        """Return audit events that match `query`, or all, in the order of their instants.

        `is_bunched`: denials that say the same stand together.
        """
        expression = parse(query) if query else None
        if expression is not None and query:
            check_event_query(expression, query)
        wanted = EventQuery(expression=expression, is_ascending=is_ascending)
        places = EventPlaces(self._store)
        if is_bunched:
            return places.place_bunched(
                lambda after, count: self._store.events(wanted, cursor=after, limit=count),
                cursor,
                limit,
            )
        page = self._store.events(wanted, cursor=cursor, limit=limit)
        return Page([places.place(stored) for stored in page.items], page.cursor)

    def event(self, trail: str, serial: int) -> FoundEvent:
        """Return one audit event whole."""
        return EventPlaces(self._store).place(self._store.event(trail, serial))

    def logins(self, query: LoginQuery, *, cursor: str | None, limit: int) -> Page[Login]:
        """Return logins, newest first."""
        return self._store.logins(query, cursor=cursor, limit=limit)

    def login_failures(
        self, query: LoginQuery, *, cursor: str | None, limit: int
    ) -> Page[LoginFailures]:
        """Return failed attempts, taken together, those with the newest first."""
        return self._store.login_failures(query, cursor=cursor, limit=limit)

    def close(self) -> None:
        """Release the store."""
        self._store.close()
