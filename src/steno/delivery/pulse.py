"""When a host tells its server how it is, and asks what to do: a state machine without I/O.

One request at a time goes to one server: a heartbeat every `INTERVAL_S`, and between two of them a
question for orders that the server leaves unanswered until there is one. An order is carried out
once, and its result told at once.
"""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from steno.delivery.protocol import Backoff
from steno.heartbeat import INTERVAL_S, Answer, HostOrder, OrderResult

INTERVAL_US = INTERVAL_S * 1_000_000
_LEAST_WAIT_US = 200_000
"""A question for orders that may wait less long is not worth asking."""
_REMEMBERED = 1000
TOO_LATE = "the order came too late"


class Beat(msgspec.Struct, frozen=True):
    """Send a heartbeat to this server, with these results."""

    server: int
    results: tuple[OrderResult, ...]
    round_trip_us: int | None


class Ask(msgspec.Struct, frozen=True):
    """Ask this server for orders; it may wait for so long with its answer."""

    server: int
    wait_us: int


class Perform(msgspec.Struct, frozen=True):
    """Carry this order out, and report what came of it."""

    order: HostOrder


class Pause(msgspec.Struct, frozen=True):
    """Nothing can be done until then."""

    until_us: int


class Pulse:
    """Say what to do next. Instants are microseconds of a clock that only goes forward.

    Args:
        servers: How many addresses there are; they are tried in turn.
        backoff: How long to leave one alone that failed.
    """

    def __init__(self, servers: int, backoff: Backoff) -> None:
        self._servers = servers
        self._backoff = backoff
        self._server = 0
        self._failures = [0] * servers
        self._not_before_us = [0] * servers
        self._due_us = 0
        self._round_trip_us: int | None = None
        self._orders: OrderedDict[str, tuple[HostOrder, int]] = OrderedDict()
        self._known: OrderedDict[str, None] = OrderedDict()
        self._results: dict[str, OrderResult] = {}

    def next(self, now_us: int) -> Beat | Ask | Perform | Pause:
        """Return what to do now."""
        while self._orders:
            id_, (order, until_us) = self._orders.popitem(last=False)
            if now_us < until_us:
                return Perform(order)
            self._results[id_] = OrderResult(id_, "failed", TOO_LATE)
        server = self._choose(now_us)
        if server is None:
            return Pause(min(self._not_before_us))
        if self._results or now_us >= self._due_us or self._failures[server]:
            return Beat(server, tuple(self._results.values()), self._round_trip_us)
        wait_us = self._due_us - now_us
        if wait_us < _LEAST_WAIT_US:
            return Pause(self._due_us)
        return Ask(server, wait_us)

    def beaten(self, beat: Beat, answer: Answer, sent_us: int, now_us: int) -> None:
        """Take note that a heartbeat that was sent at `sent_us` was answered."""
        self._round_trip_us = now_us - sent_us
        self._due_us = sent_us + INTERVAL_US
        for result in beat.results:
            self._results.pop(result.id, None)
        self.answered(beat.server, answer, now_us)

    def answered(self, server: int, answer: Answer, now_us: int) -> None:
        """Take note of what a server answered, to whichever question."""
        self._failures[server] = 0
        self._not_before_us[server] = 0
        self._server = server
        for order in answer.orders:
            if order.id not in self._known:
                self._known[order.id] = None
                self._orders[order.id] = (order, now_us + int(order.left_s * 1_000_000))
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def failed(self, server: int, now_us: int, *, retry_after_us: int = 0) -> None:
        """Take note that a request came to nothing; the next server is tried at once."""
        self._failures[server] += 1
        delay_us = max(self._backoff.delay_us(self._failures[server]), retry_after_us)
        self._not_before_us[server] = now_us + min(delay_us, INTERVAL_US)
        self._server = (server + 1) % self._servers

    def performed(self, result: OrderResult) -> None:
        """Take note of what came of an order; the next heartbeat tells it, and is due now."""
        self._results[result.id] = result

    def _choose(self, now_us: int) -> int | None:
        for step in range(self._servers):
            server = (self._server + step) % self._servers
            if now_us >= self._not_before_us[server]:
                return server
        return None
