"""What of the alerts was sent where: each target gets every alert once, several together.

A crash between sending and noting it can send a batch twice; its id is the same then.
"""

from __future__ import annotations

from typing import Any

import apsw
import msgspec

from steno.store.accounts_file import AccountsFile
from steno.store.alerts import SEVERITIES, Alert, Alerts, Severity


class Batch(msgspec.Struct, frozen=True):
    """Alerts that go to a target together.

    Attributes:
        target: Which.
        first_id: The first alert's number may be this.
        last_id: The last one's.
        alerts: Them, oldest first; at most what was asked for.
        total: How many there are.
    """

    target: str
    first_id: int
    last_id: int
    alerts: list[Alert]
    total: int

    @property
    def id(self) -> str:
        """Names it: the same when it is sent again."""
        return f"{self.target}-{self.first_id}-{self.last_id}"


class Batches:
    """What is to be sent, in an accounts.sqlite. Any thread may use it."""

    def __init__(self, file: AccountsFile, alerts: Alerts) -> None:
        self._file = file
        self._alerts = alerts

    def begin(self, target: str, least: Severity, limit: int) -> Batch | None:
        """Return what is to be sent to a target next; None: nothing.

        Until `finish` it is the same batch, also after a restart. A target that is new gets
        what comes from now on.
        """
        with self._file.writing() as db:
            last_id = int(_first(db, "SELECT coalesce(max(id), 0) FROM alerts") or 0)
            db.execute("INSERT OR IGNORE INTO alert_targets VALUES(?, ?, NULL)", (target, last_id))
            db.execute(
                "UPDATE alert_targets SET sending_id = ? WHERE name = ? AND sending_id IS NULL"
                " AND sent_id < ?",
                (last_id, target, last_id),
            )
            row: Any = db.execute(
                "SELECT sent_id, sending_id FROM alert_targets WHERE name = ?", (target,)
            ).fetchone()
        sent_id, sending_id = row
        if sending_id is None:
            return None
        where = "id > ? AND id <= ? AND severity >= ?"
        values = (sent_id, sending_id, SEVERITIES.index(least))
        with self._file.reading() as db:
            total = int(_first(db, f"SELECT count(*) FROM alerts WHERE {where}", values) or 0)  # noqa: S608  # our own texts
        if not total:
            self.finish(target, sending_id)
            return None
        found = self._alerts.read(f"{where} ORDER BY id LIMIT ?", (*values, limit))
        return Batch(target, sent_id + 1, sending_id, found, total)

    def finish(self, target: str, last_id: int) -> None:
        """Note that all up to `last_id` has reached a target, or was given up."""
        with self._file.writing() as db:
            db.execute(
                "UPDATE alert_targets SET sent_id = ?, sending_id = NULL WHERE name = ?",
                (last_id, target),
            )


def _first(db: apsw.Connection, sql: str, values: tuple[Any, ...] = ()) -> int | None:
    row: Any = db.execute(sql, values).fetchone()
    return None if row is None else row[0]
