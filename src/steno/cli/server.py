"""`steno server`: the chores of who runs a server."""

from __future__ import annotations

import importlib

import click

_COMMANDS: dict[str, tuple[str, str]] = {
    "reindex": ("server_reindex", "Derive the index anew from the recordings."),
}
"""Command name -> (module in steno.cli that holds its click command as `command`, short help)."""


class _LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands' names."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module that holds `cmd_name` and return its command."""
        if cmd_name not in _COMMANDS:
            return None
        command = importlib.import_module(f"steno.cli.{_COMMANDS[cmd_name][0]}").command
        assert isinstance(command, click.Command)  # noqa: S101  # the table above is ours
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group("server", cls=_LazyGroup)
def command() -> None:
    """Look after a server and its store."""
