"""Logins and failed attempts in the index, put together from what single events say of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import apsw
import msgspec

from steno.store.cursors import decode_cursor, encode_cursor
from steno.store.event_matching import glob
from steno.store.event_rows import NO_SESSION, OF_SESSION, id_range, session_values
from steno.store.events import Login, LoginFailures, LoginQuery, SessionKey
from steno.store.filters import Condition, all_of, like_pattern
from steno.store.page import Page

BEFORE_US = 24 * 3600 * 1_000_000
"""Failed attempts count to the next login if it comes within this time."""

UNATTENDED = ("cron", "crond", "atd", "systemd")
"""Programs that open sessions for which nobody sits at a terminal."""

WORK_LIMIT_LOGINS = 5000
"""Logins looked at for one page; then it ends, with a cursor to go on from."""

WITHIN = ("su", "sudo", "runuser", "pkexec", "doas")
"""Programs that change who somebody is within a session."""


class LoginCursor(msgspec.Struct, frozen=True, array_like=True):
    """Where a list goes on: below this id."""

    id: int


_FACTS = "SELECT kind, at_unix_us, user, service, source, terminal, pid FROM login_facts"


def find_logins(
    connection: apsw.Connection, query: LoginQuery, cursor: str | None, limit: int
) -> Page[Login]:
    """Return logins, newest first; see `EventStore.logins`."""
    after = None if cursor is None else decode_cursor(cursor, LoginCursor)
    first, last = id_range(query.from_unix_us, query.until_unix_us)
    last = last if after is None else min(last, after.id - 1)
    # Where the first event names a program that nobody sits at, the others need no look.
    skipped = () if query.service else UNATTENDED
    rows: Iterator[Any] = connection.execute(
        "SELECT f.id, f.session, f.serial, f.host, t.trail, s.sender, s.boot_id, s.audit_session"  # noqa: S608 - values are bound
        " FROM login_facts f JOIN event_sessions s ON s.key = f.session"
        " JOIN trails t ON t.key = f.trail"
        " WHERE f.id BETWEEN ? AND ? AND f.kind IN ('open', 'start') AND s.audit_session != ?"
        f" AND f.service NOT IN ({', '.join('?' * len(skipped))})"
        " AND NOT EXISTS(SELECT 1 FROM login_facts g WHERE g.session = f.session AND g.id < f.id"
        " AND g.kind IN ('open', 'start')) ORDER BY f.id DESC",
        (first, last, NO_SESSION, *skipped),
    )
    test = _Test(query)
    items: list[Login] = []
    last_id = 0
    for looked_at, (fact_id, session, serial, host, trail, sender, boot_id, number) in enumerate(
        rows
    ):
        if looked_at >= WORK_LIMIT_LOGINS:
            return Page(items, encode_cursor(LoginCursor(last_id)))
        key = SessionKey(sender or None, boot_id, number)
        login = _compose(connection, session, key, host, trail, serial)
        if login is not None and test.wants(login):
            login = _with_recordings(connection, login)
            if query.is_recorded in (None, bool(login.recordings)):
                if len(items) >= limit:
                    return Page(items, encode_cursor(LoginCursor(last_id)))
                items.append(_with_failures(connection, login))
        last_id = fact_id
    return Page(items)


class _Test:
    """Tells which logins a query wants."""

    def __init__(self, query: LoginQuery) -> None:
        self._query = query
        self._globs = [
            (name, glob(value.casefold()))
            for name in ("user", "host", "source", "service")
            if (value := getattr(query, name))
        ]

    def wants(self, login: Login) -> bool:
        """Return whether it fits; whether it was recorded is not looked at."""
        query = self._query
        start, end = query.from_unix_us, query.until_unix_us
        if (start is not None and login.opened_unix_us < start) or (
            end is not None and login.opened_unix_us >= end
        ):
            return False
        if not query.service and login.service in UNATTENDED:
            return False
        return all(test(getattr(login, name).casefold()) for name, test in self._globs)


def _compose(
    connection: apsw.Connection, session: int, key: SessionKey, host: str, trail: str, serial: int
) -> Login | None:
    """Put a login together from its session's facts."""
    facts: list[Any] = connection.execute(
        f"{_FACTS} WHERE session = ? AND kind != 'failure' ORDER BY id", (session,)
    ).fetchall()
    opened = [fact for fact in facts if fact[0] in ("open", "start")]
    if not opened:
        return None
    terminals = [fact[5] for fact in opened]
    pids = {fact[6] for fact in opened}
    closed = [fact[1] for fact in facts if fact[0] == "close" and fact[6] in pids]
    return Login(
        session=key,
        host=host,
        user=_first(fact[2] for fact in opened),
        service=_first(fact[3] for fact in opened),
        source=_first(fact[4] for fact in opened),
        # sshd says `ssh` until there is a terminal.
        terminal=_first([*(name for name in terminals if "/" in name), *terminals]),
        opened_unix_us=opened[0][1],
        closed_unix_us=closed[-1] if closed else None,
        trail=trail,
        serial=serial,
    )


def _first(values: Iterable[str]) -> str:
    return next(filter(None, values), "")


def _with_recordings(connection: apsw.Connection, login: Login) -> Login:
    rows: Iterator[Any] = connection.execute(
        f"SELECT rec FROM recordings WHERE {OF_SESSION} ORDER BY started_unix_us, rec",  # noqa: S608 - constants
        session_values(login.session),
    )
    return msgspec.structs.replace(login, recordings=[row[0] for row in rows])


def _with_failures(connection: apsw.Connection, login: Login) -> Login:
    """Add the failed attempts on this account since its last login there, a day back at most."""
    if not login.user:
        return login
    first, last = id_range(login.opened_unix_us - BEFORE_US, login.opened_unix_us)
    values = (login.session.sender or "", login.host, login.user, first, last)
    previous: Any = connection.execute(
        "SELECT max(at_unix_us) FROM login_facts WHERE kind IN ('open', 'start')"
        " AND sender = ? AND host = ? AND user = ? AND id BETWEEN ? AND ? AND session !="
        " (SELECT key FROM event_sessions WHERE boot_id = ? AND audit_session = ? AND sender = ?)",
        (*values, login.session.boot_id, login.session.audit_session, values[0]),
    ).fetchone()
    row: Any = connection.execute(
        "SELECT count(*), min(at_unix_us), max(at_unix_us) FROM login_facts"
        " WHERE kind = 'failure' AND sender = ? AND host = ? AND user = ? AND id BETWEEN ? AND ?"
        " AND login_user = '' AND at_unix_us <= ? AND at_unix_us >= ?",
        (*values, login.opened_unix_us, previous[0] or 0),
    ).fetchone()
    return msgspec.structs.replace(
        login, failures=row[0], failed_first_unix_us=row[1], failed_last_unix_us=row[2]
    )


def find_failures(
    connection: apsw.Connection, query: LoginQuery, cursor: str | None, limit: int
) -> Page[LoginFailures]:
    """Return failed attempts, taken together; see `EventStore.login_failures`."""
    after = None if cursor is None else decode_cursor(cursor, LoginCursor)
    conditions = [
        Condition(f"{name} LIKE ? ESCAPE '\\'", (like_pattern(value),))
        for name in ("user", "host", "source", "service")
        if (value := getattr(query, name))
    ]
    first, last = id_range(query.from_unix_us, query.until_unix_us)
    conditions += [
        Condition("id BETWEEN ? AND ?", (first, last)),
        Condition("at_unix_us >= ?", (query.from_unix_us or 0,)),
        Condition("at_unix_us < ?", (query.until_unix_us or 1 << 62,)),
    ]
    where = all_of([Condition("kind = 'failure'"), *conditions])
    rows: list[Any] = connection.execute(
        "SELECT host, sender, user, service, source, login_user, count(*), min(at_unix_us),"  # noqa: S608 - values are bound
        f" max(at_unix_us), max(id) FROM login_facts WHERE {where.sql}"
        " GROUP BY host, sender, user, service, source, login_user"
        " HAVING max(id) < ? ORDER BY max(id) DESC LIMIT ?",
        (*where.values, (1 << 63) - 1 if after is None else after.id, limit + 1),
    ).fetchall()
    items = [LoginFailures(row[0], row[1] or None, *row[2:9]) for row in rows[:limit]]
    more = encode_cursor(LoginCursor(rows[limit - 1][9])) if len(rows) > limit else None
    return Page(items, more)
