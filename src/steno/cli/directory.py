"""Which server directory a command works on: its options, and its accounts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from steno.cli.options import SERVER_DIRECTORY_DEFAULT
from steno.cli.ownership import become_owner
from steno.config import ServerConfig, load_config
from steno.errors import NotFoundError
from steno.store.accounts_file import AccountsFile

F = TypeVar("F", bound=Callable[..., Any])

_CONFIG = click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The server's configuration [default: for root, without --directory,"
    " /etc/steno/server.toml; else server.toml in the directory].",
)
_DIRECTORY = click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    help=f"The server's directory {SERVER_DIRECTORY_DEFAULT}.",
)


def directory_options(command: F) -> F:
    """Give a command the options --config and --directory."""
    return _CONFIG(_DIRECTORY(command))


@contextmanager
def open_accounts(
    config_file: Path | None, directory: Path | None, *, creates: bool = False
) -> Iterator[tuple[ServerConfig, AccountsFile]]:
    """Open the accounts of a server directory, and close them after the block.

    Raises:
        ConfigError: The configuration is wrong.
        NotFoundError: There are no accounts yet, and the command does not create any.
        StoreError: The file is unusable.
    """
    config = load_config(config_file, directory=directory)
    become_owner(config.base)
    if not creates and not config.accounts_path.exists():
        raise NotFoundError(f"no accounts in {config.directory}; begin with: steno user add NAME")
    file = AccountsFile(config.accounts_path)
    try:
        yield config, file
    finally:
        file.close()
