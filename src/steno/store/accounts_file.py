"""The file accounts.sqlite: who may sign in, which hosts may deliver, and who viewed what.

One opener and one schema for the tables of `accounts` (people) and `hosts` (machines).
Several threads and processes may hold it open; every write is on disk when it returns.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from steno.errors import NoSpaceError, StoreError

SCHEMA_VERSION = 3
"""Raised when a release changes a table; `_upgrade` then brings older files along."""

ACCOUNTS_TABLES = """
CREATE TABLE IF NOT EXISTS users (
    name TEXT PRIMARY KEY,
    role TEXT NOT NULL CHECK (role IN ('admin', 'auditor', 'user')),
    password TEXT,
    created_unix_us INTEGER NOT NULL,
    disabled_unix_us INTEGER
) STRICT;
CREATE TABLE IF NOT EXISTS sessions (
    digest BLOB PRIMARY KEY,
    user TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,
    created_unix_us INTEGER NOT NULL,
    seen_unix_us INTEGER NOT NULL,
    address TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sessions_by_user ON sessions (user);
CREATE TABLE IF NOT EXISTS tokens (
    id TEXT PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    user TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,
    role TEXT NOT NULL CHECK (role IN ('admin', 'auditor', 'user')),
    label TEXT NOT NULL,
    created_unix_us INTEGER NOT NULL,
    expires_unix_us INTEGER,
    used_unix_us INTEGER,
    revoked_unix_us INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS tokens_by_user ON tokens (user);
CREATE TABLE IF NOT EXISTS links (
    digest BLOB PRIMARY KEY,
    user TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,
    expires_unix_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS login_attempts (
    subject TEXT NOT NULL,
    at_unix_us INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS login_attempts_by_subject ON login_attempts (subject, at_unix_us);
CREATE INDEX IF NOT EXISTS login_attempts_by_time ON login_attempts (at_unix_us);
CREATE TABLE IF NOT EXISTS viewings (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user TEXT NOT NULL,
    rec TEXT,
    how TEXT NOT NULL,
    detail TEXT NOT NULL,
    address TEXT NOT NULL,
    through TEXT NOT NULL,
    first_unix_us INTEGER NOT NULL,
    last_unix_us INTEGER NOT NULL,
    requests INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS viewings_by_rec ON viewings (rec, id);
CREATE INDEX IF NOT EXISTS viewings_by_user ON viewings (user, id);
"""
"""What `steno.store.accounts` keeps. Viewings outlive the users who made them."""

HOSTS_TABLES = """
CREATE TABLE IF NOT EXISTS hosts (
    name TEXT PRIMARY KEY,
    token_digest BLOB NOT NULL UNIQUE,
    certificate_digest BLOB UNIQUE,
    certificate_serial TEXT,
    enrolled_unix_us INTEGER NOT NULL,
    last_seen_unix_us INTEGER,
    revoked_unix_us INTEGER,
    next_certificate_digest BLOB,
    next_certificate_serial TEXT,
    is_next_certificate_used INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE IF NOT EXISTS host_codes (
    digest BLOB PRIMARY KEY,
    host TEXT,
    expires_unix_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""
"""What `steno.store.hosts` keeps."""

_RENEWAL_COLUMNS = """
ALTER TABLE hosts ADD COLUMN next_certificate_digest BLOB;
ALTER TABLE hosts ADD COLUMN next_certificate_serial TEXT;
ALTER TABLE hosts ADD COLUMN is_next_certificate_used INTEGER NOT NULL DEFAULT 0;
"""

ORDERS_TABLES = """
CREATE TABLE IF NOT EXISTS orders (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    host TEXT NOT NULL,
    rec TEXT NOT NULL,
    do TEXT NOT NULL,
    user TEXT NOT NULL,
    text TEXT NOT NULL,
    reason TEXT NOT NULL,
    address TEXT NOT NULL,
    through TEXT NOT NULL,
    made_unix_us INTEGER NOT NULL,
    expires_unix_us INTEGER NOT NULL,
    told_unix_us INTEGER,
    finished_unix_us INTEGER,
    state TEXT NOT NULL,
    failure TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS orders_by_rec ON orders (rec, id);
CREATE INDEX IF NOT EXISTS orders_waiting ON orders (host) WHERE state = 'waiting';
"""
"""What `steno.store.orders` keeps; like viewings, it outlives the users who gave them."""


class AccountsFile:
    """An open accounts.sqlite: one connection, one statement at a time.

    Raises:
        StoreError: The file is no such database, cannot be opened, or is of a newer version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # SQLite gives its journals the database's mode: nobody else may read digests.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise StoreError(f"{path}: {error.strerror}") from error
        with self._named_errors():
            self._connection = apsw.Connection(str(path))
            self._connection.set_busy_timeout(10_000)
            self._connection.execute("PRAGMA foreign_keys = ON")
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
        self._upgrade()

    def _upgrade(self) -> None:
        with self.writing() as connection:
            found = connection.pragma("user_version")
            if found > SCHEMA_VERSION:
                raise StoreError(
                    f"{self.path}: of version {found}, but this program knows only"
                    f" {SCHEMA_VERSION}; use a newer steno"
                )
            if found == 1:
                connection.execute("ALTER TABLE users ADD COLUMN disabled_unix_us INTEGER")
            if found in (1, 2):
                connection.execute(_RENEWAL_COLUMNS)
            connection.execute(ACCOUNTS_TABLES + HOSTS_TABLES + ORDERS_TABLES)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except apsw.FullError as error:
            raise NoSpaceError(f"{self.path}: the disk is full") from error
        except apsw.ConstraintError:
            raise
        except apsw.Error as error:
            raise StoreError(f"{self.path}: {error}") from error

    @contextmanager
    def reading(self) -> Iterator[apsw.Connection]:
        """Hold the connection for a few SELECTs; fetch within the block.

        Raises:
            StoreError: The database is damaged or busy for too long.
        """
        with self._lock, self._named_errors():
            yield self._connection

    @contextmanager
    def writing(self) -> Iterator[apsw.Connection]:
        """Hold the connection in a transaction: all of the block or, if it raises, nothing.

        Raises:
            StoreError: The database is damaged or busy for too long; nothing was written.
            NoSpaceError: The disk is full; nothing was written.
        """
        with self._lock, self._named_errors():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close the file; the object cannot be used afterwards."""
        with self._lock:
            self._connection.close()
