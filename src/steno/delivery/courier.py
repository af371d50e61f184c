"""The thread that tells the server how this host is, and carries out what it asks."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from steno import __version__
from steno.delivery.audit_state import AUDIT_STATE, read_audit_state
from steno.delivery.condition import SpoolCondition
from steno.delivery.control import AgentControl
from steno.delivery.protocol import Backoff
from steno.delivery.pulse import Ask, Beat, Pause, Perform, Pulse
from steno.delivery.renewal import Renewal
from steno.delivery.spool import Spool, monotonic_us
from steno.delivery.transport import HttpTransport
from steno.errors import StenoError
from steno.heartbeat import AgentFacts, Heartbeat, HostOrder, OrderResult, SpoolFacts

_RENEWAL_EVERY_US = 3_600_000_000
_MOST_REASON_CHARACTERS = 1000
_PAUSE_S = 5.0


class CourierEvents:
    """What a courier tells; override what is of interest. Called from its thread."""

    def failed(self, error: StenoError) -> None:
        """Tell that a request came to nothing."""

    def recovered(self) -> None:
        """Tell that requests work again."""

    def performed(self, order: HostOrder, result: OrderResult) -> None:
        """Tell what came of an order."""

    def renewed(self, until: str) -> None:
        """Tell that the host has a new certificate, and until when."""


class Courier:
    """Sends heartbeats and takes orders until it is stopped.

    Args:
        spool: What this host delivers.
        transports: The servers, to be tried in turn. They are not closed here.
        agent: This host's agent.
        renewal: This host's certificate; None: it is left alone.
        events: Whom to tell.
        audit_state: Where the audit trail's writer says how it fares.
        clock: Reads a clock that only goes forward, in microseconds.
    """

    def __init__(
        self,
        spool: Spool,
        transports: Sequence[HttpTransport],
        agent: AgentControl,
        *,
        renewal: Renewal | None = None,
        events: CourierEvents | None = None,
        audit_state: Path = AUDIT_STATE,
        clock: Callable[[], int] = monotonic_us,
    ) -> None:
        self._audit_state = audit_state
        self._condition = SpoolCondition(spool)
        self._transports = list(transports)
        self._agent = agent
        self._renewal = renewal
        self._events = events or CourierEvents()
        self._clock = clock
        self._pulse = Pulse(len(self._transports), Backoff(random.random))  # jitter, no secret
        self._boot_id = _read_boot_id()
        self._renewal_us = 0
        self._is_failing = False
        self._is_stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="steno-courier", daemon=True)

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._thread.start()

    def stop(self, timeout_s: float = 2.0) -> None:
        """End, and say so to the server; neither is waited for longer than `timeout_s`."""
        was_started = self._thread.ident is not None
        self._is_stopped.set()
        if was_started and not self._is_failing:
            # The courier's own thread may be waiting for orders; nobody needs that answer.
            leaving = threading.Thread(target=self._leave, name="steno-leave", daemon=True)
            leaving.start()
            leaving.join(timeout_s)

    def _leave(self) -> None:
        # Who stops does not wait for a server that is away: it will notice by the silence.
        with contextlib.suppress(StenoError, RuntimeError):
            self._transports[0].beat(self._heartbeat(Beat(0, (), None), is_leaving=True))

    def _run(self) -> None:
        while not self._is_stopped.is_set():
            try:
                self._turn()
            except Exception as error:  # noqa: BLE001  # the thread's outermost: told, tried again
                if not self._is_stopped.is_set():
                    what = f"{type(error).__name__}: {error}"
                    self._events.failed(StenoError(f"the courier failed: {what}"))
                self._is_stopped.wait(_PAUSE_S)

    def _turn(self) -> None:
        action = self._pulse.next(self._clock())
        if isinstance(action, Pause):
            self._is_stopped.wait(max(0, action.until_us - self._clock()) / 1_000_000)
        elif isinstance(action, Perform):
            self._perform(action.order)
        else:
            self._exchange(action)

    def _exchange(self, action: Beat | Ask) -> None:
        try:
            if isinstance(action, Beat):
                heartbeat = self._heartbeat(action)
                sent_us = self._clock()
                answer = self._transports[action.server].beat(heartbeat)
                self._pulse.beaten(action, answer, sent_us, self._clock())
                self._renew(action.server)
            else:
                answer = self._transports[action.server].orders(action.wait_us / 1_000_000)
                self._pulse.answered(action.server, answer, self._clock())
        except StenoError as error:
            self._pulse.failed(action.server, self._clock())
            self._is_failing = True
            if not self._is_stopped.is_set():
                self._events.failed(error)
            return
        if self._is_failing:
            self._is_failing = False
            self._events.recovered()

    def _heartbeat(self, beat: Beat, *, is_leaving: bool = False) -> Heartbeat:
        failures: list[str] = []
        agent: AgentFacts | None = None
        spool = SpoolFacts()
        # What cannot be told is itself told; the heartbeat must not fall silent for it.
        try:
            agent = self._agent.facts()
        except StenoError as error:
            failures.append(str(error)[:_MOST_REASON_CHARACTERS])
        try:
            spool = self._condition.look()
        except (StenoError, OSError) as error:
            failures.append(f"the spool cannot be read: {error}"[:_MOST_REASON_CHARACTERS])
        return Heartbeat(
            sent_unix_us=time.time_ns() // 1000,
            boot_id=self._boot_id,
            source=self._condition.source,
            version=__version__,
            uptime_s=int(time.clock_gettime(time.CLOCK_BOOTTIME)),
            spool=spool,
            agent=agent,
            audit=read_audit_state(self._audit_state),
            round_trip_us=beat.round_trip_us,
            results=beat.results,
            failures=tuple(failures),
            is_leaving=is_leaving,
        )

    def _perform(self, order: HostOrder) -> None:
        try:
            self._agent.perform(order)
        except StenoError as error:
            result = OrderResult(order.id, "failed", str(error)[:_MOST_REASON_CHARACTERS])
        else:
            result = OrderResult(order.id, "done")
        self._pulse.performed(result)
        self._events.performed(order, result)

    def _renew(self, server: int) -> None:
        if self._renewal is None or self._clock() < self._renewal_us:
            return
        self._renewal_us = self._clock() + _RENEWAL_EVERY_US
        try:
            until = self._renewal.renew_if_due(self._transports[server].renew)
        except StenoError as error:
            # The token, or the old certificate, serves on; the next hour tries again.
            self._events.failed(error)
            return
        if until is not None:
            self._events.renewed(f"{until.astimezone():%Y-%m-%d %H:%M}")


def _read_boot_id() -> str:
    try:
        text = Path("/proc/sys/kernel/random/boot_id").read_text("ascii")
    except OSError:
        return ""
    return text.strip().replace("-", "")
