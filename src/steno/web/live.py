"""Event streams: a recording while it grows, and what changes in the list of recordings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Annotated

import anyio.to_thread
import msgspec
from starlette.responses import Response

from steno.errors import NotFoundError
from steno.model import is_trail
from steno.store.protocol import Change, Summary
from steno.store.segments import Event, EventReader, Position, parse_position
from steno.web.callers import COOKIE, read_bearer
from steno.web.endpoint import Call
from steno.web.problems import Problem
from steno.web.streams import HEARTBEAT, EventResponse, Stream, render_event
from steno.web.visibility import is_visible

CHANGES_PAUSE_S = 1.0
MAX_CHANGED = 1000


class LiveQuery(msgspec.Struct, frozen=True):
    """Live following begins at the instant `from_us` of the recording."""

    from_us: Annotated[int, msgspec.Meta(ge=0, le=2**53)] = 0


class Pieces(msgspec.Struct, frozen=True):
    """What an event `pieces` carries; `duration` is the recording's, in seconds."""

    events: list[Event]
    duration: float


def _check_still_signed_in(call: Call, *, counts_as_use: bool) -> Callable[[], bool]:
    """Return a function that says, in a thread, if the caller's session or token is still good."""
    accounts, token = call.services.accounts, read_bearer(call.request)
    secret = call.request.cookies.get(COOKIE, "")

    def is_valid() -> bool:
        if token is not None:
            return accounts.find_token(token) == call.caller
        return accounts.find_session(secret, touch=counts_as_use) == call.caller

    return is_valid


async def follow_recording(call: Call) -> Response:
    """GET /recordings/{rec}/live."""
    services, rec = call.services, call.recording.rec
    query: LiveQuery = call.query
    after: Position | None = None
    if (last_id := call.request.headers.get("last-event-id")) is not None:
        after = parse_position(last_id)
        if after is None:
            raise Problem(422, "Last-Event-ID is none of ours", parameter="Last-Event-ID")

    def begin() -> EventReader:
        return EventReader(services.store, rec, after=after, after_us=query.from_us - 1)

    # Somebody who watches does not send requests, but is there.
    is_signed_in = _check_still_signed_in(call, counts_as_use=True)

    def is_watching() -> bool:
        if not is_signed_in():
            return False
        services.viewings.add(call.caller, "live", rec, "", call.address)
        return True

    stream = services.streams.open(call.caller, is_watching)
    return EventResponse(_live_events(call, rec, begin, stream), stream, services.streams)


async def _live_events(
    call: Call, rec: str, begin: Callable[[], EventReader], stream: Stream
) -> AsyncIterator[bytes]:
    services = call.services

    def notice(change: Change) -> None:
        if change.rec == rec:
            stream.wake()

    services.changes.add(notice)
    try:
        yield HEARTBEAT
        reader = await anyio.to_thread.run_sync(begin)
        while not stream.is_ended:
            position = reader.position
            events = await anyio.to_thread.run_sync(reader.read)
            if events:
                pieces = Pieces(events, reader.duration_us / 1_000_000)
                yield render_event("pieces", pieces, str(reader.position))
            if reader.position > position:
                await stream.check()
                continue
            if reader.end is not None:
                yield render_event("end", reader.end, str(reader.position))
                return
            if not await stream.wait():
                yield HEARTBEAT
    finally:
        services.changes.remove(notice)


async def follow_changes(call: Call) -> Response:
    """GET /changes."""
    services = call.services
    stream = services.streams.open(call.caller, _check_still_signed_in(call, counts_as_use=False))
    return EventResponse(_change_events(call, stream), stream, services.streams)


def _find_visible(call: Call, recs: list[str]) -> list[Summary]:
    """Return those of these recordings that are indexed and that the caller may see."""
    found = []
    for rec in recs:
        try:
            summary = call.services.store.find(rec)
        except NotFoundError:
            continue
        if summary.rec == rec and is_visible(summary, call.visible_to):
            found.append(summary)
    return found


async def _change_events(call: Call, stream: Stream) -> AsyncIterator[bytes]:
    services = call.services
    changed: dict[str, None] = {}

    def notice(change: Change) -> None:
        if not is_trail(change.rec):
            if len(changed) < MAX_CHANGED:
                changed[change.rec] = None
            stream.wake()

    services.changes.add(notice)
    try:
        yield HEARTBEAT
        while not stream.is_ended:
            if not await stream.wait():
                yield HEARTBEAT
                continue
            recs = list(changed)
            changed.clear()
            for summary in await anyio.to_thread.run_sync(_find_visible, call, recs):
                yield render_event("recording", summary)
            # At most one event a second per recording.
            await asyncio.sleep(CHANGES_PAUSE_S)
    finally:
        services.changes.remove(notice)
