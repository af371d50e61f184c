"""Audit events: found over all hosts, and one of them whole."""

from __future__ import annotations

from typing import Annotated, Literal

import anyio.to_thread
import msgspec
from starlette.responses import Response

from steno.errors import NotFoundError
from steno.store.event_groups import check_event_query
from steno.store.event_places import EventPlaces, FoundEvent
from steno.store.events import EventQuery, StoredEvent
from steno.store.page import Page
from steno.store.protocol import Store
from steno.web.endpoint import Call, json_response
from steno.web.finding import Zone, parse_query
from steno.web.visibility import is_visible

Instant = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class EventListQuery(msgspec.Struct, frozen=True):
    """Which events are wanted.

    Attributes:
        q: What to find, in the query language; "" for all.
        zone: The time zone of times in `q` that name none, +02:00; default: the server's.
        from_unix_us: At this instant or later, microseconds since 1970.
        until_unix_us: Before this instant.
        bunched: Denials of one process that say the same stand together.
        order: `newest` or `oldest` first.
        limit: How many at most.
        cursor: Where to go on: the page before's `cursor`.
    """

    q: str = ""
    zone: Zone | None = None
    from_unix_us: Instant | None = None
    until_unix_us: Instant | None = None
    bunched: bool = False
    order: Literal["newest", "oldest"] = "newest"
    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 50
    cursor: str | None = None


def _places(store: Store, visible_to: str | None) -> EventPlaces:
    return EventPlaces(store, lambda summary: is_visible(summary, visible_to))


async def find_events(call: Call) -> Response:
    """GET /events."""
    query: EventListQuery = call.query
    expression = parse_query(query.q, query.zone) if query.q.strip() else None
    if expression is not None:
        check_event_query(expression, query.q)
    store, visible_to = call.services.store, call.visible_to
    wanted = EventQuery(
        expression=expression,
        from_unix_us=query.from_unix_us,
        until_unix_us=query.until_unix_us,
        is_ascending=query.order == "oldest",
        visible_to=visible_to,
    )

    def read() -> Page[FoundEvent]:
        places = _places(store, visible_to)

        def fetch(cursor: str | None, limit: int) -> Page[StoredEvent]:
            return store.events(wanted, cursor=cursor, limit=limit)

        if query.bunched:
            return places.place_bunched(fetch, query.cursor, query.limit)
        page = fetch(query.cursor, query.limit)
        return Page([places.place(stored) for stored in page.items], page.cursor)

    return json_response(await anyio.to_thread.run_sync(read))


async def show_found_event(call: Call) -> Response:
    """GET /events/{trail}/{serial}."""
    store, visible_to = call.services.store, call.visible_to
    trail, serial = call.request.path_params["trail"], call.request.path_params["serial"]

    def read() -> FoundEvent:
        found = _places(store, visible_to).place(store.event(trail, serial))
        if visible_to is not None and found.rec is None:
            # To somebody who may not see it, it looks like one that does not exist.
            raise NotFoundError(f"no event {serial} in {trail}")
        return found

    found = await anyio.to_thread.run_sync(read)
    await call.log_viewing("event", f"{trail} {serial}")
    return json_response(found)
