"""`steno host check` on what a running host's audit system says."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from steno.audit.rules.text import AuditStatus
from steno.heartbeat import DEAF_REMEDY, AuditFacts
from steno.policy.checks.audit import LiveAudit, check_live_audit, read_live
from steno.policy.decision import AuditWord

LISTED = Path(__file__).parents[2] / "data" / "audit" / "auditctl"
NOW_US = 1_760_000_000_000_000
WELL = LiveAudit(
    AuditStatus(2, daemon_pid=7, backlog_limit=8192),
    (LISTED / "listed-session.txt").read_text(),
    AuditFacts("auditd", NOW_US - 2_000_000, "trail-1", "session", 10, 10),
)


def found(
    live: LiveAudit, level: AuditWord = "session", lacks: str = "/nothing"
) -> set[tuple[str, str]]:
    """Return what is found on a host that lacks a directory, by check and effect."""
    findings = check_live_audit(live, level, "x86_64", NOW_US, lambda path: path != lacks)
    return {(finding.check, finding.effect) for finding in findings}


def changed(**changes: object) -> LiveAudit:
    """Return a host that is well but for these facts of its writer."""
    facts = WELL.facts
    assert facts is not None
    return msgspec.structs.replace(WELL, facts=msgspec.structs.replace(facts, **changes))


def test_nothing_is_found_where_all_is_well() -> None:
    """Rules loaded and immutable, events come, none were lost: nothing is found."""
    assert found(WELL) == set()


def test_each_fault_is_found() -> None:
    """Nobody takes events in, auditing is off, rules missing or in danger, events lost."""
    assert WELL.status is not None
    old = changed(updated_unix_us=NOW_US - 60_000_000)
    assert found(old) == found(msgspec.structs.replace(WELL, facts=None)) == {("audit", "gap")}
    off = AuditStatus(0, daemon_pid=7)
    assert found(msgspec.structs.replace(WELL, status=off)) == {("audit", "gap")}
    mutable = AuditStatus(1, daemon_pid=7)
    assert found(msgspec.structs.replace(WELL, status=mutable)) == {("audit-rules", "hint")}
    without = WELL.rules.replace("steno-exec", "mine-exec")
    assert found(msgspec.structs.replace(WELL, rules=without)) == {("audit-rules", "gap")}
    silenced = WELL.rules + "-a never,task\n"
    assert found(msgspec.structs.replace(WELL, rules=silenced)) == {("audit-rules", "gap")}
    losing = AuditStatus(2, daemon_pid=7, lost=12)
    assert found(msgspec.structs.replace(WELL, status=losing)) == {("audit-lost", "gap")}
    assert found(changed(lost={"behind": 3})) == {("audit-lost", "gap")}


def test_a_directory_that_the_host_lacks_needs_no_rule() -> None:
    """A host without sudo is well without the rule for sudo's directory."""
    lines = [line for line in WELL.rules.splitlines() if "sudoers.d" not in line]
    assert len(lines) == len(WELL.rules.splitlines()) - 1
    without = msgspec.structs.replace(WELL, rules="\n".join(lines))
    assert found(without, lacks="/etc/sudoers.d") == set()
    assert found(without) == {("audit-rules", "gap")}


def test_a_lower_level_needs_fewer_rules() -> None:
    """The level that the policy needs is what rules are compared with; none needs nothing."""
    login = msgspec.structs.replace(WELL, rules=(LISTED / "listed-login.txt").read_text())
    assert found(login, "login") == set()
    assert found(login) == {("audit-rules", "gap")}
    assert found(LiveAudit(AuditStatus(0), "", None), "none") == set()


def test_without_root_the_writers_word_counts() -> None:
    """Where the kernel may not be asked, what the trail's writer says is told all the same."""
    asked = changed(kernel_lost=5, lost={"kernel": 5})
    assert found(msgspec.structs.replace(asked, status=None, rules="")) == {("audit-lost", "gap")}


@pytest.mark.parametrize("text", ["", "{}", "no JSON"])
def test_a_damaged_state_is_no_state(tmp_path: Path, text: str) -> None:
    """A state file that nobody can read says nothing, and stops no check."""
    (tmp_path / "audit.json").write_text(text)
    assert read_live(tmp_path / "audit.json").facts is None


def test_a_deaf_journald_is_found() -> None:
    """Where journald takes no audit events any more that is said first, and what to do about it."""
    deaf = changed(source="journal", is_deaf=True, lost={"deaf": 1})
    assert found(deaf) == {("audit", "gap"), ("audit-lost", "gap")}
    assert found(changed(source="words", is_deaf=True)) == {("audit", "gap")}
    first, *_ = check_live_audit(deaf, "session", "x86_64", NOW_US)
    assert first.remedy == DEAF_REMEDY


def test_words_instead_of_records_are_told() -> None:
    """A host whose logins only its programs tell of: that is said, and rules are not asked for."""
    off = msgspec.structs.replace(changed(source="words"), status=AuditStatus(0), rules="")
    assert found(off) == {("audit-source", "hint")}
    losing = msgspec.structs.replace(changed(source="words", lost={"full": 3}), status=None)
    assert found(losing) == {("audit-source", "hint"), ("audit-lost", "gap")}
    assert found(changed(source="journal")) == set()
