"""The audit trail's numbers among the agent's, for Prometheus."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from steno.delivery.audit_state import read_audit_state
from steno.heartbeat import AuditFacts
from steno.metrics import Metrics

_FRESH_S = 1.0
_OLD_US = 30_000_000
_SOURCES = ("auditd", "journal", "words")


class AuditNumbers:
    """What the audit trail's writer said last, read again when somebody asks."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._facts: AuditFacts | None = None
        self._read_s = 0.0

    def facts(self) -> AuditFacts | None:
        """Return what it said in the last half minute; None: it does not run."""
        now_s = time.monotonic()
        if now_s - self._read_s > _FRESH_S:
            self._read_s = now_s
            self._facts = read_audit_state(self._path)
        facts = self._facts
        if facts is None or time.time_ns() // 1000 - facts.updated_unix_us > _OLD_US:
            return None
        return facts


def count_audit(metrics: Metrics, path: Path) -> None:
    """Add the gauges; they are 0 while nobody writes a trail."""
    numbers = AuditNumbers(path)

    def gauge(name: str, purpose: str, read: Callable[[AuditFacts], float]) -> None:
        def value() -> float:
            facts = numbers.facts()
            return 0 if facts is None else read(facts)

        metrics.gauge(name, purpose, value)

    gauge("steno_audit_running", "Whether somebody writes the audit trail.", lambda _: 1)
    gauge("steno_audit_events", "Audit events that came.", lambda facts: facts.events)
    gauge("steno_audit_kept", "Audit events that were kept.", lambda facts: facts.kept)
    gauge("steno_audit_lost", "Audit events lost.", lambda facts: sum(facts.lost.values()))
    gauge(
        "steno_audit_lag_seconds",
        "How old the last event was when it was written.",
        lambda facts: facts.lag_us / 1_000_000,
    )

    def sources() -> dict[str, float]:
        facts = numbers.facts()
        return {source: facts is not None and facts.source == source for source in _SOURCES}

    metrics.gauges("steno_audit_source", "Where audit events come from.", "source", sources)
    gauge(
        "steno_audit_words_unread",
        "Login programs' messages whose wording is not known.",
        lambda facts: facts.unread,
    )
    gauge(
        "steno_audit_words_distrusted",
        "Messages whose sender only calls itself a login program.",
        lambda facts: facts.distrusted,
    )
    gauge(
        "steno_audit_deaf",
        "Whether journald has stopped to take audit events.",
        lambda facts: facts.is_deaf,
    )
    gauge(
        "steno_audit_waiting_bytes",
        "What was read and not looked at yet.",
        lambda facts: facts.waiting_bytes,
    )
