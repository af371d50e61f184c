"""A recording in segments that each begin with the whole screen: seeking loads one of them.

The answers follow asciinema-player 3.17's `segmented` schema, so that it plays them too.
"""

from __future__ import annotations

import hashlib
from typing import Any

import anyio.to_thread
import msgspec
from starlette.responses import Response

from steno.store.segments import Event, segment, segment_index
from steno.web.endpoint import Call, json_response


class Size(msgspec.Struct, frozen=True):
    """The window's size in character cells."""

    cols: int
    rows: int


class SegmentRef(msgspec.Struct, frozen=True):
    """Where a segment begins, in seconds, and where to fetch it, relative to the list."""

    start: float
    url: str


class SegmentList(msgspec.Struct, frozen=True):
    """All segments of a recording; the last one of a live recording still grows."""

    version: int
    duration: float
    term: Size
    segments: list[SegmentRef]
    markers: list[tuple[float, str]]


class Snapshot(msgspec.Struct, frozen=True):
    """The screen when the segment begins: `init` draws it on a terminal that was just reset."""

    cols: int
    rows: int
    init: str


class SegmentContent(msgspec.Struct, frozen=True):
    """A segment: its events are [seconds since the recording's start, code, text].

    Codes: o output, i input, r resize ("COLSxROWS"), m marker.
    """

    snapshot: Snapshot
    events: list[Event]


async def list_segments(call: Call) -> Response:
    """GET /recordings/{rec}/segments."""
    summary, store = call.recording, call.services.store

    def read() -> dict[str, Any]:
        index = segment_index(store, summary.rec)
        if summary.is_live:
            # More may still come at the last instant. A player asks for what is later than the
            # duration, so that it must lie before that instant.
            duration_us = round(index["duration"] * 1_000_000)
            index["duration"] = max(0, duration_us - 1) / 1_000_000
        return index

    return json_response(await anyio.to_thread.run_sync(read))


async def read_segment(call: Call) -> Response:
    """GET /recordings/{rec}/segments/{number}."""
    number: int = call.request.path_params["number"]
    found = await anyio.to_thread.run_sync(segment, call.services.store, call.recording.rec, number)
    body = msgspec.json.encode(found.content)
    if not found.is_closed:
        return Response(body, headers={"Cache-Control": "no-store"}, media_type="application/json")
    # Nothing is ever written before a closed segment's end; but an index that is rebuilt by a
    # later version may cut elsewhere, so that an hour must do for "immutable".
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "private, max-age=3600, immutable"}
    if call.request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/json")
