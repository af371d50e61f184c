"""Started by test_durability.py: kills writers at random, looks at what is left each time.

usage: killed_writer.py DIRECTORY ROUNDS SEED

Each round forks a writer that appends to several recordings and tells through a pipe what was
acknowledged; after a few milliseconds it is killed with SIGKILL. Then the store is opened and
everything acknowledged must be there, byte for byte. Prints a summary as JSON.
"""

from __future__ import annotations

import json
import os
import random
import signal
import struct
import sys
import time
from contextlib import suppress
from pathlib import Path

from places import summary, text_lines

from steno.store.opening import open_store
from steno.store.protocol import Derived, StaleError, Store

RECS = 6
ACKNOWLEDGED = struct.Struct("<BQ")
PATTERN = b"".join(b'{"n":%06d,"text":"%016x"}\n' % (n, n * 0x9E3779B97F4A7C15 % 2**64)
                   for n in range(20_000))  # fmt: skip


def content(rec: int, offset: int, length: int) -> bytes:
    """Return what recording number `rec` holds at `offset`."""
    start = (offset + rec * 41) % len(PATTERN)
    return (PATTERN[start:] + PATTERN * (1 + length // len(PATTERN)))[:length]


def write(directory: Path, pipe: int, seed: int) -> None:
    """Append until killed."""
    choose = random.Random(seed)
    store = open_store(directory)
    while True:
        rec = choose.randrange(RECS)
        offset = store.durable_bytes(f"r{rec}")
        data = content(rec, offset, choose.choice((30, 3000, 30_000, 100_000, 270_000)))
        length = store.append(f"r{rec}", offset, data, sender="web1")
        os.write(pipe, ACKNOWLEDGED.pack(rec, length))
        if choose.random() < 0.2:
            index(store, f"r{rec}", length, is_live=choose.random() < 0.5)


def index(store: Store, rec: str, length: int, *, is_live: bool) -> None:
    """Put a line for each call, so that the lines can be counted afterwards."""
    state = store.derived_state(rec)
    store.put_derived(
        rec,
        Derived(
            upto_bytes=length,
            summary=summary(rec, is_live=is_live, size_bytes=length),
            from_bytes=state.upto_bytes,
            from_serial=state.serial,
            lines=text_lines(f"line {state.serial}"),
        ),
    )


def write_together(directory: Path, length: int) -> None:
    """Append recording 0 up to `length`, and index it, beside others who do the same."""
    store = open_store(directory)
    choose = random.Random(os.getpid())
    while (offset := store.durable_bytes("r0")) < length:
        # Somebody else may have been faster with these bytes; they are compared and skipped.
        end = min(length, offset + choose.choice((30, 5000, 90_000)))
        start = max(0, offset - 1000)
        store.append("r0", start, content(0, start, end - start), sender="web1")
        with suppress(StaleError):
            index(store, "r0", store.durable_bytes("r0"), is_live=True)
    store.close()


def check(directory: Path, acknowledged: dict[int, int]) -> int:
    """Return how many bytes are there; raises if anything is not as promised."""
    store = open_store(directory)
    total = 0
    for rec in range(RECS):
        durable = store.durable_bytes(f"r{rec}")
        if durable < acknowledged.get(rec, 0):
            raise AssertionError(f"r{rec}: {durable} bytes, {acknowledged[rec]} acknowledged")
        if durable and b"".join(store.read(f"r{rec}")) != content(rec, 0, durable):
            raise AssertionError(f"r{rec}: other bytes")
        if durable and store.sender_of(f"r{rec}") != "web1":
            raise AssertionError(f"r{rec}: another sender")
        state = store.derived_state(f"r{rec}")
        lines = [line.text for line in store.lines(f"r{rec}")]
        if lines != [f"line {number}" for number in range(state.serial)]:
            raise AssertionError(f"r{rec}: {len(lines)} lines of {state.serial}")
        if state.upto_bytes > durable:
            raise AssertionError(f"r{rec}: derived from {state.upto_bytes} of {durable} bytes")
        total += durable
    store.close()
    return total


def main() -> None:
    """Run."""
    directory, rounds, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    choose = random.Random(seed)
    acknowledged: dict[int, int] = {}
    appends = total = 0
    for number in range(rounds):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            write(directory, writer, seed * 1_000_003 + number)
        os.close(writer)
        first = os.read(reader, ACKNOWLEDGED.size)
        time.sleep(choose.random() ** 2 * 0.04)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        rest = b"".join(iter(lambda reader=reader: os.read(reader, 65_536), b""))
        os.close(reader)
        for rec, length in ACKNOWLEDGED.iter_unpack(first + rest):
            acknowledged[rec] = max(length, acknowledged.get(rec, 0))
            appends += 1
        total = check(directory, acknowledged)
        if total > 4_000_000:
            directory /= "next"
            acknowledged = {}
    print(json.dumps({"rounds": rounds, "appends": appends, "bytes": total}))


if __name__ == "__main__":
    main()
