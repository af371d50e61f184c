"""`steno config`: configuration from elsewhere."""

from __future__ import annotations

import click

from steno.cli.lazy import LazyGroup

_COMMANDS: dict[str, tuple[str, str]] = {
    "import-tlog": ("config_import:command", "Turn tlog's configuration into Steno's."),
}


@click.group("config", cls=LazyGroup, table=_COMMANDS)
def command() -> None:
    """Turn other programs' configuration into Steno's."""
