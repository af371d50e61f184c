"""What an agent that leaves in good order tells the next one of a captured command's streams.

A memfd that is kept with the session's descriptors. An agent that is killed leaves none: what it
had read and not passed on is lost, and the command cannot go on as if nothing had happened.
"""

from __future__ import annotations

import os

import msgspec

from steno.errors import StoreError
from steno.structs import decode_msgpack

_VERSION = 1
_MAX_BYTES = 1 << 22


class WayState(msgspec.Struct, frozen=True):
    """How one stream stood.

    Attributes:
        passed_bytes: How much of it was read.
        recorded_bytes: How much of that was recorded.
        waiting: What was read and not taken yet.
    """

    passed_bytes: int
    recorded_bytes: int
    waiting: bytes


class _Handover(msgspec.Struct, frozen=True):
    version: int
    ways: dict[str, WayState]


def write_handover(ways: dict[str, WayState]) -> int:
    """Return a new descriptor, the caller's, that `read_handover` reads.

    Raises:
        OSError: There is no memory, or no descriptor left.
    """
    fd = os.memfd_create("steno-handover", os.MFD_CLOEXEC)
    try:
        with open(fd, "wb", closefd=False) as file:
            file.write(msgspec.msgpack.encode(_Handover(_VERSION, ways)))
    except BaseException:
        os.close(fd)
        raise
    return fd


def read_handover(fd: int) -> dict[str, WayState]:
    """Return how the streams stood, by their names; the descriptor stays the caller's.

    Raises:
        StoreError: It is damaged, or of another version.
    """
    try:
        found = decode_msgpack(os.pread(fd, _MAX_BYTES, 0), _Handover)
    except (OSError, msgspec.DecodeError) as error:
        raise StoreError(f"what was kept of a command's streams is damaged: {error}") from error
    if found.version != _VERSION:
        raise StoreError(f"what was kept of a command's streams has version {found.version}")
    return found.ways
