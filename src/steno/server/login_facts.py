"""What audit events say of logins: who came in and went, and who was refused. Does no I/O.

Source: linux-pam 1.5 libpam/pam_audit.c (USER_AUTH, USER_ACCT, USER_START, USER_END, and USER_ERR
for an account that there is not), OpenSSH audit-linux.c and shadow's login.c
(USER_LOGIN), the kernel's auditsc.c, audit_log_set_loginuid() (LOGIN). Where none of these comes,
what programs say in the journal (steno.audit.witness).
"""

from __future__ import annotations

import re
from collections import OrderedDict

from steno.audit.event import JOURNAL, Event
from steno.store.events import LoginFact
from steno.store.logins import WITHIN

_TYPE = re.compile(rb'\s*\[\s*\{\s*"type"\s*:\s*"([A-Z0-9_]+)"')
_REMEMBERED = 1000
_SAME_ATTEMPT_US = 120_000_000
"""So long after a refusal, sshd's word that the login failed is about that: its LoginGraceTime."""
_SERVICES = {"sshd-session": "sshd", "sshd-auth": "sshd", "(systemd)": "systemd"}
"""Programs that are a part of another: OpenSSH 9.8 and later is in three pieces."""

_KINDS_OF_WORDS = {
    ("opened audit session", "success"): "open",
    ("started session", "success"): "start",
    ("ended session", "success"): "close",
    ("authenticated", "failure"): "failure",
}
"""What the journal's words mean: an attempt is one event already, however often it was told."""

_NOBODY = ("?", "(unknown)", "(unknown user)", "(invalid user)", "unset")


class LoginWatch:
    """Follows one trail's events. Its state is small and can be kept: `refused`.

    Attributes:
        refused: Who was refused, and when: sshd tells first of each authentication that failed,
            then, once or twice and from other processes of its own, of the login.
    """

    def __init__(self, refused: list[tuple[str, int]] | None = None) -> None:
        self._refused: OrderedDict[str, int] = OrderedDict(refused or [])

    @property
    def refused(self) -> list[tuple[str, int]]:
        """Return what to begin another watch with."""
        return list(self._refused.items())

    def look(self, event: Event, offset_bytes: int = 0) -> LoginFact | None:
        """Return what an event, its records with it, says of logins; None: nothing.

        Its line begins at `offset_bytes` of its trail.
        """
        if event.source == JOURNAL:
            kind = _KINDS_OF_WORDS.get((event.action, event.result))
        else:
            match = _TYPE.match(memoryview(event.records))
            kind = None if match is None else self._kind(match[1], event)
        if kind is None:
            return None
        process = event.process
        program = (process.program or process.name or "").rpartition("/")[2]
        service = _SERVICES.get(program, program)
        if kind in ("start", "close") and service in WITHIN:
            return None
        return LoginFact(
            serial=event.serial,
            offset_bytes=offset_bytes,
            kind=kind,
            at_unix_us=event.at_unix_us,
            user=_account(event),
            service=service,
            source=_source(event),
            terminal=_terminal(event),
            login_user=event.who.login_user or "",
            audit_session=event.audit_session,
            pid=process.pid,
        )

    def _kind(self, record_type: bytes, event: Event) -> str | None:
        is_failed = event.result == "failure"
        match record_type:
            case b"LOGIN":
                return None if is_failed or event.audit_session is None else "open"
            case b"USER_START":
                return None if is_failed or event.audit_session is None else "start"
            case b"USER_LOGIN":
                if not is_failed:
                    return None if event.audit_session is None else "start"
                return None if self._has_refused(event) else "failure"
            case b"USER_END" | b"USER_LOGOUT":
                return "close"
            case b"USER_AUTH" | b"USER_ERR" | b"USER_ACCT":
                if not is_failed or (record_type == b"USER_ERR" and self._has_refused(event)):
                    return None
                self._remember_refusal(event)
                return "failure"
        return None

    def _remember_refusal(self, event: Event) -> None:
        for name in {_attempt(event, _account(event)), _attempt(event, "")}:
            self._refused[name] = event.at_unix_us
            self._refused.move_to_end(name)
        while len(self._refused) > _REMEMBERED:
            self._refused.popitem(last=False)

    def _has_refused(self, event: Event) -> bool:
        """Return whether this is only one more word on an attempt that was refused just now."""
        at_unix_us = self._refused.get(_attempt(event, _account(event)))
        return at_unix_us is not None and event.at_unix_us - at_unix_us <= _SAME_ATTEMPT_US


def _attempt(event: Event, account: str) -> str:
    """Name attempts at an account from one place; "" is whatever account."""
    program = (event.process.program or event.process.name or "").rpartition("/")[2]
    place = _source(event) or _terminal(event)
    return f"{_SERVICES.get(program, program)} {place} {account}"


def _account(event: Event) -> str:
    names = [thing.name for thing in event.objects if thing.kind == "account"]
    return names[0] if names and names[0] not in _NOBODY else ""


def _source(event: Event) -> str:
    found = [thing for thing in event.objects if thing.kind == "address"]
    return (found[0].address or found[0].name) if found else ""


def _terminal(event: Event) -> str:
    terminal = event.process.terminal or ""
    return f"/dev/{terminal}" if terminal.startswith(("pts/", "tty")) else terminal
