"""Sessions with a terminal, through the real agent and the real `steno-shell`."""

from __future__ import annotations

import os
import signal
import termios
from pathlib import Path

import pytest
from agent_host import AgentHost, wait_for

LONG = 60.0
BASH = "PS1='$ ' bash --norc --noprofile -i"


def test_a_session_is_relayed_and_recorded(host: AgentHost) -> None:
    """A person works in a shell that differs in nothing; the recording has what was shown."""
    host.start()
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


def test_the_terminal_is_given_back_as_it_was(host: AgentHost) -> None:
    """After the session the person's terminal has its settings; during it, it is raw."""
    host.start()
    session = host.shell("-steno-shell", "-c", "echo here; read x; exit 3")
    session.expect(b"here")
    assert not termios.tcgetattr(session.slave)[3] & termios.ICANON
    session.send(b"x\n")
    assert session.finish() == 3
    wait_for(
        lambda: termios.tcgetattr(session.slave) == session.before, "the settings are not back"
    )


def test_the_starts_facts_come_from_the_system(host: AgentHost) -> None:
    """Who, where, what, by which rule and with which labels stand in the first message."""
    host.start(policy='[[rule]]\nname = "all"\nlabels = ["pci"]\ninput = "seen"\n')
    session = host.shell("-steno-shell", "-c", "read x; exit 0", environ={"TERM": "vt220"})
    (live,) = wait_for(host.sessions, "no session")
    session.send(b"\n")
    session.finish()
    (recorded,) = host.recordings()
    start, message = recorded.start, recorded.messages[0]
    assert (start.user, start.uid) == ("root", 0) if os.geteuid() == 0 else start.uid
    assert start.command is not None
    assert start.command[1:] == ["-c", "read x; exit 0"]
    assert start.terminal == os.ttyname(session.slave) == live["terminal"]
    assert (start.columns, start.rows) == (80, 24)
    assert (start.policy, start.labels, start.number) == ("all", ["pci"], 1)
    assert start.coarse_unix_us is not None
    assert start.boot_id is not None
    assert message.rec.endswith(start.boot_id)
    assert message.rec == live["rec"]
    assert message.term == "vt220"
    assert start.kind == "command"


def test_a_notice_is_shown_and_recorded(host: AgentHost) -> None:
    """The policy's notice is the first thing that the person sees, and the recording."""
    host.start(policy='[defaults]\nnotice = "You are being recorded."\n')
    session = host.shell("-steno-shell", "-c", "echo first")
    session.finish()
    (recorded,) = host.recordings()
    for seen in (bytes(session.seen), recorded.output()):
        assert seen.index(b"You are being recorded.") < seen.index(b"first")


def test_passwords_are_not_recorded(host: AgentHost) -> None:
    """With `input = "seen"` what the terminal echoes is kept, and what it hides is not."""
    host.start(policy='[defaults]\ninput = "seen"\n')
    session = host.shell("-steno-shell", "-c", "read a; stty -echo; echo now; read b; echo $b$b")
    session.send(b"visible\n")
    session.expect(b"now")
    session.send(b"hidden\n")
    session.expect(b"hiddenhidden")
    session.finish()
    (recorded,) = host.recordings()
    assert recorded.input() == b"visible\n"
    assert sum(n.facts["input_bytes"] for n in recorded.notes("unseen")) == len(b"hidden\n")


def test_a_hang_up_ends_the_session(host: AgentHost) -> None:
    """When the person's terminal vanishes, the shell gets the hang-up; the recording says so."""
    host.start()
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


def test_a_shell_that_is_killed_ends_by_its_signal(host: AgentHost) -> None:
    """The recording says which signal ended the shell."""
    host.start()
    session = host.shell("-steno-shell", "-c", "echo here; kill -KILL $$")
    session.finish()
    (recorded,) = host.recordings()
    assert (recorded.end.reason, recorded.end.signal) == ("signal", signal.SIGKILL)


def test_all_output_arrives_before_the_end(host: AgentHost) -> None:
    """A last flood before the exit arrives whole, at the terminal and in the recording."""
    host.start()
    session = host.shell("-steno-shell", "-c", "stty -opost; seq 200000; exit 5")
    assert session.finish(LONG) == 5
    wanted = b"".join(b"%d\n" % number for number in range(1, 200001))
    assert bytes(session.seen).endswith(wanted)
    (recorded,) = host.recordings()
    assert recorded.output().endswith(wanted)
    assert recorded.end.output_bytes == len(recorded.output())


def test_what_the_shell_leaves_behind_does_not_hold_the_session(host: AgentHost) -> None:
    """A program in the background that keeps the terminal open does not keep the session."""
    host.start()
    session = host.shell("-steno-shell", "-c", "trap '' HUP; sleep 30 & echo gone")
    session.expect(b"gone")
    session.finish(20)
    (recorded,) = host.recordings()
    assert recorded.end.reason == "exit"


def test_a_slow_reader_stops_only_its_own_session(host: AgentHost) -> None:
    """A terminal that takes nothing holds its own session up, and no other one."""
    host.start()
    stopped = host.shell("-steno-shell", "-c", "echo go; yes")
    wait_for(lambda: host.sessions() and host.sessions()[0]["bytes"] > 10000, "no flood")
    other = host.shell("-steno-shell", "-c", "read x; echo got $x")
    other.send(b"it\n")
    other.expect(b"got it")
    other.finish()
    before = host.sessions()[0]["bytes"]
    assert before < 10_000_000
    stopped.send(b"\x03")
    assert b"y\r\ny" in bytes(stopped.seen) or stopped.finish() != 0


def test_ids_are_unique_when_many_begin_at_once(host: AgentHost) -> None:
    """Sessions that start together get recordings and numbers of their own."""
    host.start()
    sessions = [host.shell("-steno-shell", "-c", f"echo {number}") for number in range(12)]
    for session in sessions:
        session.finish()
    found = host.recordings(12)
    assert len({one.messages[0].rec for one in found}) == 12
    assert {one.start.number for one in found} == set(range(1, 13))
    assert {one.output().strip()[-2:].strip() for one in found} == {
        b"%d" % number for number in range(12)
    }


def test_an_odd_terminal_is_no_obstacle(host: AgentHost) -> None:
    """A terminal of 0x0 has no size in the recording, one of 65535x65535 has it."""
    host.start()
    for columns, rows in ((0, 0), (65535, 65535)):
        session = host.shell("-steno-shell", "-c", "stty size", columns=columns, rows=rows)
        session.finish()
        assert b"%d %d" % (rows, columns) in bytes(session.seen)
    small, large = host.recordings(2)
    assert small.start.columns is None
    assert small.windows() == []
    assert large.windows() == [(65535, 65535)]


@pytest.mark.parametrize("nested", ["unrecorded", "record"])
def test_a_session_within_a_recorded_one(host: AgentHost, nested: str) -> None:
    """A nested session of one login begins unrecorded, unless it is to be recorded too."""
    if os.geteuid() != 0 or not Path("/proc/self/loginuid").exists():
        pytest.skip("only root can begin an audit session")
    host.start(f'nested = "{nested}"\n')
    within = f"{host.build.name} -c 'echo within; exit 6'; echo after $?"
    script = f'echo 0 > /proc/self/loginuid && exec {host.build.name} -c "{within}"'
    session = host.shell("sh", "-c", script, executable=None)
    session.expect(b"within", b"after")
    session.finish()
    recorded = host.recordings(1 if nested == "unrecorded" else 2)
    outer = next(one for one in recorded if b"after" in one.output())
    assert b"within" in outer.output()
    assert outer.start.audit_session is not None
    assert outer.start.login_uid == 0
    assert len(recorded) == (1 if nested == "unrecorded" else 2)
