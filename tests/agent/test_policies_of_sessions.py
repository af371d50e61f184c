"""How sessions are recorded, as policy and configuration say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from agent_host import AgentHost
from waiting import wait_for

from steno.recorder.facts import audited_pid

LONG = 60.0
BASH = "PS1='$ ' bash --norc --noprofile -i"


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
    assert start.pid == audited_pid(session.process.pid)
    assert (start.inner_terminal or "").startswith("/dev/pts/")
    assert start.inner_terminal != start.terminal
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
