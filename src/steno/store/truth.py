"""All recordings' original lines in one directory: the append-only truth of the embedded store."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote, unquote

import msgspec

from steno.errors import DISK_FULL, FormatError, NoSpaceError, NotFoundError, StoreError
from steno.files import sync_directory
from steno.store.files import (
    FORMAT,
    Header,
    RecordingFiles,
    newest_tail,
    read_header,
)
from steno.store.protocol import OffsetError

REC_LIMIT_CHARACTERS = 512
"""Longest recording id that is taken."""

OPEN_LIMIT = 256
"""Recordings kept open at once: two descriptors each."""

_NAME_LIMIT_BYTES = 120
_SHARDS = [f"{number:02x}" for number in range(256)]


def directory_name(rec: str) -> str:
    """Return a safe file name for a recording id, whatever is in it.

    Anything but ASCII letters, digits, `-` and `_` is percent-encoded; long ids become `~` and
    their SHA-256.
    """
    encoded = rec.encode()
    name = quote(encoded, safe="").replace(".", "%2E").replace("~", "%7E")
    if len(name) > _NAME_LIMIT_BYTES:
        return "~" + hashlib.sha256(encoded).hexdigest()
    return name


def shard_name(rec: str) -> str:
    """Return the directory, of 256, that a recording's directory lies in."""
    return hashlib.sha256(rec.encode()).hexdigest()[:2]


class Truth:
    """Appends to and reads recordings' original lines. Safe for threads and processes."""

    def __init__(self, directory: Path, *, open_limit: int = OPEN_LIMIT) -> None:
        self._directory = directory
        self._open_limit = open_limit
        self._lock = threading.Lock()
        self._open: OrderedDict[str, RecordingFiles] = OrderedDict()
        self._users: dict[str, int] = {}
        self._make_shards()

    def close(self) -> None:
        """Close all files."""
        with self._lock:
            for files in self._open.values():
                files.close()
            self._open.clear()

    def append(self, rec: str, offset_bytes: int, data: bytes, sender: str | None) -> int:
        """Append; see `Store.append`."""
        if rec not in self._open and not self._path(_checked(rec)).exists():
            if offset_bytes != 0:
                raise OffsetError(rec, 0)
            if not data:
                return 0
            self._create(rec, sender)
        with self._borrowed(rec) as files:
            return files.append(offset_bytes, data, sender)

    def durable_bytes(self, rec: str) -> int:
        """Return how much of `rec` survives a power cut; 0 when it is unknown."""
        try:
            with self._borrowed(rec) as files:
                return files.durable_bytes()
        except NotFoundError:
            return 0

    def size_bytes(self, rec: str) -> int:
        """Return how much of `rec` can be read; 0 when it is unknown."""
        try:
            with self._borrowed(rec) as files:
                return files.size_bytes()
        except NotFoundError:
            return 0

    def read(self, rec: str, offset_bytes: int, end_bytes: int | None) -> Iterator[bytes]:
        """Yield original bytes; see `Store.read`.

        Raises:
            NotFoundError: There is no such recording.
        """
        if not self._path(rec).exists():
            raise NotFoundError(f"no recording {rec}")
        return self._read(rec, offset_bytes, end_bytes)

    def settle(self, rec: str) -> None:
        """Pack the rest of a recording that is not expected to grow soon."""
        with self._borrowed(rec) as files:
            files.settle()

    def sender_of(self, rec: str) -> str | None:
        """Return the authenticated host that delivers `rec`."""
        try:
            with self._borrowed(rec) as files:
                return files.header.sender
        except NotFoundError:
            return None

    def recs(self) -> Iterator[str]:
        """Yield the ids of all recordings that hold at least one byte."""
        return (rec for rec, _ in self.sizes())

    def sizes(self) -> Iterator[tuple[str, int]]:
        """Yield all recordings that hold bytes, and how many, by their files' names and sizes.

        Nothing is opened or synced, so that looking through very many costs little. Of a damaged
        one it may not be known how many: -1.
        """
        for shard in _SHARDS:
            for name in sorted(os.listdir(self._directory / shard)):
                directory = self._directory / shard / name
                if not name.startswith(".") and (size_bytes := _size_of(directory)):
                    # A damaged header hides a long id, and must not hide the other recordings.
                    with suppress(StoreError, FileNotFoundError):
                        is_long = name.startswith("~")
                        yield read_header(directory).rec if is_long else unquote(name), size_bytes

    def _read(self, rec: str, offset_bytes: int, end_bytes: int | None) -> Iterator[bytes]:
        with self._borrowed(rec) as files:
            yield from files.read(max(0, offset_bytes), end_bytes)

    def _path(self, rec: str) -> Path:
        return self._directory / shard_name(rec) / directory_name(rec)

    @contextmanager
    def _borrowed(self, rec: str) -> Iterator[RecordingFiles]:
        """Lend a recording's files; while they are lent they stay open."""
        with self._lock:
            files = self._open.get(rec)
            if files is None:
                try:
                    files = RecordingFiles(self._path(rec))
                except (FileNotFoundError, UnicodeEncodeError) as error:
                    raise NotFoundError(f"no recording {rec}") from error
                except OSError as error:
                    raise StoreError(f"{error.filename}: {error.strerror}") from error
                self._open[rec] = files
            self._open.move_to_end(rec)
            self._users[rec] = self._users.get(rec, 0) + 1
        try:
            yield files
        finally:
            with self._lock:
                self._users[rec] -= 1
                if self._users[rec] == 0:
                    del self._users[rec]
                self._close_surplus()

    def _close_surplus(self) -> None:
        surplus = len(self._open) - self._open_limit
        idle = [rec for rec in self._open if rec not in self._users] if surplus > 0 else []
        for rec in idle[:surplus]:
            self._open.pop(rec).close()

    def _make_shards(self) -> None:
        """Make all shards at once, so that a new recording has fewer directories to sync."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        missing = sorted({*_SHARDS}.difference(os.listdir(self._directory)))
        for name in missing:
            (self._directory / name).mkdir(mode=0o700, exist_ok=True)
        if missing:
            for directory in (self._directory, *self._directory.parents[:2]):
                sync_directory(directory)

    def _create(self, rec: str, sender: str | None) -> None:
        """Make a recording's directory appear, whole, with its header and an empty tail."""
        path = self._path(rec)
        new = path.parent / f".new-{secrets.token_hex(8)}"
        try:
            new.mkdir(mode=0o700)
            header = Header(format=FORMAT, rec=rec, sender=sender)
            with (new / "header.json").open("xb") as file:
                file.write(msgspec.json.encode(header) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            (new / "0.tail").touch(mode=0o600)
            sync_directory(new)
            new.rename(path)
            sync_directory(path.parent)
        except OSError as error:
            shutil.rmtree(new, ignore_errors=True)
            if path.exists():
                return  # Another process was faster.
            kind = NoSpaceError if error.errno in DISK_FULL else StoreError
            raise kind(f"{path}: {error.strerror}") from error
        files = RecordingFiles(path, is_synced=True)
        with self._lock:
            if rec in self._open:
                files.close()
            else:
                self._open[rec] = files


def _checked(rec: str) -> str:
    try:
        rec.encode()
    except UnicodeEncodeError as error:
        raise FormatError("a recording's id must be valid UTF-8") from error
    if not 1 <= len(rec) <= REC_LIMIT_CHARACTERS:
        raise FormatError(f"a recording's id has 1 to {REC_LIMIT_CHARACTERS} characters")
    return rec


def _size_of(directory: Path) -> int:
    """Return how many bytes a recording has, by its files' names; -1 when they are damaged."""
    try:
        base, _ = newest_tail(directory)
        if base < 0:
            # Without a header it is debris; with one, its reader has to say what is wrong.
            return -1 if (directory / "header.json").exists() else 0
        return base + (directory / f"{base}.tail").stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return 0
