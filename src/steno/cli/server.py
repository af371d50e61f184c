"""`steno server`: the chores of who runs a server."""

from __future__ import annotations

import click

from steno.cli.lazy import LazyGroup

_COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("server_init", "Make the server's CA and certificates."),
    "reindex": ("server_reindex", "Derive the index anew from the recordings."),
}


@click.group("server", cls=LazyGroup, table=_COMMANDS)
def command() -> None:
    """Look after a server and its store."""
