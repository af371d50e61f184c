"""Standard streams that are full, closed or left, and homes that are missing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_recordings import make_recording
from live_server import STENO

Shell = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Run a shell's line in a directory of its own, with `$steno` and the recording x.log."""
    (tmp_path / "x.log").write_bytes(make_recording("r", ["one", "two"]))

    def run(line: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", line],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            timeout=60,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "steno": " ".join(STENO)}
            | environ,
        )

    return run


@pytest.mark.parametrize(
    "words", ["cat ./x.log", "verify x.log", "--help", "convert --to text x.log", "--version"]
)
def test_output_that_finds_no_room_is_told(shell: Shell, words: str) -> None:
    """A full disk under standard output is one line and code 10, buffered or not."""
    for unbuffered in ("", "1"):
        done = shell(f"$steno {words} > /dev/full", PYTHONUNBUFFERED=unbuffered)
        said = "steno: standard output: No space left on device\n"
        assert (done.returncode, done.stderr.split("steno: not in text")[0]) == (10, said)


@pytest.mark.parametrize("words", ["cat ./x.log", "verify x.log", "--help", "ls --store srv"])
def test_a_reader_that_leaves_is_no_error(shell: Shell, words: str) -> None:
    """When nobody reads the output any more, the command ends quietly with 141."""
    shell("mkdir -p srv/recordings")
    leave = "mkfifo pipe; exec 3<>pipe 4>pipe 3<&-"  # 4 is a pipe whose last reader has gone
    done = shell(f"{leave}; $steno {words} >&4; echo $?")
    expected = "0" if words.startswith("ls") else "141"
    assert done.stdout == f"{expected}\n"
    assert done.stderr in ("", "no recordings yet\n")


def test_closed_standard_streams_are_no_error(shell: Shell) -> None:
    """Commands work with any of the standard streams closed, and no file takes their place."""
    assert shell("$steno cat ./x.log >&-").returncode == 0
    assert shell("$steno convert --to tlog x.log y.log <&- >&- 2>&-").returncode == 0
    assert shell("$steno cat ./y.log").stdout == "one\ntwo\n"
    assert shell("$steno cat ./none 2>&-").returncode == 5
    done = shell("$steno convert --to text - <&-")
    assert (done.returncode, done.stderr) == (4, "steno: standard input: the file is empty\n")


def test_complaints_that_nobody_takes_change_nothing(shell: Shell) -> None:
    """With standard error full, the exit code still says what happened."""
    assert shell("$steno cat ./none 2>/dev/full").returncode == 5
    assert shell("$steno nope 2>/dev/full").returncode == 2
    assert shell("echo rubbish >> x.log; $steno cat ./x.log 2>/dev/full").returncode == 4


@pytest.mark.parametrize("locale", ["C", "POSIX", "C.UTF-8"])
def test_the_locale_loses_no_character(shell: Shell, locale: str, tmp_path: Path) -> None:
    """Recorded bytes and names pass through whatever the locale says; no message fails on them."""
    environ = {"LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    (tmp_path / "é.log").write_bytes(make_recording("é", ["naïve"], user="søren"))
    assert shell("$steno cat ./é.log", **environ).stdout == "naïve\n"
    assert shell("$steno verify é.log", **environ).returncode == 0
    missing = shell("$steno cat ./☃.log", **environ)
    assert missing.returncode == 5
    assert missing.stderr.count("\n") == 1


def test_a_missing_home_is_told(tmp_path: Path) -> None:
    """Without $HOME and without an entry for the user, commands that need a home say so."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to become a user whom the system does not know")
    script = (
        "import os, sys; os.setgroups([]); os.setgid(54321); os.setuid(54321);"
        "os.environ.pop('HOME', None); from steno.cli import main; main()"
    )
    for words in (["ls"], ["serve"], ["deliver"], ["rec", "--", "true"]):
        done = subprocess.run(
            [sys.executable, "-c", f"import steno.cli.{words[0]}; {script}", *words],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )
        said = "steno: user 54321 has no home directory; set HOME\n"
        assert (done.returncode, done.stderr) == (3, said)
