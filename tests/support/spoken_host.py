"""A host that speaks the courier's protocol, word by word, as a test wants it."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable
from typing import Any

from steno.delivery.transport import HttpTransport
from steno.errors import StenoError
from steno.heartbeat import (
    AgentFacts,
    Answer,
    AuditFacts,
    Heartbeat,
    HostOrder,
    OpenSession,
    OrderResult,
    SpoolFacts,
)


class SpokenHost:
    """One enrolled host, known to the server by its token."""

    def __init__(self, url: str, token: str) -> None:
        self._transport = HttpTransport(url, ssl.create_default_context(), token)
        self.told: list[HostOrder] = []
        self._results: list[OrderResult] = []
        self._is_stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def beat(
        self,
        *sessions: OpenSession,
        spool: SpoolFacts | None = None,
        number: int | None = None,
        failures: tuple[str, ...] = (),
        audit: AuditFacts | None = None,
        clock_offset_s: float = 0.0,
        is_leaving: bool = False,
    ) -> Answer:
        """Send a heartbeat, with what came of orders since the last that was answered."""
        results = tuple(self._results)
        answer = self._transport.beat(
            Heartbeat(
                sent_unix_us=time.time_ns() // 1000 + round(clock_offset_s * 1_000_000),
                boot_id="b007" * 8,
                source="spoken",
                version="0.1.0",
                uptime_s=86_400,
                spool=spool or SpoolFacts(limit_bytes=1 << 30, free_bytes=1 << 34),
                agent=AgentFacts(
                    "0.1.0", sessions=sessions, number=number, policy="ab" * 32, failures=failures
                ),
                audit=audit,
                round_trip_us=2000,
                results=results,
                is_leaving=is_leaving,
            )
        )
        self._results = self._results[len(results) :]
        return answer

    def orders(self, wait_s: float = 0.0) -> Answer:
        """Ask for orders."""
        return self._transport.orders(wait_s)

    def answer(self, order: HostOrder, failure: str = "") -> None:
        """Remember what came of an order, for the next heartbeat."""
        state = "failed" if failure else "done"
        self._results.append(OrderResult(order.id, state, failure))

    def keep_beating(self, *sessions: OpenSession, **facts: Any) -> None:  # noqa: ANN401
        """Send such heartbeats in the background, twice a second."""
        self._begin(lambda: self.beat(*sessions, **facts) and self._is_stopped.wait(0.5))

    def serve(self, *sessions: OpenSession, failure: str = "") -> None:
        """Carry out every order in the background, or fail in each with `failure`."""

        def serve_once() -> None:
            for order in self.orders(1.0).orders:
                # Told again where a heartbeat with its result was lost.
                if order.id not in {one.id for one in self.told}:
                    self.told.append(order)
                    self.answer(order, failure)
            self.beat(*sessions)

        self._begin(serve_once)

    def _begin(self, work: Callable[[], object]) -> None:
        def run() -> None:
            while not self._is_stopped.is_set():
                try:
                    work()
                except StenoError:  # a server that was busy for too long
                    self._is_stopped.wait(0.5)

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Speak no more."""
        self._is_stopped.set()
        if self._thread is not None:
            self._thread.join(60)
        self._transport.close()
