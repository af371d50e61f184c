"""Notices hosts that fall silent, says so in the log, and counts them."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Literal

import msgspec

from steno.errors import StenoError
from steno.metrics import Metrics
from steno.store.fleet import Health, Heard, Rules, judge
from steno.store.hosts import HostRegistry
from steno.store.protocol import Store

log = logging.getLogger(__name__)

LOOK_S = 5.0
_STATES = ("good", "silent", "away", "left", "unheard", "revoked")


def read_health(
    store: Store, registry: HostRegistry, rules: Rules, now_unix_us: int
) -> dict[str, Health]:
    """Return how every enrolled host is, by its name."""
    heard: dict[str, list[Heard]] = {}
    for one in store.heard():
        heard.setdefault(one.host, []).append(one)
    return {
        host.name: judge(
            heard.get(host.name, []),
            now_unix_us,
            rules,
            is_revoked=host.revoked_unix_us is not None,
        )
        for host in registry.hosts()
    }


TroubleKind = Literal["silent", "agent", "number"]
_KINDS: tuple[TroubleKind, ...] = ("silent", "agent", "number")


class Trouble(msgspec.Struct, frozen=True):
    """What is wrong with a host.

    Attributes:
        host: Which.
        kind: `silent` (heartbeats are missing, and it had open sessions), `agent` (it answers no
            more, and that for as long), `number` (its running number of recordings went back).
        health: How the host is.
        noticed_unix_us: When that was noticed.
    """

    host: str
    kind: TroubleKind
    health: Health
    noticed_unix_us: int


class FleetWatch:
    """Looks at the hosts every few seconds, in a thread of its own.

    Args:
        store: Where heartbeats are.
        registry: Which hosts there are.
        rules: When a host is silent.
        metrics: Where it counts them.
        on_trouble: Called, in that thread, when something begins to be wrong with a host.
        now_unix_us: Reads the calendar.
    """

    def __init__(
        self,
        store: Store,
        registry: HostRegistry,
        rules: Rules,
        metrics: Metrics,
        *,
        on_trouble: Callable[[Trouble], None] = lambda _trouble: None,
        now_unix_us: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self._on_trouble = on_trouble
        self._troubles: dict[tuple[str, TroubleKind], int] = {}
        """What is wrong, and since when; once it was told, -1."""
        self._store = store
        self._registry = registry
        self._rules = rules
        self._now_unix_us = now_unix_us
        self._silent: frozenset[str] = frozenset()
        self._states: Counter[str] = Counter()
        self._silent_sessions = 0
        self._is_stopping = threading.Event()
        self._thread: threading.Thread | None = None
        metrics.gauges(
            "steno_hosts",
            "Hosts by their state.",
            "state",
            lambda: {state: self._states[state] for state in _STATES},
        )
        metrics.gauge(
            "steno_silent_sessions",
            "Sessions that were open on hosts which have fallen silent.",
            lambda: self._silent_sessions,
        )

    def start(self) -> None:
        """Begin to look."""
        self._thread = threading.Thread(target=self._run, name="steno-fleet-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._is_stopping.set()
        if self._thread is not None:
            self._thread.join()

    def look(self) -> None:
        """Look once; say which hosts fell silent since the last look, and which are back."""
        now_unix_us = self._now_unix_us()
        health = read_health(self._store, self._registry, self._rules, now_unix_us)
        silent = frozenset(name for name, one in health.items() if one.state == "silent")
        for name in sorted(silent - self._silent):
            one = health[name]
            log.warning(
                "host silent",
                extra={
                    "host": name,
                    "open": one.open,
                    "silence_s": (one.silence_us or 0) // 1_000_000,
                    "heard_unix_us": one.heard_unix_us,
                },
            )
        for name in sorted(self._silent - silent):
            state = health[name].state if name in health else "gone"
            log.info("host not silent any more", extra={"host": name, "state": state})
        self._silent = silent
        self._states = Counter(one.state for one in health.values())
        self._silent_sessions = sum(health[name].open for name in silent)
        self._look_for_trouble(health, now_unix_us)

    def _look_for_trouble(self, health: dict[str, Health], now_unix_us: int) -> None:
        """Tell what began to be wrong; an agent that is only being restarted is no trouble."""
        found = {
            (name, kind): one
            for name, one in health.items()
            for kind in _KINDS
            if (one.state == "silent" if kind == "silent" else kind in one.warnings)
        }
        self._troubles = {key: self._troubles.get(key, now_unix_us) for key in found}
        for key, one in found.items():
            since_us = self._troubles[key]
            wait_us = self._rules.silent_after_us if key[1] == "agent" else 0
            if since_us >= 0 and now_unix_us - since_us >= wait_us:
                self._troubles[key] = -1
                self._on_trouble(Trouble(key[0], key[1], one, now_unix_us))

    def _run(self) -> None:
        while True:
            try:
                self.look()
            except StenoError as error:
                log.error("the hosts cannot be looked at: %s", error)
            if self._is_stopping.wait(LOOK_S):
                return
