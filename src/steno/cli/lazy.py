"""A group of commands that are imported only when they are called: starting up stays quick."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import click


class LazyGroup(click.Group):
    """A click group with a table of its commands.

    Args:
        table: Command name -> (module in steno.cli that holds its click command, short help). The
            command is the module's `command`, or what stands after a colon in the module's name.
            The short help stands in the table so that --help loads no command.
        sections: Headings of --help, each with the names of the commands below it.
    """

    def __init__(
        self,
        *args: Any,  # noqa: ANN401  # click's own
        table: Mapping[str, tuple[str, str]],
        sections: Mapping[str, Sequence[str]] | None = None,
        **options: Any,  # noqa: ANN401  # click's own
    ) -> None:
        super().__init__(*args, **options)
        self._table = table
        self._sections = {"Commands": list(table)} if sections is None else sections

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands' names in the order of the table."""
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module that holds `cmd_name` and return its command."""
        if cmd_name not in self._table:
            return None
        module_name, _, attribute = self._table[cmd_name][0].partition(":")
        module = importlib.import_module(f"steno.cli.{module_name}")
        command = getattr(module, attribute or "command")
        assert isinstance(command, click.Command)  # noqa: S101  # the table is ours
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table, without importing them."""
        width = max(map(len, self._table))
        for heading, names in self._sections.items():
            with formatter.section(heading):
                # All sections have their texts in one column.
                formatter.write_dl([(name.ljust(width), self._table[name][1]) for name in names])
