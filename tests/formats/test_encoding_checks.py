"""What compilers' tools find in the module in C, and in what it does to memory."""

from __future__ import annotations

from pathlib import Path

from native_modules import check_with_analyser, run_sanitized, sources_of

SOURCES = sources_of("encoding.c", "text_encoding.c")

_TRIAL = """
import os, random, sys
sys.path.insert(0, os.path.dirname(sys.argv[1]))
from _encoding import encode
chance = random.Random(3)
kinds = [bytes(range(256)), b"ab\\x1b\\xc3\\xb6\\xff", b"\\xe3\\x81\\x82\\xf0\\x9f\\x98\\x80", b"x"]
for _ in range(6000):
    kind = chance.choice(kinds)
    data = bytes(chance.choice(kind) for _ in range(chance.randrange(70)))
    encode(data, ">]", chance.random() < 0.5)
for worst in (b"\\x1b", b"\\xff", b"a\\xff", b"\\xff\\x1b"):
    encode(worst * 20000, ">]", True)
for _ in range(2000):
    data = bytes(chance.choice(chance.choice(kinds)) for _ in range(chance.randrange(900)))
    encode(data, ">]", chance.random() < 0.5)
print("done")
"""


def test_the_analyser_finds_nothing() -> None:
    """Clang's static analyser has no finding."""
    check_with_analyser(SOURCES)


def test_no_bytes_break_memory(tmp_path: Path) -> None:
    """Whatever is encoded, the sanitizers see no byte read or written where none may be."""
    assert run_sanitized(SOURCES, tmp_path / "_encoding.abi3.so", _TRIAL) == "done\n"
