"""Audit events in the index's database: putting them there, reading them, forgetting them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import apsw
import msgspec
import zstandard

from steno.audit.trail import Lost
from steno.errors import StoreError
from steno.model import Damage
from steno.store import join_rows
from steno.store.derived import decode_summary, fit
from steno.store.event_reader import unpack
from steno.store.event_schema import (
    CHUNK_EVENTS,
    PLACE_BITS,
    WITHIN_BITS,
    WITHIN_MASK,
    first_id,
    last_id,
)
from steno.store.event_terms import terms_of
from steno.store.events import (
    DerivedEvents,
    PlacedEvent,
    PlacedLogin,
    SessionKey,
    TrailSummary,
)
from steno.store.protocol import DerivedState, StaleError, Summary
from steno.structs import decode_json, msgpack_decoder

NO_SESSION = -1
"""Stands for "in no audit session" where a number is needed."""

OF_SESSION = "boot_id = ? AND audit_session = ? AND ifnull(sender, '') = ?"
"""Which rows of `recordings` belong to one audit session."""

_PLACE_MASK = (1 << PLACE_BITS) - 1
_SPILLED_MS = 1000


class _Counts(msgspec.Struct):
    key: int
    events: int = 0
    notes: int = 0


_encode_events = msgspec.json.Encoder().encode
_encode_ids = msgspec.msgpack.Encoder().encode
_decode_ids = msgpack_decoder(list[int])


def state_of(connection: apsw.Connection, trail: str) -> DerivedState:
    """Return how far a trail's index is."""
    row: Any = connection.execute(
        "SELECT derived_bytes, serial, state FROM trails WHERE trail = ?", (trail,)
    ).fetchone()
    return DerivedState() if row is None else DerivedState(*row)


def trails(
    connection: apsw.Connection, sender: str | None, boot_id: str | None
) -> list[TrailSummary]:
    """Return trails by their start; see `EventStore.trail_summaries`."""
    asked = {"sender = ?": sender, "boot_id = ?": boot_id}
    given = {condition: value for condition, value in asked.items() if value is not None}
    where = " AND ".join(given) or "1"
    rows: Iterator[Any] = connection.execute(
        f"SELECT summary FROM trails WHERE {where} ORDER BY started_unix_us, trail",  # noqa: S608 - values are bound
        tuple(given.values()),
    )
    return [decode_json(row[0], TrailSummary) for row in rows]


def put(connection: apsw.Connection, trail: str, derived: DerivedEvents) -> None:
    """Add what was learnt; runs in the caller's transaction.

    Raises:
        StaleError: The index is elsewhere than the indexer thought; nothing was written.
    """
    known = state_of(connection, trail)
    if (known.upto_bytes, known.serial) != (derived.from_bytes, derived.from_serial):
        raise StaleError(f"trail {trail}: another indexer was faster")
    row = connection.execute(
        "SELECT key, event_count, note_count FROM trails WHERE trail = ?", (trail,)
    ).fetchone()
    counts = _Counts(*row) if row else _Counts(_new_key(connection))
    summary = derived.summary
    putting = _Putting(connection, counts, summary)
    ids = putting.put(derived)
    join_rows.mark(connection, putting.sessions())
    _put_logins(connection, counts.key, summary, derived, ids)
    notes = [("lost", msgspec.json.encode(lost)) for lost in derived.lost]
    notes += [("damage", msgspec.json.encode(damage)) for damage in derived.damages]
    connection.executemany(
        "INSERT INTO trail_notes VALUES(?, ?, ?)",
        [
            (counts.key << PLACE_BITS | counts.notes + number, kind, note)
            for number, (kind, note) in enumerate(notes)
        ],
    )
    connection.execute(
        "INSERT OR REPLACE INTO trails VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            counts.key, trail, summary.sender or "", summary.boot_id, summary.host,
            fit(summary.started_unix_us), derived.upto_bytes, known.serial + 1,
            counts.events + len(derived.events), counts.notes + len(notes),
            msgspec.json.encode(summary), derived.state,
        ),
    )  # fmt: skip


def _new_key(connection: apsw.Connection) -> int:
    row: Any = connection.execute("SELECT ifnull(max(key), 0) + 1 FROM trails").fetchone()
    return int(row[0])


class _Putting:
    """Puts one trail's events, within one transaction."""

    def __init__(self, connection: apsw.Connection, counts: _Counts, summary: TrailSummary) -> None:
        self._connection = connection
        self._counts = counts
        self._sender = summary.sender or ""
        self._boot_id = summary.boot_id
        self._sessions: dict[int | None, int] = {}
        self._taken: set[int] = set()

    def put(self, derived: DerivedEvents) -> dict[int, tuple[int, int]]:
        """Put the events; return the (id, session's key) of each that logins speak of."""
        place = self._counts.key << PLACE_BITS | self._counts.events
        rows, terms, ids = [], [], []
        wanted = {login.offset_bytes for login in derived.logins}
        found: dict[int, tuple[int, int]] = {}
        for number, placed in enumerate(derived.events):
            event = placed.event
            session = self.session_key(event.audit_session)
            event_id = self._new_id(event.at_unix_us, event.serial)
            rows.append((event_id, place + number, session, fit(event.process.pid)))
            terms.append((event_id, terms_of(event, session)))
            ids.append(event_id)
            if placed.offset_bytes in wanted:
                found[placed.offset_bytes] = event_id, session
        self._connection.executemany("INSERT INTO events VALUES(?, ?, ?, ?)", rows)
        self._connection.executemany("INSERT INTO event_terms(rowid, terms) VALUES(?, ?)", terms)
        self._put_chunks(derived.events, ids)
        return found

    def sessions(self) -> list[int]:
        """Return the keys of the audit sessions whose events were put."""
        return [key for number, key in self._sessions.items() if number is not None]

    def session_key(self, audit_session: int | None) -> int:
        """Return the key of one of this boot's sessions."""
        key = self._sessions.get(audit_session)
        if key is None:
            number = NO_SESSION if audit_session is None else fit(audit_session)
            values = (self._boot_id, number, self._sender)
            where = "WHERE boot_id = ? AND audit_session = ? AND sender = ?"
            select = f"SELECT key FROM event_sessions {where}"  # noqa: S608 - constants
            if (row := self._connection.execute(select, values).fetchone()) is None:
                self._connection.execute(
                    "INSERT INTO event_sessions(boot_id, audit_session, sender) VALUES(?, ?, ?)",
                    values,
                )
                row = self._connection.execute(select, values).fetchone()
            key = self._sessions[audit_session] = int(row[0])  # type: ignore[index]
        return key

    def _new_id(self, at_unix_us: int, serial: int) -> int:
        """Return a free id: by the millisecond, in it by the serial where that is free.

        So it is the same however the events came, unless two hosts' are alike.
        """
        first = first_id(at_unix_us)
        for _ in range(_SPILLED_MS):
            within, step = serial & WITHIN_MASK, 1
            # Doubling keeps this short also where a host says the same of thousands.
            for _ in range(WITHIN_BITS * 3):
                event_id = first | within
                if event_id not in self._taken and not self._is_taken(event_id):
                    self._taken.add(event_id)
                    return event_id
                within = (within + step) & WITHIN_MASK
                step = step * 2 & WITHIN_MASK or 1
            first += WITHIN_MASK + 1
        raise StoreError("more audit events of one second than can be told apart")

    def _is_taken(self, event_id: int) -> bool:
        taken = "SELECT 1 FROM events WHERE id = ?"
        return self._connection.execute(taken, (event_id,)).fetchone() is not None

    def _put_chunks(self, events: list[PlacedEvent], ids: list[int]) -> None:
        number, held = divmod(self._counts.events, CHUNK_EVENTS)
        first_chunk = self._counts.key << PLACE_BITS | number
        if held and events:
            row: Any = self._connection.execute(
                "SELECT ids, body FROM event_chunks WHERE id = ?", (first_chunk,)
            ).fetchone()
            ids = _decode_ids(row[0]) + ids
            events = unpack(row[1]) + events
        pack = zstandard.ZstdCompressor(level=3).compress
        rows = []
        for start in range(0, len(events), CHUNK_EVENTS):
            piece = events[start : start + CHUNK_EVENTS]
            serials = [placed.event.serial for placed in piece]
            rows.append(
                (
                    first_chunk + start // CHUNK_EVENTS,
                    fit(min(serials)),
                    fit(max(serials)),
                    _encode_ids(ids[start : start + CHUNK_EVENTS]),
                    pack(_encode_events(piece)),
                )
            )
        self._connection.executemany(
            "INSERT OR REPLACE INTO event_chunks VALUES(?, ?, ?, ?, ?)", rows
        )


def _put_logins(
    connection: apsw.Connection,
    key: int,
    summary: TrailSummary,
    derived: DerivedEvents,
    ids: dict[int, tuple[int, int]],
) -> None:
    def row(login: PlacedLogin) -> tuple[Any, ...]:
        event_id, session = ids[login.offset_bytes]
        fact = login.fact
        return (
            event_id, key, fit(fact.serial), session, fact.kind, fit(fact.at_unix_us), fact.user,
            fact.service, fact.source, fact.terminal, fact.login_user, summary.host,
            summary.sender or "", fit(fact.pid),
        )  # fmt: skip

    connection.executemany(
        f"INSERT OR REPLACE INTO login_facts VALUES({', '.join('?' * 14)})",
        [row(login) for login in derived.logins if login.offset_bytes in ids],
    )
    connection.executemany(
        "DELETE FROM login_facts WHERE id BETWEEN ? AND ? AND trail = ? AND serial = ?"
        " AND kind = 'failure' AND user = ?",
        [
            (
                *(first_id(at_unix_us), last_id(at_unix_us), key, fit(serial)),
                "" if login.fact.kind == "failure" else login.fact.user,
            )
            for login in derived.logins
            if login.fact.instead_of is not None
            for at_unix_us, serial in [login.fact.instead_of]
        ],
    )


def clear(connection: apsw.Connection, trail: str) -> None:
    """Forget all that is derived from a trail; runs in the caller's transaction."""
    row: Any = connection.execute("SELECT key FROM trails WHERE trail = ?", (trail,)).fetchone()
    if row is None:
        return
    key = int(row[0])
    span = (key << PLACE_BITS, key << PLACE_BITS | _PLACE_MASK)
    chunks: list[Any] = connection.execute(
        "SELECT ids FROM event_chunks WHERE id BETWEEN ? AND ?", span
    ).fetchall()
    for (packed,) in chunks:
        ids = [(event_id,) for event_id in _decode_ids(packed)]
        connection.executemany("DELETE FROM event_terms WHERE rowid = ?", ids)
        connection.executemany("DELETE FROM events WHERE id = ?", ids)
    connection.execute("DELETE FROM event_chunks WHERE id BETWEEN ? AND ?", span)
    connection.execute("DELETE FROM trail_notes WHERE id BETWEEN ? AND ?", span)
    connection.execute("DELETE FROM login_facts WHERE trail = ?", (key,))
    connection.execute("DELETE FROM trails WHERE key = ?", (key,))


def damages(connection: apsw.Connection, trail: str) -> list[Damage]:
    """Return a trail's unreadable stretches, in order."""
    return [decode_json(data, Damage) for data in _notes(connection, trail, "damage")]


def losses(connection: apsw.Connection, trail: str) -> list[Lost]:
    """Return what a trail says is missing in it, in order."""
    return [decode_json(data, Lost) for data in _notes(connection, trail, "lost")]


def _notes(connection: apsw.Connection, trail: str, kind: str) -> list[bytes]:
    rows: Iterator[Any] = connection.execute(
        "SELECT data FROM trails JOIN trail_notes ON id BETWEEN key << ?3 AND (key + 1 << ?3) - 1"
        " WHERE trail = ?1 AND kind = ?2 ORDER BY id",
        (trail, kind, PLACE_BITS),
    )
    return [row[0] for row in rows]


def session_key(connection: apsw.Connection, session: SessionKey) -> int | None:
    """Return a session's key; None when there is no event of it."""
    row: Any = connection.execute(
        "SELECT key FROM event_sessions WHERE boot_id = ? AND audit_session = ? AND sender = ?",
        (session.boot_id, fit(session.audit_session), session.sender or ""),
    ).fetchone()
    return None if row is None else int(row[0])


def session_values(session: SessionKey) -> tuple[str, int, str]:
    """Return the values for `OF_SESSION`."""
    return session.boot_id, fit(session.audit_session), session.sender or ""


def recordings_of(connection: apsw.Connection, session: SessionKey) -> list[Summary]:
    """Return the recordings made in an audit session, by their start."""
    rows: Iterator[Any] = connection.execute(
        f"SELECT summary FROM recordings WHERE {OF_SESSION} ORDER BY started_unix_us, rec",  # noqa: S608 - constants
        session_values(session),
    )
    return [decode_summary(row[0]) for row in rows]


def place_of(connection: apsw.Connection, trail: str, serial: int) -> int | None:
    """Return where an event stands, by its trail and number; None when there is none."""
    rows: Iterator[Any] = connection.execute(
        "SELECT id, body FROM trails JOIN event_chunks ON id BETWEEN key << ?3"
        " AND (key + 1 << ?3) - 1 WHERE trail = ?1 AND ?2 BETWEEN first_serial AND last_serial",
        (trail, fit(serial), PLACE_BITS),
    )
    for chunk_id, body in rows:
        for number, placed in enumerate(unpack(body)):
            if placed.event.serial == serial:
                key, chunk = divmod(int(chunk_id), 1 << PLACE_BITS)
                return key << PLACE_BITS | chunk * CHUNK_EVENTS + number
    return None


def id_range(from_unix_us: int | None, until_unix_us: int | None) -> tuple[int, int]:
    """Return the ids of all events of a span of time, and of a few more at its edges."""
    first = 0 if from_unix_us is None else first_id(from_unix_us)
    last = (1 << 63) - 1 if until_unix_us is None else last_id(until_unix_us)
    return first, last
