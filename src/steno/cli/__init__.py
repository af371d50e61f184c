"""The command line: one module per command, loaded only when it is called."""

from __future__ import annotations

import contextlib
import os
import sys

import click

from steno import __version__
from steno.cli.lazy import LazyGroup
from steno.cli.messages import (
    escape_controls,
    flush_standard_streams,
    open_standard_streams,
    say,
)
from steno.errors import (
    DISK_FULL,
    NoSpaceError,
    QueryError,
    RefusedError,
    StenoError,
    UsageError,
)

COMMANDS: dict[str, tuple[str, str]] = {
    "local": ("local", "All of it on this machine: a server, a recorded shell."),
    "rec": ("rec", "Record a shell or a command."),
    "ssh": ("ssh", "Record a hop to another host."),
    "serve": ("serve", "Run the server: API, pages, taking recordings in."),
    "agent": ("agent", "Record all sessions of this host; look after that."),
    "convert": ("convert", "Convert recordings from one format to another."),
    "deliver": ("deliver", "Deliver the recordings that wait in the spool."),
    "host": ("host", "Enrol hosts; record local users; find what escapes."),
    "config": ("config", "Turn other programs' configuration into Steno's."),
    "policy": ("policy", "Ask the policy who is recorded and how."),
    "server": ("server", "Look after a server and its store."),
    "user": ("user", "Say who may sign in to a server."),
    "token": ("token", "Make, list and revoke API tokens."),
    "ls": ("ls", "List recordings."),
    "search": ("search", "Find what was on the screen, and what was done."),
    "events": ("events", "Find events of the hosts' audit trails."),
    "logins": ("logins", "Show who logged in, and who was refused."),
    "play": ("play", "Replay a recording in the terminal."),
    "cat": ("cat", "Write out a recording's output."),
    "show": ("show", "Show all that is known of one recording."),
    "commands": ("commands", "Show what was typed in a recording, and what ran."),
    "tlog": ("tlog.command", "Stand in for tlog's programs."),
    "hosts": ("hosts", "Show how the hosts are."),
    "kill": ("kill", "End a session that is being recorded."),
    "message": ("message", "Show a message on a recorded session's terminal."),
    "alerts": ("alerts", "List and acknowledge alerts; check their rules."),
    "audit": ("audit", "Work with the kernel's audit trail."),
    "verify": ("verify", "Verify that recordings are what was written."),
}
"""See `LazyGroup`; one line per command."""
SECTIONS = {
    "Try it": ("local",),
    "Record": ("rec", "ssh", "convert", "tlog"),
    "Find, replay and prove": ("ls", "search", "show", "play", "cat", "verify"),
    "What the system did": ("commands", "events", "logins", "alerts", "audit"),
    "On a host": ("agent", "host", "policy", "deliver", "config"),
    "Hosts, through their server": ("hosts", "kill", "message"),
    "On a server": ("serve", "server", "user", "token"),
}
"""How --help groups them."""


@click.group(
    cls=LazyGroup,
    table=COMMANDS,
    sections=SECTIONS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="steno")
def group() -> None:
    """Record, find, replay and prove terminal sessions."""


def main() -> None:
    """Run the command line; every failure becomes one clear line and its exit code."""
    open_standard_streams()
    try:
        status = _run()
        sys.stdout.flush()
    except StenoError as error:
        status = _fail(error)
    except click.ClickException as error:
        status = _refuse(error)
    except (click.Abort, KeyboardInterrupt):
        say("interrupted")
        status = 130
    except BrokenPipeError:
        # The reader (head, less) has gone; there is nobody left to tell.
        status = 141
    except OSError as error:
        status = _fail(_explain(error))
    except UnicodeEncodeError as error:
        # Arguments that are no UTF-8 arrive as surrogates, which no text may hold.
        around = error.object[max(0, error.start - 20) : error.end + 20]
        status = _fail(UsageError(f"{around}: not valid UTF-8"))
    flush_standard_streams()
    sys.exit(status)


def _run() -> int:
    if "_STENO_COMPLETE" in os.environ:
        group.main(prog_name="steno")
    # Not by `group.main`, which would hide that the output's reader has gone.
    try:
        with group.make_context("steno", sys.argv[1:]) as context:
            status = group.invoke(context)
    except click.exceptions.Exit as end:
        status = end.exit_code
    return status if isinstance(status, int) else 0


def _fail(error: StenoError) -> int:
    if isinstance(error, QueryError):
        say(error.reason, *error.pointed)
    else:
        say(str(error))
    return error.exit_code


def _refuse(error: click.ClickException) -> int:
    text = error.format_message()
    if not isinstance(error, click.exceptions.NoArgsIsHelpError):
        context = getattr(error, "ctx", None)
        path = context.command_path if context else "steno"
        # click lists choices on lines of their own.
        reason = " ".join(text.split()).rstrip(".")
        text = escape_controls(f"{path}: {reason} (see {path} --help)")
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr)
    return error.exit_code


def _explain(error: OSError) -> StenoError:
    """Return what to say of a failure that no room foresaw: what the system says, and where."""
    reason = error.strerror or str(error)
    kind = StenoError
    if error.errno in DISK_FULL:
        kind = NoSpaceError
    elif isinstance(error, PermissionError):
        kind = RefusedError
    return kind(reason if error.filename is None else f"{error.filename}: {reason}")
