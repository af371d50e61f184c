"""Search in the index: recordings that match, and the lines and events that made them match.

A recording matches when the query holds for it as a whole: a text term holds when some line
matches it, a field when the recording has it, a group of event terms (`event_groups`) when some
audit event of its session and time does. The hits are the events and lines that match any of these
which does not stand under NOT; a recording that matches without any is a hit itself.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterator
from datetime import datetime
from itertools import chain
from typing import Any

import apsw

from steno.errors import UsageError
from steno.store.chunks import CHUNK_LINES, CHUNK_MASK
from steno.store.cursors import LineCursor, SortCursor, decode_cursor, encode_cursor
from steno.store.derived import decode_summary
from steno.store.event_groups import group_events
from steno.store.event_reader import EventReader
from steno.store.event_search import SessionEvents
from steno.store.expressions import (
    And,
    EventGroup,
    Expression,
    Field,
    Not,
    Or,
    Phrase,
    Regex,
    Substring,
    Word,
)
from steno.store.filters import (
    ALWAYS,
    Condition,
    all_of,
    chunks_condition,
    field_condition,
    possible_condition,
    visible_condition,
)
from steno.store.protocol import Hit, Page, Summary
from steno.store.terms import TextTerm
from steno.store.text_reader import TextReader

RARE_LIMIT_CHUNKS = 2000
"""A text in more chunks than this is common."""

WORK_LIMIT_CHUNKS = 20_000
"""Chunks read for one page; then it ends, with a cursor to go on from."""

WORK_LIMIT_S = 2.0
"""Processor time for one page, likewise; but a recording is looked at to its end."""

LOOK_AHEAD_CHUNKS = 256
"""Chunks read after a page is full, to see whether anything follows."""

_SORTS = {
    "started": "started_unix_us",
    "duration": "duration_us",
    "size": "size_bytes",
    "user": "user",
    "host": "host",
}


class Search:
    """One query at work on one connection, within one read transaction."""

    def __init__(
        self, connection: apsw.Connection, query: Expression | None, visible_to: str | None
    ) -> None:
        self._connection = connection
        self._query = query = None if query is None else group_events(query)
        self._now = datetime.now().astimezone()
        self._fields: dict[Field, int] = {}
        self._field_conditions: list[Condition] = []
        self._terms: dict[Expression, TextTerm] = {}
        self._positive: list[TextTerm] = []
        self._groups: dict[int, SessionEvents] = {}
        self._positive_groups: list[SessionEvents] = []
        self._events = EventReader(connection)
        self._text = TextReader(connection)
        self._work_limit = WORK_LIMIT_CHUNKS
        self._stop_s = time.thread_time() + WORK_LIMIT_S
        # A single term needs no look whether a recording matches: it does if it has a hit.
        self._is_term = isinstance(query, Word | Phrase | Substring | Regex)
        possible = ALWAYS if query is None else possible_condition(query, self._leaf)
        self._where = all_of([visible_condition(visible_to), possible])

    def recordings(self, sort: str, cursor: str | None, limit: int) -> Page[Summary]:
        """Return recordings that match, in an order; see `Store.recordings`."""
        column = _SORTS.get(sort.removeprefix("-"))
        if column is None:
            raise UsageError(f"no order {sort}; there are {', '.join(_SORTS)}, with - downwards")
        direction, operator = ("DESC", "<") if sort.startswith("-") else ("ASC", ">")
        where = self._where
        if cursor is not None:
            after = decode_cursor(cursor, SortCursor)
            if after.sort != sort:
                raise UsageError(f"this cursor belongs to the order {after.sort}")
            past = Condition(f"({column}, rec) {operator} (?, ?)", (after.value, after.rec))
            where = all_of([past, where])
        items: list[Summary] = []
        last = ""
        rows = self._rows(where, f"{column} {direction}, rec {direction}", column)
        for key, rec, summary, value, *truths in rows:
            if self._matches_query(key, truths):
                if len(items) >= limit:
                    return Page(items, last)
                items.append(decode_summary(summary))
            last = encode_cursor(SortCursor(sort, value, rec))
            if self._is_late or self._work >= self._work_limit:
                return Page(items, last)
        return Page(items)

    def hits(self, cursor: str | None, limit: int, context_lines: int) -> Page[Hit]:
        """Return hits, newest recording first, in it the newest line first."""
        where = self._where
        after = None if cursor is None else decode_cursor(cursor, LineCursor)
        if after is not None:
            where = all_of([Condition("key <= ?", (after.key,)), where])
        items: list[Hit] = []
        is_first = True
        for key, _, packed, _, *truths in self._rows(where, "key DESC", "0"):
            if self._work >= self._work_limit or (self._is_late and not is_first):
                return Page(items, encode_cursor(LineCursor(key, None)))
            is_first = False
            if self._is_term or self._matches_query(key, truths):
                bound = after if after is not None and after.key == key else LineCursor(key, None)
                hits = self._hits_in(decode_summary(packed), bound, context_lines)
                if (following := self._take(items, limit, hits)) is not None:
                    return Page(items, encode_cursor(following))
        return Page(items)

    def hits_within(
        self, rec: str, cursor: str | None, limit: int, context_lines: int
    ) -> Page[Hit]:
        """Return the hits in one recording, oldest first."""
        after = None if cursor is None else decode_cursor(cursor, LineCursor)
        items: list[Hit] = []
        where = all_of([Condition("rec = ?", (rec,)), self._where])
        for key, _, packed, _, *truths in self._rows(where, "key", "0"):
            if self._is_term or self._matches_query(key, truths):
                bound = after if after is not None and after.key == key else LineCursor(key, None)
                summary = decode_summary(packed)
                hits = self._hits_in(summary, bound, context_lines, is_ascending=True)
                if (following := self._take(items, limit, hits)) is not None:
                    return Page(items, encode_cursor(following))
        return Page(items)

    def _take(
        self, items: list[Hit], limit: int, hits: Iterator[tuple[LineCursor, Hit | None]]
    ) -> LineCursor | None:
        """Move hits into a page; return where to go on from if it is full.

        Looks a little beyond a full page, so that most last pages know that they are.
        """
        # Each page gets on, also in a recording that takes all the work only to see if it matches.
        if len(items) < limit:
            self._work_limit = max(self._work_limit, self._work + LOOK_AHEAD_CHUNKS)
        for place, hit in hits:
            if self._work >= self._work_limit if hit is None else len(items) >= limit:
                return place
            if hit is not None:
                items.append(hit)
                if len(items) == limit:
                    self._work_limit = min(self._work_limit, self._work + LOOK_AHEAD_CHUNKS)
        return None

    @property
    def _work(self) -> int:
        return self._text.chunks_read + self._events.chunks_read

    @property
    def _is_late(self) -> bool:
        return time.thread_time() >= self._stop_s

    # The query as a condition on recordings.

    def _leaf(self, expression: Expression, is_negated: bool) -> Condition:
        if isinstance(expression, Field):
            condition = field_condition(expression, self._now)
            if expression not in self._fields:
                self._fields[expression] = len(self._field_conditions)
                self._field_conditions.append(condition)
            return Condition(f"NOT {condition.sql}", condition.values) if is_negated else condition
        if isinstance(expression, EventGroup):
            return self._group(expression, is_negated)
        if isinstance(expression, And | Or | Not):
            raise TypeError(expression)
        term = self._terms.get(expression)
        if term is None:
            term = self._terms[expression] = TextTerm(expression)
        if is_negated:
            return ALWAYS
        if term not in self._positive:
            self._positive.append(term)
        candidates = term.candidates
        if candidates is None:
            return ALWAYS
        count: Any = self._connection.execute(
            f"SELECT count(*) FROM (SELECT 1 FROM {candidates.table}"  # noqa: S608 - constants
            f" WHERE {candidates.table} MATCH ? LIMIT {RARE_LIMIT_CHUNKS})",
            (candidates.query,),
        ).fetchone()
        is_rare = count[0] < RARE_LIMIT_CHUNKS
        return chunks_condition(candidates.table, candidates.query, is_rare=is_rare)

    def _group(self, group: EventGroup, is_negated: bool) -> Condition:
        events = SessionEvents(self._connection, self._events, group.part, self._now)
        self._groups[id(group)] = events
        if is_negated:
            return ALWAYS
        self._positive_groups.append(events)
        return events.condition(RARE_LIMIT_CHUNKS)

    def _rows(self, where: Condition, order: str, value: str) -> Iterator[tuple[Any, ...]]:
        """Yield (key, rec, summary, value, the truth of each field ...) of rows that may match."""
        columns = ["key", "rec", "summary", value, *(part.sql for part in self._field_conditions)]
        values = [value for part in self._field_conditions for value in part.values]
        return self._connection.execute(
            f"SELECT {', '.join(columns)} FROM recordings WHERE {where.sql} ORDER BY {order}",  # noqa: S608 - values are bound
            (*values, *where.values),
        )

    def _matches_query(self, key: int, truths: list[int]) -> bool:
        return self._query is None or self._holds(self._query, key, truths)

    def _holds(self, expression: Expression, key: int, truths: list[int]) -> bool:
        match expression:
            case And(parts):
                return all(self._holds(part, key, truths) for part in sorted(parts, key=_cost))
            case Or(parts):
                return any(self._holds(part, key, truths) for part in sorted(parts, key=_cost))
            case Not(part):
                return not self._holds(part, key, truths)
            case Field():
                return bool(truths[self._fields[expression]])
            case EventGroup():
                return self._groups[id(expression)].occurs(key)
            case _:
                return self._text.occurs(self._terms[expression], key)

    # Events and lines.

    def _hits_in(
        self,
        summary: Summary,
        bound: LineCursor,
        context_lines: int,
        *,
        is_ascending: bool = False,
    ) -> Iterator[tuple[LineCursor, Hit | None]]:
        """Yield (where, hit) in order, from `bound` on: events then lines, or the other way round.

        None in place of a hit marks a good place to stop. Without a line or event the recording is
        the hit.
        """
        is_found = bound.number is not None or bound.event is not None
        events = self._event_hits(summary, bound, is_ascending=is_ascending)
        lines = self._line_hits(summary, bound, context_lines, is_ascending=is_ascending)
        for place, hit in chain(lines, events) if is_ascending else chain(events, lines):
            is_found = is_found or hit is not None
            yield place, hit
        if not is_found and not self._is_term:
            yield LineCursor(bound.key, None), Hit(summary)

    def _event_hits(
        self, summary: Summary, bound: LineCursor, *, is_ascending: bool
    ) -> Iterator[tuple[LineCursor, Hit | None]]:
        if bound.number is not None and not is_ascending:
            return
        found = [
            events.places(bound.key, bound=bound.event, is_ascending=is_ascending)
            for events in self._positive_groups
        ]
        last = None
        for event_id, place, at_us in heapq.merge(*found, reverse=not is_ascending):
            if event_id != last:
                last = event_id
                event = self._events.stored(place)
                yield LineCursor(bound.key, None, event_id), Hit(summary, event=event, at_us=at_us)

    def _line_hits(
        self, summary: Summary, cursor: LineCursor, context_lines: int, *, is_ascending: bool
    ) -> Iterator[tuple[LineCursor, Hit | None]]:
        key, bound = cursor.key, cursor.number
        if not self._positive or (cursor.event is not None and is_ascending):
            return
        chunk_ids = self._text.candidates(self._positive, key)
        for chunk_id in reversed(chunk_ids) if is_ascending else chunk_ids:
            first = (chunk_id & CHUNK_MASK) * CHUNK_LINES
            last = first + CHUNK_LINES - 1
            if bound is not None and (last < bound if is_ascending else first > bound):
                continue
            edge = first if is_ascending else last
            if bound is not None:
                edge = max(edge, bound) if is_ascending else min(edge, bound)
            yield LineCursor(key, edge), None
            chunk = self._text.chunk(chunk_id)
            if chunk is None:
                continue
            matches = self._text.matches(chunk, self._positive)
            for index, spans in matches if is_ascending else reversed(matches):
                number = first + index
                if bound is not None and (number < bound if is_ascending else number > bound):
                    continue
                before, line, after = self._text.around(key, number, context_lines)
                yield LineCursor(key, number), Hit(summary, number, line, spans, before, after)


def _cost(expression: Expression) -> int:
    """Return what comes first when several parts are to be looked at: what needs no text."""
    match expression:
        case Field():
            return 0
        case Not(part):
            return _cost(part)
        case And(parts) | Or(parts):
            return max(map(_cost, parts), default=0)
        case _:
            return 1
