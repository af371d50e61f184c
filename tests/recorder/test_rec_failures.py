"""What `steno rec` does when the program cannot be run, or its output cannot be passed on."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from driven import STENO, Driven, Recorded


@pytest.fixture
def base(tmp_path: Path) -> list[str]:
    """The command line of a recorder that writes to rec.log and counts apart."""
    spool = str(tmp_path / "state/spool")
    return [*STENO, "rec", "--spool", spool, "--file", str(tmp_path / "rec.log")]


def make_program(path: Path, content: bytes, mode: int = 0o755) -> str:
    """Write a program; return its path."""
    path.write_bytes(content)
    path.chmod(mode)
    return str(path)


def test_programs_that_cannot_be_run_have_their_codes(base: list[str], tmp_path: Path) -> None:
    """127 for what does not exist, 126 for what is there; one line says which and why."""
    cases = [
        ("/none/such", 127, "/none/such: no such program"),
        ("", 127, "the program has no name"),
        (str(tmp_path), 126, f"{tmp_path}: a directory"),
        (make_program(tmp_path / "plain", b"text", 0o644), 126, "plain: not executable"),
        (make_program(tmp_path / "elf", b"\x7fELFrubbish"), 126, "elf: Exec format error"),
        (make_program(tmp_path / "sh", b"#!/none/sh\n"), 126, "sh: the interpreter that it names"),
    ]
    for program, code, text in cases:
        done = subprocess.run([*base, "--", program], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (code, "")
        [line] = done.stderr.splitlines()
        assert line.startswith("steno: ")
        assert text in line


def test_a_shell_that_does_not_exist_is_told(base: list[str]) -> None:
    """A wrong $SHELL is a line and 127, also at a terminal, whose settings stay."""
    driven = Driven(base, environ={"SHELL": "/bin/none-such"})
    try:
        assert driven.finish() == 127
        assert driven.seen == b"steno: /bin/none-such: no such program\r\n"
    finally:
        driven.close()


@pytest.mark.parametrize("count", ["3", "100000"])
def test_output_that_finds_no_room(base: list[str], tmp_path: Path, count: str) -> None:
    """What the program wrote until then is recorded; the code is 10, the line says why."""
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*base, "--", "seq", count], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 10
    said = "steno: standard output: No space left on device; the rest was lost there\n"
    assert done.stderr == said
    kept = Recorded(tmp_path / "rec.log")
    assert kept.output().startswith(b"1\n2\n3\n")
    assert kept.end.reason in ("exit", "signal")


def test_impossible_servers_are_refused_before_anything_runs(
    base: list[str], tmp_path: Path
) -> None:
    """An address that cannot be a server's is a usage error; so is no enrolment, in its way."""
    (tmp_path / "host").mkdir()
    (tmp_path / "host/host.json").write_text('{"host":"h1","servers":["https://127.0.0.1:9"]}')
    (tmp_path / "host/token").write_text("token\n")
    touch = ["--", "touch", str(tmp_path / "started")]
    cases = [
        (["--server", "ftp://x", "--host-directory", str(tmp_path / "host")], 2, "ftp://x: "),
        (["--host-directory", str(tmp_path / "none")], 3, "this host is not enrolled"),
    ]
    for options, code, text in cases:
        command = [*base, "--to", "server", *options, *touch]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == code
        assert text in done.stderr
        assert done.stderr.count("\n") == 1
    assert not (tmp_path / "started").exists()
