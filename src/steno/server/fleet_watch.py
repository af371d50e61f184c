"""Notices hosts that fall silent, says so in the log, and counts them."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable

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


class FleetWatch:
    """Looks at the hosts every few seconds, in a thread of its own.

    Args:
        store: Where heartbeats are.
        registry: Which hosts there are.
        rules: When a host is silent.
        metrics: Where it counts them.
        now_unix_us: Reads the calendar.
    """

    def __init__(
        self,
        store: Store,
        registry: HostRegistry,
        rules: Rules,
        metrics: Metrics,
        *,
        now_unix_us: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
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
        health = read_health(self._store, self._registry, self._rules, self._now_unix_us())
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

    def _run(self) -> None:
        while True:
            try:
                self.look()
            except StenoError as error:
                log.error("the hosts cannot be looked at: %s", error)
            if self._is_stopping.wait(LOOK_S):
                return
