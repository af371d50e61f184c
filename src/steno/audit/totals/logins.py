"""Who logged in, and who could not: audit sessions and failures, added up from a log.

What an event says of logins, and what one attempt is, `steno.audit.login_facts` knows, as for the
server's logins.
"""

from __future__ import annotations

import msgspec

from steno.audit.event import Event
from steno.audit.login_facts import LoginFact, LoginWatch, put_together
from steno.audit.words.actions import BECOMING

_SPOKEN_FOR_US = 60_000_000
"""So long before a session is opened, programs may speak of it: login programs in the journal."""


class Session(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One audit session: a person logged in.

    Attributes:
        session: Its number; None: nobody numbers sessions there, and a program told of it.
        host: Where.
        user: Who logged in.
        program: What let them in.
        origin: Where they came from.
        terminal: The terminal.
        began_unix_us: When.
        ended_unix_us: When it ended, where the log says so.
        became: Whom they became, with su and sudo.
    """

    session: int | None
    host: str = ""
    user: str = ""
    program: str = ""
    origin: str = ""
    terminal: str | None = None
    began_unix_us: int
    ended_unix_us: int | None = None
    became: list[str] = []


class Failure(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Attempts that failed, taken together: at one account of a host, from one place.

    Attributes:
        at_unix_us: The first one.
        last_unix_us: The last one.
        host: Where.
        account: Which account was tried; "" where the records do not say it.
        user: Who was logged in already, for su and sudo.
        program: Which program refused.
        origin: Where they came from.
        attempts: How many, however often each was told.
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
    """Who logged in, and who could not. Is fed events with their records."""

    def __init__(self) -> None:
        self._watches: dict[str, LoginWatch] = {}
        self._sessions: list[tuple[Session, list[LoginFact]]] = []
        self._open: dict[tuple[str, int], tuple[Session, list[LoginFact]]] = {}
        self._alone: dict[tuple[str, int | None], tuple[Session, list[LoginFact]]] = {}
        self._failures: dict[tuple[str, ...], Failure] = {}

    def feed(self, event: Event) -> list[Session | Failure]:
        """Take note of `event`; nothing is known before the end."""
        watch = self._watches.get(event.host)
        if watch is None:
            watch = self._watches[event.host] = LoginWatch()
        fact = watch.look(event)
        if fact is not None and fact.kind == "failure":
            self._fail(event.host, fact)
            return []
        if fact is not None and fact.instead_of is not None:
            self._take_back((event.host, fact.user, fact.service, fact.source, ""))
        if event.audit_session is not None:
            if fact is not None:
                self._alone.pop((event.host, fact.pid), None)
            self._note(event, event.audit_session, fact)
        elif fact is not None:
            self._note_alone(event.host, fact)
        return []

    def finish(self) -> list[Session | Failure]:
        """Return sessions and failures, by their beginning."""
        known = [*self._sessions, *self._alone.values()]
        sessions = [_complete(session, facts) for session, facts in known]
        return sorted(
            [*sessions, *self._failures.values()],
            key=lambda one: one.began_unix_us if isinstance(one, Session) else one.at_unix_us,
        )

    def _note(self, event: Event, number: int, fact: LoginFact | None) -> None:
        known = self._open.get((event.host, number))
        if known is None or _begins_anew(fact, *known):
            session = Session(session=number, host=event.host, began_unix_us=event.at_unix_us)
            known = self._open[event.host, number] = session, []
            self._sessions.append(known)
        session, facts = known
        if fact is not None:
            facts.append(fact)
        session.user = session.user or event.who.login_user or str(event.who.login_uid or "")
        session.terminal = session.terminal or event.process.terminal
        program = (event.process.program or event.process.name or "").rpartition("/")[2]
        if event.action == "became" and program in BECOMING:
            session.became += [
                thing.name for thing in event.objects if thing.name not in session.became
            ]

    def _note_alone(self, host: str, fact: LoginFact) -> None:
        """Take note of a login without a number; logind may tell it a moment later."""
        before = self._alone.pop((host, fact.pid), None)
        if fact.kind == "start":
            session = Session(session=None, host=host, began_unix_us=fact.at_unix_us)
            self._alone[host, fact.pid] = session, [fact]
        elif before is not None:
            before[1].append(fact)
        if before is not None:
            self._sessions.append(before)

    def _fail(self, host: str, fact: LoginFact) -> None:
        key = host, fact.user, fact.service, fact.source, fact.login_user
        if fact.instead_of is not None:
            self._take_back((host, "", *key[2:]))
        failure = self._failures.get(key)
        if failure is not None:
            failure.last_unix_us = max(failure.last_unix_us, fact.at_unix_us)
            failure.attempts += 1
            return
        self._failures[key] = Failure(
            at_unix_us=fact.at_unix_us,
            last_unix_us=fact.at_unix_us,
            host=host,
            account=fact.user,
            user=fact.login_user,
            program=fact.service,
            origin=fact.source,
        )

    def _take_back(self, key: tuple[str, ...]) -> None:
        """Forget an attempt of which no account was known, or that was none: that is known now."""
        failure = self._failures.get(key)
        if failure is not None and failure.attempts > 1:
            failure.attempts -= 1
        else:
            self._failures.pop(key, None)


def _begins_anew(fact: LoginFact | None, session: Session, facts: list[LoginFact]) -> bool:
    """Return whether this is another session of that number: they begin anew with each boot."""
    if fact is None or fact.kind != "open":
        return False
    is_old = fact.at_unix_us - session.began_unix_us > _SPOKEN_FOR_US
    return is_old or any(one.kind != "start" for one in facts)


def _complete(session: Session, facts: list[LoginFact]) -> Session:
    """Add what the login programs said; a log that begins later has only what was done."""
    login = put_together(facts)
    if login is not None:
        session.user = login.user or session.user
        session.program, session.origin = login.service, login.source
        session.terminal = login.terminal.removeprefix("/dev/") or session.terminal
        session.ended_unix_us = login.closed_unix_us
    return session
