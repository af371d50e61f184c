"""Audit events in the index: found by what they say, by their session, by their time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import apsw
import msgspec

from steno.errors import UsageError
from steno.store import join_rows
from steno.store.cursors import decode_cursor, encode_cursor
from steno.store.event_matching import EventMatcher
from steno.store.event_reader import EventReader
from steno.store.event_rows import id_range, session_key
from steno.store.event_schema import PLACE_BITS
from steno.store.event_terms import question, session_question
from steno.store.events import EventQuery, StoredEvent
from steno.store.expressions import And, Expression, Field
from steno.store.fields import parse_instant
from steno.store.filters import Condition, visible_condition
from steno.store.joined_events import RecordingEvents
from steno.store.page import Page

WORK_LIMIT_CHUNKS = 3000
"""Chunks read for one page; then it ends, with a cursor to go on from."""

WORK_LIMIT_S = 2.0
"""Processor time for one page; a command may have thousands of words, a query hundreds."""

_LOOKS = 16
"""Events looked at between two looks at the clock."""


class EventCursor(msgspec.Struct, frozen=True, array_like=True):
    """Where a list of events goes on: beyond this id, in this direction."""

    is_ascending: bool
    id: int


def find_events(
    connection: apsw.Connection, query: EventQuery, cursor: str | None, limit: int
) -> Page[StoredEvent]:
    """Return events; see `EventStore.events`. The expression must be one of events."""
    after = None if cursor is None else decode_cursor(cursor, EventCursor)
    if after is not None and after.is_ascending != query.is_ascending:
        raise UsageError("this cursor belongs to the other order")
    found = _Finding(connection, query)
    if found.is_empty:
        return Page([])
    return found.page(after, limit)


class _Finding:
    """One query for events at work, within one read transaction."""

    def __init__(self, connection: apsw.Connection, query: EventQuery) -> None:
        self._connection = connection
        self._query = query
        self._reader = EventReader(connection)
        now = datetime.now().astimezone()
        expression = query.expression
        self._matcher = None if expression is None else EventMatcher(expression, now)
        self._question = None if expression is None else question(expression)
        self._span = narrowed(query, now)
        self._visible: dict[int, list[RecordingEvents]] = {}
        self._conditions: list[Condition] = []
        self.is_empty = not (self._add_session() and self._add_trail() and self._add_visible())
        if query.pid is not None:
            self._conditions.append(Condition("e.pid = ?", (query.pid,)))

    def _add_session(self) -> bool:
        if self._query.session is None:
            return True
        key = session_key(self._connection, self._query.session)
        if key is None:
            return False
        if self._question is None:
            self._conditions.append(Condition("e.session = ?", (key,)))
        else:
            self._question = f"{session_question(key)} AND ({self._question})"
        return True

    def _add_trail(self) -> bool:
        if self._query.trail is None:
            return True
        row: Any = self._connection.execute(
            "SELECT key FROM trails WHERE trail = ?", (self._query.trail,)
        ).fetchone()
        if row is None:
            return False
        key = int(row[0])
        bounds = (key << PLACE_BITS, (key + 1 << PLACE_BITS) - 1)
        self._conditions.append(Condition("e.place BETWEEN ? AND ?", bounds))
        return True

    def _add_visible(self) -> bool:
        """Leave only sessions in which one of the person's recordings was made."""
        if self._query.visible_to is None:
            return True
        visible = visible_condition(self._query.visible_to)
        sql = (
            "e.session IN (SELECT s.key FROM recordings r JOIN event_sessions s"  # noqa: S608 - constants
            " ON s.boot_id = r.boot_id AND s.audit_session = r.audit_session"
            f" AND s.sender = ifnull(r.sender, '') WHERE {visible.sql})"
        )
        self._conditions.append(Condition(sql, visible.values))
        return True

    def page(self, after: EventCursor | None, limit: int) -> Page[StoredEvent]:
        items: list[StoredEvent] = []
        last = 0
        stop_s = time.thread_time() + WORK_LIMIT_S
        for number, (event_id, place, session) in enumerate(self._rows(after), 1):
            is_late = number % _LOOKS == 0 and time.thread_time() >= stop_s
            if is_late or self._reader.chunks_read >= WORK_LIMIT_CHUNKS:
                return Page(items, self._cursor(last))
            if self._holds(place, session):
                if len(items) >= limit:
                    return Page(items, self._cursor(last))
                items.append(self._reader.stored(place))
            last = event_id
        return Page(items)

    def _cursor(self, event_id: int) -> str:
        return encode_cursor(EventCursor(self._query.is_ascending, event_id))

    def _rows(self, after: EventCursor | None) -> Iterator[tuple[int, int, int]]:
        """Yield the (id, place, session) of events that may be wanted, in order."""
        first, last = id_range(*self._span)
        is_ascending = self._query.is_ascending
        if after is not None:
            first = max(first, after.id + 1) if is_ascending else first
            last = last if is_ascending else min(last, after.id - 1)
        order = "ASC" if is_ascending else "DESC"
        where = "".join(f" AND {condition.sql}" for condition in self._conditions)
        values = [value for condition in self._conditions for value in condition.values]
        if self._question is None:
            sql = (
                "SELECT e.id, e.place, e.session FROM events e"  # noqa: S608 - values are bound
                f" WHERE e.id BETWEEN ? AND ?{where} ORDER BY e.id {order}"
            )
            return self._connection.execute(sql, (first, last, *values))
        sql = (
            "SELECT e.id, e.place, e.session FROM event_terms t"  # noqa: S608 - values are bound
            " CROSS JOIN events e ON e.id = t.rowid WHERE t.event_terms MATCH ?"
            f" AND t.rowid BETWEEN ? AND ?{where} ORDER BY t.rowid {order}"
        )
        return self._connection.execute(sql, (self._question, first, last, *values))

    def _holds(self, place: int, session: int) -> bool:
        event = self._reader.event(place)
        start, end = self._span
        if start is not None and event.at_unix_us < start:
            return False
        if end is not None and event.at_unix_us >= end:
            return False
        if self._matcher is not None and not self._matcher.matches(event):
            return False
        return self._query.visible_to is None or self._is_visible(place, session)

    def _is_visible(self, place: int, session: int) -> bool:
        """Return whether the event is one of the person's recordings'."""
        recordings = self._visible.get(session)
        if recordings is None:
            visible = visible_condition(self._query.visible_to)
            rows: Iterator[Any] = self._connection.execute(
                "SELECT r.key, r.started_unix_us, r.duration_us, r.is_live"  # noqa: S608 - constants
                " FROM event_sessions s JOIN recordings r ON r.boot_id = s.boot_id"
                " AND r.audit_session = s.audit_session AND ifnull(r.sender, '') = s.sender"
                f" WHERE s.key = ? AND {visible.sql}",
                (session, *visible.values),
            )
            recordings = self._visible[session] = [
                recording_events(self._connection, *row) for row in rows
            ]
        return any(self._reader.locate(place, one) is not None for one in recordings)


def recording_events(
    connection: apsw.Connection, key: int, started_unix_us: int, duration_us: int, is_live: int
) -> RecordingEvents:
    """Return which events are a recording's, from columns of its row in the index."""
    joined = join_rows.read(connection, key)
    return RecordingEvents(started_unix_us, duration_us, is_live=bool(is_live), joined=joined)


def narrowed(query: EventQuery, now: datetime) -> tuple[int | None, int | None]:
    """Return the span of time that a query allows, from its members and its foremost fields."""
    start, end = query.from_unix_us, query.until_unix_us
    for field in _foremost(query.expression):
        if field.name not in ("after", "before", "at"):
            continue
        first, beyond = parse_instant(field.value, now.astimezone(field.zone))
        if field.name in ("after", "at"):
            start = first if start is None else max(start, first)
        if field.name == "before":
            end = first if end is None else min(end, first)
        if field.name == "at":
            beyond = max(beyond, first + 1)
            end = beyond if end is None else min(end, beyond)
    return start, end


def _foremost(expression: Expression | None) -> list[Field]:
    """Return the fields that must hold whatever else does."""
    if isinstance(expression, Field):
        return [expression]
    parts = expression.parts if isinstance(expression, And) else []
    return [part for part in parts if isinstance(part, Field)]


class SessionEvents:
    """The events of a group (`event_groups`) in a recording's session and time.

    Within one read transaction; `chunks_read` of `reader` is the work.
    """

    def __init__(
        self, connection: apsw.Connection, reader: EventReader, part: Expression, now: datetime
    ) -> None:
        self._connection = connection
        self._reader = reader
        self._matcher = EventMatcher(part, now)
        self._question = question(part)
        self._known: dict[int, bool] = {}

    def condition(self, rare_limit: int) -> Condition:
        """Return what no recording fails that has such an event.

        For something rare the index is asked once, for all recordings; for something common
        recording by recording.
        """
        if self._question is None:
            return Condition(f"ifnull({_SESSION}, 0) > 0")
        count: Any = self._connection.execute(
            "SELECT count(*) FROM (SELECT 1 FROM event_terms WHERE event_terms MATCH ? LIMIT ?)",
            (self._question, rare_limit),
        ).fetchone()
        if count[0] < rare_limit:
            return Condition(
                f"ifnull({_SESSION} IN (SELECT e.session FROM event_terms t CROSS JOIN events e"  # noqa: S608 - constants
                " ON e.id = t.rowid WHERE t.event_terms MATCH ?), 0)",
                (self._question,),
            )
        return Condition(
            "ifnull(EXISTS(SELECT 1 FROM event_terms WHERE event_terms"  # noqa: S608 - constants
            f" MATCH '\"k' || {_SESSION} || '\" AND (' || ? || ')'), 0)",
            (self._question,),
        )

    def occurs(self, key: int) -> bool:
        """Return whether there is such an event in the recording with this key."""
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = next(self.places(key), None) is not None
        return known

    def places(
        self, key: int, *, bound: int | None = None, is_ascending: bool = True
    ) -> Iterator[tuple[int, int, int]]:
        """Yield such events of a recording, by their stamps, from the id `bound` on.

        Each is its (id, place, instant in the recording).
        """
        row: Any = self._connection.execute(
            f"SELECT {_SESSION}, key, started_unix_us, duration_us, is_live"  # noqa: S608 - constants
            " FROM recordings WHERE key = ?",
            (key,),
        ).fetchone()
        if row is None or row[0] is None:
            return
        session, *columns = row
        recording = recording_events(self._connection, *columns)
        first, last = id_range(*recording.span_unix_us())
        if bound is not None:
            first, last = (max(first, bound), last) if is_ascending else (first, min(last, bound))
        order = "ASC" if is_ascending else "DESC"
        for event_id, place in self._candidates(session, first, last, order):
            if self._matcher.matches(self._reader.event(place)):
                at_us = self._reader.locate(place, recording)
                if at_us is not None:
                    yield event_id, place, at_us

    def _candidates(self, session: int, first: int, last: int, order: str) -> Iterator[Any]:
        if self._question is None:
            return self._connection.execute(
                "SELECT id, place FROM events WHERE session = ? AND id BETWEEN ? AND ?"  # noqa: S608 - constants
                f" ORDER BY id {order}",
                (session, first, last),
            )
        return self._connection.execute(
            "SELECT e.id, e.place FROM event_terms t CROSS JOIN events e ON e.id = t.rowid"  # noqa: S608 - constants
            " WHERE t.event_terms MATCH ? AND t.rowid BETWEEN ? AND ?"
            f" ORDER BY t.rowid {order}",
            (f"{session_question(session)} AND ({self._question})", first, last),
        )


_SESSION = (
    "(SELECT s.key FROM event_sessions s WHERE s.boot_id = recordings.boot_id"
    " AND s.audit_session = recordings.audit_session AND s.sender = ifnull(recordings.sender, ''))"
)
"""The key of the audit session of a row of `recordings`; NULL when no event of it is known."""
