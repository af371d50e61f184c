"""`steno-shell` alone and the agent choose the same real shell from the same facts."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shell_builds import Build, build_shell

from steno.errors import RefusedError
from steno.policy.shells import ShellFacts, choose_shell, parse_listed, render_table

USER = pwd.getpwuid(os.getuid()).pw_name
NAMES = {
    "steno-shell": None,
    "-steno-shell": None,
    "tlog-rec-session": None,
    "steno-shell-bash": b"bash",
    "-steno-shell-shell-bin-dash": b"/bin/dash",
    "tlog-rec-session-shell-bin-sh": b"/bin/sh",
    "steno-shell-gone": b"gone",
    "steno-shell-usr-sbin-nologin": b"/usr/sbin/nologin",
}
"""What the program may be called, and which shell that selects."""
REAL = ["/bin/bash", "/bin/dash", "/bin/sh"]
ODD = ["/usr/sbin/nologin", "/bin/false", "bash", "/usr/bin/steno-shell-bash", "/bin/true"]
SHELLS = st.sampled_from([*REAL, *ODD])
RECORDING = st.sampled_from(["/usr/bin/steno-shell", "/usr/bin/tlog-rec-session"])


@pytest.fixture(scope="module")
def alone() -> Iterator[Build]:
    """The program where there is no agent, and sessions start nevertheless."""
    with tempfile.TemporaryDirectory(prefix="steno-") as directory:
        build = build_shell(Path(directory), STENO_RETRY_MS=0)
        (build.etc / "steno/shell.conf").write_text("on_failure = allow\n")
        yield build


def start(build: Build, name: str, sssd: str | None) -> bytes | None:
    """Return the shell that the program runs when it is called so; None if it refuses."""
    environ = {} if sssd is None else {"TLOG_REC_SESSION_SHELL": sssd}
    done = subprocess.run(
        [name, "-c", 'echo "$SHELL"'],
        executable=build.program,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return done.stdout.strip() if done.returncode == 0 else None


@settings(max_examples=40)  # each starts a program
@given(
    name=st.sampled_from(sorted(NAMES)),
    entry=SHELLS | RECORDING | RECORDING | RECORDING,
    kept=st.none() | st.none() | SHELLS.filter(lambda shell: shell.startswith("/")),
    listed=st.lists(SHELLS, max_size=5),
    sssd=st.none() | SHELLS | st.just(""),
)
def test_both_choose_alike(
    alone: Build, name: str, entry: str, kept: str | None, listed: list[str], sssd: str | None
) -> None:
    """Whatever entry, table, /etc/shells, name and variable say, C and Python agree."""
    table = {} if kept is None else {USER: os.fsencode(kept)}
    (alone.etc / "passwd").write_text(f"{USER}:x:{os.getuid()}:0::/:{entry}\n")
    (alone.etc / "shells").write_text("".join(f"{shell}\n" for shell in listed))
    (alone.etc / "steno/shells").write_bytes(render_table(table))
    facts = ShellFacts(
        user=USER,
        entry_shell=os.fsencode(entry),
        sssd_shell=None if sssd is None else os.fsencode(sssd),
        selected_shell=NAMES[name],
    )
    try:
        chosen = choose_shell(facts, table, parse_listed((alone.etc / "shells").read_bytes()))
    except RefusedError:
        chosen = None
    assert start(alone, name, sssd) == chosen


TWICE = """
import ctypes, sys
words = [word.encode() for word in ("steno-shell", "-c", "env")]
given = [b"SHELL=/usr/bin/steno-shell", b"A=b", b"SHELL=/usr/bin/steno-shell"]
pointers = lambda texts: (ctypes.c_char_p * (len(texts) + 1))(*texts, None)
ctypes.CDLL(None).execve(sys.argv[1].encode(), pointers(words), pointers(given))
"""


def test_the_real_shell_is_the_only_one_in_the_environment(alone: Build) -> None:
    """SHELL names the real shell also where it came twice, as from `sudo -i`."""
    (alone.etc / "passwd").write_text(f"{USER}:x:{os.getuid()}:0::/:/bin/dash\n")
    (alone.etc / "shells").write_text("")
    (alone.etc / "steno/shells").write_text("")
    done = subprocess.run(
        [sys.executable, "-c", TWICE, alone.name],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith(b"SHELL=")] == [b"SHELL=/bin/dash"]
    assert b"A=b" in lines
