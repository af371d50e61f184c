"""Going on with a recording in the spool whose recorder died while its file was kept open.

The file's lock belongs to the open file description: as long as anybody keeps a copy of the
descriptor, recovery (steno.delivery.recovery) leaves the file alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import msgspec

from steno.delivery.spool import Spool
from steno.delivery.spool_file import DONE, OPEN, SpoolFile, end_of_lines
from steno.errors import FormatError, NotFoundError, StoreError
from steno.formats.charset import Charset
from steno.formats.tlog import decode_message
from steno.model import Message, digest_of_line


class Tail(msgspec.Struct, frozen=True):
    """The end of a recording that was found open.

    Attributes:
        messages: Those numbered `from_id` and up, in order.
        last: The last one, which may come before these.
        head: The digest of its line.
        end_bytes: Where that line ends.
        cut_bytes: How much of a torn line follows it.
    """

    messages: list[Message]
    last: Message
    head: str
    end_bytes: int
    cut_bytes: int


def read_tail(spool: Spool, rec: str, from_id: int, charset: Charset | None = None) -> Tail:
    """Return what the spool holds of `rec` from message `from_id` on, in its charset.

    Raises:
        NotFoundError: It holds nothing of it, or not one whole message.
        StoreError: The disk failed.
    """
    path = spool.path(rec, OPEN)
    if not path.exists():
        path = spool.path(rec, DONE)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise NotFoundError(f"spool {spool.directory}: no open recording {rec}") from error
    except OSError as error:
        raise spool.explained(error) from error
    try:
        return _read_tail(spool, rec, descriptor, from_id, charset)
    except OSError as error:
        raise spool.explained(error) from error
    finally:
        os.close(descriptor)


def _read_tail(
    spool: Spool, rec: str, descriptor: int, from_id: int, charset: Charset | None
) -> Tail:
    size_bytes = os.fstat(descriptor).st_size
    messages: list[Message] = []
    last: Message | None = None
    head, end_bytes = "", 0
    for offset_bytes, line in lines_backwards(descriptor, size_bytes):
        try:
            message = decode_message(line, charset)
        except FormatError:
            if last is not None:
                break  # What is damaged further back is for readers to tell.
            continue
        if last is None:
            last, head, end_bytes = message, digest_of_line(line), offset_bytes + len(line)
        if message.id < from_id:
            break
        messages.append(message)
    if last is None:
        raise NotFoundError(f"spool {spool.directory}: not one whole message of {rec}")
    messages.reverse()
    return Tail(messages, last, head, end_bytes, size_bytes - end_bytes)


def lines_backwards(descriptor: int, size_bytes: int) -> Iterator[tuple[int, bytes]]:
    """Yield the file's whole lines with their places, the last one first."""
    end_bytes = end_of_lines(descriptor, size_bytes)
    while end_bytes > 0:
        begin_bytes = end_of_lines(descriptor, end_bytes - 1)
        yield begin_bytes, os.pread(descriptor, end_bytes - begin_bytes, begin_bytes)
        end_bytes = begin_bytes


def resume_file(spool: Spool, rec: str, descriptor: int, tail: Tail) -> SpoolFile:
    """Return the file behind `descriptor` to append to, without its torn line; takes it over.

    Raises:
        StoreError: The descriptor is of another file, or the disk failed; it stays open.
    """
    try:
        ours, named = os.fstat(descriptor), os.stat(spool.path(rec, OPEN))
        if (ours.st_dev, ours.st_ino) != (named.st_dev, named.st_ino):
            raise StoreError(f"spool {spool.directory}: {rec} is not the file that was kept open")
        if tail.cut_bytes:
            os.ftruncate(descriptor, tail.end_bytes)
    except OSError as error:
        raise spool.explained(error) from error
    return SpoolFile(spool, rec, descriptor, size_bytes=tail.end_bytes)
