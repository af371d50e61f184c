"""A server directory with recordings in it, and the command line as a person calls it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from steno.formats.cutter import Cutter, Identity
from steno.model import End, Output, Start, Window
from steno.server.indexer import Indexer
from steno.store.opening import open_store

Steno = Callable[..., subprocess.CompletedProcess[str]]


def make_recording(rec: str, texts: list[str], *, user: str = "avery") -> bytes:
    """Return a complete recording that shows one text a second."""
    start = Start(user, "web01", 1_790_000_000_000_000, "steno test", uid=1501, service="sshd")
    cutter = Cutter(Identity("web01", rec, user, "xterm", 7, start))
    lines = cutter.add(Window(0, 80, 24))
    for second, text in enumerate(texts):
        lines += cutter.add(Output(second * 1_000_000, text.encode() + b"\r\n"))
        if line := cutter.cut():
            lines.append(line)
    end = End("exit", 3, output_bytes=sum(len(text) + 2 for text in texts))
    return b"".join(lines + cutter.end(end, len(texts) * 1_000_000))


@pytest.fixture(scope="session")
def library_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A server's directory that holds three recordings, one of them broken."""
    directory = tmp_path_factory.mktemp("library")
    store = open_store(directory / "store")
    first = make_recording("aa-1", ["[avery@web01 ~]$ ls", "hello world", "permission denied"])
    store.append("aa-1", 0, first, sender=None)
    store.append("ab-2", 0, make_recording("ab-2", ["other text"], user="blake"), sender=None)
    broken = make_recording("b-3", ["one", "two", "three"]).replace(b"two", b"owt")
    store.append("b-3", 0, broken, sender=None)
    Indexer(store).drain()
    store.close()
    return directory


@pytest.fixture
def steno(tmp_path: Path) -> Steno:
    """Run `steno` with a home of its own; returns what subprocess.run does."""

    def run(*arguments: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "steno.cli", *map(str, arguments)],
            capture_output=True,
            text=True,
            input=stdin,
            timeout=60,
            check=False,
            env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TZ": "UTC"},
        )

    return run
