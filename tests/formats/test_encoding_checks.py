"""What compilers' tools find in the module in C, and in what it does to memory."""

from __future__ import annotations

import re
from pathlib import Path

from native_modules import check_with_analyser, run_sanitized, sources_of

SOURCES = sources_of("encoding.c", "lines.c", "text_encoding.c")

_TRIAL = """
import hashlib, os, random, sys
sys.path.insert(0, os.path.dirname(sys.argv[1]))
from _encoding import chain_lines, encode, render_line
chance, said = random.Random(3), hashlib.sha256()
kinds = [bytes(range(256)), b"ab\\x1b\\xc3\\xb6\\xff", b"\\xe3\\x81\\x82\\xf0\\x9f\\x98\\x80", b"x"]
tables = [bytes(kind[i % len(kind)] for i in range(256)) for kind in kinds]
for _ in range(6000):
    data = chance.randbytes(chance.randrange(70)).translate(chance.choice(tables))
    said.update(repr(encode(data, ">]", chance.random() < 0.5)).encode())
for worst in (b"\\x1b", b"\\xff", b"a\\xff", b"\\xff\\x1b"):
    said.update(repr(encode(worst * 20000, ">]", True)).encode())
mostly = b"plain text " * 40 + "ö € 😀 ".encode() * 9 + b'\\x1b[1m\\r\\n"\\\\\\x7f'
for _ in range(2000):
    data = b"".join(chance.randbytes(9).translate(to) for to in chance.choices(tables, k=90))
    text = b"".join(mostly[at : at + 90] for at in chance.choices(range(len(mostly)), k=9))
    for part in (data, text, text + data[:90] + text):
        said.update(repr(encode(part, ">]", chance.random() < 0.5)).encode())
for size in (0, 1, 99, 16384, 99999):
    data = b"x" * size
    said.update(render_line(data, size, size - 1, (size, data, b"", data, data, b""), data))
    messages = [(at, data, data[at:], b"") for at in range(9)]
    begin, member = (data, 7, size, data), (b"a", data)
    lines = chain_lines(messages, *begin, member, "0" * 64, lambda line: said.hexdigest())
    said.update(repr(lines).encode())
print(said.hexdigest())
"""


def test_the_analyser_finds_nothing() -> None:
    """Clang's static analyser has no finding."""
    check_with_analyser(SOURCES)


def test_no_bytes_break_memory(tmp_path: Path) -> None:
    """The sanitizers see no byte read or written where none may be; all processors get the same.

    By words is how those encode that have no SSE2.
    """
    shipped = run_trial(tmp_path / "shipped")
    assert shipped == run_trial(tmp_path / "words", "-U__SSE2__")
    assert re.fullmatch("[0-9a-f]{64}\n", shipped)


def run_trial(directory: Path, *options: str) -> str:
    """Return the sum over all that a build of the module made of the trial's data."""
    directory.mkdir()
    return run_sanitized(SOURCES, directory / "_encoding.abi3.so", _TRIAL, options=options)
