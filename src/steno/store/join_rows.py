"""What joining recordings with audit events found, in the index's database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import apsw
import msgspec
import zstandard

from steno.errors import StoreError
from steno.store.events import SessionKey
from steno.store.joined_events import JoinedEvents
from steno.structs import msgpack_decoder

_decode = msgpack_decoder(JoinedEvents)


def mark(connection: apsw.Connection, sessions: Iterable[int]) -> None:
    """Note that sessions, by their keys, are to be joined; runs in the caller's transaction.

    Those without a recording are not: most are cron's. `mark_recording` notes them when one comes.
    """
    connection.executemany(
        "INSERT INTO unjoined(session, since) SELECT s.key, 1 FROM event_sessions s"
        " WHERE s.key = ? AND EXISTS(SELECT 1 FROM recordings r WHERE r.boot_id = s.boot_id"
        " AND r.audit_session = s.audit_session AND ifnull(r.sender, '') = s.sender)"
        " ON CONFLICT(session) DO UPDATE SET since = since + 1",
        [(session,) for session in sessions],
    )


def mark_recording(connection: apsw.Connection, rec: str) -> None:
    """Note that the session of a recording is to be joined, where events of it are known."""
    rows: Any = connection.execute(
        "SELECT s.key FROM recordings r JOIN event_sessions s ON s.boot_id = r.boot_id"
        " AND s.audit_session = r.audit_session AND s.sender = ifnull(r.sender, '')"
        " WHERE r.rec = ?",
        (rec,),
    ).fetchall()
    mark(connection, [row[0] for row in rows])


def unjoined(connection: apsw.Connection, limit: int) -> list[tuple[SessionKey, int]]:
    """Return sessions that are to be joined, each with what `put_all` must be told."""
    rows: Iterator[Any] = connection.execute(
        "SELECT s.sender, s.boot_id, s.audit_session, u.since FROM unjoined u"
        " JOIN event_sessions s ON s.key = u.session ORDER BY u.id LIMIT ?",
        (limit,),
    )
    return [(SessionKey(sender or None, *rest), since) for sender, *rest, since in rows]


def put_all(
    connection: apsw.Connection, session: SessionKey, since: int, joined: dict[str, JoinedEvents]
) -> None:
    """Keep what joining a session's recordings found; runs in the caller's transaction."""
    for rec, one in joined.items():
        body = zstandard.ZstdCompressor(level=3).compress(msgspec.msgpack.encode(one))
        connection.execute(
            "INSERT OR REPLACE INTO joined SELECT key, ? FROM recordings WHERE rec = ?", (body, rec)
        )
    connection.execute(
        "DELETE FROM unjoined WHERE since = ? AND session IN (SELECT key FROM event_sessions"
        " WHERE boot_id = ? AND audit_session = ? AND sender = ?)",
        (since, session.boot_id, session.audit_session, session.sender or ""),
    )


def clear(connection: apsw.Connection, key: int) -> None:
    """Forget what joining a recording found."""
    connection.execute("DELETE FROM joined WHERE key = ?", (key,))


def read(connection: apsw.Connection, key: int) -> JoinedEvents | None:
    """Return what joining the recording with this key found; None: it was not joined.

    Raises:
        StoreError: The index is damaged.
    """
    row: Any = connection.execute("SELECT body FROM joined WHERE key = ?", (key,)).fetchone()
    if row is None:
        return None
    try:
        return _decode(zstandard.ZstdDecompressor().decompress(row[0]))
    except (zstandard.ZstdError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StoreError(f"the index is damaged: {error}; run `steno server reindex`") from error
