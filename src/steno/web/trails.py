"""Audit trails as they were delivered: for who proves that nothing was altered."""

from __future__ import annotations

import anyio.to_thread
import msgspec
from starlette.concurrency import iterate_in_threadpool
from starlette.responses import Response, StreamingResponse

from steno.errors import NotFoundError
from steno.model import Verification, is_trail
from steno.store.events import TrailSummary
from steno.store.protocol import Store
from steno.web.endpoint import Call, json_response


class TrailFacts(msgspec.Struct, frozen=True):
    """One audit trail.

    Attributes:
        id: Its id.
        host: The enrolled host that delivers it; null: it was put into the store by hand.
        size_bytes: How long it is so far; 0: its lines are gone.
        chain: What its chain proved when it was indexed; null: it is not indexed yet.
        follows: The trail of the same host before it.
        follows_head: The digest of that one's last line.
    """

    id: str
    host: str | None
    size_bytes: int
    chain: Verification | None = None
    follows: str | None = None
    follows_head: str | None = None


class Trails(msgspec.Struct, frozen=True):
    """All audit trails, by id."""

    items: list[TrailFacts]


async def list_trails(call: Call) -> Response:
    """GET /trails."""
    store = call.services.store

    def read() -> Trails:
        known = {summary.trail: summary for summary in store.trail_summaries()}
        # One that only the index remembers is listed too, so that its loss is noticed.
        trails = sorted({*known, *store.trails()})
        return Trails([_describe(store, trail, known.get(trail)) for trail in trails])

    return json_response(await anyio.to_thread.run_sync(read))


def _describe(store: Store, trail: str, summary: TrailSummary | None) -> TrailFacts:
    facts = TrailFacts(trail, store.sender_of(trail), store.size_bytes(trail))
    if summary is None:
        return facts
    return msgspec.structs.replace(
        facts,
        chain=summary.chain,
        follows=summary.follows,
        follows_head=summary.follows_head,
    )


async def read_trail(call: Call) -> Response:
    """GET /trails/{trail}/lines: the original bytes."""
    store, trail = call.services.store, call.request.path_params["trail"]
    size_bytes = await anyio.to_thread.run_sync(store.size_bytes, trail) if is_trail(trail) else 0
    if not size_bytes:
        raise NotFoundError(f"no audit trail {trail}")
    await call.log_viewing("trail", trail)
    return StreamingResponse(
        iterate_in_threadpool(store.read(trail, 0, size_bytes)),
        headers={"Content-Length": str(size_bytes), "Cache-Control": "private, no-cache"},
        media_type="application/x-ndjson",
    )
