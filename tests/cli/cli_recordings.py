"""Recordings made for the tests of the command line."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

from steno.formats.cutter import Cutter, Identity
from steno.model import End, Output, Start, Window

Steno = Callable[..., subprocess.CompletedProcess[str]]
"""What the fixture `steno` is: runs the command line as a person calls it."""


def make_recording(
    rec: str,
    texts: list[str],
    *,
    user: str = "avery",
    started_unix_us: int = 1_790_000_000_000_000,
) -> bytes:
    """Return a complete recording that shows one text a second."""
    start = Start(user, "web01", started_unix_us, "steno test", uid=1501, service="sshd")
    cutter = Cutter(Identity("web01", rec, user, "xterm", 7, start))
    lines = cutter.add(Window(0, 80, 24))
    for second, text in enumerate(texts):
        lines += cutter.add(Output(second * 1_000_000, text.encode() + b"\r\n"))
        if line := cutter.cut():
            lines.append(line)
    end = End("exit", 3, output_bytes=sum(len(text) + 2 for text in texts))
    return b"".join(lines + cutter.end(end, len(texts) * 1_000_000))
