"""Programs that were run, files that changed, addresses that were spoken with: a log added up.

Each is fed events in the order of the log. Memory grows with what is reported (different files,
addresses ...), not with the log.
"""

from __future__ import annotations

import msgspec

from steno.audit.event import Event, Result, Thing, Who
from steno.audit.sorts import NETWORK

MAX_RUNNING = 65536
"""So many programs may be running; of more, the oldest is reported without its end."""


class RanProgram(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One program that was run.

    Attributes:
        at_unix_us: When.
        host: Where.
        user: Who logged in, or whose account it was where nobody did.
        account: Whose account it was.
        session: The audit session.
        terminal: The terminal.
        pid: The process.
        parent_pid: Its parent.
        directory: Where it was run.
        arguments: What it was given; what it was, where it could not be run.
        program: The executable's path.
        result: Whether it could be run.
        error: Why it could not.
        exit_status: What it ended with, where the log says so.
        signal: What killed it.
        ended_unix_us: When it ended, or ran another program in its place.
    """

    at_unix_us: int
    host: str = ""
    user: str
    account: str
    session: int | None = None
    terminal: str | None = None
    pid: int | None = None
    parent_pid: int | None = None
    directory: str | None = None
    arguments: list[str]
    program: str | None = None
    result: Result = "success"
    error: str | None = None
    exit_status: int | None = None
    signal: int | None = None
    ended_unix_us: int | None = None


class RanPrograms:
    """Programs with their ends."""

    def __init__(self) -> None:
        self._running: dict[tuple[str, int], RanProgram] = {}

    def feed(self, event: Event) -> list[RanProgram]:
        """Return the programs of which all is known now."""
        pid = event.process.pid
        if pid is None:
            return []
        key = event.host, pid
        if event.action == "ran":
            ran = _describe_run(event)
            if event.result == "failure":
                return [ran]
            return [*self._end(key, event), *self._begin(key, ran)]
        # What is typed last stands in the event of the end; exit ends a thread only.
        if event.syscall == "exit_group" or event.action == "crashed":
            return self._end(key, event)
        return []

    def finish(self) -> list[RanProgram]:
        """Return the programs whose end the log does not tell."""
        rest = list(self._running.values())
        self._running.clear()
        return rest

    def _begin(self, key: tuple[str, int], ran: RanProgram) -> list[RanProgram]:
        self._running[key] = ran
        if len(self._running) <= MAX_RUNNING:
            return []
        return [self._running.pop(next(iter(self._running)))]

    def _end(self, key: tuple[str, int], event: Event) -> list[RanProgram]:
        ran = self._running.pop(key, None)
        if ran is None:
            return []
        ran.ended_unix_us = event.at_unix_us
        if event.action == "crashed":
            ran.signal = event.signal
        elif event.action != "ran":
            ran.exit_status = event.exit
        return [ran]


def _describe_run(event: Event) -> RanProgram:
    process = event.process
    program = event.objects[0].name if event.objects else process.program
    return RanProgram(
        at_unix_us=event.at_unix_us,
        host=event.host,
        user=login_of(event.who),
        account=account_of(event.who),
        session=event.audit_session,
        terminal=process.terminal,
        pid=process.pid,
        parent_pid=process.parent_pid,
        directory=process.directory,
        arguments=process.arguments or ([program] if program else []),
        program=program,
        result=event.result,
        error=event.error,
    )


def login_of(who: Who) -> str:
    """Return who logged in, by name or number; where nobody did, whose account it is."""
    if who.login_uid is None and who.login_user is None:
        return account_of(who)
    return who.login_user or str(who.login_uid)


def account_of(who: Who) -> str:
    """Return whose account it is, by name or number; "" where nobody says."""
    return who.user or ("" if who.uid is None else str(who.uid))


class Tally(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What a user did to one file or address.

    Attributes:
        name: The file or the address.
        host: Where.
        user: Who logged in.
        account: Whose account it was.
        actions: What was done, each word with how often.
        programs: With which programs.
        first_unix_us: When first.
        last_unix_us: When last.
        failures: How often it failed.
        sessions: In which audit sessions.
    """

    name: str
    host: str = ""
    user: str
    account: str
    actions: dict[str, int] = {}
    programs: list[str] = []
    first_unix_us: int
    last_unix_us: int
    failures: int = 0
    sessions: list[int] = []


TALKS = NETWORK - {"opened socket"}
"""What is done with addresses."""


class Tallies:
    """Files changed, or addresses spoken with.

    Args:
        actions: `sorts.CHANGES` or `TALKS`.
        kinds: What sort of thing is counted.
    """

    def __init__(self, actions: frozenset[str], kinds: frozenset[str]) -> None:
        self._actions = actions
        self._kinds = kinds
        self._tallies: dict[tuple[str, str, str, str], Tally] = {}

    def feed(self, event: Event) -> list[Tally]:
        """Count `event`; nothing is known before the end."""
        if event.action in self._actions:
            for thing in event.objects:
                if thing.kind in self._kinds and thing.role not in ("target", "directory"):
                    self._count(event, thing)
        return []

    def finish(self) -> list[Tally]:
        """Return the tallies, by the time of the first."""
        tallies = sorted(self._tallies.values(), key=lambda tally: tally.first_unix_us)
        self._tallies = {}
        return tallies

    def _count(self, event: Event, thing: Thing) -> None:
        user, account = login_of(event.who), account_of(event.who)
        key = event.host, user, account, thing.name
        at = event.at_unix_us
        tally = self._tallies.get(key)
        if tally is None:
            tally = self._tallies[key] = Tally(
                name=thing.name,
                host=event.host,
                user=user,
                account=account,
                first_unix_us=at,
                last_unix_us=at,
            )
        action = _WORDS_OF_ROLES.get((event.action, thing.role), event.action)
        tally.actions[action] = tally.actions.get(action, 0) + 1
        tally.first_unix_us = min(tally.first_unix_us, at)
        tally.last_unix_us = max(tally.last_unix_us, at)
        tally.failures += event.result == "failure"
        program, session = event.process.name, event.audit_session
        if program is not None and program not in tally.programs:
            tally.programs.append(program)
        if session is not None and session not in tally.sessions:
            tally.sessions.append(session)


_WORDS_OF_ROLES = {
    ("renamed", "from"): "renamed away",
    ("renamed", "to"): "renamed to this",
    ("renamed", "deleted"): "replaced",
}
