"""What the agent may do on its host: as little as will do."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from agent_host import LONG_S, AgentHost
from driven import STENO

from steno.agent.privileges import CAPABILITIES

UNITS = Path(__file__).parents[2] / "packaging/systemd"
MOST_EXPOSED = 3.0


@pytest.mark.parametrize(
    "unit", ["steno-agent.service", "steno-deliver.service", "steno-audit-journal.service"]
)
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="Debian package systemd")
def test_units_are_hardened(unit: str) -> None:
    """`systemd-analyze security` rates each unit at most 3.0."""
    command = ["systemd-analyze", "security", "--offline=yes", "--no-pager", str(UNITS / unit)]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=LONG_S, check=False)
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", shown.stdout)
    assert found is not None, shown
    assert float(found[1]) <= MOST_EXPOSED


def test_the_unit_gives_the_rights_that_the_agent_needs() -> None:
    """The unit's capabilities are those that the agent knows of, and no more."""
    text = (UNITS / "steno-agent.service").read_text()
    for key in ("AmbientCapabilities", "CapabilityBoundingSet"):
        (line,) = re.findall(rf"(?m)^{key}=(.*)$", text)
        assert set(line.split()) == set(CAPABILITIES)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_the_agent_drops_what_it_does_not_need(host: AgentHost) -> None:
    """Started by root it runs as its user with three capabilities, and sessions work as ever."""
    host.directory.chmod(0o755)
    host.build.program.parent.chmod(0o755)
    host.start('user = "nobody"\n')
    assert host.process is not None
    status = Path(f"/proc/{host.process.pid}/status").read_text()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    wanted = sum(1 << number for number in CAPABILITIES.values())
    assert set(fields["Uid"].split()) == {"65534"}
    assert int(fields["CapEff"], 16) == int(fields["CapPrm"], 16) == wanted
    assert fields["NoNewPrivs"] == "1"
    assert fields["Groups"].split() == []
    session = host.shell("steno-shell", "-c", "stat -c '%u %a' $(tty); exit 7")
    assert session.finish() == 7
    assert b"0 620" in bytes(session.seen)
    (recorded,) = host.recordings()
    assert recorded.end.exit_status == 7
    assert {path.stat().st_uid for path in host.spool.iterdir()} == {65534}


def test_a_user_that_does_not_exist_is_told(host: AgentHost) -> None:
    """The line names the key."""
    if os.geteuid() != 0:
        pytest.skip("only root becomes another user")
    host.configure('user = "nobody-like-this"\n')
    command = ["agent", "--config", str(host.configuration)]
    refused = subprocess.run(
        [*STENO, *command], capture_output=True, text=True, timeout=LONG_S, check=False
    )
    assert refused.returncode == 3
    assert refused.stderr == "steno: user: there is no user 'nobody-like-this'\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("options", [(), ("--keeper",)])
def test_what_root_makes_is_the_agents(host: AgentHost, options: tuple[str, ...]) -> None:
    """Without a service manager root makes the sockets' directory, and the agent writes there."""
    host.directory.chmod(0o755)
    host.build.program.parent.chmod(0o755)
    directory = host.directory / "run"
    host.control_socket = directory / "control.sock"
    host.start('user = "nobody"\n', options=options)
    assert (directory.stat().st_uid, directory.stat().st_mode & 0o777) == (65534, 0o755)
    assert (directory / "audited").stat().st_uid == 65534
    assert "cannot be noted" not in host.log.read_text()
    assert host.stop() in (0, 128 + signal.SIGTERM)
