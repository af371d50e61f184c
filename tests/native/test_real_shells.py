"""Every usual shell as the real one, interactive and with a command."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from shell_builds import Serve, Start
from shell_server import Relaying

SHELLS = ["bash", "dash", "zsh", "fish", "tcsh"]


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    """The path of one of the shells."""
    path = shutil.which(request.param)
    if path is None:
        pytest.skip(f"{request.param} is not installed")
    return path


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """A home that greets nobody and asks nothing."""
    (tmp_path / ".zshrc").touch()
    return {"HOME": str(tmp_path), "HISTFILE": "", "TERM": "dumb", "XDG_CONFIG_HOME": str(tmp_path)}


@pytest.mark.real
def test_a_login_shell_knows_what_it_is(
    serve: Serve, start: Start, shell: str, home: dict[str, str]
) -> None:
    """A shell called with a dash in front reads the login files, and takes commands."""
    marks = {"bash": ".bash_profile", "dash": ".profile", "zsh": ".zprofile", "tcsh": ".login"}
    name = Path(shell).name
    if name in marks:
        (Path(home["HOME"]) / marks[name]).write_text("echo as a login shell\n")
    serve(Relaying(shell.encode(), b"-" + name.encode()))
    session = start("-steno-shell", environ=home)
    # fish throws away what was typed before it is ready.
    session.expect(b"as a login shell" if name in marks else b"\x1b[?2004h")
    session.send(b"echo $SHELL | tr a-z A-Z\r")
    session.expect(shell.upper().encode())
    session.send(b"exit 3\r")
    assert session.finish() == 3


@pytest.mark.real
def test_a_command_is_run_and_its_status_passed(
    serve: Serve, start: Start, shell: str, home: dict[str, str]
) -> None:
    """-c COMMAND works in each of them, with what the command prints and its status."""
    serve(Relaying(shell.encode(), Path(shell).name.encode()))
    session = start("steno-shell", "-c", "echo 'one  two' | tr a-z A-Z; exit 9", environ=home)
    assert session.finish() == 9
    assert b"ONE  TWO\r\n" in session.seen


@pytest.mark.real
@pytest.mark.parametrize("option", ["-l", "-i"])
def test_options_reach_the_shell(
    serve: Serve, start: Start, home: dict[str, str], option: str
) -> None:
    """-l makes a login shell, -i an interactive one: the shell's own options pass through."""
    serve(Relaying(b"/bin/bash", b"bash"))
    command = "shopt -q login_shell && echo login; [[ $- == *i* ]] && echo interactive; exit 0"
    session = start("steno-shell", option, "-c", command, environ=home)
    assert session.finish() == 0
    said = {"-l": b"login\r\n", "-i": b"interactive\r\n"}
    assert bytes(session.seen).removesuffix(b"exit\r\n") == said[option]
