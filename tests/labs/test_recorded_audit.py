"""A real agent, auditd and kernel together: whose events are kept says the policy, by the agent."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent_host import AgentHost
from audit_host import AuditHost, KernelAudit
from driven import Driven
from shell_builds import build_plain_shell
from waiting import wait_for

from steno.agent.audited import AuditedSessions
from steno.audit.event import Event
from steno.audit.trail import Placed, TrailDecoder

pytestmark = pytest.mark.lab

UID = 1501
LOGIN = 'echo "$1" >/proc/self/loginuid; exec -a -steno-shell "$0" -c "$2"'
"""What a login does: the login uid is set, and with it comes an audit session."""


class Place:
    """An agent, and an auditd whose plugin asks it, on one spool."""

    def __init__(self, agent: AgentHost, audit: AuditHost) -> None:
        self.agent = agent
        self.audit = audit

    def log_in(self, command: str) -> Driven:
        """Start a session through the login shell."""
        words = ("bash", "-c", LOGIN, str(self.agent.build.name), str(UID), command)
        return self.agent.shell(*words, executable="/bin/bash")

    def events(self) -> list[Event]:
        """Return all events that are in the spool."""
        found: list[Event] = []
        for path in self.agent.spool.glob("trail-*"):
            placed = TrailDecoder().feed(path.read_bytes()) if path.suffix != ".delivered" else []
            items = [one.item for one in placed if isinstance(one, Placed)]
            found += [item for item in items if isinstance(item, Event)]
        return found

    def ran(self, word: str) -> list[Event]:
        """Return the events that say that a program was started with this argument."""
        return [
            event
            for event in self.events()
            if event.action == "ran" and word in (event.process.arguments or [])
        ]


@pytest.fixture(scope="module")
def place(kernel_audit: KernelAudit, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Both, on this machine."""
    with tempfile.TemporaryDirectory(prefix="steno-") as directory:
        agent = AgentHost(Path(directory), build_plain_shell(Path(directory)))
        agent.start()
        try:
            with AuditHost(
                kernel_audit,
                tmp_path_factory.mktemp("audit"),
                spool=agent.spool,
                control=agent.control_socket,
            ) as audit:
                yield Place(agent, audit)
        finally:
            agent.close()


def test_a_recorded_sessions_events_are_kept(place: Place) -> None:
    """The recording names its audit session; its commands are events of it, within its time."""
    session = place.log_in("/bin/echo recorded-one; /bin/echo recorded-two")
    session.finish()
    [recorded] = place.agent.recordings()
    start = recorded.start
    assert (start.login_uid, start.audit_session is not None) == (UID, True)
    for word in ("recorded-one", "recorded-two"):
        [event] = wait_for(
            lambda word=word: place.ran(word), lambda: place.audit.explain("no event")
        )  # type: ignore[misc]
        assert event.audit_session == start.audit_session
        assert event.who.login_uid == UID
        pieces = [piece for message in recorded.messages for piece in message.pieces]
        last_us = start.started_unix_us + max(piece.at_us for piece in pieces)
        # What it prints comes after it was started; the audit trail's clock ticks coarsely.
        assert start.started_unix_us - 20_000 <= event.at_unix_us <= last_us + 20_000
    noted = AuditedSessions(place.agent.directory / "audited")
    assert noted.level_of(start.audit_session or 0) == "session"


def test_an_unrecorded_sessions_events_are_not(place: Place) -> None:
    """Of a session that a rule takes out nothing but its login is kept; `audited` changes that."""
    off = '[defaults]\nsessions = "off"\ncommands = "off"\n'
    for policy, is_kept in ((off, False), ('audited = "all"\n' + off, True)):
        place.agent.policy.write_text(policy)
        place.audit.policy_file.write_text(policy)
        # The plugin looks five times a second for what the agent decided; until then all is kept.
        command = f"/bin/echo unrecorded-{is_kept}; /bin/sleep 0.5; /bin/echo end-{is_kept}"
        session = place.log_in(command)
        session.finish()
        place.agent.policy.write_text("")
        later = place.log_in(f"/bin/echo later-{is_kept}")
        later.finish()
        wait_for(lambda kept=is_kept: place.ran(f"later-{kept}"), "a later session's event")  # type: ignore[misc]
        assert bool(place.ran(f"end-{is_kept}")) == is_kept
