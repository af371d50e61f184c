"""One recording in the spool, as it is written and as it is delivered."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from steno.delivery.syncing import SyncRule

if TYPE_CHECKING:
    from steno.delivery.spool import Spool

OPEN, DONE, SENT = ".open", ".done", ".sent"
"""A recording's file: being written; finished; finished and on a server."""


class SpoolFile:
    """One recording as it is written. `sync` may be called from another thread; the rest not."""

    def __init__(self, spool: Spool, rec: str, descriptor: int, *, size_bytes: int = 0) -> None:
        """Go on behind the first `size_bytes`, of which nothing may be on disk yet."""
        self.rec = rec
        self.size_bytes = size_bytes
        self.synced_bytes = 0
        self._spool = spool
        self._descriptor: int | None = descriptor
        self._rule = SyncRule(spool.sync_every_us)
        self._closing = threading.Lock()
        self._failure: OSError | None = None
        if size_bytes:
            self._rule.wrote(spool.clock())

    def fileno(self) -> int:
        """Return the descriptor that locks the file, for somebody to keep a copy of it.

        Raises:
            ValueError: The file is closed.
        """
        if self._descriptor is None:
            raise ValueError("the spool file is closed")
        return self._descriptor

    def append(self, line: bytes, *, is_ending: bool = False) -> None:
        """Hand `line`, with its newline, to the system; `sync` makes it survive a power cut.

        With `is_ending` it ends the recording: the spool's limits do not keep it out.

        Raises:
            NoSpaceError: A limit is reached or the disk full; nothing of `line` was written.
            StoreError: The disk failed; a torn line may remain at the end, for recovery to cut.
        """
        if self._descriptor is None:
            raise ValueError("the spool file is closed")
        if not line.endswith(b"\n"):
            raise ValueError("a line ends with a newline")
        if self._failure is not None:
            raise self._spool.explained(self._failure)
        self._spool.reserve(len(line), is_ending=is_ending)
        try:
            self._write(line)
        except OSError as error:
            with suppress(OSError):  # recovery cuts what stays
                os.ftruncate(self._descriptor, self.size_bytes)
            raise self._spool.explained(error) from error
        self.size_bytes += len(line)
        self._rule.wrote(self._spool.clock())

    def _write(self, line: bytes) -> None:
        assert self._descriptor is not None  # noqa: S101  # append has checked
        rest = memoryview(line)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    @property
    def sync_due_us(self) -> int | None:
        """By when to call `sync`, on the spool's clock; None when all is on disk."""
        return self._rule.due_us

    def sync(self) -> None:
        """Put everything that was appended on disk.

        Raises:
            OSError: The disk failed; every later `append` will say so.
        """
        with self._closing:
            if self._descriptor is None:
                return
            upto_bytes = self.size_bytes
            since_us = self._rule.begin_sync()
            try:
                os.fdatasync(self._descriptor)
            except OSError as error:
                # The kernel reports a lost page once and then calls it clean: never forget it.
                self._rule.failed(since_us)
                self._failure = error
                raise
            self.synced_bytes = upto_bytes

    def finish(self) -> None:
        """Put everything on disk and state that nothing will follow; then close.

        Raises:
            StoreError: The disk failed; the file is closed and left for recovery.
        """
        try:
            self.sync()
            if self._descriptor is not None:
                spool = self._spool
                spool.path(self.rec, OPEN).rename(spool.path(self.rec, DONE))
                spool.sync_directory()
        except OSError as error:
            raise self._spool.explained(error) from error
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the file; unless it is finished, recovery will find it orphaned."""
        with self._closing:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None


class SpoolReader:
    """One recording as it is delivered; it may grow and finish meanwhile. Close it."""

    def __init__(self, spool: Spool, rec: str, descriptor: int) -> None:
        self.rec = rec
        self._spool = spool
        self._descriptor = descriptor
        self._checked_bytes = 0
        self._lines_bytes = 0

    def available(self) -> tuple[int, bool]:
        """Return up to where whole lines are safe on disk, and whether none will follow.

        Only these may be sent: a server must never know more than the host does after a
        power cut.
        """
        is_finished = not self._spool.path(self.rec, OPEN).exists()
        size_bytes = os.fstat(self._descriptor).st_size
        if size_bytes != self._checked_bytes:
            os.fdatasync(self._descriptor)
            self._lines_bytes = end_of_lines(self._descriptor, size_bytes)
            self._checked_bytes = size_bytes
        return self._lines_bytes, is_finished

    def read(self, offset_bytes: int, end_bytes: int) -> bytes:
        """Return the bytes from `offset_bytes` up to `end_bytes`, or up to the file's end."""
        pieces = []
        while offset_bytes < end_bytes:
            piece = os.pread(self._descriptor, end_bytes - offset_bytes, offset_bytes)
            if not piece:
                break
            pieces.append(piece)
            offset_bytes += len(piece)
        return b"".join(pieces)

    def fileno(self) -> int:
        """Return the descriptor that is read; it stays the reader's."""
        return self._descriptor

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)


def end_of_lines(descriptor: int, size_bytes: int) -> int:
    """Return where the last whole line among the file's first `size_bytes` bytes ends."""
    end_bytes = size_bytes
    while end_bytes > 0:
        begin_bytes = max(0, end_bytes - 65536)
        piece = os.pread(descriptor, end_bytes - begin_bytes, begin_bytes)
        newline = piece.rfind(b"\n")
        if newline >= 0:
            return begin_bytes + newline + 1
        end_bytes = begin_bytes
    return 0
