"""What the indexer left alone, in the index's database, until it is indexed after all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import apsw

from steno.store.protocol import LeftAlone


def put(connection: apsw.Connection, left: LeftAlone) -> None:
    """Note that a recording or trail is left alone."""
    connection.execute(
        "INSERT OR REPLACE INTO left_alone VALUES(?, ?, ?, ?)",
        (left.rec, left.sender or "", left.since_unix_us, left.reason),
    )


def clear(connection: apsw.Connection, rec: str) -> None:
    """Note that a recording or trail is looked at again."""
    connection.execute("DELETE FROM left_alone WHERE rec = ?", (rec,))


def read(connection: apsw.Connection, sender: str | None) -> list[LeftAlone]:
    """Return what is left alone, of one sender or of all."""
    rows: Iterator[Any] = connection.execute(
        "SELECT rec, sender, since_unix_us, reason FROM left_alone"
        " WHERE ?1 IS NULL OR sender = ?1 ORDER BY since_unix_us, rec",
        (sender,),
    )
    return [LeftAlone(rec, sender or None, since, reason) for rec, sender, since, reason in rows]
