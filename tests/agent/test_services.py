"""What let a person in: found from processes, and not to be forged."""

from __future__ import annotations

import os

import pytest

from steno.agent.peers import Process, read_process
from steno.agent.services import find_service, is_within_recorded

ROOT, ANN = (0, 0, 0, 0), (1000, 1000, 1000, 1000)
INIT = Process(1, 0, "systemd", ROOT)


def chain(*words: str) -> list[Process]:
    """Return processes from words NAME[:WHO[:LOGIN[:PROGRAM]]], the caller first, and init.

    WHO is `root` (the default), `ann`, or `set` for ann's process with root's rights.
    """
    who = {"": ROOT, "root": ROOT, "ann": ANN, "set": (1000, 0, 0, 0)}
    made = []
    for number, word in enumerate(words):
        name, uids, login, program = [*word.split("|"), "", "", ""][:4]
        login_uid = int(login) if login else None
        made.append(Process(90 - number, 89 - number, name, who[uids], program, 0, login_uid))
    made[-1] = Process(
        made[-1].pid, 1, *[getattr(made[-1], f) for f in Process.__struct_fields__[2:]]
    )
    return [*made, INIT]


SSHD = ("sshd|ann|1000", "sshd||1000", "sshd")


@pytest.mark.parametrize(
    ("words", "service"),
    [
        (("steno-shell|ann|1000", *SSHD), "sshd"),
        (("sh|ann|1000", "sshd-session|ann|1000", "sshd-session||1000", "sshd"), "sshd"),
        (("sh|ann|1000", "su|set|1000", "bash|ann|1000", *SSHD), "su"),
        (("sh||1000", "sudo||1000", "sudo|set|1000", "bash|ann|1000", *SSHD), "sudo"),
        (("sh|ann|1000", "login||1000"), "login"),
        (("sh|ann", "cron||1000", "cron"), "cron"),
        (("sh|ann|1000", "tmux: server|ann|1000"), "tmux"),
        (("sh|ann|1000", "gnome-terminal-|ann|1000", "systemd|ann|1000"), "terminal"),
        (("sh|ann|1000", "gdm-session-wor||1000", "gdm3"), "gdm"),
        (("sh|ann|1000", "xterm|ann|1000", "gdm-session-wor||1000", "gdm3"), "terminal"),
        (("sh|ann|1000", "job|ann|1000", "systemd|ann|1000"), "systemd-user"),
        (("sh|ann",), ""),
    ],
)
def test_services_are_recognised(words: tuple[str, ...], service: str) -> None:
    """The nearest program that lets people in or changes the user names the service."""
    assert find_service(chain(*words)).name == service


@pytest.mark.parametrize(
    ("words", "service"),
    [
        (("sh|ann|1000", "cron|ann|1000", "bash|ann|1000", *SSHD), "sshd"),
        (("sh||1000", "cron||1000", "bash|ann|1000", *SSHD), "sshd"),
        (("sh||1000", "cron||1000|/usr/bin/sudo", "bash|ann|1000", *SSHD), "sudo"),
        (("sh||1000", "cron||1000"), ""),
        (("sh|ann|1000", "su|ann|1000", "bash|ann|1000", *SSHD), "sshd"),
        (("sh|ann|1000", "xterm|ann|1000", "bash|ann|1000", *SSHD), "sshd"),
    ],
)
def test_a_service_cannot_be_forged(words: tuple[str, ...], service: str) -> None:
    """A user's program, or sudo by another name, does not pass for one of root's daemons."""
    assert find_service(chain(*words)).name == service


def test_a_graphical_login_is_told() -> None:
    """Terminals within a desktop are known to be there."""
    words = ("sh|ann|1000", "xterm|ann|1000", "xfce4-session|ann|1000", "lightdm||1000", "lightdm")
    assert find_service(chain(*words)).is_graphical
    assert not find_service(chain("sh|ann|1000", *SSHD)).is_graphical


def test_a_process_is_read_as_the_kernel_has_it() -> None:
    """Number, parent, ids and program of a real process."""
    process = read_process(os.getpid())
    assert process is not None
    assert (process.pid, process.parent) == (os.getpid(), os.getppid())
    assert process.uids == (os.getuid(), os.geteuid(), *os.getresuid()[2:], os.geteuid())
    assert "python" in process.program
    assert read_process(1 << 30) is None


def test_what_is_around_a_session_tells_whether_it_is_recorded() -> None:
    """Below a recorded shell is within it; through a daemon of its own is not; else, who knows."""
    shell = "bash|ann|1000"
    within = chain("sh|ann|1000", "su|set|1000", shell, *SSHD)
    assert is_within_recorded(within, {within[2].pid}) is True
    # A second session through the same SSH connection, of the same audit session.
    assert is_within_recorded(chain("sh|ann|1000", *SSHD), {4711}) is False
    assert is_within_recorded(chain("sh|ann|1000", "tmux: server|ann|1000"), {4711}) is None
    assert is_within_recorded(chain("sh|ann|1000", "cron|ann|1000"), {4711}) is None
