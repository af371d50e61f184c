"""Waiting, and what passes meanwhile: keys that nobody records, and output in a row.

Both are passed on, and output encoded, in C (native/traffic.c): between a key and its echo, and
between two reads of a flood, no Python runs. That does what the relay does otherwise with one read
after another; whatever is not ordinary is left to the relay.
"""

from __future__ import annotations

from typing import NamedTuple

from steno.formats.cutter import Room
from steno.formats.payload import Stretch
from steno.recorder._traffic import carry


class Odd(NamedTuple):
    """A read that is to be passed on and recorded in the ordinary way.

    Attributes:
        data: What was read.
        taken_bytes: How much of it the sink has taken.
        at_us: When it came; None: now.
    """

    data: bytes
    taken_bytes: int = 0
    at_us: int | None = None


class OutputWay(NamedTuple):
    """Where output passes in a row.

    Attributes:
        source: Is read; does not block.
        sink: Is written to; does not block, or is a file.
        base_ns: CLOCK_BOOTTIME at the recording's start.
        turn_bytes: So much is read (and one read more), then others have their turn.
        room: Where it will be recorded.
    """

    source: int
    sink: int
    base_ns: int
    turn_bytes: int
    room: Room


class Traffic(NamedTuple):
    """What passed, and what ended the wait.

    Attributes:
        ready: The descriptors that are ready besides, and for what, in poll(2)'s words.
        key_bytes: How much was typed and passed on.
        odd_keys: What was typed then and was not taken whole.
        stretches: Output that was passed on whole, encoded, and when the first of each came: one
            for each message and millisecond.
        read_bytes: How many bytes that are, with those in `unfinished`.
        unfinished: The beginning of a character that nothing came behind yet.
        odd: Output that came then and was not taken whole, or does not fit into a message.
    """

    ready: list[tuple[int, int]]
    key_bytes: int
    odd_keys: Odd | None
    stretches: list[tuple[int, Stretch]]
    read_bytes: int
    unfinished: bytes
    odd: Odd | None


def wait_for_traffic(
    waits: list[tuple[int, int]],
    timeout_ms: int | None,
    keys: tuple[int, int] | None,
    output: OutputWay | None,
) -> Traffic:
    """Wait until there is something to do.

    Args:
        waits: The descriptors to wait for, and for what, in poll(2)'s words.
        timeout_ms: How long at most; None: for ever.
        keys: The source and the sink of keys that are passed on and not recorded.
        output: Where output passes; None: it is only waited for.
    """
    way = None
    if output is not None:
        room = output.room
        way = *output[:4], room.free_bytes, room.most_bytes, room.unfinished, room.marks
    ready, key_bytes, odd_keys, encoded, read_bytes, unfinished, odd = carry(
        waits, -1 if timeout_ms is None else timeout_ms, keys or (-1, -1), way
    )
    return Traffic(
        ready,
        key_bytes,
        None if odd_keys is None else Odd(*odd_keys),
        [(at_us, Stretch(*members)) for at_us, members in encoded],
        read_bytes,
        unfinished,
        None if odd is None else Odd(odd[1], odd[2], odd[0]),
    )
