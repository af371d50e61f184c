"""Writing audit trails into a spool, where the uploader finds them as it does recordings."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from steno.audit.event import Event
from steno.audit.trail import TrailEncoder, TrailEnd, TrailHead, TrailItem, make_trail_id
from steno.delivery.names import is_sane_rec
from steno.delivery.spool import Spool
from steno.delivery.spool_file import OPEN, SpoolFile
from steno.delivery.syncing import SyncThread
from steno.delivery.trail_recovery import (
    LastTrail,
    TrailTail,
    closing_lines,
    is_numbered,
    load_last_trail,
    read_trail_head,
    read_trail_tail,
    store_last_trail,
)
from steno.errors import NoSpaceError, NotFoundError, StenoError, StoreError
from steno.files import is_locked
from steno.model import TRAIL_PREFIX, is_trail

TRAIL_BYTES = 64 << 20
TRAIL_US = 24 * 3600 * 1_000_000
_COUNT_EVERY_US = 1_000_000
_LOCK = ".auditing"


class TrailOrigin(msgspec.Struct, frozen=True):
    """Whose events a trail holds; see `TrailHead`."""

    host: str
    boot_id: str
    steno: str
    level: str = ""


class TrailWriter:
    """Appends to one host's trail: goes on with what a crash left, begins another when it is full.

    One process writes a host's live trail at a time.

    Attributes:
        resumed: What was found of a trail that a crash left open; None: this one is new.
        trail: The id of the trail that is being written; None before the first line.
        follows_serial: The last serial number of the trail of the same boot that the first new one
            follows; None: it follows none, or goes on with one.
    """

    def __init__(
        self,
        spool: Spool,
        origin: TrailOrigin,
        *,
        is_live: bool = True,
        trail_bytes: int = TRAIL_BYTES,
        trail_us: int = TRAIL_US,
        now_unix_us: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        """Look for a trail of this boot to go on with; write nothing yet.

        Args:
            spool: Where it goes.
            origin: Whose events they are.
            is_live: Whether they come from this host as they happen; else the trail is begun anew
                and follows none.
            trail_bytes: How large a trail may become.
            trail_us: How long one is written.
            now_unix_us: The wall clock.

        Raises:
            StoreError: Another process writes this host's trail, or the disk failed.
        """
        self.trail: str | None = None
        self.resumed: TrailTail | None = None
        self.follows_serial: int | None = None
        self._last_serial: int | None = None
        self._spool = spool
        self._origin = origin
        self._is_live = is_live
        self._trail_bytes = trail_bytes
        self._trail_us = trail_us
        self._now_unix_us = now_unix_us
        self._encoder = TrailEncoder()
        self._file: SpoolFile | None = None
        self._started_unix_us = 0
        self._sync_thread = SyncThread(spool.clock)
        self._counted_us: int | None = None
        self._trails_bytes = 0
        self._previous: LastTrail | None = None
        self._lock_descriptor: int | None = None
        try:
            if is_live:
                self._lock_descriptor = _lock(spool)
                self._resume()
        except OSError as error:
            self.close()
            raise spool.explained(error) from error
        except StenoError:
            self.close()
            raise

    def append(self, items: Sequence[TrailItem]) -> None:
        """Add these lines, all or nothing; they are on disk within a second.

        Raises:
            NoSpaceError: The spool's limits leave no room; nothing was written.
            StoreError: The disk failed; a later call begins another trail.
        """
        if not items:
            return
        if self._file is not None and self._is_full():
            self._finish("full")
        if self._file is None:
            self._begin()
        self._write(items)

    def end(self, why: str) -> None:
        """End the trail, if one was begun, and let go of everything.

        Raises:
            StenoError: It could not be ended; it is left for who goes on with it.
        """
        try:
            if self._file is not None:
                self._finish(why)
        finally:
            self.close()

    def close(self) -> None:
        """Let go of everything; the trail stays open, for who goes on with it."""
        if self._file is not None:
            self._sync_thread.forget(self._file)
            self._file.close()
            self._file = None
        self._sync_thread.close()
        if self._lock_descriptor is not None:
            os.close(self._lock_descriptor)
            self._lock_descriptor = None

    # One trail.

    def _is_full(self) -> bool:
        if self._file is None or self._file.size_bytes >= self._trail_bytes:
            return True
        return not 0 <= self._now_unix_us() - self._started_unix_us < self._trail_us

    def _begin(self) -> None:
        last = (self._previous or load_last_trail(self._spool)) if self._is_live else self._previous
        trail = make_trail_id(self._origin.boot_id, secrets.token_hex(6))
        self._check_share(0)
        self._file = self._spool.begin(trail)
        self._sync_thread.watch(self._file)
        self.trail = trail
        self._encoder = TrailEncoder()
        self._started_unix_us = self._now_unix_us()
        head = TrailHead(
            id=trail,
            host=self._origin.host,
            boot_id=self._origin.boot_id,
            started_unix_us=self._started_unix_us,
            steno=self._origin.steno,
            level=self._origin.level,
            follows=None if last is None else last.id,
            follows_head=None if last is None else last.head,
        )
        self._write([head])
        if self._is_live:
            store_last_trail(self._spool, LastTrail(trail))

    def _write(self, items: Sequence[TrailItem]) -> None:
        if self._file is None:
            raise ValueError("no trail was begun")
        before = self._encoder.head
        data = b"".join([self._encoder.encode(item) for item in items])
        try:
            is_ending = isinstance(items[-1], TrailEnd)
            if not is_ending:  # what was begun may be ended
                self._check_share(len(data))
            self._file.append(data, is_ending=is_ending)
        except NoSpaceError:
            self._encoder.head = before
            raise
        except StoreError:
            self._abandon()
            raise
        self._trails_bytes += len(data)
        serials = [one.serial for one in items if isinstance(one, Event) and is_numbered(one)]
        self._last_serial = max(serials, default=self._last_serial)

    def _finish(self, why: str) -> None:
        if self._file is None:
            return
        self._write([TrailEnd(self._now_unix_us(), why)])
        self._previous = LastTrail(
            self._file.rec, self._encoder.head, self._origin.boot_id, self._last_serial
        )
        self._sync_thread.forget(self._file)
        file, self._file = self._file, None
        file.finish()
        if self._is_live:
            store_last_trail(self._spool, self._previous)

    def _abandon(self) -> None:
        """Leave a trail that cannot be written any more: another one follows it."""
        if self._file is not None:
            self._previous = LastTrail(self._file.rec, None)
            self._sync_thread.forget(self._file)
            self._file.close()
            self._file = None

    def _check_share(self, length_bytes: int) -> None:
        """Raise NoSpaceError where trails would take more of the spool than is theirs."""
        now_us = self._spool.clock()
        if self._counted_us is None or now_us - self._counted_us >= _COUNT_EVERY_US:
            self._counted_us = now_us
            self._trails_bytes = sum(
                entry.size_bytes
                for entry in self._spool.entries(is_trail)
                if not entry.is_delivered
            )
        limit_bytes = self._spool.limits.trails_bytes
        if self._trails_bytes + length_bytes > limit_bytes:
            raise NoSpaceError(
                f"spool {self._spool.directory}: its audit trails hold {self._trails_bytes} of at"
                f" most {limit_bytes} bytes; nothing was written"
            )

    # What a crash left.

    def _resume(self) -> None:
        """Go on with the trail that was begun last; end others that were left open."""
        last = load_last_trail(self._spool)
        if last is not None and last.boot_id == self._origin.boot_id:
            self.follows_serial = last.last_serial
        paths = sorted(self._spool.directory.glob(f"{TRAIL_PREFIX}*{OPEN}"))
        for path in paths:
            if is_sane_rec(path.stem):
                self._resume_file(path, is_last=last is not None and last.id == path.stem)

    def _resume_file(self, path: Path, *, is_last: bool) -> None:
        with self._spool.exclusively():
            try:
                descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
            except FileNotFoundError:
                return
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)  # an import
                return
        with contextlib.ExitStack() as undo:
            undo.callback(os.close, descriptor)
            ours = self._read_ours(path.stem, descriptor)
            if ours is None:
                return  # for the spool's recovery
            head, tail = ours
            os.ftruncate(descriptor, tail.end_bytes)
            undo.pop_all()
        file = SpoolFile(self._spool, path.stem, descriptor, size_bytes=tail.end_bytes)
        if is_last and not tail.is_ended:
            self._go_on(file, head, tail)
            return
        try:
            if not tail.is_ended:
                file.append(closing_lines(tail, "gone"), is_ending=True)
            file.finish()
        finally:
            file.close()

    def _read_ours(self, rec: str, descriptor: int) -> tuple[TrailHead, TrailTail] | None:
        """Return how a trail ends that is this host's and boot's, and can be written further."""
        head = read_trail_head(descriptor)
        if head is None or (head.host, head.boot_id) != (self._origin.host, self._origin.boot_id):
            return None
        try:
            tail = read_trail_tail(descriptor)
        except NotFoundError:
            return None
        # What a server has cannot be cut off any more.
        is_sent = self._spool.delivered_bytes(rec) > tail.end_bytes
        return None if is_sent else (head, tail)

    def _go_on(self, file: SpoolFile, head: TrailHead, tail: TrailTail) -> None:
        self._file = file
        self._started_unix_us = head.started_unix_us
        self._sync_thread.watch(file)
        self._encoder = TrailEncoder(tail.head)
        self.trail, self.resumed = file.rec, tail
        self.follows_serial, self._last_serial = None, tail.last_serial


def is_written(spool: Path) -> bool:
    """Return whether a process writes the live trail of the host whose spool this is."""
    return is_locked(spool / _LOCK)


def _lock(spool: Spool) -> int:
    """Return a descriptor that makes this process the one that writes this host's trail."""
    path = spool.directory / _LOCK
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise StoreError(
            f"spool {spool.directory}: another process writes this host's audit trail"
        ) from error
    return descriptor
