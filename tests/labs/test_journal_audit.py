"""A real journald with the kernel's audit events, where no auditd takes them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from audit_host import STENO, borrow_audit, missing_for_audit

from steno.audit.event import Event
from steno.audit.trail import Lost, Placed, TrailDecoder
from steno.integrity.chain import verify_stream

pytestmark = pytest.mark.lab

SCRIPT = Path(__file__).with_name("journal_audit.sh")
JOURNALD = Path("/lib/systemd/systemd-journald")


def test_the_journals_audit_events_are_each_kept_once(tmp_path: Path) -> None:
    """From the boot's first to the last, through three deaths: no event is missing or doubled."""
    if reason := missing_for_audit():
        pytest.skip(reason)
    if not JOURNALD.exists():
        pytest.skip("journald is missing (Debian package systemd)")
    rules = subprocess.run(
        [*STENO, "audit", "rules", "print", "session"], capture_output=True, check=True
    )
    (tmp_path / "rules").write_bytes(rules.stdout)
    words = ["unshare", "-m", "--propagation", "private", str(SCRIPT), str(tmp_path)]
    with borrow_audit():
        done = subprocess.run([*words, sys.executable], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    serials: list[int] = []
    lost: list[Lost] = []
    for trail in (tmp_path / "spool").glob("trail-*"):
        data = trail.read_bytes()
        assert verify_stream([data]).state == "complete"
        items = [one.item for one in TrailDecoder().feed(data) if isinstance(one, Placed)]
        serials += [item.serial for item in items if isinstance(item, Event)]
        lost += [item for item in items if isinstance(item, Lost)]
    journal = (tmp_path / "journal.json").read_text().splitlines()
    written = {int(json.loads(line)["_AUDIT_ID"]) for line in journal}
    assert len(written) > 100
    assert sorted(serials) == sorted(written)
    assert lost == []
