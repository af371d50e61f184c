"""Modules in C under compilers' tools: the analyser, and a build with sanitizers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

import pytest

NATIVE = Path(__file__).parents[2] / "native"
CLANG, GCC = shutil.which("clang"), shutil.which("gcc")
_FLAGS = ["-DPy_LIMITED_API=0x030b0000", f"-I{sysconfig.get_path('include')}"]


def sources_of(*names: str) -> list[Path]:
    """Return where these sources are."""
    return [NATIVE / name for name in names]


def check_with_analyser(sources: Iterable[Path]) -> None:
    """Let clang's static analyser look at the sources: it has no finding."""
    if CLANG is None:
        pytest.skip("clang is not installed")
    command = [CLANG, "--analyze", "--analyzer-output", "text", *_FLAGS, *map(str, sources)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def run_sanitized(
    sources: Iterable[Path], module: Path, trial: str, *arguments: str, options: Iterable[str] = ()
) -> str:
    """Build `module` with ASan and UBSan, run the Python program `trial`; return what it prints.

    The program's first argument is the module's path; `options` are the compiler's.
    """
    if GCC is None:
        pytest.skip("gcc is not installed")
    sanitizer = subprocess.run(
        [GCC, "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    ).stdout.strip()
    if not os.path.isabs(sanitizer):
        pytest.skip("gcc's sanitizers are not installed (Debian: libgcc-dev)")
    flags = ["-g", "-O1", "-shared", "-fPIC", "-fsanitize=address,undefined"]
    flags += ["-fno-sanitize-recover=all", *_FLAGS, *options]
    command = [GCC, *flags, *map(str, sources), "-o", str(module)]
    subprocess.run(command, check=True, timeout=280)
    done = subprocess.run(
        [sys.executable, "-c", trial, str(module), *arguments],
        env=os.environ
        | {"LD_PRELOAD": sanitizer, "ASAN_OPTIONS": "detect_leaks=0", "PYTHONMALLOC": "malloc"},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
