"""Days on which something is missing or broken: what runs goes on, and the rest is told."""

from __future__ import annotations

import os
import resource

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
