"""Sessions with a terminal, through the real agent and the real `steno-shell`."""

from __future__ import annotations

import os
import signal
import subprocess
import termios

import pytest
from agent_host import AgentHost
from processes import state
from waiting import wait_for

LONG = 60.0
NOBODY = 65534
BASH = "PS1='$ ' bash --norc --noprofile -i"


def test_a_session_is_relayed_and_recorded(common_host: AgentHost) -> None:
    """A person works in a shell that differs in nothing; the recording has what was shown."""
    host = common_host
    session = host.shell("-steno-shell", "-c", BASH)
    session.expect(b"$ ")
    session.send(b"tty; stty size; echo $0; sh -c 'echo begun; exec sleep 100'\n")
    session.expect(b"/dev/pts/", b"24 80", b"bash", b"\nbegun")
    session.send(b"\x03")
    session.expect(b"^C", b"$ ")
    session.resize(100, 30)
    session.send(b"stty size\n")
    session.expect(b"30 100")
    session.send(b"exit 7\n")
    assert session.finish() == 7
    (recorded,) = host.recordings()
    assert recorded.output() in bytes(session.seen)
    assert b"30 100" in recorded.output()
    assert recorded.windows() == [(80, 24), (100, 30)]
    assert (recorded.end.reason, recorded.end.exit_status) == ("exit", 7)
    assert recorded.end.output_bytes == len(recorded.output())


def test_the_terminal_is_given_back_as_it_was(common_host: AgentHost) -> None:
    """After the session the person's terminal has its settings; during it, it is raw."""
    host = common_host
    session = host.shell("-steno-shell", "-c", "echo here; read x; exit 3")
    session.expect(b"here")
    assert not termios.tcgetattr(session.slave)[3] & termios.ICANON
    session.send(b"x\n")
    assert session.finish() == 3
    wait_for(
        lambda: termios.tcgetattr(session.slave) == session.before, "the settings are not back"
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else")
def test_nobody_gets_at_the_outer_terminal_during_the_session(common_host: AgentHost) -> None:
    """The user cannot open the terminal around the recording once more, and can afterwards."""
    session = common_host.shell("-steno-shell", "-c", "echo here; read x; exit 3")
    session.expect(b"here")
    os.fchown(session.slave, NOBODY, NOBODY)
    command = ["sh", "-c", 'exec 3<>"$0"', os.ttyname(session.slave)]
    around = subprocess.run(command, user=NOBODY, check=False, capture_output=True)
    assert b"busy" in around.stderr
    session.send(b"x\n")
    assert session.finish() == 3
    wait_for(
        lambda: not subprocess.run(command, user=NOBODY, check=False).returncode,
        "the terminal is not given back",
    )


def test_a_hang_up_ends_the_session(common_host: AgentHost) -> None:
    """When the person's terminal vanishes, the shell gets the hang-up; the recording says so."""
    host = common_host
    marker = host.directory / "hung-up"
    session = host.shell(
        "-steno-shell",
        "-c",
        f"trap 'touch {marker}; exit' HUP; echo here; while :; do sleep 1; done",
    )
    session.expect(b"here")
    session.hang_up()
    (recorded,) = host.recordings()
    assert recorded.end.reason == "hangup"
    wait_for(marker.exists, "the shell was not hung up")
    assert host.sessions() == []


def test_a_shell_that_is_killed_ends_by_its_signal(common_host: AgentHost) -> None:
    """The recording says which signal ended the shell."""
    host = common_host
    session = host.shell("-steno-shell", "-c", "echo here; kill -KILL $$")
    session.finish()
    (recorded,) = host.recordings()
    assert (recorded.end.reason, recorded.end.signal) == ("signal", signal.SIGKILL)


def test_all_output_arrives_before_the_end(common_host: AgentHost) -> None:
    """A last flood before the exit arrives whole, at the terminal and in the recording."""
    host = common_host
    session = host.shell("-steno-shell", "-c", "stty -opost; seq 200000; exit 5")
    assert session.finish(LONG) == 5
    wanted = b"".join(b"%d\n" % number for number in range(1, 200001))
    assert bytes(session.seen).endswith(wanted)
    (recorded,) = host.recordings()
    assert recorded.output().endswith(wanted)
    assert recorded.end.output_bytes == len(recorded.output())


def test_what_the_shell_leaves_behind_does_not_hold_the_session(common_host: AgentHost) -> None:
    """A program in the background that keeps the terminal open does not keep the session."""
    host = common_host
    session = host.shell("-steno-shell", "-c", "trap '' HUP; sleep 300 & echo gone=$!:")
    session.expect(b"gone=", b":")
    session.finish()
    left = int(bytes(session.seen).partition(b"gone=")[2].partition(b":")[0])
    assert state(left) != "Z", "it had ended already"
    os.kill(left, signal.SIGKILL)
    (recorded,) = host.recordings()
    assert recorded.end.reason == "exit"


def test_an_odd_terminal_is_no_obstacle(common_host: AgentHost) -> None:
    """A terminal of 0x0 has no size in the recording, one of 65535x65535 has it."""
    host = common_host
    for columns, rows in ((0, 0), (65535, 65535)):
        session = host.shell("-steno-shell", "-c", "stty size", columns=columns, rows=rows)
        session.finish()
        assert b"%d %d" % (rows, columns) in bytes(session.seen)
    small, large = host.recordings(2)
    assert small.start.columns is None
    assert small.windows() == []
    assert large.windows() == [(65535, 65535)]
