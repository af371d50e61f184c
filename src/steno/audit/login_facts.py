"""What audit events say of logins: who came in and went, and who was refused. Does no I/O.

Source: linux-pam 1.5 libpam/pam_audit.c (USER_AUTH, USER_ACCT, USER_START, USER_END, and USER_ERR
for an account that there is not), OpenSSH audit-linux.c and shadow's login.c
(USER_LOGIN), the kernel's auditsc.c, audit_log_set_loginuid() (LOGIN). Where none of these comes,
what programs say in the journal (steno.audit.witness).
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterable
from typing import Literal

import msgspec
from msgspec.structs import replace

from steno.audit.event import JOURNAL, Event
from steno.audit.words.actions import BECOMING

LoginKind = Literal["open", "start", "close", "failure"]
"""What is said: a session began; who began it, from where; it is over; an attempt failed."""

_USER_ERR = re.compile(rb'\s*\[\s*\{\s*"type"\s*:\s*"USER_ERR"')
_REMEMBERED = 1000
_SAME_ATTEMPT_US = 120_000_000
"""So long after a refusal, other words may come about the same: sshd's LoginGraceTime."""
_SERVICES = {"sshd-session": "sshd", "sshd-auth": "sshd", "(systemd)": "systemd"}
"""Programs that are a part of another: OpenSSH 9.8 and later is in three pieces."""
_NOBODY = ("?", "(unknown)", "(unknown user)", "(invalid user)", "UNKNOWN", "unset")


class LoginFact(msgspec.Struct, frozen=True):
    """What one event says of somebody logging in or out.

    Attributes:
        serial: The event's.
        kind: What it says.
        at_unix_us: When.
        user: Whose account; "" where the records do not say.
        service: The program that was asked: sshd, login, su, sudo ...
        source: Address or name where the person was; "" for none.
        terminal: `/dev/pts/2`, `ssh`; "" for none.
        login_user: Who had logged in already; "" for nobody.
        audit_session: The session it belongs to.
        pid: The process that said so.
        instead_of: Instant and serial of a failure that was told before: of one without an account,
            on which this is a better word; or of a refused key, where sshd's next one let the
            person in. It counts no longer.
    """

    serial: int
    kind: LoginKind
    at_unix_us: int
    user: str = ""
    service: str = ""
    source: str = ""
    terminal: str = ""
    login_user: str = ""
    audit_session: int | None = None
    pid: int | None = None
    instead_of: tuple[int, int] | None = None


class Nameless(msgspec.Struct, frozen=True, array_like=True):
    """A failure without an account, of which more may come to be known.

    Attributes:
        place: Which program, and where the person was.
        at_unix_us: When.
        serial: The event's.
        is_last_word: Whether it was not PAM's word on a password.
    """

    place: str
    at_unix_us: int
    serial: int
    is_last_word: bool


class RefusedKey(msgspec.Struct, frozen=True, array_like=True):
    """A connection's attempt of which sshd alone spoke: PAM was not asked for a password.

    Attributes:
        pid: The connection's process.
        user: Whose account.
        source: Where the person was.
        at_unix_us: When.
        serial: The event's.
    """

    pid: int
    user: str
    source: str
    at_unix_us: int
    serial: int


class WatchState(msgspec.Struct, frozen=True):
    """What a watch remembers of refusals, to begin another one with.

    Attributes:
        told: Which attempts were refused, and when.
        nameless: Of those without an account, what may be told better.
        keys: Of those by key, which may turn out to be one of several that a client offered.
    """

    told: list[tuple[str, int]] = []
    nameless: list[Nameless] = []
    keys: list[RefusedKey] = []


class LoginWatch:
    """Follows one host's events, and tells each attempt once.

    Each password that PAM refuses is an attempt, and PAM says so. sshd and login say it again from
    processes of their own, often several times, before it (of an account that there is not,
    without its name) or after it; where PAM was not asked (keys), theirs is the only word, and
    what one process says is one attempt. PAM itself, at the end, says that it was asked nothing.
    A client offers all its keys in turn: those that are refused before one of the same connection
    lets the person in were no attempt to get in without the right.
    """

    def __init__(self, state: WatchState | None = None) -> None:
        state = state or WatchState()
        self._told = OrderedDict(state.told)
        self._nameless = list(state.nameless)
        self._keys = {one.pid: one for one in state.keys}

    def state(self) -> WatchState:
        """Return what to begin another watch with."""
        return WatchState([*self._told.items()], [*self._nameless], [*self._keys.values()])

    def look(self, event: Event) -> LoginFact | None:
        """Return what an event, its records with it, says of logins; None: nothing new."""
        kind = _kind(event)
        if kind is None:
            return None
        service = _service(event)
        if kind == "close" and service in BECOMING:
            return None
        fact = LoginFact(
            serial=event.serial,
            kind=kind,
            at_unix_us=event.at_unix_us,
            user=_account(event),
            service=service,
            source=_source(event),
            terminal=_terminal(event),
            login_user=event.who.login_user or "",
            audit_session=event.audit_session,
            pid=event.process.pid,
        )
        if kind == "start":
            return self._let_in(fact)
        # The journal's words were put together already.
        if kind == "failure" and event.source != JOURNAL:
            return self._refuse(fact, is_last_word=_is_last_word(event))
        if kind == "failure" and (event.method or "").startswith("publickey"):
            self._remember_key(fact)
        return fact

    def _remember_key(self, fact: LoginFact) -> None:
        """Take note of a refusal that is no password's."""
        if fact.service != "sshd" or fact.pid is None or not fact.user or fact.login_user:
            return
        self._keys.pop(fact.pid, None)  # the latest are the last ones
        self._keys[fact.pid] = RefusedKey(
            fact.pid, fact.user, fact.source, fact.at_unix_us, fact.serial
        )
        if len(self._keys) > _REMEMBERED:
            del self._keys[next(iter(self._keys))]

    def _let_in(self, fact: LoginFact) -> LoginFact:
        """Return a login, in place of the refused keys that its client offered before."""
        key = None if fact.pid is None else self._keys.pop(fact.pid, None)
        if key is None or ("sshd", key.user, key.source) != (fact.service, fact.user, fact.source):
            return fact
        if fact.at_unix_us - key.at_unix_us > _SAME_ATTEMPT_US:
            return fact
        return replace(fact, instead_of=(key.at_unix_us, key.serial))

    def _refuse(self, fact: LoginFact, *, is_last_word: bool) -> LoginFact | None:
        """Return a failure if it is an attempt of its own, or a better word on one."""
        place = f"{fact.service} {fact.source or fact.terminal}"
        process = f" {fact.pid}" if is_last_word else ""
        names = f"{place} {fact.user}", f"{place} {fact.user}{process}"
        if is_last_word and any(self._was_told(name, fact.at_unix_us) for name in names):
            return None
        for name in (names[1], f"{place} {process}"):
            self._told[name] = fact.at_unix_us
            self._told.move_to_end(name)
        while len(self._told) > _REMEMBERED:
            self._told.popitem(last=False)
        before = self._take_nameless(place, fact, is_last_word=is_last_word)
        if not fact.user:
            one = Nameless(place, fact.at_unix_us, fact.serial, is_last_word)
            self._nameless = [*self._nameless[1 - _REMEMBERED :], one]
        if is_last_word:
            self._remember_key(fact)
        return fact if before is None else replace(fact, instead_of=before)

    def _was_told(self, name: str, at_unix_us: int) -> bool:
        told_unix_us = self._told.get(name)
        return told_unix_us is not None and at_unix_us - told_unix_us <= _SAME_ATTEMPT_US

    def _take_nameless(
        self, place: str, fact: LoginFact, *, is_last_word: bool
    ) -> tuple[int, int] | None:
        """Return the first failure of which this is a better word: an account, or PAM's."""
        for number, one in enumerate(self._nameless):
            is_same = one.place == place and (fact.at_unix_us - one.at_unix_us <= _SAME_ATTEMPT_US)
            if is_same and (fact.user or (one.is_last_word and not is_last_word)):
                del self._nameless[number]
                return one.at_unix_us, one.serial
        return None


def _kind(event: Event) -> LoginKind | None:
    is_failed = event.result == "failure"
    match event.action:
        case "opened audit session" | "started session" if not is_failed:
            # A program may speak in the journal before its session has a number.
            if event.audit_session is None and event.source != JOURNAL:
                return None
            return "open" if event.action == "opened audit session" else "start"
        case "logged in" if not is_failed:
            return None if event.audit_session is None else "start"
        case "ended session" | "logged out":
            return "close"
        case "authenticated" | "checked account of" | "logged in" if is_failed:
            return "failure"
    return None


def _is_last_word(event: Event) -> bool:
    """Return whether an event may speak of what PAM told already."""
    return event.action == "logged in" or _USER_ERR.match(memoryview(event.records)) is not None


class OpenedLogin(msgspec.Struct, frozen=True):
    """One audit session's login, put together.

    Attributes:
        user: Who; "" where nothing says.
        service: The program that let them in.
        source: Address or name where the person was; "" for none.
        terminal: `/dev/pts/2`, `ssh` (none yet); "" for none.
        opened_unix_us: When.
        closed_unix_us: When it was over; None: nothing says.
    """

    user: str
    service: str
    source: str
    terminal: str
    opened_unix_us: int
    closed_unix_us: int | None


def put_together(facts: Iterable[LoginFact]) -> OpenedLogin | None:
    """Return the login of which one session's facts, in order, tell; None: of no beginning."""
    facts = list(facts)
    opened = [fact for fact in facts if fact.kind in ("open", "start")]
    if not opened:
        return None
    terminals = [fact.terminal for fact in opened]
    pids = {fact.pid for fact in opened}
    closed = [fact.at_unix_us for fact in facts if fact.kind == "close" and fact.pid in pids]
    return OpenedLogin(
        user=_first(fact.user for fact in opened),
        service=_first(fact.service for fact in opened),
        source=_first(fact.source for fact in opened),
        # sshd says `ssh` until there is a terminal.
        terminal=_first([*(name for name in terminals if "/" in name), *terminals]),
        opened_unix_us=opened[0].at_unix_us,
        closed_unix_us=closed[-1] if closed else None,
    )


def _first(values: Iterable[str]) -> str:
    return next(filter(None, values), "")


def _service(event: Event) -> str:
    program = (event.process.program or event.process.name or "").rpartition("/")[2]
    return _SERVICES.get(program, program)


def _account(event: Event) -> str:
    names = [thing.name for thing in event.objects if thing.kind == "account"]
    return names[0] if names and names[0] not in _NOBODY else ""


def _source(event: Event) -> str:
    found = [thing for thing in event.objects if thing.kind == "address"]
    return (found[0].address or found[0].name) if found else ""


def _terminal(event: Event) -> str:
    terminal = event.process.terminal or ""
    return f"/dev/{terminal}" if terminal.startswith(("pts/", "tty")) else terminal
