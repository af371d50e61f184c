"""The package's plugin under a real auditd, as it is installed, upgraded and removed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from audit_host import KernelAudit
from packages import Packages

pytestmark = pytest.mark.lab

SCRIPT = Path(__file__).with_name("packaged_audit.sh")
PYTHON = Path("/usr/bin/python3.11")


def test_the_packages_plugin_runs_as_installed(
    kernel_audit: KernelAudit, packages: Packages, tmp_path: Path
) -> None:
    """Auditd starts it; it gives root up, keeps events, is started anew by an upgrade, and goes."""
    if not PYTHON.exists() or shutil.which("dpkg") is None:
        pytest.skip("this machine is no Debian 12")
    words = ["unshare", "-m", "--propagation", "private", str(SCRIPT), str(tmp_path)]
    with kernel_audit.borrow():
        done = subprocess.run(
            [*words, str(packages["steno"])], capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stdout + done.stderr
    said = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert said["uid"].split() == [said["user"]] * 4
    assert said["owner"] == said["user"] != "0"
    assert int(said["capabilities"], 16) == 0
    assert said["no-new-privileges"].strip() == "1"
    assert {"audit=gap", "audit-rules=gap"} <= set(said["before"].split())
    assert said["running"].split() == ["audit-rules=hint"]
    assert said["upgraded"] == "yes"
    assert said["removed"].strip() == "yes"
