"""What a crash left of an audit trail in the spool: its last good line, and how it is ended."""

from __future__ import annotations

import os
import time
from contextlib import suppress

import msgspec

from steno.audit.event import Event
from steno.audit.trail import Lost, TrailEncoder, TrailEnd, TrailHead, decode_line
from steno.delivery.resuming import lines_backwards
from steno.delivery.spool import Spool
from steno.delivery.spool_file import end_of_lines
from steno.errors import FormatError, NotFoundError, UsageError
from steno.files import replace_file
from steno.model import digest_of_line
from steno.structs import decode_json

BOOT_ID_FILE = "/proc/sys/kernel/random/boot_id"
LAST = ".trail"
_LOOKED_AT = 16
"""So many events at a trail's end tell which were on their way when its writer died."""
_FIRST_LINE_BYTES = 65536


class TrailTail(msgspec.Struct, frozen=True):
    """The end of a trail's file.

    Attributes:
        head: The digest of its last whole line.
        end_bytes: Where that line ends.
        cut_bytes: How much follows it: a torn line, or lines that the disk lost.
        last_serial: The serial number behind which events may be missing in the file, None: it
            has none.
        is_ended: Whether the last line says that nothing follows.
    """

    head: str
    end_bytes: int
    cut_bytes: int
    last_serial: int | None
    is_ended: bool


def is_numbered(event: Event) -> bool:
    """Return whether the kernel numbered an event; auditd numbers its own as it likes."""
    return not event.source and b'"DAEMON_' not in bytes(event.records)[:32]


def read_boot_id() -> str:
    """Return this boot's id, without dashes.

    Raises:
        OSError: The system does not tell.
    """
    with open(BOOT_ID_FILE, encoding="ascii") as file:
        return file.read().strip().replace("-", "")


def read_trail_head(descriptor: int) -> TrailHead | None:
    """Return what a trail's first line says; None when it is not whole."""
    line, newline, _ = os.pread(descriptor, _FIRST_LINE_BYTES, 0).partition(b"\n")
    try:
        _, item = decode_line(line)
    except FormatError:
        return None
    return item if newline and isinstance(item, TrailHead) else None


def read_trail_tail(descriptor: int) -> TrailTail:
    """Return how the trail in a file ends.

    Raises:
        NotFoundError: It holds not one whole line.
        OSError: The disk failed.
    """
    size_bytes = os.fstat(descriptor).st_size
    tail: TrailTail | None = None
    serials: set[int] = set()
    for offset_bytes, line in lines_backwards(descriptor, size_bytes):
        try:
            _, item = decode_line(line)
        except FormatError:
            if tail is not None:
                break  # What is damaged further back is for readers to tell.
            continue
        if tail is None:
            end_bytes = offset_bytes + len(line)
            cut_bytes = size_bytes - end_bytes
            is_ended = isinstance(item, TrailEnd)
            tail = TrailTail(digest_of_line(line), end_bytes, cut_bytes, None, is_ended)
        if isinstance(item, Event):
            serials |= {item.serial} if is_numbered(item) else set()
        elif isinstance(item, Lost) and item.to_serial is not None:
            first = max(item.from_serial or 0, item.to_serial - _LOOKED_AT)
            serials |= {*range(first, item.to_serial + 1)}
        if len(serials) >= _LOOKED_AT:
            break
    if tail is None:
        raise NotFoundError("not one whole line of an audit trail")
    return msgspec.structs.replace(tail, last_serial=_settled(serials))


def read_last_events(spool: Spool, rec: str, most: int = 5000) -> list[tuple[int, int]]:
    """Return the instants and serials of a trail's last events; none where it cannot be read."""
    found: list[tuple[int, int]] = []
    try:
        reader = spool.open(rec)
    except NotFoundError:
        return found
    try:
        size_bytes = os.fstat(reader.fileno()).st_size
        for _, line in lines_backwards(reader.fileno(), size_bytes):
            with suppress(FormatError):
                _, item = decode_line(line)
                if isinstance(item, Event):
                    found.append((item.at_unix_us, item.serial))
            if len(found) >= most:
                break
    finally:
        reader.close()
    return found


def _settled(serials: set[int]) -> int | None:
    """Return the serial behind which events may be missing, of those that stand at the end.

    Events stand in the order of their ends: one with a lower number than the last may have been
    on its way. More than a few of them never are.
    """
    if not serials:
        return None
    last = max(serials)
    missing = set(range(max(min(serials), last - _LOOKED_AT), last)) - serials
    return min(missing, default=last + 1) - 1


class LastTrail(msgspec.Struct, frozen=True):
    """The trail of this host that was begun last; `.trail` in the spool holds it.

    Attributes:
        id: Its id.
        head: The digest of its last line, once it has ended.
        boot_id: Of which boot it is, once it has ended.
        last_serial: The serial number behind which it has no events, once it has ended.
    """

    id: str
    head: str | None = None
    boot_id: str | None = None
    last_serial: int | None = None


def load_last_trail(spool: Spool) -> LastTrail | None:
    """Return which trail was begun last, its end looked up in its file where that still is."""
    try:
        last = decode_json((spool.directory / LAST).read_bytes(), LastTrail)
        reader = spool.open(last.id)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, UsageError):
        return None
    except NotFoundError:
        return last
    try:
        return msgspec.structs.replace(last, head=read_trail_tail(reader.fileno()).head)
    except (NotFoundError, OSError):
        return last
    finally:
        reader.close()


def store_last_trail(spool: Spool, last: LastTrail) -> None:
    """Remember which trail was begun last. Where that cannot be written, the next one has a gap."""
    with suppress(OSError):
        replace_file(spool.directory / LAST, msgspec.json.encode(last) + b"\n", owner=spool.owner)


def end_orphan(spool: Spool, rec: str, descriptor: int) -> int | None:
    """End a trail that nobody writes any more; return how many torn bytes were cut.

    None: it is of this boot, and who writes the next events goes on with it; nothing was done.

    Raises:
        NotFoundError: It holds not one whole line.
        OSError: The disk failed.
    """
    head = read_trail_head(descriptor)
    if head is not None and head.boot_id == read_boot_id():
        return None
    tail = read_trail_tail(descriptor)
    # Bytes that a server has acknowledged are past cutting, whatever they are.
    delivered_bytes = min(spool.delivered_bytes(rec), tail.end_bytes + tail.cut_bytes)
    keep_bytes = max(tail.end_bytes, end_of_lines(descriptor, delivered_bytes))
    closing = b"" if tail.is_ended else closing_lines(tail, "boot")
    # Over the torn bytes before these are cut: a crash in between leaves one or the other.
    os.pwrite(descriptor, closing, keep_bytes)
    os.fsync(descriptor)
    os.ftruncate(descriptor, keep_bytes + len(closing))
    os.fsync(descriptor)
    return tail.cut_bytes


def note_end(spool: Spool, rec: str, descriptor: int) -> None:
    """Remember how a trail ended, if it is the one that the next will follow."""
    last = load_last_trail(spool)
    if last is not None and last.id == rec:
        with suppress(NotFoundError, OSError):
            store_last_trail(spool, LastTrail(rec, read_trail_tail(descriptor).head))


def closing_lines(tail: TrailTail, why: str) -> bytes:
    """Return the lines that end a trail whose writer is gone."""
    encoder = TrailEncoder(tail.head)
    now_unix_us = time.time_ns() // 1000
    lines = [encoder.encode(Lost(now_unix_us, 0, "torn"))] if tail.cut_bytes else []
    return b"".join([*lines, encoder.encode(TrailEnd(now_unix_us, why))])
