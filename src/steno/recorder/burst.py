"""Output that comes in a row: passed on and encoded without Python in between.

In C (native/burst.c), for every byte of a flood passes through here. It does what the relay does
with one read after another, as long as there is nothing else to do.
"""

from __future__ import annotations

from typing import NamedTuple

from steno.formats.cutter import Room
from steno.formats.payload import Stretch
from steno.recorder._burst import burst


class Odd(NamedTuple):
    """A read that ended a burst: it is to be passed on and recorded in the ordinary way.

    Attributes:
        at_us: When it came.
        data: What was read.
        taken_bytes: How much of it the sink has taken.
    """

    at_us: int
    data: bytes
    taken_bytes: int


class Burst(NamedTuple):
    """What passed in a row.

    Attributes:
        stretches: What was read, passed on whole and encoded, and when the first of each came: one
            for each message and millisecond.
        read_bytes: How many bytes that are, with those in `unfinished`.
        unfinished: The beginning of a character that nothing came behind yet.
        odd: What came next and was not taken whole, or does not fit into a message.
        is_quiet: Whether nothing more is to be expected for now. When it is not and nothing came,
            the next read tells why: the end, or an error.
    """

    stretches: list[tuple[int, Stretch]]
    read_bytes: int
    unfinished: bytes
    odd: Odd | None
    is_quiet: bool

    def size_bytes(self) -> int:
        """Return how many bytes came."""
        return self.read_bytes + (0 if self.odd is None else len(self.odd.data))


def run_burst(source: int, sink: int, base_ns: int, turn_bytes: int, room: Room) -> Burst:
    """Read, pass on and encode.

    Args:
        source: Is read; does not block.
        sink: Is written to; does not block, or is a file.
        base_ns: CLOCK_BOOTTIME at the recording's start.
        turn_bytes: How much is read (and one read more).
        room: Where what is encoded will be added.
    """
    encoded, read_bytes, unfinished, odd, is_quiet = burst(
        source,
        sink,
        base_ns,
        turn_bytes,
        room.free_bytes,
        room.most_bytes,
        room.unfinished,
        room.marks,
    )
    stretches = [(at_us, Stretch(*members)) for at_us, members in encoded]
    return Burst(stretches, read_bytes, unfinished, None if odd is None else Odd(*odd), is_quiet)
