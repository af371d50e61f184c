"""Server-sent events: a limit on how many are open, heartbeats, and an end when told."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable

import anyio.to_thread
import msgspec
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from steno.store.accounts import Signed
from steno.web.problems import Problem

HEARTBEAT_S = 15.0


class Stream:
    """One open stream. Used from the event loop only.

    Attributes:
        caller: Who gets it.
        is_ended: Whether it must stop: signed out, or the server stops.
    """

    def __init__(self, caller: Signed, is_valid: Callable[[], bool]) -> None:
        self.caller = caller
        self.is_ended = False
        self._is_valid = is_valid
        self._checked_s = time.monotonic()
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Make `wait` return at once."""
        self._woken.set()

    def end(self) -> None:
        """Stop the stream at its next turn, which is now."""
        self.is_ended = True
        self._woken.set()

    async def wait(self) -> bool:
        """Wait to be woken, or until the caller must be checked; return whether it was woken."""
        left_s = self._checked_s + HEARTBEAT_S - time.monotonic()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, left_s)):
                await self._woken.wait()
        is_woken = self._woken.is_set()
        self._woken.clear()
        await self.check()
        return is_woken

    async def check(self) -> None:
        """End the stream if its caller is not signed in any more; looks once a heartbeat.

        However busy a stream is, this must be called often: another process may have removed the
        caller, or their session may just be over.
        """
        if time.monotonic() - self._checked_s >= HEARTBEAT_S:
            if not await anyio.to_thread.run_sync(self._is_valid):
                self.is_ended = True
            self._checked_s = time.monotonic()


class Streams:
    """All open streams of this server."""

    def __init__(self, *, limit: int, limit_per_user: int) -> None:
        self._limit = limit
        self._limit_per_user = limit_per_user
        self._open: set[Stream] = set()
        self._per_user: Counter[str] = Counter()
        self._is_closed = False

    def __len__(self) -> int:
        """Return how many are open."""
        return len(self._open)

    def open(self, caller: Signed, is_valid: Callable[[], bool]) -> Stream:
        """Open a stream; `is_valid`, called in a thread, says if the caller is still signed in.

        Raises:
            Problem: 429 or 503, there are too many.
        """
        if self._is_closed or len(self._open) >= self._limit:
            raise Problem(503, "no more live streams", headers={"Retry-After": "30"})
        if self._per_user[caller.name] >= self._limit_per_user:
            raise Problem(
                429,
                f"more than {self._limit_per_user} live streams at once",
                headers={"Retry-After": "30"},
            )
        stream = Stream(caller, is_valid)
        self._open.add(stream)
        self._per_user[caller.name] += 1
        return stream

    def close(self, stream: Stream) -> None:
        """Forget a stream that has ended."""
        self._open.discard(stream)
        self._per_user[stream.caller.name] -= 1
        if not self._per_user[stream.caller.name]:
            del self._per_user[stream.caller.name]

    def end_of(self, *, key: str | None = None, name: str | None = None) -> None:
        """End the streams of one session or token (`key`), or of one user (`name`)."""
        for stream in list(self._open):
            if stream.caller.key == key or stream.caller.name == name:
                stream.end()

    def end_all(self) -> None:
        """End all streams, and open no more: the server stops."""
        self._is_closed = True
        for stream in list(self._open):
            stream.end()


def render_event(name: str, data: object, id_: str | None = None) -> bytes:
    """Return one event; `data` becomes JSON, which holds no line break."""
    head = f"id: {id_}\n" if id_ is not None else ""
    return f"{head}event: {name}\ndata: ".encode() + msgspec.json.encode(data) + b"\n\n"


HEARTBEAT = b":\n\n"


class EventResponse(StreamingResponse):
    """Sends events until the generator or the client ends; then closes the stream."""

    def __init__(self, events: AsyncIterator[bytes], stream: Stream, streams: Streams) -> None:
        super().__init__(
            events,
            media_type="text/event-stream",
            # Proxies must pass events on at once.
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )
        self._events = events
        self._stream = stream
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send everything; a client that went away is no error."""
        try:
            if scope["method"] != "HEAD":
                await super().__call__(scope, receive, send)
            else:
                await send(
                    {
                        "type": "http.response.start",
                        "status": self.status_code,
                        "headers": self.raw_headers,
                    }
                )
                await send({"type": "http.response.body", "body": b""})
        finally:
            self._streams.close(self._stream)
            if hasattr(self._events, "aclose"):
                with contextlib.suppress(RuntimeError):
                    await self._events.aclose()
