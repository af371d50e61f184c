"""Who logged in, and who could not: audit sessions and failures, added up from a log."""

from __future__ import annotations

import msgspec

from steno.audit.event import Event
from steno.audit.words.actions import BECOMING


class Session(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One audit session: a person logged in.

    Attributes:
        session: Its number.
        host: Where.
        user: Who logged in.
        program: What let them in.
        origin: Where they came from.
        terminal: The terminal.
        began_unix_us: When.
        ended_unix_us: When it ended, where the log says so.
        became: Whom they became, with su and sudo.
    """

    session: int
    host: str = ""
    user: str = ""
    program: str = ""
    origin: str = ""
    terminal: str | None = None
    began_unix_us: int
    ended_unix_us: int | None = None
    became: list[str] = []


class Failure(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Attempts that failed, of one process.

    Attributes:
        at_unix_us: The first one.
        last_unix_us: The last one.
        host: Where.
        account: Which account was tried.
        user: Who was logged in already, for su and sudo.
        program: Which program refused.
        origin: Where they came from.
        attempts: How often a password or key was refused.
    """

    at_unix_us: int
    last_unix_us: int
    host: str = ""
    account: str = ""
    user: str = ""
    program: str = ""
    origin: str = ""
    attempts: int = 1


class Logins:
    """Who logged in, and who could not."""

    def __init__(self) -> None:
        self._sessions: dict[tuple[str, int, int], Session] = {}
        self._open: dict[tuple[str, int], Session] = {}
        self._failures: list[Failure] = []
        self._last_failures: dict[tuple[str, int | None], Failure] = {}

    def feed(self, event: Event) -> list[Session | Failure]:
        """Take note of `event`; nothing is known before the end."""
        if event.action in ("authenticated", "logged in") and event.result == "failure":
            self._fail(event)
        elif event.audit_session is not None:
            self._note(event, event.audit_session)
        return []

    def finish(self) -> list[Session | Failure]:
        """Return sessions and failures, by their beginning."""
        found: list[Session | Failure] = [*self._sessions.values(), *self._failures]
        return sorted(
            found, key=lambda one: one.began_unix_us if isinstance(one, Session) else one.at_unix_us
        )

    def _note(self, event: Event, number: int) -> None:
        session = self._open.get((event.host, number))
        if session is None or (
            event.action == "opened audit session" and event.result == "success"
        ):
            session = Session(session=number, host=event.host, began_unix_us=event.at_unix_us)
            self._open[event.host, number] = session
            self._sessions[event.host, number, event.at_unix_us] = session
        session.user = session.user or event.who.login_user or str(event.who.login_uid or "")
        program = _program_of(event)
        if event.action == "became" and program in BECOMING:
            session.became += [
                thing.name for thing in event.objects if thing.name not in session.became
            ]
        elif event.action in ("opened audit session", "started session", "logged in"):
            session.program = session.program or program
            session.origin = session.origin or _origin_of(event)
        elif event.action == "ended session" and program not in BECOMING:
            session.ended_unix_us = event.at_unix_us
        session.terminal = session.terminal or event.process.terminal

    def _fail(self, event: Event) -> None:
        key = event.host, event.process.pid
        account = next((thing.name for thing in event.objects if thing.kind == "account"), "")
        failure = self._last_failures.get(key)
        if failure is not None and failure.account == account:
            failure.last_unix_us = event.at_unix_us
            failure.attempts += event.action == "authenticated"
            return
        failure = Failure(
            at_unix_us=event.at_unix_us,
            last_unix_us=event.at_unix_us,
            host=event.host,
            account=account,
            user=event.who.login_user or "",
            program=_program_of(event),
            origin=_origin_of(event),
        )
        self._failures.append(failure)
        self._last_failures[key] = failure


def _program_of(event: Event) -> str:
    return (event.process.program or event.process.name or "").rpartition("/")[2]


def _origin_of(event: Event) -> str:
    return next((thing.name for thing in event.objects if thing.role == "from"), "")
