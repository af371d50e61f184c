"""The spool: recordings on the host's disk until a server has them.

One append-only file per recording; docs/formats/spool.md describes the directory. Several
recorders and one uploader, each a process of its own, may work on one spool at a time.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from steno.delivery.names import is_sane_rec
from steno.delivery.spool_file import DONE, OPEN, SENT, SpoolFile, SpoolReader
from steno.delivery.spool_limits import LIMITS, SpoolLimits, load_limits
from steno.delivery.syncing import SYNC_EVERY_US
from steno.errors import DISK_FULL, NoSpaceError, NotFoundError, StoreError, UsageError
from steno.files import make_private_directory, sync_directory

DELIVERED, TORN = ".delivered", ".torn"
MAIL, MAILED = ".mail", ".mailed"
"""Marks of a recording that is to be mailed, and of one that was; see delivery.mail.mailer."""
_LOGS = (OPEN, DONE, SENT)
_MARKS = (DELIVERED, TORN, MAIL, MAILED)
_RECOUNT_BYTES = 1 << 20
_RECOUNT_US = 1_000_000
_BEGIN_BYTES = 65536


class SpoolEntry(msgspec.Struct, frozen=True):
    """One recording in the spool.

    Attributes:
        rec: Its id.
        size_bytes: How long its file is.
        delivered_bytes: How much of it a server has acknowledged.
        is_finished: Whether nothing will be appended any more.
        is_delivered: Whether it is finished and a server has said to have all of it.
        changed_unix_us: When it was last appended to.
    """

    rec: str
    size_bytes: int
    delivered_bytes: int
    is_finished: bool
    is_delivered: bool
    changed_unix_us: int


def _is_of_a_spool(name: str) -> bool:
    return name.startswith(".") or name == LIMITS or name.endswith((*_LOGS, *_MARKS))


def monotonic_us() -> int:
    """Read the clock that decides when a sync is due."""
    return time.monotonic_ns() // 1000


class Spool:
    """A directory of recordings, which nobody else may enter; made where it does not exist.

    Args:
        directory: Where it is.
        limits: How much it may take; None: what its `limits.toml` says.
        clock: Decides when a sync is due, in microseconds.
        sync_every_us: How long a line may be unsynced.
        counts_itself: Whether appending looks at the disk now and then; else the owner calls
            `recount`, from another thread, so that appending never waits for that.

    Raises:
        StoreError: The directory cannot be made or used.
        ConfigError: Its `limits.toml` is wrong.
    """

    def __init__(
        self,
        directory: Path,
        limits: SpoolLimits | None = None,
        *,
        clock: Callable[[], int] = monotonic_us,
        sync_every_us: int = SYNC_EVERY_US,
        counts_itself: bool = True,
    ) -> None:
        self.directory = directory
        self.clock = clock
        self.sync_every_us = sync_every_us
        self._counts_itself = counts_itself
        self._lock = threading.Lock()
        self._counted_us: int | None = None
        self._uncounted_bytes = 0
        self._used_bytes = 0
        self._free_bytes = 0
        try:
            make_private_directory(directory, _is_of_a_spool)
            if not os.access(directory, os.R_OK | os.W_OK | os.X_OK):
                raise StoreError(f"spool {directory}: may not be read and written by this user")
            found = directory.stat()
            self.owner = found.st_uid, found.st_gid
        except OSError as error:
            raise StoreError(f"spool {directory}: {error.strerror}") from error
        self.limits = limits or load_limits(directory)

    def begin(self, rec: str) -> SpoolFile:
        """Make the file for a new recording; its caller is its only writer.

        Raises:
            UsageError: `rec` cannot be a recording's id.
            StoreError: The spool has a recording of this id.
            NoSpaceError: The limits leave no room; nothing was made.
        """
        self._check(rec)
        self.reserve(_BEGIN_BYTES)
        with self.exclusively():
            if any(self.path(rec, suffix).exists() for suffix in _LOGS):
                raise StoreError(f"spool {self.directory}: recording {rec} exists already")
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
            try:
                descriptor = self._open_file(self.path(rec, OPEN), flags)
            except OSError as error:
                raise self.explained(error) from error
            # Held until the file is closed: who gets it finds an orphan.
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        self.sync_directory()
        return SpoolFile(self, rec, descriptor)

    def entries(self, is_wanted: Callable[[str], bool] = is_sane_rec) -> list[SpoolEntry]:
        """Return what the spool holds of the ids that are wanted, the oldest first."""
        recs = set()
        for item in self._items():
            stem, suffix = os.path.splitext(item.name)
            if suffix in _LOGS and is_sane_rec(stem) and is_wanted(stem):
                recs.add(stem)
        found = [entry for entry in map(self.entry, recs) if entry is not None]
        return sorted(found, key=lambda entry: (entry.changed_unix_us, entry.rec))

    def entry(self, rec: str) -> SpoolEntry | None:
        """Return what the spool holds of `rec`; None when it holds nothing (any more)."""
        # A recording that finishes between the two looks is found by the second.
        for suffix in _LOGS:
            try:
                status = self.path(rec, suffix).stat()
            except FileNotFoundError:
                continue
            return SpoolEntry(
                rec=rec,
                size_bytes=status.st_size,
                delivered_bytes=self.delivered_bytes(rec),
                is_finished=suffix != OPEN,
                is_delivered=suffix == SENT,
                changed_unix_us=status.st_mtime_ns // 1000,
            )
        return None

    def is_delivered(self, rec: str) -> bool:
        """Tell whether a server has all of `rec`, a recording that was begun here."""
        entry = self.entry(rec)
        return entry is None or entry.is_delivered

    def open(self, rec: str) -> SpoolReader:
        """Open a recording for reading, whether it still grows or not.

        Raises:
            NotFoundError: The spool has no such recording (any more).
        """
        self._check(rec)
        for suffix in _LOGS:
            try:
                descriptor = os.open(self.path(rec, suffix), os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            return SpoolReader(self, rec, descriptor)
        raise NotFoundError(f"spool {self.directory}: no recording {rec}")

    def delivered_bytes(self, rec: str) -> int:
        """Return how much of `rec` a server has acknowledged; 0 when that is unknown."""
        try:
            return int(self.path(rec, DELIVERED).read_text("ascii"))
        except (FileNotFoundError, ValueError):
            return 0  # the server will tell: its 409 says what it has

    def acknowledge(self, rec: str, offset_bytes: int) -> None:
        """Remember that a server has said to have `rec` up to `offset_bytes`.

        This only saves sending twice. Where it cannot be written (the disk is full), the server
        will say it again.
        """
        new = self.directory / f".{rec}{DELIVERED}.new"
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        with suppress(OSError):
            with os.fdopen(self._open_file(new, flags), "w", encoding="ascii") as file:
                file.write(f"{offset_bytes}\n")
            new.rename(self.path(rec, DELIVERED))

    def complete(self, rec: str) -> None:
        """Remove a finished recording that is on a server, or mark it so, as policy says.

        One that is still to be mailed stays until it is; then this is called again.

        Raises:
            StoreError: The disk failed; the recording stays and will be offered again.
        """
        try:
            if self.limits.policy == "refuse" and not self.path(rec, MAIL).exists():
                self._remove(rec)
            else:
                with suppress(FileNotFoundError):  # marked before
                    self.path(rec, DONE).rename(self.path(rec, SENT))
                self.path(rec, DELIVERED).unlink(missing_ok=True)
        except OSError as error:
            raise self.explained(error) from error

    def _remove(self, rec: str) -> None:
        for suffix in (DONE, SENT, DELIVERED, MAIL, MAILED):
            self.path(rec, suffix).unlink(missing_ok=True)

    def reserve(self, length_bytes: int, *, is_ending: bool = False) -> None:
        """Count `length_bytes` that are about to be written; make room for them if policy allows.

        What ends a recording is counted, and let through: it says what the full spool cost it.

        Raises:
            NoSpaceError: The limits leave no room; nothing was counted.
        """
        with self._lock:
            now_us = self.clock()
            if self._counted_us is None or (
                self._counts_itself
                and (
                    now_us - self._counted_us >= _RECOUNT_US
                    or self._uncounted_bytes >= _RECOUNT_BYTES
                    or self._lacking(length_bytes)
                )
            ):
                self._recount(now_us)
            if self._lacking(length_bytes) and self.limits.policy == "drop-oldest-delivered":
                self._drop_delivered(length_bytes)
            lacking = self._lacking(length_bytes)
            if lacking is not None and not is_ending:
                raise NoSpaceError(f"spool {self.directory}: {lacking}; nothing was written")
            self._used_bytes += length_bytes
            self._free_bytes -= length_bytes
            self._uncounted_bytes += length_bytes

    @property
    def is_full(self) -> bool:
        """Whether no recording could begin, as far as was counted."""
        return self._lacking(_BEGIN_BYTES) is not None

    def _lacking(self, length_bytes: int) -> str | None:
        limits = self.limits
        if self._used_bytes + length_bytes > limits.total_bytes:
            return f"it holds {self._used_bytes} of at most {limits.total_bytes} bytes"
        if self._free_bytes - length_bytes < limits.free_bytes:
            free_bytes = max(self._free_bytes, 0)
            return f"its disk has {free_bytes} bytes free, and {limits.free_bytes} must stay so"
        return None

    def recount(self) -> tuple[int, int]:
        """Return how many bytes the spool's files take, and how many its disk has free.

        May be called from any thread: who appends meanwhile does not wait.

        Raises:
            OSError: The directory cannot be read.
        """
        with self._lock:
            uncounted_bytes = self._uncounted_bytes
        used_bytes, free_bytes = self._look_at_disk()
        with self._lock:
            # What was reserved meanwhile may have been seen or not: rather twice than not at all.
            since_bytes = max(0, self._uncounted_bytes - uncounted_bytes)
            self._used_bytes = used_bytes + since_bytes
            self._free_bytes = free_bytes - since_bytes
            self._counted_us = self.clock()
            self._uncounted_bytes = since_bytes
        return used_bytes, free_bytes

    def _recount(self, now_us: int) -> None:
        self._used_bytes, self._free_bytes = self._look_at_disk()
        self._counted_us = now_us
        self._uncounted_bytes = 0

    def _look_at_disk(self) -> tuple[int, int]:
        used_bytes = 0
        for item in self._items():
            try:
                used_bytes += item.stat().st_size
            except FileNotFoundError:
                continue
        disk = os.statvfs(self.directory)
        return used_bytes, disk.f_bavail * disk.f_frsize

    def _drop_delivered(self, length_bytes: int) -> None:
        for entry in self.entries():
            if not self._lacking(length_bytes):
                return
            if entry.is_delivered and not self.path(entry.rec, MAIL).exists():
                self._remove(entry.rec)
                self._recount(self.clock())

    def lock_delivery(self) -> int | None:
        """Return a descriptor that makes this process the one to deliver; None: another does.

        Raises:
            StoreError: The spool cannot be written.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        try:
            descriptor = self._open_file(self.directory / ".delivering", flags)
        except OSError as error:
            raise self.explained(error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor

    @contextmanager
    def exclusively(self) -> Iterator[None]:
        """Hold the spool's lock: between making a file and locking it nobody may recover it."""
        path = self.directory / ".lock"
        try:
            descriptor = self._open_file(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        except OSError as error:
            raise self.explained(error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _open_file(self, path: Path, flags: int) -> int:
        """Open a file of the spool; one that root makes is the directory's owner's."""
        descriptor = os.open(path, flags, 0o600)
        if os.geteuid() == 0 and self.owner[0]:
            os.fchown(descriptor, *self.owner)
        return descriptor

    def path(self, rec: str, suffix: str) -> Path:
        """Return where a recording's file of this kind is, or would be."""
        return self.directory / f"{rec}{suffix}"

    def sync_directory(self) -> None:
        """Make files' names survive a power cut."""
        sync_directory(self.directory)

    def explained(self, error: OSError) -> NoSpaceError | StoreError:
        """Return the error that says what `error` means for this spool."""
        if error.errno in DISK_FULL:
            return NoSpaceError(f"spool {self.directory}: {error.strerror}; nothing was written")
        return StoreError(f"spool {self.directory}: {error.strerror}")

    def _items(self) -> list[os.DirEntry[str]]:
        with os.scandir(self.directory) as items:
            return [item for item in items if item.name not in (".lock", ".delivering")]

    def _check(self, rec: str) -> None:
        if not is_sane_rec(rec):
            raise UsageError(f"{rec!r} cannot be a recording's id")
