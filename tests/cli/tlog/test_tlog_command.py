"""`steno tlog`: the programs run and installed."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from driven import STENO

NAMES = ("tlog-rec", "tlog-rec-session", "tlog-play")


def run(*command: str | Path) -> subprocess.CompletedProcess[bytes]:
    """Run a command without input."""
    return subprocess.run(
        list(map(str, command)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_programs_run_without_installing_them(name: str) -> None:
    """`steno tlog rec` and the others are the programs, their own --help and --version too."""
    word = name.removeprefix("tlog-")
    shown = run(*STENO, "tlog", word, "--help")
    assert (shown.returncode, shown.stderr) == (0, b"")
    assert shown.stdout.startswith(f"Usage: {name} ".encode())
    assert run(*STENO, "tlog", word, "--version").stdout.startswith(f"{name} (Steno)".encode())
    ran = run(*STENO, "tlog", word, "--bogus")
    assert (ran.returncode, ran.stdout) == (1, b"")
    assert ran.stderr == f"{name}: --bogus: no such option (see {name} --help)\n".encode()


def test_installing_and_installing_again(tmp_path: Path) -> None:
    """The programs come into the directory, with their configuration's; old ones are replaced."""
    etc, directory = tmp_path / "etc", tmp_path / "new" / "bin"
    etc.mkdir()
    (etc / "tlog-rec.conf").write_text('{"latency": 7}')
    for _ in range(2):
        words = ("tlog", "install", "--configuration-directory", etc, directory)
        assert run(*STENO, *words).returncode == 0
        assert sorted(os.listdir(directory)) == sorted(NAMES)
        said = json.loads(run(directory / "tlog-rec", "--configuration").stdout)
        assert said["latency"] == 7


def test_nobody_elses_program_is_overwritten(tmp_path: Path) -> None:
    """Where tlog's own program is, nothing is installed, and one line says why."""
    (tmp_path / "tlog-play").write_text("tlog's")
    ran = run(*STENO, "tlog", "install", tmp_path)
    assert (ran.returncode, ran.stderr.count(b"\n")) == (9, 1)
    assert b"tlog-play: is there, and is not Steno's" in ran.stderr
    assert os.listdir(tmp_path) == ["tlog-play"]
    assert (tmp_path / "tlog-play").read_text() == "tlog's"
