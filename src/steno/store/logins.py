"""Logins and failed attempts in the index, put together from what single events say of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import apsw
import msgspec

from steno.audit.event import FIRST_OF_JOURNAL
from steno.audit.login_facts import LoginFact, put_together
from steno.store.cursors import decode_cursor, encode_cursor
from steno.store.event_matching import glob
from steno.store.event_rows import NO_SESSION, OF_SESSION, id_range, session_values
from steno.store.event_schema import first_id
from steno.store.events import Login, LoginFailures, LoginQuery, SessionKey, ToldBy
from steno.store.filters import Condition, all_of, like_pattern
from steno.store.page import Page

BEFORE_US = 24 * 3600 * 1_000_000
"""Failed attempts count to the next login if it comes within this time."""

UNATTENDED = ("cron", "crond", "atd", "systemd")
"""Programs that open sessions for which nobody sits at a terminal."""

WORK_LIMIT_LOGINS = 5000
"""Logins looked at for one page; then it ends, with a cursor to go on from."""

WORK_LIMIT_FACTS = 200_000
"""Facts looked at for one page, likewise: cron's, and what the whole internet tries."""

_SPOKEN_FOR_US = 60_000_000
"""So long after a session began, its number in the audit system may become known."""


class LoginCursor(msgspec.Struct, frozen=True, array_like=True):
    """Where a list goes on: below this id.

    Of failed attempts taken together: with those whose newest is below it, of facts up to `last`.
    """

    id: int
    last: int | None = None


_FACTS = (
    "SELECT serial, kind, at_unix_us, user, service, source, terminal, login_user, ?, pid"
    " FROM login_facts WHERE session = ? AND kind != 'failure' ORDER BY id"
)


def find_logins(
    connection: apsw.Connection, query: LoginQuery, cursor: str | None, limit: int
) -> Page[Login]:
    """Return logins, newest first; see `EventStore.logins`."""
    after = None if cursor is None else decode_cursor(cursor, LoginCursor)
    first, last = id_range(query.from_unix_us, query.until_unix_us)
    last = last if after is None else min(last, after.id - 1)
    first, has_more = _window(connection, first, last)
    # Where the first event names a program that nobody sits at, the others need no look.
    skipped = () if query.service else UNATTENDED
    rows: Iterator[Any] = connection.execute(
        "SELECT f.id, f.session, f.serial, f.host, f.pid, t.trail, s.sender, s.boot_id,"  # noqa: S608 - values are bound
        " s.audit_session"
        " FROM login_facts f JOIN event_sessions s ON s.key = f.session"
        " JOIN trails t ON t.key = f.trail"
        " WHERE f.id BETWEEN ? AND ? AND f.kind IN ('open', 'start')"
        f" AND f.service NOT IN ({', '.join('?' * len(skipped))})"
        " AND CASE WHEN s.audit_session = ?"
        # What is known of no session is one that the same process opens a moment later, or is one
        # that has no number.
        " THEN NOT EXISTS(SELECT 1 FROM login_facts g WHERE g.id > f.id AND g.id < f.id + ?"
        " AND +g.trail = f.trail AND g.pid = f.pid AND g.kind IN ('open', 'start'))"
        " ELSE NOT EXISTS(SELECT 1 FROM login_facts g WHERE g.session = f.session AND g.id < f.id"
        " AND g.kind IN ('open', 'start')) END ORDER BY f.id DESC",
        (first, last, *skipped, NO_SESSION, first_id(_SPOKEN_FOR_US)),
    )
    test = _Test(query)
    items: list[Login] = []
    last_id = 0
    for looked_at, row in enumerate(rows):
        fact_id, session, serial, host, pid, trail, sender, boot_id, number = row
        if looked_at >= WORK_LIMIT_LOGINS:
            return Page(items, encode_cursor(LoginCursor(last_id)))
        if number == NO_SESSION:
            login = _compose_alone(connection, fact_id, sender, boot_id)
        else:
            key = SessionKey(sender or None, boot_id, number)
            login = _compose(connection, session, key, host, trail, serial)
        if login is not None and test.wants(login):
            login = _with_recordings(connection, login, sender, boot_id)
            if query.is_recorded in (None, bool(login.recordings)):
                if len(items) >= limit:
                    return Page(items, encode_cursor(LoginCursor(last_id)))
                items.append(_with_failures(connection, login, sender, boot_id, pid))
        last_id = fact_id
    return Page(items, encode_cursor(LoginCursor(first)) if has_more else None)


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
    rows = connection.execute(_FACTS, (key.audit_session, session))
    login = put_together(LoginFact(*row) for row in rows)
    if login is None:
        return None
    return Login(
        session=key,
        host=host,
        user=login.user,
        service=login.service,
        source=login.source,
        terminal=login.terminal,
        opened_unix_us=login.opened_unix_us,
        closed_unix_us=login.closed_unix_us,
        trail=trail,
        serial=serial,
        told_by=_told_by(serial),
    )


def _compose_alone(
    connection: apsw.Connection, fact_id: int, sender: str, boot_id: str
) -> Login | None:
    """Put a login together of which no session is known: from what its process said."""
    row: Any = connection.execute(
        "SELECT f.user, f.service, f.source, f.terminal, f.at_unix_us, f.host, f.serial, f.trail,"
        " f.pid, t.trail FROM login_facts f JOIN trails t ON t.key = f.trail WHERE f.id = ?",
        (fact_id,),
    ).fetchone()
    user, service, source, terminal, opened_unix_us, host, serial, key, pid, trail = row
    after: Any = connection.execute(
        "SELECT f.kind, f.at_unix_us, s.audit_session FROM login_facts f"
        " JOIN event_sessions s ON s.key = f.session"
        " WHERE f.trail = ? AND f.pid = ? AND f.id > ? AND f.kind != 'failure' ORDER BY f.id",
        (key, pid, fact_id),
    ).fetchone()
    # Another beginning is that of a process that has its number now.
    is_closed = after is not None and after[0] == "close"
    session = None
    if is_closed and after[2] != NO_SESSION:
        session = SessionKey(sender or None, boot_id, after[2])
    return Login(
        session, host, user, service, source, terminal, opened_unix_us,
        after[1] if is_closed else None, trail, serial, told_by=_told_by(serial),
    )  # fmt: skip


def _told_by(serial: int) -> ToldBy:
    return "journal" if serial >= FIRST_OF_JOURNAL else "audit"


def _with_recordings(connection: apsw.Connection, login: Login, sender: str, boot_id: str) -> Login:
    """Add the recordings of the login's session; of those without one, what began just then."""
    rows: Iterator[Any]
    if login.session is not None:
        rows = connection.execute(
            f"SELECT rec FROM recordings WHERE {OF_SESSION} ORDER BY started_unix_us, rec",  # noqa: S608 - constants
            session_values(login.session),
        )
    else:
        rows = connection.execute(
            "SELECT rec FROM recordings WHERE boot_id = ? AND ifnull(sender, '') = ? AND user = ?"
            " AND started_unix_us BETWEEN ? AND ? AND (remote IS NULL OR ? IN ('', remote))"
            " ORDER BY started_unix_us, rec",
            (
                boot_id, sender, login.user, login.opened_unix_us,
                login.opened_unix_us + _SPOKEN_FOR_US, login.source,
            ),
        )  # fmt: skip
    return msgspec.structs.replace(login, recordings=[row[0] for row in rows])


def _with_failures(
    connection: apsw.Connection, login: Login, sender: str, boot_id: str, pid: int | None
) -> Login:
    """Add the failed attempts on this account since its last login there, a day back at most."""
    if not login.user:
        return login
    first, last = id_range(login.opened_unix_us - BEFORE_US, login.opened_unix_us)
    values = (sender, login.host, login.user, first, last)
    number = None if login.session is None else login.session.audit_session
    previous: Any = connection.execute(
        "SELECT max(at_unix_us) FROM login_facts WHERE kind IN ('open', 'start')"
        " AND sender = ? AND host = ? AND user = ? AND id BETWEEN ? AND ? AND at_unix_us < ?"
        # What the same process said before it had a session is about this login.
        " AND NOT (pid IS ? AND at_unix_us > ?) AND session NOT IN"
        " (SELECT key FROM event_sessions WHERE boot_id = ? AND audit_session = ? AND sender = ?)",
        (
            *values,
            login.opened_unix_us,
            pid,
            login.opened_unix_us - _SPOKEN_FOR_US,
            boot_id,
            number,
            sender,
        ),
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
    if after is not None and after.last is not None:
        last = min(last, after.last)
    first, has_more = _window(connection, first, last)
    conditions += [
        Condition("id BETWEEN ? AND ?", (first, last)),
        Condition("at_unix_us >= ?", (query.from_unix_us or 0,)),
        Condition("at_unix_us < ?", (query.until_unix_us or 1 << 62,)),
    ]
    where = all_of([Condition("kind = 'failure'"), *conditions])
    rows: list[Any] = connection.execute(
        "SELECT host, sender, user, service, source, login_user, count(*), min(at_unix_us),"  # noqa: S608 - values are bound
        f" max(at_unix_us), max(id), serial >= {FIRST_OF_JOURNAL} FROM login_facts"
        f" WHERE {where.sql} GROUP BY host, sender, user, service, source, login_user,"
        f" serial >= {FIRST_OF_JOURNAL}"
        " HAVING max(id) < ? ORDER BY max(id) DESC LIMIT ?",
        (*where.values, (1 << 63) - 1 if after is None else after.id, limit + 1),
    ).fetchall()
    items = [
        msgspec.structs.replace(
            LoginFailures(row[0], row[1] or None, *row[2:9]),
            told_by="journal" if row[10] else "audit",
        )
        for row in rows[:limit]
    ]
    more = None
    if len(rows) > limit:
        more = LoginCursor(rows[limit - 1][9], last)
    elif has_more:
        more = LoginCursor(first, first - 1)
    return Page(items, None if more is None else encode_cursor(more))


def _window(connection: apsw.Connection, first: int, last: int) -> tuple[int, bool]:
    """Return from which id on there are no more facts up to `last` than may be looked at.

    And whether there are others before, from `first` on.
    """
    row: Any = connection.execute(
        "SELECT id FROM login_facts WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1 OFFSET ?",
        (first, last, WORK_LIMIT_FACTS),
    ).fetchone()
    return (first, False) if row is None else (int(row[0]) + 1, True)
