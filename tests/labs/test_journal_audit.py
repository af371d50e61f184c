"""A real journald with the kernel's audit events, where no auditd takes them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from audit_host import STENO, KernelAudit

from steno.audit.event import Event
from steno.audit.trail import Lost, Placed, TrailDecoder, TrailItem
from steno.delivery.audit_state import read_audit_state
from steno.heartbeat import DEAF_REMEDY, AuditFacts
from steno.integrity.chain import verify_stream

pytestmark = pytest.mark.lab

HERE = Path(__file__).parent
JOURNALD = Path("/lib/systemd/systemd-journald")


def play(kernel_audit: KernelAudit, script: str, directory: Path) -> str:
    """Let a script play in a mount namespace, the machine's audit system in its hands."""
    if not JOURNALD.exists():
        pytest.skip("journald is missing (Debian package systemd)")
    words = ["unshare", "-m", "--propagation", "private", str(HERE / script), str(directory)]
    with kernel_audit.borrow():
        done = subprocess.run([*words, sys.executable], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stderr


def read_trails(directory: Path) -> list[TrailItem]:
    """Return what all trails say; they are whole."""
    found: list[TrailItem] = []
    for trail in sorted((directory / "spool").glob("trail-*")):
        data = trail.read_bytes()
        assert verify_stream([data]).state == "complete"
        found += [one.item for one in TrailDecoder().feed(data) if isinstance(one, Placed)]
    return found


def read_journal(directory: Path) -> Counter[int]:
    """Return the serials of the audit events that journald wrote, and how many records each has."""
    lines = (directory / "journal.json").read_text().splitlines()
    return Counter(int(json.loads(line)["_AUDIT_ID"]) for line in lines)


def count_records(items: list[TrailItem]) -> Counter[int]:
    """Return the serials of the events that are kept, and how many records each has.

    What journald tells half a second later than the event's other records may stand by itself.
    """
    counts: Counter[int] = Counter()
    for item in items:
        if isinstance(item, Event):
            counts[item.serial] += len(json.loads(bytes(item.records)))
    return counts


def test_the_journals_audit_events_are_each_kept_once(
    kernel_audit: KernelAudit, tmp_path: Path
) -> None:
    """From the boot's first to the last, through three deaths: no record is missing or doubled."""
    rules = subprocess.run(
        [*STENO, "audit", "rules", "print", "session"], capture_output=True, check=True
    )
    (tmp_path / "rules").write_bytes(rules.stdout)
    play(kernel_audit, "journal_audit.sh", tmp_path)
    items = read_trails(tmp_path)
    written = read_journal(tmp_path)
    assert len(written) > 100
    assert count_records(items) == written
    assert [item for item in items if isinstance(item, Lost)] == []


def test_a_deaf_journald_is_told_and_what_was_lost_is_counted(
    kernel_audit: KernelAudit, tmp_path: Path
) -> None:
    """It says so once, in the log, the state and the trail, and how much when events come again."""
    said = play(kernel_audit, "journal_deaf.sh", tmp_path)
    before, deaf = (read_audit_state(tmp_path / f"{name}.json") for name in ("before", "deaf"))
    assert isinstance(before, AuditFacts)
    assert isinstance(deaf, AuditFacts)
    assert deaf.lost["deaf"] == before.lost.get("deaf", 0) + 1
    assert DEAF_REMEDY in said
    assert "journald takes audit events again" in said
    items = read_trails(tmp_path)
    texts = [item.text if isinstance(item, Event) else "" for item in items]
    first, again = (
        next(place for place, text in enumerate(texts) if mark in text)
        for mark in ("heard-before", "heard-again")
    )
    told = [item for item in items[first:] if isinstance(item, Lost)]
    deaf_told = [item for item in told if item.why == "deaf"]
    assert [item.count for item in deaf_told] == [0]
    assert deaf_told[0] in items[first:again]
    # A gap is told when nothing more can come for it: that may be behind the first events again.
    gaps = [item for item in told if item.why == "gap"]
    missing = {serial for one in gaps for serial in range(one.from_serial, one.to_serial + 1)}
    written = read_journal(tmp_path)
    assert missing == set(range(min(written), max(written) + 1)) - set(written)
    assert len(missing) == sum(one.count for one in gaps) > 200
    assert count_records(items) == written
