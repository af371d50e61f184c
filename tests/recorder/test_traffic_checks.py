"""What compilers' tools find in the module that passes traffic on, and what it does to memory."""

from __future__ import annotations

from pathlib import Path

from native_modules import check_with_analyser, run_sanitized, sources_of

SOURCES = sources_of("traffic.c", "burst.c", "waits.c", "row.c", "text_encoding.c")

_TRIAL = """
import os, random, select, sys
sys.path.insert(0, os.path.dirname(sys.argv[1]))
from _traffic import carry
chance = random.Random(3)
kinds = [bytes(range(256)), b"ab\\x1b\\xc3\\xb6\\xff", b"\\xe3\\x81\\x82\\xf0\\x9f\\x98\\x80", b"x"]
kinds += [b"\\x1b", b"\\xff", b"a\\xff", b"\\xff\\x1b"]
tables = [bytes(kind[i % len(kind)] for i in range(256)) for kind in kinds]
def record(first, whole):
    return chance.random() < 0.7
flags = os.O_NONBLOCK | os.O_DIRECT
for _ in range(150):
    (source, feed), (drain, sink), (keys, fingers) = [os.pipe2(flags) for _ in range(3)]
    for _ in range(chance.randrange(14)):
        data = chance.randbytes(chance.choice([3, 2000, 4096]))
        os.write(feed, data.translate(chance.choice(tables)))
    os.write(fingers, b"keys")
    if chance.random() < 0.5:
        os.close(feed)
    most = chance.choice([88, 156, 900, 16284])
    room = chance.choice([-1, 0, 600, 5000, most])
    for _ in range(4):
        turn = chance.choice([1, 262144])
        way = source, sink, 0, turn, room, most, b"\\xe3"[:room % 2], ">]", record
        carry([(source, select.POLLIN), (keys, select.POLLIN)], 0, (keys, sink), way)
    os.closerange(source, source + 6)
print("done")
"""


def test_the_analyser_finds_nothing() -> None:
    """Clang's static analyser has no finding."""
    check_with_analyser(SOURCES)


def test_no_bytes_break_memory(tmp_path: Path) -> None:
    """Whatever passes, the sanitizers see no byte read or written where none may be."""
    assert run_sanitized(SOURCES, tmp_path / "_traffic.abi3.so", _TRIAL) == "done\n"
