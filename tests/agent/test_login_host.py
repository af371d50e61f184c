"""Logins through real sshd and PAM, with the agent, the login shell and the hook."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from namespaced_host import run_host

from steno.formats.tlog import decode_message
from steno.model import End, Start

SCRIPT = Path(__file__).parent / "login_host.sh"
MISSING = [name for name in ("unshare", "sshd", "sftp", "ip", "ss") if shutil.which(name) is None]

pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(400),
    pytest.mark.skipif(os.geteuid() != 0, reason="namespaces of hosts are made by root only"),
    pytest.mark.skipif(bool(MISSING), reason="needs Debian's openssh-server and iproute2"),
]


class LoginHost:
    """What became of the host: what people saw, and the recordings."""

    def __init__(self, base: Path) -> None:
        self.status = json.loads((base / "status.json").read_text())
        self.said = (base / "said").read_text()
        self.recordings: list[tuple[Start, End]] = []
        for path in sorted((base / "spool").rglob("*")):
            if path.is_file() and path.read_bytes().startswith(b'{"ver"'):
                messages = [decode_message(line) for line in path.read_bytes().splitlines()]
                start, end = messages[0].start, messages[-1].end
                assert start is not None
                assert end is not None
                self.recordings.append((start, end))


@pytest.fixture(scope="module")
def host() -> Iterator[LoginHost]:
    """Return the host after a command, two copies by sftp, and one without the hook's program."""
    with run_host(SCRIPT, timeout_s=300) as base:
        yield LoginHost(base)


def test_a_login_without_a_shell_is_recorded(host: LoginHost) -> None:
    """Sftp within sshd leaves one recording: who, by what, from where, which audit session."""
    logins = [(start, end) for start, end in host.recordings if start.kind == "login"]
    assert len(logins) == 1
    start, end = logins[0]
    assert (start.user, start.login_user, start.service) == ("ann", "ann", "sshd")
    assert start.remote == "127.0.0.1"
    assert start.audit_session is not None
    assert start.labels == []
    assert end.reason == "exit"


def test_a_login_with_a_shell_is_recorded_once(host: LoginHost) -> None:
    """A command by ssh goes through the login shell, and makes no login of its own kind."""
    sessions = [start for start, _ in host.recordings if start.kind != "login"]
    assert {(start.user, start.kind) for start in sessions} == {("ann", "command")}
    said = [line for line in host.said.splitlines() if "a-" in line]
    assert len(sessions) == len(said) >= 2
    assert "from-a-command" in host.said


def test_the_policy_is_in_force(host: LoginHost) -> None:
    """A rule by group and kind applies to the command, and not to the login."""
    command = next(start for start, _ in host.recordings if start.kind == "command")
    assert (command.policy, command.labels) == ("commands", ["seen"])
    assert command.mail_to == ["audit@example.org"]
    (login,) = [start for start, _ in host.recordings if start.kind == "login"]
    assert (login.policy, login.labels, login.mail_to) == (None, [], [])


def test_a_bad_policy_changes_nothing(host: LoginHost) -> None:
    """The last good policy stays in force, and the agent says which line is wrong."""
    commands = [start for start, _ in host.recordings if start.kind == "command"]
    assert all(start.labels == ["seen"] for start in commands)
    assert "under-a-bad-policy" in host.said
    policy = host.status["policy"]
    assert not policy["is_current"]
    assert policy["error"].startswith("/etc/steno/policy.toml: line 9: rule.name: a second rule")


def test_nobody_is_locked_out_by_the_hook(host: LoginHost) -> None:
    """Recorded or not, and with the hook's program gone, people log in."""
    assert host.said.count("Remote working directory") == 3
