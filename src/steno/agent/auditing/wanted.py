"""Which events are kept: what the policy says of the sessions that they belong to."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Protocol

from steno.audit.coalescing import RecordGroup
from steno.audit.event import Event
from steno.audit.rules.sets import rule_set
from steno.model import NO_AUDIT_SESSION
from steno.policy.decision import AuditWord
from steno.policy.rules import Policy

UNDECIDED_US = 10_000_000
"""So long a session's events are kept before anybody has decided about it."""
_MOST_SESSIONS = 50_000
_UNSET = b"%d" % NO_AUDIT_SESSION
_TYPED = frozenset(["TTY", "USER_TTY"])


class Deciders(Protocol):
    """Who decides about sessions: the agent; see agent.audited."""

    @property
    def is_agent_there(self) -> bool:
        """Whether somebody is there to decide."""

    def level_of(self, session: int) -> AuditWord | None:
        """Return what was decided about an audit session; None: nothing yet."""


class Wanted:
    """Decides which groups of records are kept.

    Where nobody can tell, an event is kept: without an agent, and in a session's first seconds.

    Args:
        policy: Returns the policy in force.
        deciders: What was decided of single sessions.
        clock_us: A clock that only goes forward.
        login_keys: The keys of the rules of the level `login`; None: those of this machine.
    """

    def __init__(
        self,
        policy: Callable[[], Policy],
        deciders: Deciders,
        clock_us: Callable[[], int],
        login_keys: Iterable[str] | None = None,
    ) -> None:
        self._policy = policy
        self._deciders = deciders
        self._clock_us = clock_us
        keys = _login_keys() if login_keys is None else login_keys
        self._login_keys = [key.encode() for key in keys]
        self._seen: OrderedDict[bytes, int] = OrderedDict()

    def takes(self, group: RecordGroup) -> bool:
        """Return whether an event is kept."""
        level = self._level_of(_session_of(group))
        if level == "session":
            return True
        return level == "login" and self._is_of_login(group)

    def takes_login(self, event: Event) -> bool:
        """Return whether what a program said of a login is kept: wherever logins are."""
        session = event.audit_session
        return self._level_of(None if session is None else b"%d" % session) != "none"

    def _level_of(self, session: bytes | None) -> AuditWord:
        """Return the level that counts for an audit session."""
        policy = self._policy()
        most = policy.most_audit
        if most == "none" or session is None:
            return most
        decided = self._deciders.level_of(int(session))
        if decided is not None:
            return decided
        if not self._deciders.is_agent_there or self._is_new(session):
            return most
        level = policy.default_audit
        if level == "session" and policy.contents.audited == "recorded":
            return "login"
        return level

    def _is_new(self, session: bytes) -> bool:
        """Return whether a session is so young that the agent may still be asked about it."""
        now_us = self._clock_us()
        seen_us = self._seen.get(session)
        if seen_us is None:
            seen_us = self._seen[session] = now_us
            if len(self._seen) > _MOST_SESSIONS:
                self._seen.popitem(last=False)
        return now_us - seen_us < UNDECIDED_US

    def _is_of_login(self, group: RecordGroup) -> bool:
        """Return whether an event is kept at the level `login`, too.

        These are all that no rule has asked for (logins, accounts, denials, the audit system's
        own), and what the level's own rules have.
        """
        for record in group.records:
            if record.type in _TYPED:
                return False
            if record.type == "SYSCALL":
                keys = _keys_of(record.get("key"))
                return not keys or any(key in keys for key in self._login_keys)
        return True


def _session_of(group: RecordGroup) -> bytes | None:
    """Return the audit session's number; None where there is none."""
    for record in group.records:
        session = record.get("ses")
        if session is not None:
            return session if session != _UNSET and session.isdigit() else None
    return None


def _keys_of(value: bytes | None) -> bytes:
    """Return the keys of the rules that asked for an event, in one text; nothing: none did."""
    if value is None or value == b"(null)":
        return b""
    if value.startswith(b'"'):
        return value
    try:
        return bytes.fromhex(value.decode())  # several keys have a byte 1 between them
    except ValueError:
        return value


def _login_keys() -> set[str]:
    rules = rule_set("login", "x86_64").rules
    return {key for rule in rules for key in (rule.key, *rule.more_keys) if key}
