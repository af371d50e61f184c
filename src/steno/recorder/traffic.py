"""Waiting, and what passes meanwhile: keys that nobody records, and output in a row.

Both are passed on, and output encoded, in C (native/traffic.c): between a key and its echo, and
between two reads of a flood, no Python runs. That does what the relay does otherwise with one read
after another; whatever is not ordinary is left to the relay.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from steno.formats.cutter import Room
from steno.formats.stretches import Filled, Row, Stretch
from steno.recorder._traffic import carry

_Encoded = tuple[bytes, bytes, int, tuple[int, int], str, tuple[int, int]]


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
        turn_bytes: So much is read (and one read more), then others have their turn: at most
            256 KiB.
        room: Where it will be recorded.
        record: Records what fills messages, while more is about to come; returns whether more may.
    """

    source: int
    sink: int
    base_ns: int
    turn_bytes: int
    room: Room
    record: Callable[[Filled], bool]


class Traffic(NamedTuple):
    """What passed, and what ended the wait.

    Attributes:
        ready: The descriptors that are ready besides, and for what, in poll(2)'s words.
        key_bytes: How much was typed and passed on.
        odd_keys: What was typed then and was not taken whole.
        row: Output that was passed on whole and fills no message, encoded.
        odd: Output that came then and was not taken whole.
    """

    ready: list[tuple[int, int]]
    key_bytes: int
    odd_keys: Odd | None
    row: Row
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

    Raises:
        Exception: What `output.record` raised; output that passed besides is lost to the recording.
    """
    way = None if output is None else (*output[:4], *output.room, _reads_filled(output.record))
    ready, key_bytes, odd_keys, row, odd = carry(
        waits, -1 if timeout_ms is None else timeout_ms, keys or (-1, -1), way
    )
    rest, unfinished, length_bytes = row
    return Traffic(
        ready,
        key_bytes,
        None if odd_keys is None else Odd(*odd_keys),
        Row(_read_stretches(rest), unfinished, length_bytes),
        None if odd is None else Odd(*odd),
    )


def _reads_filled(
    record: Callable[[Filled], bool],
) -> Callable[[list[tuple[int, _Encoded]], list[tuple[int, bytes, bytes, bytes]]], bool]:
    """Return `record` as a function of what C gives."""

    def record_filled(
        first: list[tuple[int, _Encoded]], whole: list[tuple[int, bytes, bytes, bytes]]
    ) -> bool:
        return record(Filled(_read_stretches(first), whole))

    return record_filled


def _read_stretches(encoded: list[tuple[int, _Encoded]]) -> list[tuple[int, Stretch]]:
    return [(at_us, Stretch(*members)) for at_us, members in encoded]
