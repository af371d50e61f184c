"""The stand-ins on bad days: one line, a status as tlog's, and nothing left behind."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from driven import STENO, Recorded
from waiting import wait_for


def run(*words: str | bytes | Path, **more: object) -> subprocess.CompletedProcess[bytes]:
    """Run one of the programs without input."""
    return subprocess.run(  # type: ignore[call-overload,no-any-return]  # handed through
        [*STENO, "tlog", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=60,
        **more,
    )


def read_commands() -> Iterator[list[str]]:
    """Yield the words of all running commands."""
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            yield place.read_bytes().decode(errors="replace").rstrip("\0").split("\0")


def test_a_full_disk_ends_the_session(tmp_path: Path) -> None:
    """Where nothing can be written, the session ends, and the status says so."""
    ran = run("rec", "-o", "/dev/full", "sh", "-c", "echo begun; sleep 60")
    assert (ran.returncode, ran.stderr.count(b"\n")) == (1, 1)
    assert b"/dev/full: No space left on device" in ran.stderr


def test_a_semaphore_that_cannot_be_written_ends_the_command(tmp_path: Path) -> None:
    """Nothing runs on unrecorded when the set-up fails; the recording says that it was given up."""
    path = tmp_path / "r.log"
    command = ["sleep", str(1000 + os.getpid())]
    ran = run("rec", "--semaphore=/none/x", "-o", path, *command)
    assert (ran.returncode, ran.stderr.count(b"\n")) == (1, 1)
    assert b"semaphore /none/x: No such file" in ran.stderr
    assert Recorded(path).end.reason == "recorder"
    wait_for(lambda: command not in read_commands(), "the end of the command")


def test_bytes_that_are_no_utf8_are_kept_and_shown(tmp_path: Path) -> None:
    """File names, arguments and output may be any bytes; messages about them are printable."""
    path = bytes(tmp_path) + b"/q\xff.log"
    assert run("rec", "-o", path, "printf", b"\xff\x00".rstrip(b"\0")).stdout == b"\xff"
    assert run("play", "-i", path).stdout == b"\xff"
    assert rb'"\\xff"' in run("rec", "--configuration", b"\xff").stdout
    ran = run("play", "-i", b"/none\xff")
    assert ran.stderr == b"tlog-play: /none\\xff: No such file or directory\n"


def test_a_reader_that_goes_ends_playing_quietly(tmp_path: Path) -> None:
    """`tlog-play ... | head -1` says nothing and ends as one that SIGPIPE ended."""
    path = tmp_path / "r.log"
    run("rec", "-o", path, "seq", "200000")
    process = subprocess.Popen(
        [*STENO, "tlog", "play", "-i", str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.read(2) == b"1\n"
    process.stdout.close()
    assert process.wait(60) == 141
    assert process.stderr is not None
    assert process.stderr.read() == b""


@pytest.mark.parametrize("words", [["--latency=99999999999"], ["--payload=999999999999"]])
def test_numbers_may_be_too_large(tmp_path: Path, words: list[str]) -> None:
    """Numbers that tlog takes, however large, are taken for the largest that make sense."""
    path = tmp_path / "r.log"
    assert run("rec", *words, "-o", path, "echo", "said").stdout == b"said\n"
    assert Recorded(path).output() == b"said\n"


def test_a_limit_that_would_stop_the_session_is_refused(tmp_path: Path) -> None:
    """A rate of zero with delays would never let anything pass."""
    ran = run("rec", "--limit-rate=0", "--limit-action=delay", "-o", tmp_path / "x", "true")
    assert (ran.returncode, ran.stderr.count(b"\n")) == (1, 1)
    ran = run("rec", "--limit-rate=0", "--limit-burst=0", "--limit-action=drop",
              "-o", tmp_path / "x", "seq", "3000")  # fmt: skip
    assert ran.returncode == 0
    assert len(Recorded(tmp_path / "x").output()) < len(ran.stdout)
