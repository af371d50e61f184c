"""What is derived from recordings, in the index: putting it there, reading it, forgetting it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, overload

import apsw
import msgspec
import zstandard

from steno.errors import AmbiguousError, NotFoundError
from steno.model import Command, Damage, End, Keyframe, TextLine
from steno.store import join_rows
from steno.store.chunks import CHUNK_LINES, add_lines, read_chunk, remove_chunks
from steno.store.index import CHUNK_BITS, KEY_LIMIT
from steno.store.protocol import Counts, Derived, DerivedState, StaleError, Summary
from steno.structs import json_decoder

GAP_NOTES = ("drop", "gap", "torn")
"""Kinds of notes that say that something is missing."""

_COLUMNS = (
    "key", "rec", "derived_bytes", "line_count", "keyframe_count", "command_count",
    "damage_count", "host", "user", "login_user", "service", "remote", "command", "labels",
    "audit_session", "started_unix_us", "duration_us", "size_bytes", "is_live", "end_reason",
    "exit_status", "chain_state", "damages", "gaps", "summary", "sender", "number",
    "boot_id",
)  # fmt: skip
_PUT = (
    f"INSERT OR REPLACE INTO recordings({', '.join(_COLUMNS)})"
    f" VALUES({', '.join('?' * len(_COLUMNS))})"
)


class _Counts(msgspec.Struct, array_like=True):
    """How many rows a recording has."""

    key: int
    lines: int = 0
    keyframes: int = 0
    commands: int = 0
    damages: int = 0


_decode_summary = json_decoder(Summary)


def decode_summary(data: bytes) -> Summary:
    """Return a summary from its column."""
    return _decode_summary(data)


def senders(connection: apsw.Connection) -> dict[str, int]:
    """Return how many recordings each sender delivered."""
    found: Any = connection.execute(
        "SELECT sender, count(*) FROM recordings WHERE sender IS NOT NULL GROUP BY sender"
    )
    return dict(found)


def key_of(connection: apsw.Connection, rec: str) -> int | None:
    """Return the recording's key, None when nothing is derived from it."""
    row: Any = connection.execute("SELECT key FROM recordings WHERE rec = ?", (rec,)).fetchone()
    return None if row is None else int(row[0])


def state_of(connection: apsw.Connection, rec: str) -> DerivedState:
    """Return how far a recording's index is."""
    row: Any = connection.execute(
        "SELECT derived_bytes, serial, state FROM recordings JOIN states USING(key) WHERE rec = ?",
        (rec,),
    ).fetchone()
    return DerivedState() if row is None else DerivedState(*row)


def is_current(connection: apsw.Connection, rec: str, size_bytes: int) -> bool:
    """Return whether the index has all bytes of a recording of this size, and its end."""
    row: Any = connection.execute(
        "SELECT derived_bytes, is_live FROM recordings WHERE rec = ?", (rec,)
    ).fetchone()
    return row is not None and row[0] >= size_bytes and not row[1]


def counts(connection: apsw.Connection) -> Counts:
    """Return how many recordings there are in the index."""
    row: Any = connection.execute("SELECT count(*), total(is_live) FROM recordings").fetchone()
    return Counts(row[0], int(row[1]))


def put(connection: apsw.Connection, rec: str, derived: Derived) -> None:
    """Add what was learnt; runs in the caller's transaction.

    Raises:
        StaleError: The index is elsewhere than the indexer thought; nothing was written.
    """
    summary = derived.summary
    known = state_of(connection, rec)
    if (known.upto_bytes, known.serial) != (derived.from_bytes, derived.from_serial):
        raise StaleError(f"recording {rec}: another indexer was faster")
    counts = _counts(connection, rec, summary.started_unix_us)
    is_last = not summary.is_live
    add_lines(connection, counts.key, counts.lines, derived.lines, is_last=is_last)
    first_id = counts.key << CHUNK_BITS
    _put_keyframes(connection, first_id + counts.keyframes, derived.keyframes)
    connection.executemany(
        "INSERT INTO commands VALUES(?, ?, ?, ?)",
        [
            (first_id + counts.commands + number, command.at_us, command.text, command.source)
            for number, command in enumerate(derived.commands)
        ],
    )
    connection.executemany(
        "INSERT INTO damages VALUES(?, ?, ?, ?, ?)",
        [
            (first_id + counts.damages + number, *msgspec.structs.astuple(damage))
            for number, damage in enumerate(derived.damages)
        ],
    )
    connection.executemany(
        "INSERT INTO activity VALUES(?, ?, ?)"
        " ON CONFLICT(key, second) DO UPDATE SET bytes = bytes + excluded.bytes",
        [(counts.key, second, count) for second, count in derived.activity],
    )
    counts.lines += len(derived.lines)
    counts.keyframes += len(derived.keyframes)
    counts.commands += len(derived.commands)
    counts.damages += len(derived.damages)
    connection.execute(_PUT, _row(rec, derived, counts))
    connection.execute(
        "INSERT OR REPLACE INTO states VALUES(?, ?, ?)",
        (counts.key, known.serial + 1, derived.state),
    )
    join_rows.mark_recording(connection, rec)


def clear(connection: apsw.Connection, rec: str) -> None:
    """Forget all that is derived from a recording; runs in the caller's transaction."""
    key = key_of(connection, rec)
    if key is None:
        return
    span = (key << CHUNK_BITS, (key + 1 << CHUNK_BITS) - 1)
    remove_chunks(connection, *span)
    connection.execute("DELETE FROM keyframes WHERE id BETWEEN ? AND ?", span)
    connection.execute("DELETE FROM commands WHERE id BETWEEN ? AND ?", span)
    connection.execute("DELETE FROM damages WHERE id BETWEEN ? AND ?", span)
    connection.execute("DELETE FROM activity WHERE key = ?", (key,))
    connection.execute("DELETE FROM states WHERE key = ?", (key,))
    join_rows.clear(connection, key)
    connection.execute("DELETE FROM recordings WHERE key = ?", (key,))


def find(connection: apsw.Connection, rec_or_prefix: str) -> Summary:
    """Return the recording that goes by this id or this beginning; see `Store.find`."""
    row: Any = connection.execute(
        "SELECT summary FROM recordings WHERE rec = ?", (rec_or_prefix,)
    ).fetchone()
    if row is not None:
        return decode_summary(row[0])
    rows: list[Any] = connection.execute(
        "SELECT rec, summary FROM recordings WHERE rec >= ? AND rec < ? ORDER BY rec LIMIT 4",
        (rec_or_prefix, rec_or_prefix + "\U0010ffff"),
    ).fetchall()
    if not rows or not rec_or_prefix:
        raise NotFoundError(f"no recording {rec_or_prefix}")
    if len(rows) > 1:
        names = ", ".join(row[0] for row in rows[:3]) + (", ..." if len(rows) > 3 else "")
        raise AmbiguousError(f"{rec_or_prefix} fits several recordings: {names}")
    return decode_summary(rows[0][1])


def lines_count(connection: apsw.Connection, rec: str) -> int:
    """Return how many lines a recording's text has; 0 for an unknown one."""
    row: Any = connection.execute(
        "SELECT line_count FROM recordings WHERE rec = ?", (rec,)
    ).fetchone()
    return 0 if row is None else int(row[0])


def lines_from(connection: apsw.Connection, key: int, first: int) -> list[TextLine]:
    """Return the lines from number `first` to the end of its chunk; none past the last."""
    number, skipped = divmod(first, CHUNK_LINES)
    chunk = read_chunk(connection, (key << CHUNK_BITS) + number)
    return [] if chunk is None else chunk.lines()[skipped:]


def commands(connection: apsw.Connection, key: int) -> list[Command]:
    """Return the commands found, in order."""
    rows = _rows(connection, "SELECT at_us, text, source FROM commands", key)
    return [Command(*row) for row in rows]


def damages(connection: apsw.Connection, key: int) -> list[Damage]:
    """Return the unreadable stretches, in order."""
    columns = "SELECT line, offset_bytes, length_bytes, reason FROM damages"
    return [Damage(*row) for row in _rows(connection, columns, key)]


def activity(connection: apsw.Connection, key: int) -> list[tuple[int, int]]:
    """Return (second, output bytes), in order."""
    rows: Iterator[Any] = connection.execute(
        "SELECT second, bytes FROM activity WHERE key = ? ORDER BY second", (key,)
    )
    return [(second, count) for second, count in rows]


def keyframes(connection: apsw.Connection, key: int) -> list[Keyframe]:
    """Return all keyframes in order, with empty data."""
    columns = "SELECT at_us, offset_bytes, piece, columns, rows FROM keyframes"
    return [_keyframe(row, b"") for row in _rows(connection, columns, key)]


def keyframe(connection: apsw.Connection, key: int, number: int) -> Keyframe | None:
    """Return one keyframe, whole; None when there is none with this number."""
    if not 0 <= number < 1 << CHUNK_BITS:
        return None
    row: tuple[Any, ...] | None = connection.execute(
        "SELECT at_us, offset_bytes, piece, columns, rows, data FROM keyframes WHERE id = ?",
        ((key << CHUNK_BITS) + number,),
    ).fetchone()
    if row is None:
        return None
    *facts, packed = row
    return _keyframe(facts, zstandard.ZstdDecompressor().decompress(packed))


def _keyframe(facts: Sequence[Any], data: bytes) -> Keyframe:
    at_us, offset_bytes, piece, columns, rows = facts
    return Keyframe(at_us, offset_bytes, piece, columns, rows, data)


def _rows(connection: apsw.Connection, select: str, key: int) -> Iterator[tuple[Any, ...]]:
    span = (key << CHUNK_BITS, (key + 1 << CHUNK_BITS) - 1)
    return connection.execute(f"{select} WHERE id BETWEEN ? AND ? ORDER BY id", span)


def _put_keyframes(connection: apsw.Connection, first_id: int, frames: Sequence[Keyframe]) -> None:
    pack = zstandard.ZstdCompressor(level=3).compress
    connection.executemany(
        "INSERT INTO keyframes VALUES(?, ?, ?, ?, ?, ?, ?)",
        [
            (first_id + number, *msgspec.structs.astuple(frame)[:-1], pack(frame.data))
            for number, frame in enumerate(frames)
        ],
    )


def _counts(connection: apsw.Connection, rec: str, started_unix_us: int) -> _Counts:
    row = connection.execute(
        "SELECT key, line_count, keyframe_count, command_count, damage_count FROM recordings"
        " WHERE rec = ?",
        (rec,),
    ).fetchone()
    return _Counts(*row) if row else _Counts(_new_key(connection, started_unix_us))


def _new_key(connection: apsw.Connection, started_unix_us: int) -> int:
    """Return a free key that sorts by the start, to a hundredth of a second where free."""
    key = min(max(started_unix_us // 10_000, 1), KEY_LIMIT - 1)
    step = 1
    taken = "SELECT 1 FROM recordings WHERE key = ?"
    while connection.execute(taken, (key,)).fetchone() is not None:
        # Doubling keeps this short even when a host says that thousands began at one instant.
        key = (key + step) % KEY_LIMIT or 1
        step = step * 2 if step < 1 << 20 else 1
    return key


def _row(rec: str, derived: Derived, counts: _Counts) -> tuple[Any, ...]:
    summary = derived.summary
    end = summary.end
    return (
        counts.key, rec, derived.upto_bytes, counts.lines, counts.keyframes, counts.commands,
        counts.damages, summary.host, summary.user, summary.login_user, summary.service,
        summary.remote, None if summary.command is None else " ".join(summary.command),
        msgspec.json.encode(summary.labels).decode(), fit(summary.audit_session),
        fit(summary.started_unix_us), fit(summary.duration_us), summary.size_bytes,
        summary.is_live,
        None if end is None else end.reason, None if end is None else fit(_status_of(end)),
        summary.chain.state, summary.damages,
        sum(summary.notes.get(kind, 0) for kind in GAP_NOTES), msgspec.json.encode(summary),
        summary.sender, fit(summary.number), summary.boot_id,
    )  # fmt: skip


def _status_of(end: End) -> int | None:
    """Return the exit status as a shell says it: 137 where SIGKILL, 9, was the end."""
    if end.exit_status is None and end.signal is not None:
        return 128 + end.signal
    return end.exit_status


@overload
def fit(number: int) -> int: ...


@overload
def fit(number: None) -> None: ...


def fit(number: int | None) -> int | None:
    """Return `number` as SQLite can hold it: hosts may send any."""
    return None if number is None else min(max(number, -(1 << 63)), (1 << 63) - 1)
