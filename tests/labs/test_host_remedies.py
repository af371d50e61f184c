"""What `steno host check` finds on a real host is true, and its remedies help."""

from __future__ import annotations

import json
from typing import Any

import pytest
from guest import Guest, Lab
from guest_tree import Tree
from packages import Packages, install

pytestmark = pytest.mark.lab

SSH = ["ssh", "-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR"]


@pytest.fixture(scope="module")
def host(lab: Lab, guest_tree: Tree, packages: Packages) -> Guest:
    """A guest with Steno and a recorded local user, ann, as the documentation says."""
    guest = lab.boot("web1", guest_tree)
    install(guest, packages["steno"])
    guest.add_user("ann", password="pw-ann")
    said = guest.run("steno", "host", "enable", "ann")
    assert b"/bin/bash" in said.stdout
    assert b"chsh" in said.stderr
    return guest


def find(host: Guest, check: str) -> dict[str, Any] | None:
    """Return what a check finds, None for nothing."""
    said = json.loads(host.attempt("steno", "host", "check", "--json").stdout)
    return next((finding for finding in said if finding["check"] == check), None)


def as_ann(*words: str) -> list[str]:
    """Return what logs ann in with her password."""
    return ["sshpass", "-p", "pw-ann", *SSH, *words]


def shell_of(host: Guest) -> str:
    """Return ann's login shell."""
    return host.text("getent", "passwd", "ann").rpartition(":")[2]


def sessions(host: Guest) -> int:
    """Return how many sessions were recorded until now."""
    status = json.loads(host.text("steno", "agent", "status", "--json"))
    total: int = status["sessions_total"]
    return total


def test_nobody_is_locked_out_of_a_host_set_up_by_the_book(host: Guest) -> None:
    """Package and `steno host enable` leave nothing that locks people out, nor bad files."""
    said = json.loads(host.attempt("steno", "host", "check", "--json").stdout)
    assert "lockout" not in {finding["effect"] for finding in said}
    assert {finding["check"] for finding in said} <= {
        *("chsh", "sshd-forwarding", "sshd-x11", "sshd-userrc"),
        *("pam-env", "pam-note-login", "clock", "audit"),
    }


@pytest.mark.parametrize("way", ["ssh", "su", "sudo"])
def test_every_way_in_is_recorded(host: Guest, way: str) -> None:
    """ssh, su - and sudo -i run the real shell, recorded."""
    words = {
        "ssh": as_ann("ann@127.0.0.1", "echo $0 $SHELL"),
        "su": ["su", "-", "ann", "-c", "echo $0 $SHELL"],
        "sudo": ["sudo", "-i", "-u", "ann", "sh", "-c", "echo x $SHELL"],
    }
    before = sessions(host)
    assert host.text(*words[way]).split()[1] == "/bin/bash"
    assert sessions(host) == before + 1


def test_chsh(host: Guest) -> None:
    """It is a way out until the line that the finding names stands in its PAM file."""
    change = as_ann("ann@127.0.0.1", "echo pw-ann | chsh -s /bin/bash")
    finding = find(host, "chsh")
    assert finding is not None
    assert host.attempt(*change).returncode == 0
    assert shell_of(host) == "/bin/bash"
    assert find(host, "accounts") is not None
    host.run("steno", "host", "enable", "ann")
    assert find(host, "accounts") is None
    line = finding["remedy"].partition("add: ")[2]
    host.run("sed", "-i", f"/pam_rootok/a {line}", "/etc/pam.d/chsh")
    assert find(host, "chsh") is None
    assert host.attempt(*change).returncode != 0
    assert shell_of(host) == "/usr/bin/steno-shell"
    host.run("chsh", "-s", "/bin/dash", "ann")
    assert shell_of(host) == "/bin/dash"
    host.run("chsh", "-s", "/usr/bin/steno-shell", "ann")


def test_forwarding(host: Guest) -> None:
    """Connections pass without a shell until sshd forbids them."""
    host.write("/root/answer.py", ANSWER)
    host.run("sh", "-c", "python3 /root/answer.py >/dev/null 2>&1 &")
    through = as_ann("-W", "127.0.0.1:7777", "ann@127.0.0.1")
    assert find(host, "sshd-forwarding") is not None
    before = sessions(host)
    host.wait_until("sh", "-c", "ss -ltn | grep -q 7777", what="the port")
    assert b"through" in host.attempt(*through).stdout
    assert sessions(host) == before
    host.write("/etc/ssh/sshd_config.d/forwarding.conf", "DisableForwarding yes\n")
    host.run("systemctl", "restart", "ssh")
    assert find(host, "sshd-forwarding") is None
    assert b"through" not in host.attempt(*through).stdout


ANSWER = """\
import socket
with socket.create_server(("127.0.0.1", 7777)) as listener:
    while True:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"through\\n")
"""


def test_programs_before_the_shell(host: Guest) -> None:
    """~/.ssh/rc runs before every session until sshd forbids it."""
    host.write("/home/ann/.ssh/rc", "touch /home/ann/was-run\n")
    assert find(host, "sshd-userrc") is not None
    look = as_ann("ann@127.0.0.1", "ls was-run")
    assert host.text(*look) == "was-run"
    host.write("/etc/ssh/sshd_config.d/rc.conf", "PermitUserRC no\n")
    host.run("systemctl", "restart", "ssh")
    assert find(host, "sshd-userrc") is None
    host.run("rm", "/home/ann/was-run")
    assert host.attempt(*look).returncode == 2


def test_the_hook_and_the_environment(host: Guest) -> None:
    """The remedies for logins without a shell and for users' own variables are taken."""
    finding = find(host, "pam-note-login")
    assert finding is not None
    line = finding["remedy"].partition(": ")[2]
    host.shell(f"echo '{line}' >>/etc/pam.d/sshd; sed -i 's/user_readenv=1 *//' /etc/pam.d/sshd")
    assert find(host, "pam-note-login") is None
    assert find(host, "pam-env") is None
    assert host.text(*as_ann("ann@127.0.0.1", "echo in")) == "in"


def test_files_that_others_may_write(host: Guest) -> None:
    """Owner and mode are found and mended by the remedy, word by word."""
    host.run("chmod", "666", "/etc/steno/policy.toml")
    finding = find(host, "steno-files")
    assert finding is not None
    assert finding["effect"] == "escape"
    host.shell(finding["remedy"])
    assert find(host, "steno-files") is None


def test_without_the_agent_the_check_says_so(host: Guest) -> None:
    """With the agent stopped, and its socket, the finding comes first; sessions are denied."""
    host.run("systemctl", "stop", "steno-agent.socket", "steno-agent.service")
    try:
        said = json.loads(host.attempt("steno", "host", "check", "--json").stdout)
        assert said[0]["check"] == "agent"
        denied = host.attempt(*as_ann("ann@127.0.0.1", "echo in"))
        assert denied.returncode == 1
        assert b"recorder cannot be reached" in denied.stderr
        refused = host.attempt("steno", "host", "enable", "ann")
        assert refused.returncode == 12
    finally:
        host.run("systemctl", "start", "steno-agent.socket", "steno-agent.service")
    assert find(host, "agent") is None


def test_disabling_gives_the_shell_back(host: Guest) -> None:
    """Afterwards ann's sessions are her own again."""
    host.run("steno", "host", "disable", "ann")
    assert shell_of(host) == "/bin/bash"
    before = sessions(host)
    assert host.text(*as_ann("ann@127.0.0.1", "echo in")) == "in"
    assert sessions(host) == before
