"""The audit trail's numbers among the agent's."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from steno.agent.auditing.numbers import count_audit
from steno.delivery.audit_state import write_audit_state
from steno.heartbeat import AuditFacts
from steno.metrics import Metrics


@pytest.mark.parametrize("source", ["auditd", "journal", "words"])
def test_where_events_come_from_is_a_number(tmp_path: Path, source: str) -> None:
    """One of three is 1; so is a deaf journald, and messages not understood are counted."""
    now_us = time.time_ns() // 1000
    facts = AuditFacts(source, now_us, unread=3, distrusted=2, is_deaf=source == "journal")
    write_audit_state(tmp_path / "audit.json", facts)
    metrics = Metrics()
    count_audit(metrics, tmp_path / "audit.json")
    said = metrics.expose().splitlines()
    for other in ("auditd", "journal", "words"):
        assert f'steno_audit_source{{source="{other}"}} {int(other == source)}' in said
    assert "steno_audit_words_unread 3" in said
    assert "steno_audit_words_distrusted 2" in said
    assert f"steno_audit_deaf {int(source == 'journal')}" in said


def test_without_a_writer_all_are_nothing(tmp_path: Path) -> None:
    """Nobody writes a trail: no source is named."""
    metrics = Metrics()
    count_audit(metrics, tmp_path / "audit.json")
    assert 'steno_audit_source{source="words"} 0' in metrics.expose().splitlines()
