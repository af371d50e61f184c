"""A recording's commands and audit events, as endpoints."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime
from itertools import chain
from typing import Annotated, Literal

import anyio.to_thread
import msgspec
from starlette.responses import Response

from steno.audit.event import Event
from steno.audit.session.bunches import LEAST
from steno.audit.session.recorded import RecordedEvent
from steno.errors import NotFoundError, UsageError
from steno.store.event_groups import check_event_query
from steno.store.event_matching import EventMatcher
from steno.store.events import EventQuery
from steno.store.page import Page
from steno.store.session_reading import session_of
from steno.structs import decode_json
from steno.web.endpoint import Call, json_response
from steno.web.finding import Zone, parse_query
from steno.web.lanes import lay_out
from steno.web.problems import Problem
from steno.web.trail_joining import JoinedRecording, ShownEvent

KINDS = frozenset({"files", "network", "processes", "privileges", "denials", "typed", "other"})
_STEP = 20_000
"""So many events one request looks at: a page may hold few, and its cursor goes on."""


class EventsQuery(msgspec.Struct, frozen=True):
    """Which of a recording's audit events.

    Attributes:
        command: Of this command and what it ran: its number in the list of commands.
        q: What to find, in the query language; fields of events only.
        zone: The time zone of times in `q` that name none, +02:00; default: the server's.
        kinds: Sorts of events, with commas: files, network, processes, privileges, denials,
            typed, other; "" for all.
        from_us: At this instant of the recording or later.
        to_us: Before this instant.
        bunched: Denials of one process that say the same stand together, at the first one's place.
        bunch: Only those that stand together with the event of this serial.
        own: Also events of Steno's own programs, which prepared the session.
        sort: `at`: the first one first; `-at`: the last one first.
        limit: How many at most.
        cursor: Where to go on: the page before's `cursor`.
    """

    command: Annotated[int, msgspec.Meta(ge=1, le=2**31)] | None = None
    q: str = ""
    zone: Zone | None = None
    kinds: str = ""
    from_us: int | None = None
    to_us: int | None = None
    bunched: bool = False
    bunch: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] | None = None
    own: bool = False
    sort: Literal["at", "-at"] = "at"
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 200
    cursor: str | None = None


class EventDetail(msgspec.Struct, frozen=True):
    """One audit event, whole.

    Attributes:
        at_us: When, in the recording.
        command: The command's number that it belongs to.
        trail: The audit trail that holds it.
        event: The event, with the records underneath.
    """

    at_us: int
    command: int | None
    trail: str
    event: Event


async def _find(call: Call) -> JoinedRecording:
    summary, trails = call.recording, call.services.trails
    kept = await anyio.to_thread.run_sync(trails.kept, summary)
    if kept is not None:
        return kept
    return await anyio.to_thread.run_sync(trails.find, summary, limiter=call.services.heavy_limiter)


async def list_commands(call: Call) -> Response:
    """GET /recordings/{rec}/commands."""
    joined = await _find(call)
    headers = {"Cache-Control": "no-store"}
    return Response(joined.answer, headers=headers, media_type="application/json")


async def list_events(call: Call) -> Response:
    """GET /recordings/{rec}/events."""
    query: EventsQuery = call.query
    kinds = _read_kinds(query.kinds)
    after = _read_cursor(query.cursor)
    matcher = None
    if query.q.strip():
        expression = parse_query(query.q, query.zone)
        check_event_query(expression, query.q)
        matcher = EventMatcher(expression, datetime.now().astimezone())
    joined = await _find(call)

    def read() -> Page[ShownEvent]:
        return find_page(joined, query, kinds, after, matcher)

    return json_response(await anyio.to_thread.run_sync(read))


def find_page(
    joined: JoinedRecording,
    query: EventsQuery,
    kinds: frozenset[str] | None,
    after: tuple[int, int] | None,
    matcher: EventMatcher | None,
) -> Page[ShownEvent]:
    """Return a page of a recording's events.

    Args:
        joined: The recording, joined.
        query: What is asked.
        kinds: The kinds of events; None: all.
        after: The instant and the serial behind which to begin.
        matcher: What `query.q` means.
    """
    is_ascending = query.sort == "at"
    from_us, to_us = query.from_us, query.to_us
    if after is not None and is_ascending:
        from_us = after[0] if from_us is None else max(from_us, after[0])
    elif after is not None:
        to_us = after[0] + 1 if to_us is None else min(to_us, after[0] + 1)
    numbers = joined.numbers(
        command=query.command,
        kinds=kinds,
        from_us=from_us,
        to_us=to_us,
        is_ascending=is_ascending,
        with_own=query.own,
    )
    choice = _Choice(joined, query, matcher)
    items: list[ShownEvent] = []
    last: int | None = None
    for number in numbers:
        # Events of one instant are in the order of their serials.
        if after is not None and joined.at_us[number] == after[0]:
            steps = joined.serial[number] - after[1]
            if (steps if is_ascending else -steps) <= 0:
                continue
        if len(items) == query.limit or choice.looked >= _STEP:
            return Page(items, None if last is None else _make_cursor(joined, last))
        last = number
        if (item := choice.look(number)) is not None:
            items.append(item)
    return Page(items)


class _Choice:
    """Which events are shown, and what stands for what.

    Attributes:
        looked: How many events were looked at.
    """

    def __init__(
        self, joined: JoinedRecording, query: EventsQuery, matcher: EventMatcher | None
    ) -> None:
        self._joined = joined
        self._matcher = matcher
        self._is_bunched = query.bunched and query.bunch is None
        self._only: frozenset[int] | None = None
        if query.bunch is not None:
            members = (
                joined.bunch_of(number) or [number] for number in joined.numbers_of(query.bunch)
            )
            self._only = frozenset(chain.from_iterable(members))
        self._wanted: dict[int, Sequence[int]] = {}
        self.looked = 0

    def look(self, number: int) -> ShownEvent | None:
        """Return what is shown at an event's place; None: nothing."""
        if self._only is not None and number not in self._only:
            return None
        members = self._joined.bunch_of(number) if self._is_bunched else None
        if members is None:
            return self._joined.shown_event(number) if self._matches(number) else None
        # Whatever time is asked for, a bunch stands at the first one of all that are wanted.
        wanted = self._wanted.get(members[0])
        if wanted is None:
            wanted = self._wanted[members[0]] = [one for one in members if self._matches(one)]
        if number not in wanted[:1] and len(wanted) >= LEAST:
            return None
        if len(wanted) >= LEAST:
            return self._joined.shown_event(number, wanted)
        return self._joined.shown_event(number) if number in wanted else None

    def _matches(self, number: int) -> bool:
        self.looked += 1
        return self._matcher is None or self._matcher.matches(self._joined.event(number))


async def show_lanes(call: Call) -> Response:
    """GET /recordings/{rec}/lanes."""
    joined, duration_us = await _find(call), call.recording.duration_us
    return json_response(await anyio.to_thread.run_sync(lay_out, joined, duration_us))


async def show_event(call: Call) -> Response:
    """GET /recordings/{rec}/events/{serial}."""
    serial: int = call.request.path_params["serial"]
    joined = await _find(call)

    def read() -> EventDetail:
        for number in joined.numbers_of(serial):
            placed = joined.recorded_event(number)
            return _read_whole(call, placed)
        raise NotFoundError(f"no event {serial} in this recording")

    return json_response(await anyio.to_thread.run_sync(read))


def _read_whole(call: Call, placed: RecordedEvent) -> EventDetail:
    """Return an event with its records, which its trail has.

    Raises:
        NotFoundError: The trail has gone.
    """
    store, event = call.services.store, placed.event
    query = EventQuery(
        session=session_of(call.recording),
        from_unix_us=event.at_unix_us,
        until_unix_us=event.at_unix_us + 1,
        is_ascending=True,
    )
    cursor: str | None = None
    while True:
        page = store.events(query, cursor=cursor, limit=500)
        for stored in page.items:
            if stored.event.serial == event.serial:
                whole = store.event(stored.trail, event.serial)
                return EventDetail(placed.at_us, placed.command, stored.trail, whole.event)
        cursor = page.cursor
        if cursor is None:
            raise NotFoundError(f"no event {event.serial} in this recording")


def _read_kinds(text: str) -> frozenset[str] | None:
    words = frozenset(word.strip() for word in text.split(",") if word.strip())
    if unknown := sorted(words - KINDS):
        raise Problem(422, f"kinds: there is no kind {unknown[0]}", parameter="kinds")
    return words or None


def _make_cursor(joined: JoinedRecording, last: int) -> str:
    data = msgspec.json.encode((joined.at_us[last], joined.serial[last]))
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _read_cursor(cursor: str | None) -> tuple[int, int] | None:
    """Return the instant and the serial behind which to go on.

    Raises:
        UsageError: It is none of this list's.
    """
    if cursor is None:
        return None
    try:
        data = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        return decode_json(data, tuple[int, int])
    except ValueError as error:
        raise UsageError("the cursor is none of this list's") from error
