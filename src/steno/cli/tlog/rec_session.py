"""tlog-rec-session: a recorded shell, for who runs it by hand or has it for a login shell.

A script never sees the dash that login puts before a login shell's name; steno-shell, which is a
program, does, and stands in for this where a login begins.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NoReturn

from steno.cli.tlog.configuration import Configuration
from steno.cli.tlog.naming import SHELL_VARIABLE, read_name
from steno.cli.tlog.recording import record_as_configured, write_text
from steno.cli.tlog.session_lock import lock_session
from steno.errors import ProgramNotExecutableError, ProgramNotFoundError, UsageError
from steno.policy.shells import ShellFacts, choose_shell, parse_listed
from steno.recorder.facts import read_account, read_audit_id

SHELLS_FILE = Path("/etc/shells")


def choose_session_shell(
    configuration: Configuration,
    called: str,
    environ: Mapping[str, str],
    shells_file: Path = SHELLS_FILE,
) -> str:
    """Return the real shell: the one that the name selects, SSSD's, or the configuration's.

    The first two come from the session itself, and count only if /etc/shells lists them.

    Raises:
        RefusedError: It is not listed, or means that nobody logs in.
    """
    selected = read_name(called).get("shell")
    sssd_shell = environ.get(SHELL_VARIABLE)
    if selected is None and sssd_shell is None:
        return configuration.word("shell")
    facts = ShellFacts(
        user=read_account(os.getuid()).name,
        entry_shell=os.fsencode(configuration.program.name),
        selected_shell=None if selected is None else os.fsencode(str(selected)),
        sssd_shell=None if sssd_shell is None else os.fsencode(sssd_shell),
    )
    try:
        listed = tuple(parse_listed(shells_file.read_bytes()))
    except OSError:
        listed = ()
    return os.fsdecode(choose_shell(facts, {}, listed))


def run(configuration: Configuration, called: str) -> int:
    """Record a session with the shell; return the exit status.

    `called` is this program's argv[0], which may select a shell. Where the audit session is being
    recorded already, this becomes the shell instead.

    Raises:
        StenoError: It could not be started, or not be recorded.
    """
    shell = choose_session_shell(configuration, called, os.environ)
    argv0, arguments = make_arguments(configuration, shell)
    # Programs that start the person's shell must not start a recorder.
    os.environ["SHELL"] = shell
    lock = lock_session(read_audit_id("/proc/self/sessionid"))
    if lock is None:
        _become(shell, [argv0, *arguments])
    notice = configuration.word("notice")
    with lock:
        return record_as_configured(
            configuration, [shell, *arguments], argv0=argv0, on_opened=partial(write_text, notice)
        )


def make_arguments(configuration: Configuration, shell: str) -> tuple[str, list[str]]:
    """Return what the shell is called and the arguments that it gets.

    Raises:
        UsageError: A command is announced, but there is none.
    """
    argv0 = f"-{os.path.basename(shell)}" if configuration.flag("login") else shell
    arguments = list(configuration.arguments)
    if configuration.flag("command"):
        if not arguments:
            raise UsageError("-c: needs a command")
        return argv0, ["-c", *arguments]
    return argv0, ["-i", *arguments] if configuration.flag("interactive") else arguments


def _become(shell: str, argv: list[str]) -> NoReturn:
    """Run the shell in place of this program, with signals as programs expect them.

    Raises:
        ProgramNotFoundError, ProgramNotExecutableError: It cannot be run.
    """
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # which Python ignores
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execv(shell, argv)  # noqa: S606  # this is the shell's place
    except FileNotFoundError as error:
        raise ProgramNotFoundError(f"{shell}: no such program") from error
    except OSError as error:
        raise ProgramNotExecutableError(f"{shell}: {error.strerror}") from error
