"""What the agent knows of a session that it records: the seam between its parts.

A session is made by the acceptor, kept in `Sessions`, relayed by `terminal.TerminalSession` or
another class of this shape, and can be taken up by the next agent from `SessionFacts`, its
descriptors and its ring.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import msgspec

from steno.formats.cutter import Identity
from steno.recorder.session import Settings


class SessionFacts(msgspec.Struct, frozen=True):
    """What does not change while a session lasts: JSON, so that the next agent can go on.

    Attributes:
        kind: `terminal`, `command` or `capture`.
        identity: What the recording is about; its `start` holds user, service, terminal ...
        settings: How it is recorded.
        base_ns: CLOCK_BOOTTIME at the recording's instant 0.
        places: The destinations, in the configuration's words.
        peer_pid: The process that asked for the session; usually it has become the shell.
        attributes: The outer terminal's settings as they were found; None without a terminal.
        on_failure: What the policy wants when the recording cannot go on: `deny` or `allow`.
        has_parent: Whether `steno-shell` stays as the parent of what leads the session.
        is_suspended: Whether the outer terminal is lent to that parent's own parent.
        ending: Why the session ends, "" when that is not known yet, once its terminals were given
            back; None before.
        capture_bytes: How much of each stream of a captured command is recorded.
    """

    kind: str
    identity: Identity
    settings: Settings
    base_ns: int
    places: tuple[str, ...]
    peer_pid: int
    attributes: bytes | None = None
    on_failure: str = "deny"
    has_parent: bool = False
    is_suspended: bool = False
    ending: str | None = None
    capture_bytes: int = 0

    @property
    def rec(self) -> str:
        """The recording's id."""
        return self.identity.rec


class Descriptors(msgspec.Struct):
    """A session's open descriptors; the session owns and closes them.

    Attributes:
        outer: The person's terminal, opened by the agent for itself, not blocking.
        master: The master of the session's pseudo-terminal, not blocking.
        leader: pidfd of the process that leads the session inside; for the exit status.
        connection: The socket to `steno-shell`, for as long as that holds its end.
    """

    outer: int | None = None
    master: int | None = None
    leader: int | None = None
    connection: int | None = None

    def named(self) -> dict[str, int]:
        """Return those that are open, by name, to be kept beyond this process."""
        return {
            name: fd for name in self.__struct_fields__ if (fd := getattr(self, name)) is not None
        }


class LiveSession(Protocol):
    """A session that the agent has."""

    @property
    def facts(self) -> SessionFacts:
        """What does not change."""

    @property
    def descriptors(self) -> dict[str, int]:
        """What must be kept for the session to be taken up by another process."""

    @property
    def passed_bytes(self) -> int:
        """How many bytes went through, both ways."""

    def send_message(self, text: str, by: str) -> None:
        """Show a line to the person, where there is a terminal, and note it in the recording."""

    def start(self) -> None:
        """Begin."""

    def kill(self, by: str) -> None:
        """Hang the session up; a little later, kill what leads it."""

    def leave(self) -> None:
        """Let go of it without ending it: the next agent takes it up."""

    def end(self) -> None:
        """End the recording now: nobody will take it up."""


class Sessions:
    """The sessions that live on this host."""

    def __init__(self) -> None:
        self._by_rec: dict[str, LiveSession] = {}

    def add(self, session: LiveSession) -> None:
        """Take note of a session that begins."""
        self._by_rec[session.facts.rec] = session

    def remove(self, rec: str) -> None:
        """Take note that it has ended."""
        self._by_rec.pop(rec, None)

    def find(self, rec: str) -> LiveSession | None:
        """Return the session of this recording, or None."""
        return self._by_rec.get(rec)

    def count_of(self, uid: int) -> int:
        """Return how many sessions of this user are being recorded."""
        return sum(session.facts.identity.start.uid == uid for session in self)

    def leaders(self) -> frozenset[int]:
        """Return who asked for sessions with terminals; most have become their shells."""
        return frozenset(session.facts.peer_pid for session in self._with_terminals())

    def has_audit_session(self, audit_session: int | None) -> bool:
        """Return whether a terminal of this audit session is being recorded."""
        return audit_session is not None and any(
            session.facts.identity.start.audit_session == audit_session
            for session in self._with_terminals()
        )

    def _with_terminals(self) -> Iterator[LiveSession]:
        """Yield the sessions whose recordings hold what passes: of commands it is not all."""
        return (session for session in self if session.facts.kind == "terminal")

    def __iter__(self) -> Iterator[LiveSession]:
        return iter([*self._by_rec.values()])

    def __len__(self) -> int:
        return len(self._by_rec)
