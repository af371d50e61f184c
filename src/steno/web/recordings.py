"""Recordings: the list, one recording's facts, its original lines, text, commands and notes."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from typing import Annotated

import anyio.to_thread
import msgspec
from starlette.concurrency import iterate_in_threadpool
from starlette.responses import Response, StreamingResponse

from steno.errors import NotFoundError, StoreError
from steno.formats.sequence import Sequencer
from steno.formats.tlog import Decoder, Placed
from steno.integrity.chain import ChainVerifier, join_lines
from steno.model import Note, TextLine, Verification
from steno.store.event_groups import asks_for_events
from steno.store.expressions import asks_for_text
from steno.store.protocol import Page, Store, Summary
from steno.web.endpoint import Call, json_response
from steno.web.exports import NAMES
from steno.web.finding import Zone, parse_query
from steno.web.problems import Problem

log = logging.getLogger(__name__)

Limit = Annotated[int, msgspec.Meta(ge=1, le=500)]
_PIECE_CHARACTERS = 64 * 1024
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})\Z")


class ListQuery(msgspec.Struct, frozen=True):
    """Parameters of the list.

    Attributes:
        q: What to find, in the query language; "" for all.
        zone: The time zone of times in `q` that name none, +02:00; default: the server's.
        sort: started, duration, size, user or host; `-` before it turns it round.
        limit: How many at most.
        cursor: Where to go on: the page before's `cursor`.
    """

    q: str = ""
    sort: Annotated[str, msgspec.Meta(pattern="^-?(started|duration|size|user|host)$")] = "-started"
    limit: Limit = 50
    cursor: str | None = None
    zone: Zone | None = None


class TextQuery(msgspec.Struct, frozen=True):
    """Which lines of the screen's text."""

    first: Annotated[int, msgspec.Meta(ge=0, le=2**53)] = 0
    limit: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1000


class RecordingDetail(Summary, frozen=True, kw_only=True):
    """A recording, and what else there is of it."""

    commands_count: int
    lines_count: int
    exports: list[str]


class NumberedLine(msgspec.Struct, frozen=True):
    """A line of the screen's text, and its number."""

    number: int
    at_us: int
    text: str


class TextPage(msgspec.Struct, frozen=True):
    """Some lines; `next` is the number to go on with, None after the last."""

    items: list[NumberedLine]
    next: int | None


class Activity(msgspec.Struct, frozen=True):
    """How much output there was: `buckets` are (second, bytes), seconds without any left out."""

    duration_us: int
    buckets: list[tuple[int, int]]


class TimedDamage(msgspec.Struct, frozen=True):
    """A stretch that cannot be read; `at_us` is the instant of the last line before it."""

    line: int
    offset_bytes: int
    length_bytes: int
    reason: str
    at_us: int


class Notes(msgspec.Struct, frozen=True):
    """What else happened, and what cannot be read."""

    notes: list[Note]
    damages: list[TimedDamage]


async def list_recordings(call: Call) -> Response:
    """GET /recordings."""
    query: ListQuery = call.query
    expression = parse_query(query.q, query.zone) if query.q.strip() else None
    if expression is not None and (asks_for_text(expression) or asks_for_events(expression)):
        # Which recordings match says what was on their screens, or what was done.
        await call.log_viewing("search", query.q)

    def read() -> Page[Summary]:
        return call.services.store.recordings(
            expression,
            sort=query.sort,
            cursor=query.cursor,
            limit=query.limit,
            visible_to=call.visible_to,
        )

    return json_response(await anyio.to_thread.run_sync(read))


async def show_recording(call: Call) -> Response:
    """GET /recordings/{rec}."""
    summary, store = call.recording, call.services.store

    def read() -> RecordingDetail:
        facts = {name: getattr(summary, name) for name in summary.__struct_fields__}
        return RecordingDetail(
            **facts,
            commands_count=len(store.commands(summary.rec)),
            lines_count=store.lines_count(summary.rec),
            exports=list(NAMES),
        )

    return json_response(await anyio.to_thread.run_sync(read))


def _read_range(header: str, size_bytes: int) -> tuple[int, int] | None:
    """Return the (first, end) that a Range header asks for; None when it is to be ignored.

    Raises:
        Problem: 416, it lies beyond the end.
    """
    found = _RANGE.match(header.strip())
    if not found or found.groups() == ("", ""):
        return None
    first_text, last_text = found.groups()
    if not first_text:
        first, end = max(0, size_bytes - int(last_text)), size_bytes
    else:
        first = int(first_text)
        end = min(int(last_text) + 1, size_bytes) if last_text else size_bytes
        if last_text and int(last_text) < first:
            return None
    if first >= size_bytes:
        raise Problem(
            416,
            f"the recording has {size_bytes} bytes",
            headers={"Content-Range": f"bytes */{size_bytes}"},
        )
    return first, end


async def read_lines(call: Call) -> Response:
    """GET /recordings/{rec}/lines: the original bytes, or a range of them."""
    store, rec = call.services.store, call.recording.rec
    size_bytes = await anyio.to_thread.run_sync(store.size_bytes, rec)
    # Bytes are only ever added, so that the length names a state of the recording.
    etag = f'"{size_bytes}"'
    headers = {"Accept-Ranges": "bytes", "ETag": etag, "Cache-Control": "private, no-cache"}
    asked = call.request.headers.get("range")
    if asked and call.request.headers.get("if-range", etag) != etag:
        asked = None
    part = _read_range(asked, size_bytes) if asked else None
    if part is None and call.request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    first, end = part or (0, size_bytes)
    headers["Content-Length"] = str(end - first)
    if part is not None:
        headers["Content-Range"] = f"bytes {first}-{end - 1}/{size_bytes}"
    if call.request.method == "HEAD":
        return Response(None, 200, headers, media_type="application/x-ndjson")
    return StreamingResponse(
        iterate_in_threadpool(store.read(rec, first, end)),
        206 if part is not None else 200,
        headers,
        media_type="application/x-ndjson",
    )


def _wants_plain_text(accept: str) -> bool:
    """Return whether an Accept header puts text/plain before JSON."""
    for item in accept.split(","):
        media_type = item.partition(";")[0].strip().lower()
        if media_type in ("text/plain", "application/json", "*/*"):
            return media_type == "text/plain"
    return False


async def read_text(call: Call) -> Response:
    """GET /recordings/{rec}/text: some of the screen's text, or all of it as plain text."""
    query: TextQuery = call.query
    store, rec = call.services.store, call.recording.rec
    if _wants_plain_text(call.request.headers.get("accept", "")):
        return StreamingResponse(
            iterate_in_threadpool(_join_lines(store.lines(rec))),
            headers={"Cache-Control": "no-store", "Vary": "Accept"},
            media_type="text/plain",
        )

    def read() -> TextPage:
        lines = list(store.lines(rec, query.first, query.limit + 1))
        items = [
            NumberedLine(query.first + number, line.at_us, line.text)
            for number, line in enumerate(lines[: query.limit])
        ]
        return TextPage(items, query.first + query.limit if len(lines) > query.limit else None)

    return json_response(await anyio.to_thread.run_sync(read), headers={"Vary": "Accept"})


def _join_lines(lines: Iterable[TextLine]) -> Iterator[str]:
    """Yield lines in pieces of some size: each piece costs a change of threads."""
    piece: list[str] = []
    characters = 0
    for line in lines:
        piece.append(line.text + "\n")
        characters += len(line.text) + 1
        if characters >= _PIECE_CHARACTERS:
            yield "".join(piece)
            piece.clear()
            characters = 0
    yield "".join(piece)


async def show_activity(call: Call) -> Response:
    """GET /recordings/{rec}/activity."""
    buckets = await anyio.to_thread.run_sync(call.services.store.activity, call.recording.rec)
    return json_response(Activity(call.recording.duration_us, buckets))


async def list_notes(call: Call) -> Response:
    """GET /recordings/{rec}/notes."""
    summary, store = call.recording, call.services.store

    def read() -> Notes:
        if not summary.notes and not summary.damages:
            return Notes([], [])
        return _find_notes(store, summary.rec)

    limiter = call.services.heavy_limiter if summary.notes or summary.damages else None
    return json_response(await anyio.to_thread.run_sync(read, limiter=limiter))


def _find_notes(store: Store, rec: str) -> Notes:
    """Find all notes by reading the whole recording: the index only counts them."""
    decoder, sequencer = Decoder(), Sequencer()
    notes: list[Note] = []
    damages: list[TimedDamage] = []
    pending = sorted(store.damages(rec), key=lambda damage: damage.offset_bytes)
    at_us = 0

    def time_damages(before_bytes: int) -> None:
        while pending and pending[0].offset_bytes < before_bytes:
            damages.append(TimedDamage(**msgspec.structs.asdict(pending.pop(0)), at_us=at_us))

    for data in store.read(rec):
        for found in decoder.feed(data):
            if isinstance(found, Placed):
                time_damages(found.offset_bytes)
                at_us = max(at_us, found.message.pos_ms * 1000)
                pieces = sequencer.feed(found.message)
                notes += [piece for piece in pieces if isinstance(piece, Note)]
    time_damages(store.size_bytes(rec) + 1)
    return Notes(notes, damages)


async def verify(call: Call) -> Response:
    """GET /recordings/{rec}/verification: read every line and check the chain, now."""
    summary, store = call.recording, call.services.store

    def read() -> Verification:
        return verify_recording(store, summary)

    verification = await anyio.to_thread.run_sync(read, limiter=call.services.heavy_limiter)
    return json_response(verification)


def verify_recording(store: Store, summary: Summary) -> Verification:
    """Return what the chain of a recording's stored lines proves, and whether they came in so.

    Lines that cannot be read any more break the chain like lines that were altered.
    """
    verifier = ChainVerifier()
    try:
        verifier.feed_all(join_lines(store.read(summary.rec)), summary.chain)
    except (StoreError, NotFoundError) as error:
        log.error("stored lines cannot be read: %s", error, extra={"rec": summary.rec})
        verifier.break_off("what is stored from here on cannot be read")
    return verifier.verification()
