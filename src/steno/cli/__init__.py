"""The command line: one module per command, loaded only when it is called."""

from __future__ import annotations

import importlib
import sys

import click

from steno import __version__
from steno.errors import StenoError

COMMANDS: dict[str, tuple[str, str]] = {
    "serve": ("serve", "Run the server: API, pages, taking recordings in."),
    "server": ("server", "Look after a server and its store."),
    "user": ("user", "Say who may sign in to a server."),
    "token": ("token", "Make, list and revoke API tokens."),
}
"""Command name -> (module in steno.cli that holds its click command as `command`, short help).

The short help stands here so that `steno --help` loads no command.
"""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called: starting up stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands' names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module that holds `cmd_name` and return its command."""
        if cmd_name not in COMMANDS:
            return None
        module_name, _ = COMMANDS[cmd_name]
        command = importlib.import_module(f"steno.cli.{module_name}").command
        assert isinstance(command, click.Command)  # noqa: S101  # the table above is ours
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
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
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        print("steno: interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        # The reader (head, less) has gone; there is nobody left to tell.
        sys.stderr.close()
        sys.exit(141)
    sys.exit(status if isinstance(status, int) else 0)
