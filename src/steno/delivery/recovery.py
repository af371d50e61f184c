"""Closing the recordings that a crash left open in the spool."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import msgspec

from steno.delivery.names import is_sane_rec
from steno.delivery.spool import TORN, Spool
from steno.delivery.spool_file import DONE, OPEN, end_of_lines
from steno.delivery.trail_recovery import end_orphan, note_end
from steno.errors import NotFoundError
from steno.formats.cutter import Cutter, Identity
from steno.formats.tlog import Decoder, Placed
from steno.model import End, Input, Message, Note, Output, Start, digest_of_line, is_trail

_PIECE_BYTES = 1 << 20


class Recovery(msgspec.Struct, frozen=True):
    """A recording that was found orphaned, and what was done.

    Attributes:
        rec: Its id.
        cut_bytes: How much was cut off its end: a torn line, or lines that the disk lost.
        kept_as: Where the bytes are when not even the first line was whole, so that there is
            nothing to deliver; None otherwise.
    """

    rec: str
    cut_bytes: int
    kept_as: Path | None = None


class _Scan:
    """What an orphan's good lines say."""

    def __init__(self) -> None:
        self.first: Message | None = None
        self.last: Placed | None = None
        self.output_bytes = 0
        self.input_bytes = 0

    @property
    def end_bytes(self) -> int:
        return self.last.offset_bytes + self.last.length_bytes if self.last else 0

    def take(self, placed: Placed) -> None:
        self.first = self.first or placed.message
        self.last = placed
        for piece in placed.message.pieces:
            if isinstance(piece, Output):
                self.output_bytes += len(piece.data)
            elif isinstance(piece, Input):
                self.input_bytes += len(piece.data)


def recover(spool: Spool) -> list[Recovery]:
    """Finish every recording whose recorder is gone; one that is still written is left alone.

    So is an audit trail of this boot: who writes the next events goes on with it.

    Its torn last line is cut off, and a chained line with a note `torn` and the end's reason
    `recorder` put in its place. May be interrupted at any point and run again.

    Raises:
        NoSpaceError: The disk is full; the recording stays as it was.
        StoreError: The disk failed; the recording stays for the next attempt.
    """
    paths = sorted(spool.directory.glob(f"*{OPEN}"))
    recoveries = [_recover_file(spool, path) for path in paths if is_sane_rec(path.stem)]
    return [recovery for recovery in recoveries if recovery is not None]


def _recover_file(spool: Spool, path: Path) -> Recovery | None:
    with spool.exclusively():
        # A recorder locks its file before it lets go of the spool's lock, and holds it for life.
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_orphan = path.exists()  # and not finished between opening and locking
        except BlockingIOError:
            is_orphan = False
    try:
        return _close_orphan(spool, path, descriptor) if is_orphan else None
    except OSError as error:
        raise spool.explained(error) from error
    finally:
        os.close(descriptor)


def _close_orphan(spool: Spool, path: Path, descriptor: int) -> Recovery | None:
    size_bytes = os.fstat(descriptor).st_size
    if is_trail(path.stem):
        return _close_orphaned_trail(spool, path, descriptor, size_bytes)
    scan = _scan(descriptor)
    if scan.first is None or scan.last is None:
        return _set_aside(spool, path, size_bytes)
    # Bytes that a server has acknowledged are past cutting, whatever they are.
    delivered_bytes = min(spool.delivered_bytes(path.stem), size_bytes)
    keep_bytes = max(scan.end_bytes, end_of_lines(descriptor, delivered_bytes))
    cut_bytes = size_bytes - keep_bytes
    end_bytes = keep_bytes
    if scan.last.message.end is None:
        prev = digest_of_line(os.pread(descriptor, scan.last.length_bytes, scan.last.offset_bytes))
        closing = _closing_lines(scan, scan.first, scan.last.message, prev, cut_bytes)
        # Written over the torn bytes before these are cut off: a crash in between still leaves
        # either them or the note about them.
        os.pwrite(descriptor, closing, keep_bytes)
        os.fsync(descriptor)
        end_bytes += len(closing)
    os.ftruncate(descriptor, end_bytes)
    os.fsync(descriptor)
    path.rename(spool.path(path.stem, DONE))
    spool.sync_directory()
    return Recovery(path.stem, cut_bytes)


def _close_orphaned_trail(
    spool: Spool, path: Path, descriptor: int, size_bytes: int
) -> Recovery | None:
    try:
        cut_bytes = end_orphan(spool, path.stem, descriptor)
    except NotFoundError:
        return _set_aside(spool, path, size_bytes)
    if cut_bytes is None:
        return None
    path.rename(spool.path(path.stem, DONE))
    spool.sync_directory()
    note_end(spool, path.stem, descriptor)
    return Recovery(path.stem, cut_bytes)


def _scan(descriptor: int) -> _Scan:
    scan, decoder, offset_bytes = _Scan(), Decoder(), 0
    while piece := os.pread(descriptor, _PIECE_BYTES, offset_bytes):
        offset_bytes += len(piece)
        for item in decoder.feed(piece):
            if isinstance(item, Placed):
                scan.take(item)
    # What has no newline is torn even if it happens to decode: its recorder never saw it written.
    return scan


def _closing_lines(scan: _Scan, first: Message, last: Message, prev: str, cut_bytes: int) -> bytes:
    start = first.start or Start(
        user=first.user,
        host=first.host,
        started_unix_us=((first.time_ms or 0) - first.pos_ms) * 1000,
        recorder="unknown",
    )
    # Of a later version's charset nothing may be known here, and nothing needs to be.
    start = msgspec.structs.replace(start, charset=None)
    identity = Identity(last.host, last.rec, last.user, last.term, last.session, start)
    cutter = Cutter(identity, first_id=last.id + 1, prev=prev)
    at_us = max((piece.at_us for piece in last.pieces), default=last.pos_ms * 1000)
    lines = cutter.add(Note(at_us, "torn", {"cut_bytes": cut_bytes}))
    end = End("recorder", output_bytes=scan.output_bytes, input_bytes=scan.input_bytes)
    return b"".join(lines + cutter.end(end, at_us))


def _set_aside(spool: Spool, path: Path, size_bytes: int) -> Recovery:
    kept_as = None
    if size_bytes:
        kept_as = path.rename(spool.path(path.stem, TORN))
    else:
        path.unlink()
    spool.sync_directory()
    return Recovery(path.stem, size_bytes, kept_as)
