"""The command line: one module per command, loaded only when it is called."""

from __future__ import annotations

import sys

import click

from steno import __version__
from steno.cli.lazy import LazyGroup
from steno.errors import StenoError

COMMANDS: dict[str, tuple[str, str]] = {
    "local": ("local", "All of it on this machine: a server, a recorded shell."),
    "rec": ("rec", "Record a shell or a command."),
    "serve": ("serve", "Run the server: API, pages, taking recordings in."),
    "convert": ("convert", "Convert recordings from one format to another."),
    "deliver": ("deliver", "Deliver the recordings that wait in the spool."),
    "host": ("host", "Enrol hosts with a server; list and revoke them."),
    "server": ("server", "Look after a server and its store."),
    "user": ("user", "Say who may sign in to a server."),
    "token": ("token", "Make, list and revoke API tokens."),
    "ls": ("ls", "List recordings."),
    "search": ("search", "Find what was on the screen."),
    "play": ("play", "Replay a recording in the terminal."),
    "cat": ("cat", "Write out a recording's output."),
    "show": ("show", "Show all that is known of one recording."),
    "verify": ("verify", "Verify that recordings are what was written."),
}
"""See `LazyGroup`; one line per command."""


@click.group(
    cls=LazyGroup, table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(__version__, prog_name="steno")
def group() -> None:
    """Record, find, replay and prove terminal sessions."""


def main() -> None:
    """Run the command line; every StenoError becomes one clear line and its exit code."""
    try:
        status = group.main(prog_name="steno", standalone_mode=False)
    except StenoError as error:
        print(f"steno: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        path = context.command_path if context else "steno"
        print(f"{path}: {error.format_message().rstrip('.')} (see {path} --help)", file=sys.stderr)
        sys.exit(error.exit_code)
    except click.Abort:
        print("steno: interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        # The reader (head, less) has gone; there is nobody left to tell.
        sys.stderr.close()
        sys.exit(141)
    sys.exit(status if isinstance(status, int) else 0)
