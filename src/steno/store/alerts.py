"""Alerts: what rules found, who has looked at it, and what of it was sent where.

Kept in accounts.sqlite, beside the orders: acknowledgements are nowhere else, and an alert must not
be raised again because an index was built anew. How far each recording and trail was looked
at is written in the same transaction as what was found there, so that each thing is found once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import apsw
import msgspec

from steno.errors import NotFoundError, UsageError
from steno.store.accounts import Signed, read_unix_us
from steno.store.accounts_file import AccountsFile
from steno.store.alert_schema import ALERTS_TABLES
from steno.store.derived import fit
from steno.store.page import Page
from steno.structs import decode_json

Severity = Literal["low", "medium", "high", "critical"]
SEVERITIES: tuple[Severity, ...] = ("low", "medium", "high", "critical")

COMMENT_CHARACTERS = 1000

_TEXT_CHARACTERS = 2000
_OTHERS = 4
_PAUSE_US = 60 * 1_000_000
"""What a rule finds again in a session before so long is the same alert, counted."""
_LONGEST_US = 3600 * 1_000_000
"""But after so long it is a new one all the same."""

_BEGUN = ""
"""The subject whose position says that there is a beginning."""


class Finding(msgspec.Struct, frozen=True):
    """What a rule found: an event or a line on a screen.

    Attributes:
        rule: The rule's name.
        severity: How bad that is.
        description: What the rule says about it.
        at_unix_us: When it happened.
        text: The event's sentence, or the line.
        host: Where.
        sender: Who delivered it.
        user: Whose account; None: not known.
        login_user: Who had logged in.
        boot_id: Of the host, without dashes.
        audit_session: The kernel's session.
        rec: The recording on whose screen it stood; None for an event.
        at_us: The line's instant in it.
        trail: The trail that has the event; None for a line.
        serial: The event's number in it.
    """

    rule: str
    severity: Severity
    description: str
    at_unix_us: int
    text: str
    host: str
    sender: str | None = None
    user: str | None = None
    login_user: str | None = None
    boot_id: str | None = None
    audit_session: int | None = None
    rec: str | None = None
    at_us: int | None = None
    trail: str | None = None
    serial: int | None = None


class Alert(Finding, frozen=True, kw_only=True):
    """A finding that was kept.

    Attributes:
        id: Running number, never used twice.
        raised_unix_us: When the rule was applied.
        count: How often the rule found something in that session since then, a pause of a minute
            or an hour in all ends that.
        last_unix_us: When the last of these happened.
        others: What else these were, where that is not `text`: the first few.
        acknowledged_by: Who has seen to it; None: nobody yet.
        acknowledged_unix_us: When.
        comment: What they said.
    """

    id: int
    raised_unix_us: int
    count: int
    last_unix_us: int
    others: list[str] = []
    acknowledged_by: str | None = None
    acknowledged_unix_us: int | None = None
    comment: str | None = None


class AlertQuery(msgspec.Struct, frozen=True):
    """Which alerts are wanted; all that is given must hold.

    Attributes:
        least: Of this severity or a worse one.
        is_open: Nobody has acknowledged it (True), or somebody has (False).
        rule: Of this rule.
        host: Of this host.
        from_unix_us: At this instant or later.
        until_unix_us: Before this instant.
    """

    least: Severity = "low"
    is_open: bool | None = None
    rule: str | None = None
    host: str | None = None
    from_unix_us: int | None = None
    until_unix_us: int | None = None


_COLUMNS = (
    "rule, severity, description, at_unix_us, text, host, sender, user, login_user, boot_id,"
    " audit_session, rec, at_us, trail, serial"
)
_ALL_COLUMNS = (
    f"{_COLUMNS}, id, raised_unix_us, count, last_unix_us, others, acknowledged_by,"
    " acknowledged_unix_us, comment"
)


class Alerts:
    """The alerts in an accounts.sqlite. Any thread may use it; changes are on disk at return."""

    def __init__(
        self, file: AccountsFile, *, now_unix_us: Callable[[], int] = read_unix_us
    ) -> None:
        self._file = file
        self._now_unix_us = now_unix_us
        with file.writing() as db:
            db.execute(ALERTS_TABLES)

    # Finding.

    @property
    def is_begun(self) -> bool:
        """Whether it is known from where on things are looked at."""
        return self.position(_BEGUN) is not None

    def begin(self, positions: Iterable[tuple[str, int]]) -> None:
        """Look at nothing up to these positions of recordings and trails: that was before."""
        with self._file.writing() as db:
            db.executemany("INSERT OR IGNORE INTO alert_positions VALUES(?, ?)", positions)
            db.execute("INSERT OR IGNORE INTO alert_positions VALUES(?, 0)", (_BEGUN,))

    def position(self, subject: str) -> int | None:
        """Return up to where a recording (in lines) or trail (in bytes) was looked at."""
        with self._file.reading() as db:
            row: Any = db.execute(
                "SELECT position FROM alert_positions WHERE subject = ?", (subject,)
            ).fetchone()
        return None if row is None else int(row[0])

    def put(
        self, subject: str, from_position: int, to_position: int, findings: Sequence[Finding]
    ) -> list[Alert] | None:
        """Keep what was found between two positions; return the alerts that are new.

        Nothing is kept, and None returned, where somebody else has looked there meanwhile.
        """
        new: list[int] = []
        with self._file.writing() as db:
            if not _move(db, subject, from_position, to_position):
                return None
            for finding in findings:
                id_ = self._put_one(db, finding)
                if id_ is not None:
                    new.append(id_)
        return [self.find(id_) for id_ in new]

    def move(self, moves: Iterable[tuple[str, int, int]]) -> None:
        """Note that nothing was found between two positions of each of these subjects.

        Where somebody else has looked there meanwhile, their position stays.
        """
        with self._file.writing() as db:
            for subject, from_position, to_position in moves:
                _move(db, subject, from_position, to_position)

    def put_unless_open(self, finding: Finding) -> Alert | None:
        """Keep what no rule found but the server itself noticed of a host; None: it is known.

        Known is what the same was noticed of on that host, and nobody has acknowledged yet.
        """
        with self._file.writing() as db:
            row: Any = db.execute(
                "SELECT 1 FROM alerts WHERE rule = ? AND host = ? AND acknowledged_unix_us IS NULL",
                (finding.rule, finding.host),
            ).fetchone()
            id_ = None if row is not None else self._insert(db, finding, finding.host)
        return None if id_ is None else self.find(id_)

    def _put_one(self, db: apsw.Connection, finding: Finding) -> int | None:
        """Keep a finding; return the new alert's number, None where an earlier one counts it."""
        at_unix_us = fit(finding.at_unix_us)
        same = "\0".join(
            [finding.rule, finding.rec or finding.trail or "", str(finding.audit_session)]
        )
        text = finding.text[:_TEXT_CHARACTERS]
        row: Any = db.execute(
            "SELECT id, at_unix_us, last_unix_us, text, others FROM alerts WHERE same = ?"
            " AND acknowledged_unix_us IS NULL"
            " AND id = (SELECT max(id) FROM alerts AS newest WHERE newest.same = alerts.same)",
            (same,),
        ).fetchone()
        if row is not None:
            id_, first_us, last_us, known, packed = row
            if at_unix_us - last_us < _PAUSE_US and at_unix_us - first_us < _LONGEST_US:
                others: list[str] = decode_json(packed, list[str])
                if text != known and text not in others and len(others) < _OTHERS:
                    others.append(text)
                db.execute(
                    "UPDATE alerts SET count = count + 1, last_unix_us = max(last_unix_us, ?),"
                    " others = ? WHERE id = ?",
                    (at_unix_us, msgspec.json.encode(others).decode(), id_),
                )
                return None
        return self._insert(db, finding, same)

    def _insert(self, db: apsw.Connection, finding: Finding, same: str) -> int:
        facts: dict[str, Any] = msgspec.structs.asdict(finding)
        facts["severity"] = SEVERITIES.index(finding.severity)
        facts["text"] = finding.text[:_TEXT_CHARACTERS]
        values = [fit(value) if isinstance(value, int) else value for value in facts.values()]
        marks = ", ".join("?" * (len(values) + 5))
        db.execute(
            f"INSERT INTO alerts ({_COLUMNS}, raised_unix_us, count, last_unix_us, others, same)"  # noqa: S608  # our own texts
            f" VALUES ({marks})",
            (*values, self._now_unix_us(), 1, fit(finding.at_unix_us), "[]", same),
        )
        return db.last_insert_rowid()

    # Reading.

    def find(self, id_: int) -> Alert:
        """Return one alert.

        Raises:
            NotFoundError: There is none of this number.
        """
        found = self.read("id = ?", (id_,))
        if not found:
            raise NotFoundError(f"no alert {id_}")
        return found[0]

    def page(
        self, query: AlertQuery, *, before_id: int | None = None, limit: int = 50
    ) -> Page[Alert]:
        """Return alerts, the newest first; `before_id` (the cursor's number) goes on."""
        conditions, values = ["severity >= ?"], [SEVERITIES.index(query.least)]
        asked: list[tuple[str, Any]] = [
            ("rule = ?", query.rule),
            ("host = ?", query.host),
            ("last_unix_us >= ?", query.from_unix_us),
            ("at_unix_us < ?", query.until_unix_us),
            ("id < ?", before_id),
        ]
        for condition, value in asked:
            if value is not None:
                conditions.append(condition)
                values.append(value)
        if query.is_open is not None:
            negation = "" if query.is_open else " NOT"
            conditions.append(f"acknowledged_unix_us IS{negation} NULL")
        where = " AND ".join(conditions)
        found = self.read(f"{where} ORDER BY id DESC LIMIT ?", (*values, limit + 1))
        return Page(found[:limit], str(found[limit - 1].id) if len(found) > limit else None)

    def of_recording(
        self,
        rec: str,
        session: tuple[str | None, str, int] | None,
        from_unix_us: int,
        until_unix_us: int,
        limit: int = 1000,
    ) -> list[Alert]:
        """Return the alerts of a recording, oldest first.

        Args:
            rec: Its id: what was on its screen.
            session: Sender, boot id and number of its audit session: what happened in it.
            from_unix_us: From when on that counts.
            until_unix_us: Up to when.
            limit: How many at the most.
        """
        sender, boot_id, number = session or (None, "", None)
        return self.read(
            "rec = ? OR (audit_session = ? AND boot_id = ? AND sender IS ? AND rec IS NULL"
            " AND last_unix_us >= ? AND at_unix_us < ?) ORDER BY at_unix_us, id LIMIT ?",
            (rec, fit(number), boot_id, sender, fit(from_unix_us), fit(until_unix_us), limit),
        )

    def count_open(self) -> dict[Severity, int]:
        """Return how many alerts of each severity nobody has acknowledged."""
        with self._file.reading() as db:
            rows: Any = db.execute(
                "SELECT severity, count(*) FROM alerts WHERE acknowledged_unix_us IS NULL"
                " GROUP BY severity"
            ).fetchall()
        counts = dict(rows)
        return {name: counts.get(rank, 0) for rank, name in enumerate(SEVERITIES)}

    # Seeing to it.

    def acknowledge(self, who: Signed, ids: Sequence[int], comment: str) -> list[Alert]:
        """Note that somebody has seen to alerts; what somebody else has is left as it is.

        Raises:
            NotFoundError: One of them does not exist; none is changed.
            UsageError: The comment is too long.
        """
        if len(comment) > COMMENT_CHARACTERS:
            raise UsageError(f"a comment has at most {COMMENT_CHARACTERS} characters")
        for id_ in ids:
            self.find(id_)
        with self._file.writing() as db:
            db.executemany(
                "UPDATE alerts SET acknowledged_by = ?, acknowledged_unix_us = ?, comment = ?"
                " WHERE id = ? AND acknowledged_unix_us IS NULL",
                [(who.name, self._now_unix_us(), comment, id_) for id_ in ids],
            )
        return [self.find(id_) for id_ in ids]

    def read(self, condition: str, values: tuple[Any, ...]) -> list[Alert]:
        """Return the alerts for which a condition of SQL holds; for the store's own use."""
        with self._file.reading() as db:
            rows: Any = db.execute(
                f"SELECT {_ALL_COLUMNS} FROM alerts WHERE {condition}",  # noqa: S608  # our own texts
                values,
            ).fetchall()
        return [_alert(row) for row in rows]


def _move(db: apsw.Connection, subject: str, from_position: int, to_position: int) -> bool:
    """Move a subject's position; False: it is elsewhere."""
    row: Any = db.execute(
        "SELECT position FROM alert_positions WHERE subject = ?", (subject,)
    ).fetchone()
    if (row[0] if row is not None else 0) != from_position:
        return False
    db.execute("INSERT OR REPLACE INTO alert_positions VALUES(?, ?)", (subject, to_position))
    return True


def _alert(row: tuple[Any, ...]) -> Alert:
    names = [*Finding.__struct_fields__, *_ALL_COLUMNS.removeprefix(f"{_COLUMNS}, ").split(", ")]
    facts = dict(zip(names, row, strict=True))
    facts["severity"] = SEVERITIES[facts["severity"]]
    facts["others"] = decode_json(facts["others"], list[str])
    return Alert(**facts)
