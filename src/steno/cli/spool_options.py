"""The options of commands that put recordings into the spool, or deliver them from there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from steno.delivery.places import Places, default_places


def spool_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --spool, --server and --host-directory, as `spool_directory`, `servers` and so on."""
    path = click.Path(path_type=Path)
    for option in (
        click.option(
            "--host-directory",
            type=path,
            metavar="DIRECTORY",
            help="Where this host's credentials are kept.",
        ),
        click.option(
            "--server",
            "servers",
            multiple=True,
            metavar="URL",
            help="Where recordings are delivered [default: the servers this host is enrolled"
            " with]; repeatable, tried in turn.",
        ),
        click.option(
            "--spool",
            "spool_directory",
            type=path,
            metavar="DIRECTORY",
            help="Where recordings wait for the server [default: /var/lib/steno/spool for root,"
            " else ~/.local/state/steno/spool].",
        ),
    ):
        command = option(command)
    return command


def choose_places(spool_directory: Path | None, host_directory: Path | None) -> Places:
    """Return the host's directories, as far as options do not say otherwise."""
    usual = default_places(os.environ, os.geteuid())
    return Places(spool_directory or usual.spool, host_directory or usual.host)
