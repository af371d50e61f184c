#!/usr/bin/env python3
"""Measure how fast screen text is derived, against pyte on the same stream; print markdown.

usage: bench/index.py [--megabytes N] [--pyte-megabytes N] [--tlog DIR]

Every stream is cut into pieces of 4 KB, 10 ms apart. pyte (pip install pyte) is not needed
otherwise; without it its column stays empty, and where it fails, that is said.
"""

from __future__ import annotations

import argparse
import random
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from steno.formats.cutter import Cutter, Identity
from steno.model import NO_AUDIT_SESSION, Message, Output, Start, Window
from steno.screen.deriver import Deriver
from steno.screen.emulator import Emulator
from steno.server.derivation import Derivation

COLUMNS, ROWS = 120, 40
PIECE_BYTES = 4096
PIECE_US = 10_000


def list_files(options: list[str], limit_bytes: int) -> bytes:
    """Return real `ls` output as a terminal gets it, repeated up to the limit."""
    run = subprocess.run(["ls", "-lR", *options, "/usr"], capture_output=True, check=False)
    once = run.stdout.replace(b"\n", b"\r\n")
    return (once * (limit_bytes // max(1, len(once)) + 1))[:limit_bytes]


def draw_screens(limit_bytes: int) -> bytes:
    """Return what a full-screen program sends: moves, colours, changed cells, scrolled regions."""
    chance = random.Random(1)
    parts = [b"\x1b[?1049h\x1b[2J"]
    size = 0
    while size < limit_bytes:
        row = chance.randrange(ROWS) + 1
        text = b"%6d root 20 0 %8d S %4.1f" % (
            chance.randrange(99999),
            chance.randrange(10**8),
            chance.random() * 100,
        )
        part = b"\x1b[%d;1H\x1b[3%dm%s\x1b[0m\x1b[K" % (row, chance.randrange(8), text)
        if chance.random() < 0.02:
            part += b"\x1b[5;30r\x1b[30;1H\n\x1b[r"
        parts.append(part)
        size += len(part)
    return b"".join(parts)


def cut(stream: bytes) -> list[bytes]:
    """Return the stream in pieces."""
    return [stream[at : at + PIECE_BYTES] for at in range(0, len(stream), PIECE_BYTES)]


def time_of(work: Callable[[], int]) -> tuple[float, int]:
    """Return how long `work` takes, in seconds, and what it returned."""
    begun_s = time.perf_counter()
    result = work()
    return time.perf_counter() - begun_s, result


def emulate(stream: bytes) -> int:
    """Run the emulation alone; return the lines that scrolled off."""
    emulator = Emulator(COLUMNS, ROWS)
    return sum(len(emulator.feed(piece)) for piece in cut(stream))


def derive(stream: bytes) -> int:
    """Derive lines, keyframes and commands from pieces; return the lines."""
    deriver = Deriver("root", "host")
    count = 0
    for number, piece in enumerate(cut(stream)):
        pieces = [Output(number * PIECE_US, piece)]
        window = [Window(0, COLUMNS, ROWS)] if not number else []
        message = Message("2.3", "h", "r", "root", "", 1, number + 1, 0, None, (*window, *pieces))
        deriver.feed(message, 0)
        count += len(deriver.take().lines)
    deriver.finish()
    return count + len(deriver.take().lines)


def make_lines(stream: bytes) -> bytes:
    """Return the stream as a recording's original bytes."""
    start = Start(user="root", host="h", started_unix_us=0, recorder="bench")
    cutter = Cutter(Identity("h", "r", "root", "xterm", NO_AUDIT_SESSION, start))
    lines = cutter.add(Window(0, COLUMNS, ROWS))
    for number, piece in enumerate(cut(stream)):
        lines += cutter.add(Output(number * PIECE_US, piece))
    last = cutter.cut()
    return b"".join([*lines, last or b""])


def index(original: bytes) -> int:
    """Do all that the indexer does but storing: decode, verify, derive, save the state."""
    derivation = Derivation("r")
    count = 0
    for at in range(0, len(original), 1024 * 1024):
        derivation.feed(original[at : at + 1024 * 1024])
        derived = derivation.take(is_live=False, sender=None, from_bytes=0, from_serial=0)
        count += len(derived.lines)
    return count


def run_pyte(stream: bytes) -> int:
    """Run pyte, a terminal emulator in Python, without taking any text from it."""
    import pyte

    screen = pyte.Screen(COLUMNS, ROWS)
    reader = pyte.ByteStream(screen)
    for piece in cut(stream):
        reader.feed(piece)
    return 0


def describe_pyte(stream: bytes, steno_mb_s: float) -> str:
    """Return pyte's speed and the ratio to it, or how it failed."""
    try:
        seconds, _ = time_of(lambda: run_pyte(stream))
    except ImportError:
        return "not installed | |"
    except Exception as error:  # noqa: BLE001  # what the peer fails with is its result
        return f"fails: {type(error).__name__} | |"
    speed = len(stream) / seconds / 1e6
    return f"{speed:.2f} | {steno_mb_s / speed:.0f} |"


def measure(name: str, stream: bytes, pyte_bytes: int) -> None:
    """Print one row of the table."""
    size_mb = len(stream) / 1e6
    emulated_s, _ = time_of(lambda: emulate(stream))
    derived_s, lines = time_of(lambda: derive(stream))
    original = make_lines(stream)
    indexed_s, _ = time_of(lambda: index(original))
    pyte = describe_pyte(stream[:pyte_bytes], size_mb / derived_s)
    print(
        f"| {name} | {size_mb / emulated_s:.1f} | {size_mb / derived_s:.1f} | "
        f"{size_mb / indexed_s:.1f} | {lines / derived_s:.0f} | {pyte}",
        flush=True,
    )


def measure_keyframes(name: str, stream: bytes) -> None:
    """Print how long a keyframe takes, and how large it is."""
    emulator = Emulator(COLUMNS, ROWS)
    times_ms, sizes = [], []
    for piece in cut(stream[: 200 * PIECE_BYTES]):
        emulator.feed(piece)
        seconds, size = time_of(lambda: len(emulator.keyframe()))
        times_ms.append(seconds * 1000)
        sizes.append(size)
    print(
        f"| {name} | {statistics.median(times_ms):.2f} | {max(times_ms):.2f} | "
        f"{statistics.median(sizes):.0f} |"
    )


def main() -> None:
    """Print two tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=float, default=20, help="size of each stream (20)")
    parser.add_argument("--pyte-megabytes", type=float, default=1, help="what pyte gets of it (1)")
    parser.add_argument("--tlog", type=Path, help="folder with recordings' .out files, added")
    arguments = parser.parse_args()
    size = int(arguments.megabytes * 1e6)
    streams = {
        "ls -lR": list_files([], size),
        "ls -lR --color": list_files(["--color=always"], size),
        "full-screen program": draw_screens(size),
    }
    for path in sorted(arguments.tlog.glob("*.out")) if arguments.tlog else []:
        streams[path.stem] = path.read_bytes()
    print("| stream | emulation MB/s | + lines, keyframes, commands MB/s | ", end="")
    print("whole indexer MB/s | lines/s | pyte alone MB/s | times pyte |")
    print("|---|---|---|---|---|---|---|")
    for name, stream in streams.items():
        measure(name, stream, int(arguments.pyte_megabytes * 1e6))
    print("\n| stream | keyframe median ms | max ms | median bytes |")
    print("|---|---|---|---|")
    for name, stream in streams.items():
        measure_keyframes(name, stream)


if __name__ == "__main__":
    main()
