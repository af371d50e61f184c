"""Without the agent, root's files decide; nothing else can start an unrecorded session."""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from driven import Driven
from shell_builds import Build

Run = Callable[..., tuple[int, bytes]]
REFUSED = b"Sessions on this host are recorded, and the recorder cannot be reached.\r\n"
SHOW = "echo $0 $SHELL"
USER = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture
def etc(hasty: Build) -> Path:
    """The empty place of /etc; where the agent would be is nothing."""
    hasty.socket.unlink(missing_ok=True)
    shutil.rmtree(hasty.etc)
    (hasty.etc / "steno").mkdir(parents=True)
    (hasty.etc / "shells").write_text("# shells\n/bin/sh\n/bin/dash # small\n\n/bin/bash\n")
    (hasty.etc / "passwd").write_text(f"{USER}:x:{os.getuid()}:0::/:/usr/bin/steno-shell\n")
    return hasty.etc


@pytest.fixture
def run(hasty: Build, etc: Path) -> Run:
    """Run the program without an agent; return its status and what it said."""

    def begin(name: str = "-steno-shell", command: str = SHOW, **environ: str) -> tuple[int, bytes]:
        driven = Driven([name, "-c", command], executable=hasty.name, environ=environ)
        try:
            return driven.finish(), bytes(driven.seen)
        finally:
            driven.close()

    return begin


def allow(etc: Path, more: str = "") -> None:
    """Let sessions start without the agent."""
    (etc / "steno/shell.conf").write_text(f"# Steno\n\n  on_failure = allow\n{more}")


def test_nothing_starts_by_default(run: Run) -> None:
    """Without any file a session is refused, with a text that says why and what to do."""
    status, said = run()
    assert status == 1
    assert said.startswith(REFUSED)
    assert b"agent.sock: No such file or directory" in said


def test_a_missing_parent_counts_as_a_missing_agent(hasty: Build, run: Run) -> None:
    """Without steno-wait beside the program, nobody could wait for the shell: nothing starts."""
    waiter = hasty.program.with_name("steno-wait")
    aside = waiter.rename(waiter.with_suffix(".aside"))
    try:
        status, said = run()
    finally:
        aside.rename(waiter)
    assert status == 1
    assert said.startswith(REFUSED)
    assert b"(steno-wait: No such file or directory)" in said


def test_deny_refuses_and_shows_the_contact(run: Run, etc: Path) -> None:
    """The administrator's line stands below the refusal."""
    (etc / "steno/shell.conf").write_text("on_failure=deny\ncontact = Ask the desk, 555-1234.\n")
    (etc / "steno/shells").write_text(f"{USER}:/bin/dash\n")
    status, said = run()
    assert status == 1
    assert said.startswith(REFUSED)
    assert b"\r\nAsk the desk, 555-1234.\r\n" in said


def test_allow_starts_the_shell_of_the_table(run: Run, etc: Path) -> None:
    """The real shell is the one in root's table, whatever the user's own variable says."""
    allow(etc)
    (etc / "steno/shells").write_text(f"# Kept\nother:/bin/bash\n{USER}:/bin/dash\n")
    assert run(TLOG_REC_SESSION_SHELL="/bin/bash") == (0, b"-dash /bin/dash\r\n")
    assert run("steno-shell") == (0, b"dash /bin/dash\r\n")


def test_allow_starts_the_shell_of_the_passwd_entry(run: Run, etc: Path) -> None:
    """Under ForceCommand the entry still names a real shell."""
    allow(etc)
    (etc / "passwd").write_text(f"broken\n{USER}:x:{os.getuid()}:0::/:/bin/bash\n")
    assert run("steno-shell") == (0, b"bash /bin/bash\r\n")


@pytest.mark.parametrize(
    ("name", "variable", "said"),
    [
        ("-steno-shell-bin-dash", "", b"-dash /bin/dash\r\n"),
        ("steno-shell-shell-bash", "/bin/dash", b"bash /bin/bash\r\n"),
        ("tlog-rec-session", "/bin/dash", b"dash /bin/dash\r\n"),
        ("-tlog-rec-session-shell-bin-sh", "", b"-sh /bin/sh\r\n"),
    ],
)
def test_allow_believes_names_and_sssd_of_listed_shells(
    run: Run, etc: Path, name: str, variable: str, said: bytes
) -> None:
    """What could come from the user is good when /etc/shells lists it."""
    allow(etc)
    assert run(name, TLOG_REC_SESSION_SHELL=variable) == (0, said)


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("steno-shell", ""),
        ("steno-shell", "/usr/bin/env"),
        ("steno-shell", "bash"),
        ("steno-shell", "/bin/bash "),
        ("steno-shell", "/bin/dash # small"),
        ("steno-shell-usr-bin-env", "/bin/bash"),
        ("steno-shell-shell-env", "/bin/bash"),
    ],
)
def test_allow_starts_no_shell_that_is_not_listed(
    run: Run, etc: Path, name: str, variable: str
) -> None:
    """Without a known shell nobody gets in, allowed or not."""
    allow(etc)
    status, said = run(name, TLOG_REC_SESSION_SHELL=variable)
    assert status == 1
    assert b"no shell is known for this user" in said


@pytest.mark.parametrize(
    "shell", ["/usr/sbin/nologin", "/bin/false", "", "dash", "/usr/bin/steno-shell-bin-sh"]
)
def test_nologin_means_no_login(run: Run, etc: Path, shell: str) -> None:
    """An account that may not log in does not get in by the agent's absence."""
    allow(etc)
    (etc / "shells").write_text("/bin/dash\n/usr/sbin/nologin\n/usr/bin/steno-shell-bin-sh\n")
    (etc / "steno/shells").write_text(f"{USER}:{shell}\n")
    status, _ = run()
    assert status == 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("on_failure = allow\nmood = fine\n", b"shell.conf:2: unknown key"),
        ("on_failure = perhaps\n", b"shell.conf:1: on_failure: neither deny nor allow"),
        ("on_failure = allow\n\nrescue = always\n", b"shell.conf:3: rescue: neither"),
        ("on_failure = allow\nallow\n", b"shell.conf:2: not a line of the form"),
        ("on_failure = allow\ncontact = " + "x" * 2000, b"shell.conf:2: contact: too long"),
        ("on_failure = allow\n" + "#" * (1 << 20), b"shell.conf: File too large"),
    ],
)
def test_a_wrong_configuration_denies(run: Run, etc: Path, text: str, why: bytes) -> None:
    """A file that is not understood opens no door; the text names file, line and reason."""
    (etc / "steno/shells").write_text(f"{USER}:/bin/dash\n")
    (etc / "steno/shell.conf").write_text(text)
    status, said = run()
    assert status == 1
    assert why in said


@pytest.mark.parametrize("mode", [0o666, 0o664, 0o646])
@pytest.mark.parametrize("file", ["steno/shell.conf", "steno/shells", "shells", "passwd"])
def test_files_that_others_can_write_are_not_followed(
    run: Run, etc: Path, file: str, mode: int
) -> None:
    """Whoever could write these files could start sessions that nobody records."""
    allow(etc)
    (etc / "steno/shells").write_text(f"{USER}:/bin/dash\n")
    (etc / file).chmod(mode)
    name = "steno-shell-bin-dash" if file == "shells" else "steno-shell"
    if file in ("shells", "steno/shells"):
        (etc / ("steno/shells" if file == "shells" else "shells")).write_text("")
    assert run(name)[0] == 1


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_files_of_others_are_not_followed(run: Run, etc: Path) -> None:
    """shell.conf must be root's own."""
    allow(etc)
    (etc / "steno/shells").write_text(f"{USER}:/bin/dash\n")
    assert run()[0] == 0
    os.chown(etc / "steno/shell.conf", 65534, 0)
    status, said = run()
    assert status == 1
    assert b"not a file that only root can write" in said


def test_a_pipe_in_the_files_place_denies(run: Run, etc: Path) -> None:
    """Nothing but a regular file is read; a pipe cannot hang a login."""
    (etc / "steno/shells").write_text(f"{USER}:/bin/dash\n")
    os.mkfifo(etc / "steno/shell.conf", 0o600)
    assert run()[0] == 1


CONSOLE = Path("/dev/ttyS0")


@pytest.mark.skipif(
    os.getuid() != 0 or not CONSOLE.exists(), reason="needs root and a serial line, /dev/ttyS0"
)
@pytest.mark.parametrize(
    ("configuration", "said"),
    [("", b"sh /bin/sh\r\n"), ("mood=1\n", b"sh /bin/sh\r\n"), ("rescue=none\n", REFUSED)],
)
def test_root_is_not_locked_out_of_the_console(
    hasty: Build, etc: Path, configuration: str, said: bytes
) -> None:
    """On a terminal of the machine itself root always gets a shell, unless that is forbidden."""
    (etc / "steno/shell.conf").write_text(configuration)
    command = ["dash", "-c", f"exec {hasty.name} -c '{SHOW}' <{CONSOLE}"]
    driven = Driven(command)
    driven.finish()
    driven.close()
    assert driven.seen.startswith(said)


def test_a_pseudo_terminal_is_no_console(run: Run) -> None:
    """Root through ssh or su is refused like anybody."""
    assert run("steno-shell-bin-dash")[0] == 1
