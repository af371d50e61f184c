"""steno-tlog on a host that recorded with tlog: it takes its place, and gives it back."""

from __future__ import annotations

import pytest
from driven import Driven
from guest import Guest, Lab
from guest_tree import Tree, UnavailableError, tlog_tree
from packages import Packages, install
from steno_guests import PASSWORD, name, ssh

pytestmark = pytest.mark.lab

RECORDER = "/usr/bin/tlog-rec-session"


@pytest.fixture(scope="module")
def host(lab: Lab, guest_tree: Tree, packages: Packages) -> Guest:
    """A guest on which tlog records pat, replaced by steno-tlog."""
    del guest_tree  # skips where no guest can be booted
    try:
        tree = tlog_tree()
    except UnavailableError as error:
        pytest.skip(str(error))
    guest = lab.boot("web1", tree)
    name([guest])
    guest.add_user("pat", shell=RECORDER, password=PASSWORD)
    assert "tlog: /usr/bin/tlog-rec-session" in guest.text("dpkg", "-S", RECORDER)
    install(guest, packages["steno"], packages["steno-tlog"])
    return guest


def log_in(host: Guest, *greeting: bytes) -> bytes:
    """Log in as pat; once greeted, ask for the shell and leave. Return what was seen."""
    terminal = Driven(ssh(host, "pat", host, "-tt"))
    if greeting:
        terminal.expect(*greeting)
        terminal.send(b"echo $SHELL; exit\n")
    terminal.finish()
    seen = bytes(terminal.seen)
    terminal.close()
    return seen


def test_tlog_is_replaced_as_a_whole(host: Guest) -> None:
    """With apt tlog goes away; its programs' names are Steno's, and its configuration stays."""
    assert (
        host.attempt("dpkg-query", "-W", "-f", "${db:Status-Status}", "tlog").stdout != b"installed"
    )
    assert host.text("readlink", "-f", RECORDER) == "/usr/bin/steno-shell"
    assert host.text("dpkg", "-S", RECORDER) == f"steno-tlog: {RECORDER}"
    host.run("test", "-e", "/etc/tlog/tlog-rec-session.conf")
    assert RECORDER in host.read("/etc/shells").decode().split()
    host.run("tlog-rec", "-w", "file", "-o", "/root/said.log", "echo", "hello")
    assert b"hello" in host.run("tlog-play", "-i", "/root/said.log").stdout


def test_local_users_say_which_shell_is_theirs(host: Guest) -> None:
    """Who has tlog's login shell is refused with a clear line, until their real shell is known."""
    assert b"pat: the real shell is not known" in log_in(host)
    host.run("steno", "host", "enable", "pat", "--shell", "/bin/bash")
    seen = log_in(host, b"This session is recorded.", b"$ ")
    assert b"/bin/bash\r\n" in seen
