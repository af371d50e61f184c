"""What hosts tell the server of themselves, and what it asks of them.

docs/formats/wire.md specifies it, under "Heartbeats and orders" and "Renewal".
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable

import anyio
import anyio.to_thread
import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from steno.delivery.wire import ENCODING, HEARTBEAT_PATH, ORDERS_PATH, RENEW_PATH
from steno.errors import FormatError, StenoError
from steno.heartbeat import Answer, Heartbeat, HostOrder
from steno.metrics import Metrics
from steno.server.bodies import decompress, read_body
from steno.server.certificates import Authority
from steno.server.problems import problem, problem_of
from steno.server.senders import authenticate, bearer_token, peer_certificate
from steno.store.fleet import hear
from steno.store.hosts import Host, HostRegistry
from steno.store.orders import Orders
from steno.store.protocol import Store
from steno.structs import decode_json

log = logging.getLogger(__name__)

BODY_LIMIT_BYTES = 4 << 20
BODY_WAIT_S = 20.0
MOST_WAIT_S = 60.0
_LOOK_S = 0.5
"""So often the orders that other processes gave are looked for."""
_POLLS_PER_HOST = 4
_SEEN_EVERY_US = 300_000_000
_THREADS = 8


class RenewalRequest(msgspec.Struct, frozen=True):
    """A certificate request (PEM) with the key that the host made."""

    csr: str


class RenewalAnswer(msgspec.Struct, frozen=True):
    """The new certificate (PEM); the old one works until this is shown for the first time."""

    certificate: str


class Fleet:
    """The routes that couriers call.

    Args:
        store: Where heartbeats are kept.
        registry: Which hosts there are.
        orders: What is asked of their sessions.
        authority: Signs their certificates; None: nobody does.
        metrics: Where requests are counted.
    """

    def __init__(
        self,
        store: Store,
        registry: HostRegistry,
        orders: Orders,
        authority: Authority | None,
        metrics: Metrics,
    ) -> None:
        self._store = store
        self._registry = registry
        self._orders = orders
        self._authority = authority
        self._threads = anyio.CapacityLimiter(_THREADS)
        self._polls: defaultdict[str, dict[asyncio.Event, None]] = defaultdict(dict)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._looker: asyncio.Task[None] | None = None
        self._is_ended = False
        self._requests = metrics.counter(
            "steno_heartbeats_total", "Heartbeats of hosts, by the answer's status.", ["status"]
        )
        self._finished = metrics.counter(
            "steno_orders_total", "Orders that hosts answered, by what came of them.", ["state"]
        )
        orders.subscribe(self._wake_from_thread)

    def routes(self) -> list[Route]:
        """Return the routes, with absolute paths."""
        return [
            Route(HEARTBEAT_PATH, self._answer_heartbeat, methods=["POST"], name="heartbeat"),
            Route(ORDERS_PATH, self._answer_orders, methods=["GET"], name="orders"),
            Route(RENEW_PATH, self._answer_renewal, methods=["POST"], name="renew"),
        ]

    def end_all(self) -> None:
        """Answer everybody who waits, and let nobody wait any more: the server stops."""
        self._is_ended = True
        for events in self._polls.values():
            for event in events:
                event.set()

    # Heartbeats.

    async def _answer_heartbeat(self, request: Request) -> Response:
        response = await self._guarded(self._heartbeat, request)
        self._requests.add(status=str(response.status_code))
        return response

    async def _guarded(
        self, answer: Callable[[Request], Awaitable[Response]], request: Request
    ) -> Response:
        try:
            return await answer(request)
        except ClientDisconnect:
            return problem(400, "the body is incomplete")
        except TimeoutError:
            return problem(408, "the body comes too slowly", headers={"Connection": "close"})
        except (FormatError, msgspec.DecodeError, UnicodeDecodeError) as error:
            return problem(400, f"this cannot be read: {error}")
        except StenoError as error:
            return problem_of(error)

    async def _heartbeat(self, request: Request) -> Response:
        host = await self._authenticated(request)
        if isinstance(host, Response):
            return host
        async with asyncio.timeout(BODY_WAIT_S):
            body = await read_body(request, BODY_LIMIT_BYTES)
        # Before anything that takes long: the clocks are compared.
        now_unix_us = time.time_ns() // 1000
        encoding = request.headers.get("content-encoding", "identity").lower()
        if encoding not in (ENCODING, "identity"):
            return problem(415, "bodies are plain or zstd", headers={"Accept-Encoding": ENCODING})
        if encoding == ENCODING and body is not None:
            body = decompress(body, BODY_LIMIT_BYTES)
        if body is None:
            return problem(413, f"a heartbeat has at most {BODY_LIMIT_BYTES} bytes")
        return await anyio.to_thread.run_sync(
            self._keep, host, body, now_unix_us, limiter=self._threads
        )

    def _keep(self, host: Host, body: bytes, now_unix_us: int) -> Response:
        heartbeat = decode_json(body, Heartbeat)
        before = [
            one for one in self._store.heard(host.name) if one.heartbeat.source == heartbeat.source
        ]
        self._store.put_heard(
            hear(before[0] if before else None, host.name, heartbeat, now_unix_us)
        )
        if heartbeat.results:
            for order in self._orders.finish(host.name, heartbeat.results):
                self._finished.add(state=order.state)
                log.info(
                    "order answered",
                    extra={
                        "order": order.id,
                        "do": order.do,
                        "rec": order.rec,
                        "host": order.host,
                        "user": order.user,
                        "state": order.state,
                        "failure": order.failure,
                    },
                )
        # On disk at return: not for each of thousands of hosts four times a minute.
        self._registry.saw(host.name, _SEEN_EVERY_US)
        return _answer(self._orders.tell(host.name))

    # Orders.

    async def _answer_orders(self, request: Request) -> Response:
        return await self._guarded(self._wait_for_orders, request)

    async def _wait_for_orders(self, request: Request) -> Response:
        wait_s = _read_wait_s(request.query_params.get("wait_s", "0"))
        if wait_s is None:
            return problem(400, f"`wait_s` is a number of seconds, 0 to {MOST_WAIT_S:.0f}")
        host = await self._authenticated(request)
        if isinstance(host, Response):
            return host
        woken = self._begin_poll(host.name)
        try:
            orders = await self._told(host.name)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    while not orders and not self._is_ended:
                        await woken.wait()
                        if woken not in self._polls[host.name]:
                            break
                        woken.clear()
                        orders = await self._told(host.name)
        finally:
            self._end_poll(host.name, woken)
        return _answer(orders)

    async def _told(self, host: str) -> tuple[HostOrder, ...]:
        return await anyio.to_thread.run_sync(self._orders.tell, host, limiter=self._threads)

    def _begin_poll(self, host: str) -> asyncio.Event:
        self._loop = asyncio.get_running_loop()
        events = self._polls[host]
        while len(events) >= _POLLS_PER_HOST:
            # Whoever asks again and again has lost the first answers; nobody waits for them.
            oldest = next(iter(events))
            del events[oldest]
            oldest.set()
        woken = asyncio.Event()
        events[woken] = None
        if self._looker is None or self._looker.done():
            self._looker = self._loop.create_task(self._look())
        return woken

    def _end_poll(self, host: str, woken: asyncio.Event) -> None:
        events = self._polls[host]
        events.pop(woken, None)
        if not events:
            del self._polls[host]

    def _wake_from_thread(self, host: str) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake, host)

    def _wake(self, host: str) -> None:
        for event in self._polls.get(host, ()):
            event.set()

    async def _look(self) -> None:
        """While hosts wait, look for orders that another process gave."""
        while self._polls and not self._is_ended:
            await asyncio.sleep(_LOOK_S)
            # The next look may go better, and each host asks anew in any case.
            with contextlib.suppress(StenoError):
                for host in await anyio.to_thread.run_sync(self._orders.waiting_hosts):
                    self._wake(host)

    # Certificates.

    async def _answer_renewal(self, request: Request) -> Response:
        return await self._guarded(self._renew, request)

    async def _renew(self, request: Request) -> Response:
        host = await self._authenticated(request)
        if isinstance(host, Response):
            return host
        if self._authority is None:
            return problem(404, "this server has no certificate authority of its own")
        async with asyncio.timeout(BODY_WAIT_S):
            body = await read_body(request, 65536)
        if body is None:
            return problem(413, "a certificate request has at most 65536 bytes")
        asked = decode_json(body, RenewalRequest)
        return await anyio.to_thread.run_sync(
            self._issue, self._authority, host, asked, limiter=self._threads
        )

    def _issue(self, authority: Authority, host: Host, asked: RenewalRequest) -> Response:
        pem, issued = authority.issue_host(asked.csr.encode(), host.name)
        self._registry.renew(host.name, issued)
        log.info("host's certificate renewed", extra={"host": host.name, "serial": issued.serial})
        return _json(RenewalAnswer(pem.decode("ascii")))

    async def _authenticated(self, request: Request) -> Host | Response:
        token, der = bearer_token(request), peer_certificate(request)
        return await anyio.to_thread.run_sync(
            authenticate, self._registry, token, der, limiter=self._threads
        )


def _answer(orders: tuple[HostOrder, ...]) -> Response:
    return _json(Answer(time.time_ns() // 1000, orders))


def _json(data: object) -> Response:
    headers = {"Cache-Control": "no-store"}
    return Response(msgspec.json.encode(data), headers=headers, media_type="application/json")


def _read_wait_s(text: str) -> float | None:
    try:
        wait_s = float(text)
    except ValueError:
        return None
    return wait_s if 0 <= wait_s <= MOST_WAIT_S else None
