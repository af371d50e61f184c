"""Days on which something is missing or broken: what runs goes on, and the rest is told."""

from __future__ import annotations

import os
import resource

import pytest
from agent_host import LONG_S, AgentHost, wait_for


def descriptors_of(host: AgentHost) -> int:
    """Return how many descriptors the agent has open."""
    assert host.process is not None
    return len(os.listdir(f"/proc/{host.process.pid}/fd"))


def assert_works(host: AgentHost) -> None:
    """Fail unless sessions still work."""
    session = host.shell("-steno-shell", "-c", "echo fine")
    assert session.finish(LONG_S) == 0
    assert b"fine" in bytes(session.seen)


def test_who_says_nothing_holds_nobody_up(host: AgentHost) -> None:
    """Connections without a word are closed after a while; others come in meanwhile."""
    host.start("[limits]\nstarting = 32\n")
    silent = [host.caller() for _ in range(20)]
    assert_works(host)
    for caller in silent:
        assert caller.answer() == (None, [])
        caller.close()


def test_without_descriptors_sessions_wait_or_are_refused(host: AgentHost) -> None:
    """When the agent has no descriptors left, what runs goes on, and later all is well."""
    host.start()
    assert host.process is not None
    first = host.shell("-steno-shell", "-c", "read x; echo got $x")
    wait_for(host.sessions, "no session")
    used = descriptors_of(host)
    soft, hard = resource.prlimit(host.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(host.process.pid, resource.RLIMIT_NOFILE, (used + 4, hard))
    refused = host.shell("-steno-shell", "-c", "echo begun")
    assert refused.finish(LONG_S) != 0
    assert b"begun" not in bytes(refused.seen)
    assert b"steno" in bytes(refused.seen) or b"recorded" in bytes(refused.seen)
    resource.prlimit(host.process.pid, resource.RLIMIT_NOFILE, (soft, hard))
    first.send(b"it\n")
    first.expect(b"got it")
    assert first.finish() == 0
    assert_works(host)


def fill(host: AgentHost) -> None:
    """Leave no room in the spool."""
    with (host.spool / "ballast").open("wb") as file:
        file.truncate(1 << 40)


def empty(host: AgentHost) -> None:
    """Make room again."""
    (host.spool / "ballast").unlink()


@pytest.mark.parametrize(("on_failure", "begins"), [("deny", False), ("allow", True)])
def test_a_full_spool_follows_the_policy(host: AgentHost, on_failure: str, begins: bool) -> None:
    """With no room, new sessions are refused or begin unrecorded, as the policy says, and told."""
    host.start(policy=f'[defaults]\non_failure = "{on_failure}"\n')
    fill(host)
    wait_for(lambda: host.ask("status")["spool"]["used_bytes"] > 1 << 30, "not counted")
    session = host.shell("-steno-shell", "-c", "echo begun")
    assert (session.finish() == 0) is begins
    assert (b"begun" in bytes(session.seen)) is begins
    assert b"recorded: spool" in bytes(session.seen)
    assert host.ask("status")["failures"] == 1
    empty(host)
    wait_for(lambda: host.ask("status")["spool"]["used_bytes"] < 1 << 30, "not counted")
    assert_works(host)


def test_a_spool_that_fills_drops_and_tells(host: AgentHost) -> None:
    """A session goes on when the spool fills; its recording says what is missing, and is whole."""
    host.start()
    session = host.shell("-steno-shell", "-c", "while read x; do echo got $x; done")
    session.send(b"one\n")
    session.expect(b"got one")
    wait_for(lambda: b"got one" in next(host.spool.glob("*.open")).read_bytes(), "not written")
    fill(host)
    wait_for(lambda: host.ask("status")["spool"]["used_bytes"] > 1 << 30, "not counted")
    session.send(b"two\n")
    session.expect(b"got two")
    assert host.ask("status")["spool"]["is_full"]

    def has_dropped() -> bool:
        session.send(b"more\n")
        session.expect(b"got more")
        return bool(host.ask("status")["dropped_bytes"])

    wait_for(has_dropped, "nothing is dropped")
    empty(host)
    path = next(host.spool.glob("*.open"))
    wait_for(lambda: b'"kind":"drop"' in path.read_bytes(), "it stays full")
    session.send(b"last\n")
    session.expect(b"got last")
    session.send(b"\x04")
    session.finish()
    (recorded,) = host.recordings()
    assert b"got one" in recorded.output()
    assert b"got two" in recorded.output()
    assert b"got last" in recorded.output()
    dropped = sum(note.facts["output_bytes"] for note in recorded.notes("drop"))
    assert dropped + len(recorded.output()) == recorded.end.output_bytes
    assert dropped > 0


def test_no_pseudo_terminals_left(host: AgentHost) -> None:
    """Where the system has no terminals left, a session is refused with that reason."""
    if os.geteuid() != 0:
        pytest.skip("only root can give an agent a devpts of its own")
    # Its own devpts with room for one; the sessions' own terminals are the system's.
    mount = "mount -t devpts -o newinstance,ptmxmode=666,max=1 none /dev/pts"
    script = f'{mount} && mount --bind /dev/pts/ptmx /dev/ptmx && exec "$@"'
    host.start(prefix=("unshare", "-m", "sh", "-c", script, "sh"))
    first = host.shell("-steno-shell", "-c", "echo first; read x")
    first.expect(b"first")
    session = host.shell("-steno-shell", "-c", "echo begun")
    assert session.finish() != 0
    assert b"cannot be recorded: no pseudo-terminal" in bytes(session.seen)
    assert b"begun" not in bytes(session.seen)
    first.send(b"\n")
    assert first.finish() == 0
    assert_works(host)


def test_the_policys_user_is_gone_meanwhile(host: AgentHost) -> None:
    """A user without an account is refused; what runs as one that was deleted goes on."""
    if os.geteuid() != 0:
        pytest.skip("only root can become a user that does not exist")
    host.start()
    host.directory.chmod(0o755)
    command = ("setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", host.build.name)
    host.build.program.parent.chmod(0o755)
    session = host.shell(*command, "-c", "echo begun", executable=None)
    assert session.finish() != 0
    assert b"there is no such account" in bytes(session.seen)


def test_the_time_of_day_may_jump(host: AgentHost) -> None:
    """Recordings' instants go by a clock that does not go back."""
    host.start()
    session = host.shell("-steno-shell", "-c", "echo one; read x; echo two; read x; echo three")
    for word in (b"one", b"two", b"three"):
        session.expect(word)
        session.send(b"\n")
    session.finish()
    (recorded,) = host.recordings()
    instants = [piece.at_us for message in recorded.messages for piece in message.pieces]
    assert instants == sorted(instants)


def test_too_many_sessions_are_refused(host: AgentHost) -> None:
    """Beyond the limit sessions are refused with the number; when one ends, there is room."""
    host.start("[limits]\nsessions = 2\n")
    first = [host.shell("-steno-shell", "-c", "read x") for _ in range(2)]
    wait_for(lambda: len(host.sessions()) == 2, "no sessions")
    refused = host.shell("-steno-shell", "-c", "echo begun")
    assert refused.finish() != 0
    assert b"2 sessions are being recorded" in bytes(refused.seen)
    first[0].send(b"\n")
    first[0].finish()
    wait_for(lambda: len(host.sessions()) == 1, "it stays")
    assert_works(host)


def test_the_hosts_limit_drops_and_tells(host: AgentHost) -> None:
    """Beyond what the whole host may record, bytes are shown, not recorded, and counted."""
    limits = 'rate_bytes = 1000\nburst_bytes = 20000\naction = "drop"\n'
    host.start(f"[limits]\n{limits}")
    session = host.shell("-steno-shell", "-c", "stty -opost; seq 20000")
    session.finish(LONG_S)
    assert bytes(session.seen).endswith(b"19999\n20000\n")
    (recorded,) = host.recordings()
    dropped = sum(note.facts["output_bytes"] for note in recorded.notes("drop"))
    assert dropped + len(recorded.output()) == recorded.end.output_bytes
    assert 0 < len(recorded.output()) < 60_000


def test_the_hosts_limit_slows_down(host: AgentHost) -> None:
    """With `delay` nothing is lost: what exceeds the limit waits."""
    limits = 'rate_bytes = 60000\nburst_bytes = 20000\naction = "delay"\n'
    host.start(f"[limits]\n{limits}")
    session = host.shell("-steno-shell", "-c", "stty -opost; seq 20000")
    session.finish(LONG_S)
    (recorded,) = host.recordings()
    assert recorded.output().endswith(b"19999\n20000\n")
    assert recorded.notes("drop") == []
    assert recorded.messages[-1].pos_ms > 1000


def test_other_destinations_get_the_same_lines(host: AgentHost) -> None:
    """A file beside the spool holds the same recording, line by line."""
    place = host.directory / "copy.log"
    host.start(f'to = ["spool", "file:{place}"]\n')
    session = host.shell("-steno-shell", "-c", "echo here")
    session.finish()
    host.recordings()
    (spooled,) = host.spool.glob("*.done")
    wait_for(lambda: place.read_bytes() == spooled.read_bytes(), "the copies differ")
