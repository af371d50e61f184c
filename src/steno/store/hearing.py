"""Hosts' heartbeats in the index's database, and what they say of recordings."""

from __future__ import annotations

from typing import Any

import apsw
import msgspec

from steno.store.fleet import Heard, Liveness, Numbers, open_recs
from steno.structs import decode_json

_GAPS_LIMIT = 1000
_FORGET_US = 24 * 3600 * 1_000_000
"""What a host said no more of so long ago is no news about any recording; and a spool that was not
heard of for so long, while others of the same host were, is not expected back."""


def put(connection: apsw.Connection, heard: Heard) -> list[str]:
    """Keep a heartbeat, in the caller's transaction; return what recordings it is news about."""
    source, at_us = heard.heartbeat.source, heard.received_unix_us
    connection.execute(
        "INSERT OR REPLACE INTO heard VALUES(?, ?, ?, ?)",
        (heard.host, source, at_us, msgspec.json.encode(heard)),
    )
    connection.execute(
        "DELETE FROM heard WHERE host = ? AND received_unix_us < ?",
        (heard.host, at_us - _FORGET_US),
    )
    now_open = open_recs(heard.heartbeat)
    known: Any = connection.execute(
        "SELECT rec FROM opened WHERE host = ? AND source = ? AND is_open", (heard.host, source)
    )
    before = {row[0] for row in known}
    gone, come = before - now_open, now_open - before
    connection.executemany(
        "UPDATE opened SET is_open = 0, at_unix_us = ? WHERE rec = ? AND host = ?",
        [(at_us, rec, heard.host) for rec in gone],
    )
    connection.executemany(
        "INSERT OR REPLACE INTO opened VALUES(?, ?, ?, 1, ?)",
        [(rec, heard.host, source, at_us) for rec in come],
    )
    connection.execute(
        "DELETE FROM opened WHERE host = ? AND source = ? AND NOT is_open AND at_unix_us < ?",
        (heard.host, source, at_us - _FORGET_US),
    )
    return sorted(gone | come)


def heard(connection: apsw.Connection, host: str | None) -> list[Heard]:
    """Return the last heartbeat of each source of `host`, or of all hosts."""
    rows: Any = connection.execute(
        "SELECT data FROM heard WHERE host = coalesce(?, host) ORDER BY host, source", (host,)
    )
    return [decode_json(row[0], Heard) for row in rows]


def liveness(connection: apsw.Connection, rec: str) -> Liveness | None:
    """Return what its host says of a recording; None: nothing."""
    # A host is believed about what it delivers, and about nothing else.
    row: Any = connection.execute(
        "SELECT is_open, opened.at_unix_us, received_unix_us FROM recordings"
        " JOIN opened ON opened.rec = recordings.rec AND opened.host = recordings.sender"
        " JOIN heard ON heard.host = opened.host AND heard.source = opened.source"
        " WHERE recordings.rec = ?",
        (rec,),
    ).fetchone()
    if row is None:
        return None
    is_open, at_us, received_us = row
    return Liveness(bool(is_open), received_us if is_open else at_us)


def numbers(connection: apsw.Connection) -> dict[str, Numbers]:
    """Return which running numbers each sender's recordings bear."""
    rows: Any = connection.execute(
        "SELECT sender, min(number), max(number), count(DISTINCT number) FROM recordings"
        " WHERE sender IS NOT NULL AND number IS NOT NULL GROUP BY sender"
    )
    return {sender: Numbers(first, last, count) for sender, first, last, count in rows}


def number_gaps(connection: apsw.Connection, sender: str, upto: int) -> list[tuple[int, int]]:
    """Return (first, last) of the running numbers up to `upto` that no recording bears."""
    upto = min(max(upto, -(1 << 62)), 1 << 62)
    rows: Any = connection.execute(
        "SELECT number + 1, next - 1 FROM ("
        "  SELECT number, lead(number, 1, ?2 + 1) OVER (ORDER BY number) AS next FROM ("
        "    SELECT DISTINCT number FROM recordings"
        "    WHERE sender = ?1 AND number IS NOT NULL AND number <= ?2))"
        " WHERE next > number + 1 ORDER BY number DESC LIMIT ?3",
        (sender, upto, _GAPS_LIMIT),
    )
    return sorted((first, last) for first, last in rows)
