"""Where the reading commands find recordings: a store's directory, or a server."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import click
import msgspec

from steno.audit.session.recorded import RecordedCommands
from steno.config import default_directory
from steno.errors import NotFoundError, StoreError, UsageError
from steno.model import Command, Damage, TextLine, Verification
from steno.settings import convert_settings, expand_home, home_directory, read_toml
from steno.store.event_places import FoundEvent
from steno.store.events import KnownTrail, Login, LoginFailures, LoginQuery
from steno.store.protocol import Hit, Page, Summary

if TYPE_CHECKING:
    from steno.cli.remote import RemoteLibrary

Item = TypeVar("Item")
_PAGE_ITEMS = 100


class Library(Protocol):
    """Recordings that can be listed, searched and read; queries are text."""

    def recordings(
        self, query: str | None, *, sort: str, cursor: str | None, limit: int
    ) -> Page[Summary]:
        """Return recordings that match `query`, or all."""

    def search(
        self,
        query: str,
        *,
        rec: str | None,
        cursor: str | None,
        limit: int,
        context_lines: int,
        is_bunched: bool = False,
    ) -> Page[Hit]:
        """Return lines and events that match `query`, in all recordings or in one.

        `is_bunched`: of denials that say the same the first stands for all, with their sentence.
        """

    def find(self, rec: str) -> Summary:
        """Return the recording with this id, or the only one whose id begins so."""

    def read(self, rec: str, offset_bytes: int = 0) -> Iterator[bytes]:
        """Yield the original lines' bytes, however cut."""

    def lines(self, rec: str) -> Iterator[TextLine]:
        """Yield the screen text."""

    def commands(self, rec: str) -> list[Command]:
        """Return the lines that were typed, as far as they are known."""

    def recorded_commands(self, rec: str) -> RecordedCommands:
        """Return what was typed and what ran."""

    def damages(self, rec: str) -> list[Damage]:
        """Return the stretches that could not be read."""

    def verification(self, rec: str) -> Verification:
        """Return what the chain proves, computed here and now from the original lines."""

    def trails(self) -> list[KnownTrail]:
        """Return all audit trails by id; `read` takes them too."""

    def events(
        self,
        query: str | None,
        *,
        is_ascending: bool,
        cursor: str | None,
        limit: int,
        is_bunched: bool = False,
    ) -> Page[FoundEvent]:
        """Return audit events that match `query`, or all, in the order of their instants.

        `is_bunched`: denials that say the same stand together.
        """

    def event(self, trail: str, serial: int) -> FoundEvent:
        """Return one audit event whole."""

    def logins(self, query: LoginQuery, *, cursor: str | None, limit: int) -> Page[Login]:
        """Return logins, newest first."""

    def login_failures(
        self, query: LoginQuery, *, cursor: str | None, limit: int
    ) -> Page[LoginFailures]:
        """Return failed attempts, taken together, those with the newest first."""

    def close(self) -> None:
        """Release everything."""


class ClientConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`client.toml` in $XDG_CONFIG_HOME/steno: what holds when no option says otherwise.

    Attributes:
        server: Address of the server to read from.
        token_file: A file that holds an API token.
        ca: Certificate of the CA that signed the server's.
        store: Directory of a server or store on this machine.
    """

    server: str | None = None
    token_file: str | None = None
    ca: str | None = None
    store: str | None = None


class Location(msgspec.Struct, frozen=True):
    """Which library is meant; the options of the reading commands."""

    server: str | None = None
    token_file: Path | None = None
    ca: Path | None = None
    store: Path | None = None


def library_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --server, --token-file, --ca and --store, handed over as one `location`."""

    @functools.wraps(command)
    def gather(
        server: str | None,
        token_file: Path | None,
        ca: Path | None,
        store: Path | None,
        **rest: Any,  # noqa: ANN401  # the command's own options
    ) -> object:
        return command(location=Location(server, token_file, ca, store), **rest)

    store = click.Path(path_type=Path)
    gather = click.option(
        "--store",
        type=store,
        metavar="DIRECTORY",
        help="Read a store, or a server's directory, on this machine.",
    )(gather)
    return _add_server_options(gather)


def server_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --server, --token-file and --ca, handed over as one `location`."""

    @functools.wraps(command)
    def gather(
        server: str | None,
        token_file: Path | None,
        ca: Path | None,
        **rest: Any,  # noqa: ANN401  # the command's own options
    ) -> object:
        return command(location=Location(server, token_file, ca), **rest)

    return _add_server_options(gather)


def _add_server_options(gather: Callable[..., Any]) -> Callable[..., Any]:
    path = click.Path(path_type=Path)
    for option in (
        click.option(
            "--ca",
            type=path,
            metavar="FILE",
            help="Certificate of the CA that the server's is from.",
        ),
        click.option(
            "--token-file", type=path, metavar="FILE", help="File that holds an API token."
        ),
        click.option("--server", metavar="URL", help="Read from this server."),
    ):
        gather = option(gather)
    return gather


def collect(
    fetch: Callable[[str | None, int], Page[Item]], limit: int | None = None
) -> tuple[list[Item], bool]:
    """Return up to `limit` items of a paged result, and whether there are more.

    Args:
        fetch: Takes a cursor (None for the first page) and how many items to fetch.
        limit: How many are wanted; None: all.
    """
    items: list[Item] = []
    cursor: str | None = None
    while limit is None or len(items) < limit:
        count = _PAGE_ITEMS if limit is None else min(limit - len(items), _PAGE_ITEMS)
        page = fetch(cursor, count)
        items += page.items
        cursor = page.cursor
        if cursor is None:
            return items, False
    return items, True


def open_library(location: Location) -> Library:
    """Open what the options, else client.toml, else the default directory name.

    Raises:
        ConfigError: client.toml is wrong.
        UsageError: Both a server and a store are named.
        NotFoundError: There is no store.
    """
    if location.server and location.store:
        raise UsageError("--server and --store exclude each other")
    if not location.store:
        location = _merge(location, load_client_config())
    if location.server:
        return _open_remote(location)
    directory = location.store or default_directory()
    return open_store_library(directory)


def open_server(location: Location) -> RemoteLibrary:
    """Return the server that the options, or else client.toml, name.

    Raises:
        ConfigError: client.toml is wrong.
        UsageError: Neither names a server.
    """
    location = _merge(location, load_client_config())
    if not location.server:
        raise UsageError(
            "this asks a server: --server URL and --token-file FILE (steno token add), or the same"
            f" in {client_config_path()}"
        )
    return _open_remote(location)


def _open_remote(location: Location) -> RemoteLibrary:
    from steno.cli.remote import RemoteLibrary

    return RemoteLibrary(location.server or "", location.token_file, location.ca)


def open_store_library(directory: Path) -> Library:
    """Open the store in `directory`, or in the server's directory that `directory` is.

    Raises:
        NotFoundError: There is none.
        StoreError: The package's server part is not installed.
    """
    store = directory / "store" if os.path.isdir(directory / "store") else directory
    try:
        from steno.cli.local_library import StoreLibrary
    except ModuleNotFoundError as error:
        raise StoreError(
            f"reading a store here needs steno[server] ({error.name} is missing);"
            " --server URL asks a server"
        ) from error
    try:
        return StoreLibrary(store)
    except NotFoundError as error:
        raise NotFoundError(
            f"no store in {directory}; name one with --store DIR or a server with --server URL"
        ) from error


def client_config_path() -> Path:
    """Return where the client's configuration is looked for."""
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else home_directory() / ".config") / "steno" / "client.toml"


def load_client_config() -> ClientConfig:
    """Read client.toml; an absent one is empty.

    Raises:
        ConfigError: It is no TOML, or holds an unknown key or a wrong value.
    """
    path = client_config_path()
    try:
        values = read_toml(path)
    except FileNotFoundError:
        return ClientConfig()
    return convert_settings(values, ClientConfig, str(path))


def _merge(location: Location, config: ClientConfig) -> Location:
    """Return `location`, completed by what the configuration says of the same server.

    A token is shown to no other server than the one that it stands beside.
    """
    if location.server and location.server.rstrip("/") != (config.server or "").rstrip("/"):
        return location
    file = str(client_config_path())

    def as_path(key: str, text: str | None) -> Path | None:
        return expand_home(Path(text), file=file, key=key) if text else None

    return Location(
        config.server,
        location.token_file or as_path("token_file", config.token_file),
        location.ca or as_path("ca", config.ca),
        None if location.server else as_path("store", config.store),
    )
