"""Where everything is in a session's memory; docs/formats/ring.md says what it means."""

from __future__ import annotations

import struct
from enum import IntEnum

MAGIC = int.from_bytes(b"\0steno R", "little")
"""The first word without its lowest byte, which is the version."""
VERSION = 1

PAGE_BYTES = 4096
WINDOW_BYTES = 4096
"""What one read may bring."""
RECORD_BYTES = 16
RECORDS_COUNT = 2048
RESERVED_RECORDS = 16
"""So many stay free of bytes, for what has no way of being held back: windows, the time."""


Places = tuple[tuple[int, int], ...]


class Way(IntEnum):
    """A way that bytes take; each has a circle of its own."""

    OUTPUT = 0
    ERROR = 1
    INPUT = 2


class Word(IntEnum):
    """The 64-bit words at the memory's beginning, in the machine's byte order."""

    MAGIC = 0
    RECORDS = 1
    STATE = 2
    FACTS = 3
    OUTPUT_PASSED = 4
    ERROR_PASSED = 5
    INPUT_PASSED = 6
    HANDED = 7


class Kind(IntEnum):
    """What a record says happened. The first three are the ways of bytes, in their order."""

    OUTPUT = 1
    ERROR = 2
    INPUT = 3
    WINDOW = 4
    TICK = 5


STATE_HEAD = struct.Struct("<7Q")
"""Records, the three lanes' heads, up to where they were passed on."""
STATE_PLACES = ((256, 768), (1024, 768), (1 * PAGE_BYTES, 256 << 10), (65 * PAGE_BYTES, 256 << 10))
"""(offset, size): the state is in the one that its word names; the next one goes to another."""
FACTS_PLACES = (
    (1792, 2304),
    (129 * PAGE_BYTES, 128 << 10),
    (161 * PAGE_BYTES, 128 << 10),
)
RECORDS_AT = 193 * PAGE_BYTES
_OUTPUT_AT = RECORDS_AT + RECORDS_COUNT * RECORD_BYTES
_ERROR_AT = _OUTPUT_AT + (256 << 10)
_INPUT_AT = _ERROR_AT + (256 << 10)
LANES = ((_OUTPUT_AT, 256 << 10), (_ERROR_AT, 256 << 10), (_INPUT_AT, 64 << 10))
"""(offset, size) of the circles of output, standard error, input."""
SIZE_BYTES = _INPUT_AT + (64 << 10)
"""Most of it is never touched, and takes no memory then."""

ECHO_SHIFT = 8
LENGTH_SHIFT = 32
RESET_BYTES = (2048, 2048, 0)
RESET_RECORDS = 128
"""When all was passed on and is in the state, and a circle has gone so far, all begin anew, so that
a quiet session touches few pages; what was typed is cleared then, for it may be a password."""
