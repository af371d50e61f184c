"""What compilers' tools find in the module in C, and in what it does to memory."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

NATIVE = Path(__file__).parents[2] / "native"
SOURCES = [str(NATIVE / name) for name in ("encoding.c", "text_encoding.c")]
INCLUDE = f"-I{sysconfig.get_path('include')}"
CLANG, GCC = shutil.which("clang"), shutil.which("gcc")

_TRIAL = """
import random, sys
sys.path.insert(0, sys.argv[1])
from _encoding import encode
chance = random.Random(3)
kinds = [bytes(range(256)), b"ab\\x1b\\xc3\\xb6\\xff", b"\\xe3\\x81\\x82\\xf0\\x9f\\x98\\x80", b"x"]
for _ in range(6000):
    kind = chance.choice(kinds)
    data = bytes(chance.choice(kind) for _ in range(chance.randrange(70)))
    encode(data, ">]", chance.random() < 0.5)
for worst in (b"\\x1b", b"\\xff", b"a\\xff", b"\\xff\\x1b"):
    encode(worst * 20000, ">]", True)
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
    """Whatever is encoded, the sanitizers see no byte read or written where none may be."""
    sanitizer = subprocess.run(
        [str(GCC), "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    ).stdout.strip()
    if not os.path.isabs(sanitizer):
        pytest.skip("gcc's sanitizers are not installed (Debian: libgcc-dev)")
    flags = ["-g", "-O1", "-shared", "-fPIC", "-fsanitize=address,undefined"]
    flags += ["-fno-sanitize-recover=all", INCLUDE, *SOURCES]
    module = tmp_path / f"_encoding{sysconfig.get_config_var('EXT_SUFFIX')}"
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
