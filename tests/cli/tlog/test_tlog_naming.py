"""What tlog-rec-session's name says, and which shell it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from steno.cli.tlog.configuration import load
from steno.cli.tlog.naming import read_name
from steno.cli.tlog.rec_session import choose_session_shell, make_arguments
from steno.cli.tlog.schema import SESSION
from steno.errors import RefusedError, UsageError


@pytest.mark.parametrize(
    ("called", "values"),
    [
        ("/usr/bin/tlog-rec-session", {}),
        ("-tlog-rec-session", {"login": True}),
        ("tlog-rec-session-shell-bin-zsh", {"shell": "/bin/zsh"}),
        ("-tlog-rec-session-shell-usr-bin-dash", {"login": True, "shell": "/usr/bin/dash"}),
        (r"x/tlog-rec-session-shell-opt-my\-sh", {"shell": "/opt/my-sh"}),
        (r"tlog-rec-session-shell-a\\b", {"shell": r"/a\b"}),
        ("tlog-rec-session-shell-", {"shell": "/"}),
    ],
)
def test_the_name_selects_a_shell(called: str, values: dict[str, object]) -> None:
    """A dash makes it a login shell; a path stands behind -shell-, dashes for slashes."""
    assert read_name(called) == values


def choose(tmp_path: Path, called: str, environ: dict[str, str]) -> str:
    """Return the shell that is chosen where /etc/shells lists two."""
    (tmp_path / "shells").write_text("# shells\n/bin/sh\n/bin/dash\n")
    (tmp_path / SESSION.file).write_text('{"shell": "/opt/shell"}')
    found = load(SESSION, [], environ=environ, directory=tmp_path)
    return choose_session_shell(found, called, environ, tmp_path / "shells")


def test_the_shell_is_the_names_then_sssds_then_the_files(tmp_path: Path) -> None:
    """The name counts more than SSSD's variable, and that more than the configuration."""
    sssd = {"TLOG_REC_SESSION_SHELL": "/bin/sh"}
    assert choose(tmp_path, "tlog-rec-session-shell-bin-dash", sssd) == "/bin/dash"
    assert choose(tmp_path, "tlog-rec-session", sssd) == "/bin/sh"
    assert choose(tmp_path, "tlog-rec-session", {"SHELL": "/bin/sh"}) == "/opt/shell"


@pytest.mark.parametrize("shell", ["/usr/sbin/nologin", "/bin/zsh", "", "sh", "/bin/false"])
def test_a_shell_from_the_session_must_be_listed(shell: str, tmp_path: Path) -> None:
    """What /etc/shells does not list is refused, not replaced: who has nologin does not log in."""
    with pytest.raises(RefusedError):
        choose(tmp_path, "tlog-rec-session", {"TLOG_REC_SESSION_SHELL": shell})


@pytest.mark.parametrize(
    ("words", "argv0", "arguments"),
    [
        ([], "/bin/sh", []),
        (["-l"], "-sh", []),
        (["-i", "a"], "/bin/sh", ["-i", "a"]),
        (["-lic", "id", "me"], "-sh", ["-c", "id", "me"]),
        (["script", "-c"], "/bin/sh", ["script", "-c"]),
    ],
)
def test_the_shell_gets_its_arguments(
    words: list[str], argv0: str, arguments: list[str], tmp_path: Path
) -> None:
    """A login shell's name begins with a dash; -c, -i and the other words are handed on."""
    found = load(SESSION, words, environ={}, directory=tmp_path)
    assert make_arguments(found, "/bin/sh") == (argv0, arguments)


def test_a_command_must_be_there(tmp_path: Path) -> None:
    """`-c` alone says nothing to run."""
    with pytest.raises(UsageError, match="-c: needs a command"):
        make_arguments(load(SESSION, ["-c"], environ={}, directory=tmp_path), "/bin/sh")
