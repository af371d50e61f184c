"""What compilers' tools find in the module that passes traffic on, and what it does to memory."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

NATIVE = Path(__file__).parents[2] / "native"
SOURCES = [str(NATIVE / name) for name in ("traffic.c", "burst.c", "waits.c", "text_encoding.c")]
INCLUDE = f"-I{sysconfig.get_path('include')}"
CLANG, GCC = shutil.which("clang"), shutil.which("gcc")

_TRIAL = """
import os, random, select, sys
sys.path.insert(0, sys.argv[1])
from _traffic import carry
chance = random.Random(3)
kinds = [bytes(range(256)), b"ab\\x1b\\xc3\\xb6\\xff", b"\\xe3\\x81\\x82\\xf0\\x9f\\x98\\x80", b"x"]
kinds += [b"\\x1b", b"\\xff", b"a\\xff", b"\\xff\\x1b"]
flags = os.O_NONBLOCK | os.O_DIRECT
for _ in range(600):
    (source, feed), (drain, sink), (keys, fingers) = [os.pipe2(flags) for _ in range(3)]
    for _ in range(chance.randrange(14)):
        kind = chance.choice(kinds)
        os.write(feed, bytes(chance.choice(kind) for _ in range(chance.choice([3, 2000, 4096]))))
    os.write(fingers, b"keys")
    if chance.random() < 0.5:
        os.close(feed)
    room = chance.choice([0, 600, 5000, 16384, 99999])
    for _ in range(4):
        way = source, sink, 0, chance.choice([1, 65536]), room, 16284, b"\\xe3"[:room % 2], ">]"
        carry([(source, select.POLLIN), (keys, select.POLLIN)], 0, (keys, sink), way)
    os.closerange(source, source + 6)
print("done")
"""


@pytest.mark.skipif(CLANG is None, reason="clang is not installed")
def test_the_analyser_finds_nothing() -> None:
    """Clang's static analyser has no finding."""
    command = [str(CLANG), "--analyze", "--analyzer-output", "text", INCLUDE, *SOURCES]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.skipif(GCC is None, reason="gcc is not installed")
def test_no_bytes_break_memory(tmp_path: Path) -> None:
    """Whatever passes, the sanitizers see no byte read or written where none may be."""
    sanitizer = subprocess.run(
        [str(GCC), "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    ).stdout.strip()
    if not os.path.isabs(sanitizer):
        pytest.skip("gcc's sanitizers are not installed (Debian: libgcc-dev)")
    flags = ["-g", "-O1", "-shared", "-fPIC", "-fsanitize=address,undefined"]
    flags += ["-fno-sanitize-recover=all", INCLUDE, *SOURCES]
    module = tmp_path / f"_traffic{sysconfig.get_config_var('EXT_SUFFIX')}"
    subprocess.run([str(GCC), *flags, "-o", str(module)], check=True, timeout=100)
    done = subprocess.run(
        [sys.executable, "-c", _TRIAL, str(tmp_path)],
        env=os.environ
        | {"LD_PRELOAD": sanitizer, "ASAN_OPTIONS": "detect_leaks=0", "PYTHONMALLOC": "malloc"},
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr[-3000:]
