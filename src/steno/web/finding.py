"""Search: over all recordings that the caller may see, and within one."""

from __future__ import annotations

from typing import Annotated, Literal

import anyio.to_thread
import msgspec
from starlette.responses import Response

from steno.audit.event import Event
from steno.model import TextLine
from steno.store.event_places import FoundBunch, gather_bunched, hit_key, tell_found
from steno.store.expressions import Expression
from steno.store.fields import parse_zone
from steno.store.protocol import Hit, Page, Summary
from steno.store.query import parse
from steno.web.endpoint import Call, json_response

Zone = Annotated[str, msgspec.Meta(pattern=r"^[+-]([01][0-9]|2[0-3]):[0-5][0-9]$")]


class SearchQuery(msgspec.Struct, frozen=True):
    """Parameters of a search: the query, which page, how many lines around each hit.

    `zone` is the time zone of times in `q` that name none, +02:00; default: the server's. With
    `bunched`, denials of one process that say the same are one hit.
    """

    q: str = ""
    context: Annotated[int, msgspec.Meta(ge=0, le=20)] = 2
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 20
    cursor: str | None = None
    zone: Zone | None = None
    bunched: bool = False


def parse_query(text: str, zone: str | None) -> Expression:
    """Return the query's tree.

    Raises:
        QueryError: It cannot be understood.
    """
    return parse(text, None if zone is None else parse_zone(zone))


class HitEvent(msgspec.Struct, frozen=True):
    """An audit event that was found, without its records: see `/events/{trail}/{serial}`.

    Attributes:
        trail: Whose event it is.
        event: The event.
        bunch: What it stands for, where that was asked for and is more than itself.
    """

    trail: str
    event: Event
    bunch: FoundBunch | None = None


class LineHit(msgspec.Struct, frozen=True):
    """A line, or an event, that was found; `highlights` are (start, end) in characters of `text`.

    For an event, `at_us` is its instant in the recording and `text` its sentence.
    """

    kind: Literal["line", "event", "recording"]
    number: int | None
    at_us: int | None
    text: str | None
    highlights: list[tuple[int, int]]
    before: list[TextLine]
    after: list[TextLine]
    event: HitEvent | None = None


class RecordingHit(LineHit, frozen=True, kw_only=True):
    """A line or event that was found, and its recording.

    For the kind `recording` the query asked for no text or event: then it is itself the hit.
    """

    recording: Summary


def _line_hit(hit: Hit, members: list[Hit]) -> LineHit:
    if hit.event is not None:
        event = hit.event.event
        bunch = tell_found([one.event.event for one in members if one.event]) if members else None
        found = HitEvent(hit.event.trail, event, bunch)
        text = event.text if bunch is None else bunch.text
        return LineHit("event", None, hit.at_us, text, [], [], [], found)
    return LineHit(
        kind="recording" if hit.line is None else "line",
        number=hit.number,
        at_us=hit.line.at_us if hit.line else None,
        text=hit.line.text if hit.line else None,
        highlights=hit.highlights,
        before=hit.before,
        after=hit.after,
    )


def _recording_hit(hit: Hit, members: list[Hit]) -> RecordingHit:
    line = _line_hit(hit, members)
    facts = {name: getattr(line, name) for name in line.__struct_fields__}
    return RecordingHit(**facts, recording=hit.summary)


async def _search(call: Call, rec: str | None) -> tuple[list[tuple[Hit, list[Hit]]], str | None]:
    query: SearchQuery = call.query
    expression = parse_query(query.q, query.zone)

    def fetch(cursor: str | None, limit: int) -> Page[Hit]:
        return call.services.store.search(
            expression,
            rec=rec,
            cursor=cursor,
            limit=limit,
            context_lines=query.context,
            visible_to=call.visible_to,
        )

    def read() -> tuple[list[tuple[Hit, list[Hit]]], str | None]:
        if query.bunched:
            return gather_bunched(fetch, hit_key, query.cursor, query.limit)
        page = fetch(query.cursor, query.limit)
        return [(hit, []) for hit in page.items], page.cursor

    return await anyio.to_thread.run_sync(read)


async def search_all(call: Call) -> Response:
    """GET /search."""
    rows, cursor = await _search(call, None)
    return json_response(Page([_recording_hit(*row) for row in rows], cursor))


async def search_recording(call: Call) -> Response:
    """GET /recordings/{rec}/search."""
    rows, cursor = await _search(call, call.recording.rec)
    return json_response(Page([_line_hit(*row) for row in rows], cursor))
