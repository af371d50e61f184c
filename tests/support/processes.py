"""Waiting for what processes do, by /proc."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path


def wait_for_program(*words: bytes) -> None:
    """Wait until a program with these words runs and sleeps."""
    deadline = time.monotonic() + 60
    wanted = b"\0".join(words) + b"\0"
    while time.monotonic() < deadline:
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if (entry / "cmdline").read_bytes() == wanted and b"S (sl" in state(entry):
                    return
        time.sleep(0.05)
    raise AssertionError(words)


def state(entry: Path) -> bytes:
    """Return the line of a process's status that says what it does."""
    lines = (entry / "status").read_bytes().splitlines()
    return next(line for line in lines if line.startswith(b"State:"))


def wait_for_end(pid: int) -> None:
    """Wait until a process is dead, reaped or not."""
    deadline = time.monotonic() + 60
    with contextlib.suppress(OSError):
        while b"Z (zo" not in state(Path(f"/proc/{pid}")):
            assert time.monotonic() < deadline, pid
            time.sleep(0.05)
