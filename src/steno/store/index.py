"""The index's SQLite database: its schema, its connections, its version.

All of it is derived from the recordings and can be rebuilt. A recording's key grows with its
start, and every row that belongs to it has `key << CHUNK_BITS | number` as its id: newest first
is descending id, and one recording is one range of ids in every table.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from steno.errors import NoSpaceError, StoreError
from steno.store.event_schema import EVENTS_SCHEMA, LOGINS_SCHEMA, TRAILS_SCHEMA
from steno.store.join_schema import JOIN_SCHEMA, MARK_ALL
from steno.store.left_schema import LEFT_SCHEMA

VERSION = 8
"""The schema's version, in the database's user_version."""

CHUNK_BITS = 24
"""Bits of a row id that number the rows of one recording."""

KEY_LIMIT = 1 << (63 - CHUNK_BITS)

_BUSY_MS = 30_000

_SCHEMA = """
CREATE TABLE recordings(
    key INTEGER PRIMARY KEY, rec TEXT NOT NULL UNIQUE, derived_bytes INTEGER NOT NULL,
    line_count INTEGER NOT NULL, keyframe_count INTEGER NOT NULL,
    command_count INTEGER NOT NULL, damage_count INTEGER NOT NULL,
    host TEXT NOT NULL, user TEXT NOT NULL, login_user TEXT, service TEXT, remote TEXT,
    command TEXT, labels TEXT NOT NULL, audit_session INTEGER,
    started_unix_us INTEGER NOT NULL, duration_us INTEGER NOT NULL, size_bytes INTEGER NOT NULL,
    is_live INTEGER NOT NULL, end_reason TEXT, exit_status INTEGER,
    chain_state TEXT NOT NULL, damages INTEGER NOT NULL, gaps INTEGER NOT NULL,
    summary BLOB NOT NULL, sender TEXT, number INTEGER, boot_id TEXT);
CREATE INDEX recordings_started ON recordings(started_unix_us, rec);
CREATE INDEX recordings_user ON recordings(user, rec);
CREATE INDEX recordings_host ON recordings(host, rec);
CREATE TABLE states(key INTEGER PRIMARY KEY, serial INTEGER NOT NULL, state BLOB NOT NULL);
CREATE TABLE chunks(id INTEGER PRIMARY KEY, is_indexed INTEGER NOT NULL, times BLOB NOT NULL,
    body BLOB NOT NULL);
CREATE INDEX chunks_open ON chunks(id) WHERE NOT is_indexed;
CREATE VIRTUAL TABLE words USING fts5(
    text, content='', contentless_delete=1, tokenize='unicode61 remove_diacritics 0');
CREATE VIRTUAL TABLE trigrams USING fts5(
    text, content='', contentless_delete=1, tokenize='trigram case_sensitive 1', detail=none);
CREATE TABLE keyframes(
    id INTEGER PRIMARY KEY, at_us INTEGER NOT NULL, offset_bytes INTEGER NOT NULL,
    piece INTEGER NOT NULL, columns INTEGER NOT NULL, rows INTEGER NOT NULL, data BLOB NOT NULL);
CREATE TABLE commands(
    id INTEGER PRIMARY KEY, at_us INTEGER NOT NULL, text TEXT NOT NULL, source TEXT NOT NULL);
CREATE TABLE damages(
    id INTEGER PRIMARY KEY, line INTEGER NOT NULL, offset_bytes INTEGER NOT NULL,
    length_bytes INTEGER NOT NULL, reason TEXT NOT NULL);
CREATE TABLE activity(
    key INTEGER NOT NULL, second INTEGER NOT NULL, bytes INTEGER NOT NULL,
    PRIMARY KEY(key, second)) WITHOUT ROWID;
"""

_FLEET = """
CREATE INDEX recordings_sender ON recordings(sender, number) WHERE sender IS NOT NULL;
CREATE TABLE heard(
    host TEXT NOT NULL, source TEXT NOT NULL, received_unix_us INTEGER NOT NULL,
    data BLOB NOT NULL, PRIMARY KEY(host, source)) WITHOUT ROWID;
CREATE TABLE opened(
    rec TEXT NOT NULL, host TEXT NOT NULL, source TEXT NOT NULL, is_open INTEGER NOT NULL,
    at_unix_us INTEGER NOT NULL, PRIMARY KEY(rec, host)) WITHOUT ROWID;
CREATE INDEX opened_by_source ON opened(host, source, is_open);
"""

_FROM_1 = """
ALTER TABLE recordings ADD COLUMN sender TEXT;
ALTER TABLE recordings ADD COLUMN number INTEGER;
UPDATE recordings SET sender = CAST(summary AS TEXT) ->> '$.sender',
    number = CAST(summary AS TEXT) ->> '$.number';
"""

_FROM_2 = """
ALTER TABLE recordings ADD COLUMN boot_id TEXT;
UPDATE recordings SET boot_id = CAST(summary AS TEXT) ->> '$.boot_id';
"""

_FROM_7 = """
UPDATE recordings SET exit_status = 128 + (CAST(summary AS TEXT) ->> '$.end.signal')
    WHERE exit_status IS NULL;
"""

_FROM_6 = LEFT_SCHEMA + _FROM_7
_FROM_5 = TRAILS_SCHEMA + _FROM_6
_FROM_4 = JOIN_SCHEMA + MARK_ALL + _FROM_5
_FROM_3 = LOGINS_SCHEMA + _FROM_4
_STEPS = (
    _SCHEMA + _FLEET + EVENTS_SCHEMA + _FROM_3,
    _FROM_1 + _FLEET + _FROM_2 + EVENTS_SCHEMA + _FROM_3,
    _FROM_2 + EVENTS_SCHEMA + _FROM_3,
    _FROM_3,
    _FROM_4,
    _FROM_5,
    _FROM_6,
    _FROM_7,
)
"""What brings a database of each version to the present one."""


class Database:
    """Connections to one index database, lent to one thread at a time.

    Raises:
        StoreError: The database is of a newer version, damaged, or cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._write_lock = threading.Lock()
        self._idle: list[apsw.Connection] = []
        self._all: list[apsw.Connection] = []
        self._is_closed = False
        with self._errors(), self._write_lock:
            connection = self._connect()
            self._migrate(connection)
            self._idle.append(connection)

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            self._is_closed = True
            connections, self._all, self._idle = self._all, [], []
        for connection in connections:
            connection.close()

    @contextmanager
    def reading(self) -> Iterator[apsw.Connection]:
        """Lend a connection with a read transaction: a view that does not change meanwhile."""
        with self._errors(), self._borrowed() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("ROLLBACK")

    @contextmanager
    def writing(self) -> Iterator[apsw.Connection]:
        """Lend a connection with a write transaction: all of it happens, or nothing."""
        with self._errors(), self._write_lock, self._borrowed() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _borrowed(self) -> Iterator[apsw.Connection]:
        with self._lock:
            if self._is_closed:
                raise StoreError(f"{self._path.parent}: the store is closed")
            connection = self._idle.pop() if self._idle else self._connect()
        try:
            yield connection
        finally:
            with self._lock:
                if not self._is_closed:
                    self._idle.append(connection)

    def _connect(self) -> apsw.Connection:
        connection = apsw.Connection(str(self._path))
        connection.set_busy_timeout(_BUSY_MS)
        connection.execute("PRAGMA journal_mode = WAL")
        # Losing the last transactions in a power cut only means deriving them again.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA journal_size_limit = 67108864")
        connection.execute("PRAGMA cache_size = -16384")
        self._all.append(connection)
        return connection

    def _migrate(self, connection: apsw.Connection) -> None:
        version = connection.pragma("user_version")
        if version > VERSION:
            raise StoreError(
                f"{self._path}: version {version} is newer than this program's {VERSION}"
            )
        if version == VERSION:
            return
        connection.execute("BEGIN IMMEDIATE")
        # Another process may have made the tables while this one waited.
        found = connection.pragma("user_version")
        if found < VERSION:
            connection.execute(_STEPS[found])
            connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (apsw.NotADBError, apsw.CorruptError) as error:
            raise StoreError(
                f"{self._path}: damaged ({error}); remove it and run `steno server reindex`"
            ) from error
        except apsw.FullError as error:
            raise NoSpaceError(f"{self._path}: {error}") from error
        except apsw.Error as error:
            raise StoreError(f"{self._path}: {error}") from error
