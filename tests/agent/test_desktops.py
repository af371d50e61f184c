"""Graphical logins: recognised, not recorded as terminals; the terminals in them are."""

from __future__ import annotations

from pathlib import Path

import pytest

from steno.agent.desktops import Graphics, judge
from steno.agent.logind import Login, read_login
from steno.agent.peers import Process
from steno.agent.services import find_service, is_within_recorded

ROOT, AVERY = (0, 0, 0, 0), (1000, 1000, 1000, 1000)


def chain(*names: str, root: tuple[str, ...] = ()) -> tuple[Process, ...]:
    """Return a process and its parents, innermost first; those in `root` run as root."""
    last = len(names) - 1
    return tuple(
        Process(1 if at == last else 100 - at, 99 - at, name, ROOT if name in root else AVERY)
        for at, name in enumerate(names)
    )


GDM = chain("steno-shell", "gdm-session-wor", "gdm3", "systemd",
            root=("gdm-session-wor", "gdm3", "systemd"))  # fmt: skip
XTERM = chain("steno-shell", "xterm", "xfce4-session", "lightdm", "lightdm", "systemd",
              root=("lightdm", "systemd"))  # fmt: skip
GNOME_TERMINAL = chain("steno-shell", "gnome-terminal-", "systemd", "init", root=("init",))
SSH = chain("steno-shell", "sshd", "sshd", "systemd", root=("sshd", "systemd"))


@pytest.mark.parametrize(
    ("parents", "login", "has_terminal", "expected"),
    [
        (GDM, Login("wayland", "wayland"), False, Graphics(is_within=True, is_login=True)),
        (GDM, Login("x11", "x11"), False, Graphics(is_within=True, is_login=True)),
        (GDM, Login(), False, Graphics(is_within=True, is_login=True)),
        (XTERM, Login("x11", "x11"), True, Graphics(is_within=True)),
        (XTERM, Login(), True, Graphics(is_within=True)),
        (XTERM, Login("x11", "x11"), False, Graphics(is_within=True)),
        (GNOME_TERMINAL, Login("", "wayland"), True, Graphics(is_within=True)),
        (GNOME_TERMINAL, Login("unspecified", ""), True, Graphics()),
        (SSH, Login("tty", "wayland"), True, Graphics()),
        (SSH, Login("tty", ""), False, Graphics()),
    ],
)
def test_tells_what_a_session_has_to_do_with_a_desktop(
    parents: tuple[Process, ...], login: Login, has_terminal: bool, expected: Graphics
) -> None:
    """The login behind a login screen, a terminal in a desktop, and neither, are told apart."""
    service = find_service(parents)
    assert judge(service, login, parents, has_terminal=has_terminal) == expected


SESSION = """# This is private data. Do not parse.
UID=1000
USER=avery
ACTIVE=1
IS_DISPLAY=1
STATE=active
REMOTE=0
TYPE={kind}
CLASS=user
SERVICE=gdm-password
LEADER=1234
AUDIT={name}
"""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Return systemd's state with a Wayland login 3 of user 1000, and an ssh login 5."""
    for directory in ("sessions", "users"):
        (tmp_path / directory).mkdir()
    (tmp_path / "sessions" / "3").write_text(SESSION.format(kind="wayland", name=3))
    (tmp_path / "sessions" / "5").write_text(SESSION.format(kind="tty", name=5))
    (tmp_path / "users" / "1000").write_text("NAME=avery\nSTATE=active\nDISPLAY=3\nSESSIONS=3 5\n")
    (tmp_path / "users" / "1001").write_text("NAME=blair\nSTATE=active\nDISPLAY=5\nSESSIONS=5\n")
    (tmp_path / "users" / "1002").write_text("NAME=casey\nDISPLAY=../../etc/passwd\n")
    return tmp_path


@pytest.mark.parametrize(
    ("audit_session", "uid", "expected"),
    [
        (3, 1000, Login("wayland", "wayland")),
        (5, 1000, Login("tty", "wayland")),
        (5, 1001, Login("tty", "")),
        (None, 1000, Login("", "wayland")),
        (4, 1002, Login("", "")),
        (None, 4242, Login("", "")),
    ],
)
def test_reads_what_logind_knows(
    state: Path, audit_session: int | None, uid: int, expected: Login
) -> None:
    """The type of the login that the caller is in, and of the user's desktop."""
    assert read_login(audit_session, uid, state) == expected


def test_without_logind_nothing_is_known(tmp_path: Path) -> None:
    """A host without systemd-logind has no such facts."""
    assert read_login(3, 1000, tmp_path / "none") == Login()


def test_windows_are_sessions_of_their_own() -> None:
    """A terminal's window within a recorded login is not shown by that login's recording."""
    inside = chain("steno-shell", "xterm", "bash", "sshd", root=("sshd",))
    login = inside[2].pid
    assert is_within_recorded(inside, {login}) is False
    su_within = chain("steno-shell", "su", "bash", "xterm", "bash", "sshd", root=("su", "sshd"))
    window_shell = su_within[2].pid
    assert is_within_recorded(su_within, {window_shell}) is True
    assert is_within_recorded(su_within, {su_within[4].pid}) is False
    assert is_within_recorded(SSH, set()) is False
