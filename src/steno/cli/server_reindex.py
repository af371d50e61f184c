"""`steno server reindex`: derive the index anew; the recordings themselves stay as they are."""

from __future__ import annotations

import time
from pathlib import Path

import click
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from steno.cli.options import SERVER_DIRECTORY_DEFAULT, examples
from steno.cli.ownership import become_owner
from steno.cli.tables import make_console
from steno.config import default_directory
from steno.errors import AmbiguousError, NotFoundError, StoreError
from steno.model import is_trail
from steno.server.indexer import reindex
from steno.server.joining import Joining
from steno.store.opening import open_store
from steno.store.protocol import Store

_MAX_NAMED = 5


@click.command("reindex", epilog=examples("steno server reindex", "steno server reindex 3c5d7"))
@click.argument("recs", metavar="[REC]...", nargs=-1)
@click.option(
    "--store",
    "directory",
    type=click.Path(path_type=Path),
    metavar="DIRECTORY",
    help=f"The server's directory, or its store's {SERVER_DIRECTORY_DEFAULT}.",
)
def command(recs: tuple[str, ...], directory: Path | None) -> None:
    """Forget what was derived from these recordings and audit trails, or all, and derive it anew.

    Screen text, commands, keyframes, summaries and events are rebuilt from the original lines,
    which are not touched. A server may be running meanwhile; until a recording's turn is over,
    searches find only what is indexed of it so far.
    """
    directory = directory or default_directory()
    if (directory / "store").is_dir():
        directory = directory / "store"
    become_owner(directory)
    store = open_store(directory, must_exist=True)
    try:
        everything = [*store.recs(), *store.trails()]
        chosen = [_choose(everything, rec) for rec in recs] if recs else everything
        sizes, failures = _measure(store, chosen)
        _reindex(store, sizes, failures)
        Joining(store).join_all()
    finally:
        store.close()
    if failures:
        rec, error = next(iter(failures.items()))
        raise StoreError(f"{len(failures)} not indexed; the first is {rec}: {error}")


def _choose(everything: list[str], prefix: str) -> str:
    """Return the recording, or audit trail, that `prefix` means, indexed or not."""
    found = [rec for rec in everything if rec.startswith(prefix)]
    if prefix in found:
        return prefix
    if not found:
        raise NotFoundError(f"no recording {prefix}")
    if len(found) > 1:
        names = ", ".join(sorted(found)[:_MAX_NAMED])
        raise AmbiguousError(f"{prefix} could be any of {len(found)} recordings: {names}")
    return found[0]


def _measure(store: Store, recs: list[str]) -> tuple[dict[str, int], dict[str, StoreError]]:
    """Return how long the recordings are, and which of them cannot be read, and why."""
    sizes: dict[str, int] = {}
    failures: dict[str, StoreError] = {}
    for rec in recs:
        try:
            sizes[rec] = store.size_bytes(rec)
        except StoreError as error:
            failures[rec] = error
    return sizes, failures


def _reindex(store: Store, sizes: dict[str, int], failures: dict[str, StoreError]) -> None:
    """Reindex the recordings in `sizes`; add to `failures` those that turn out to be damaged."""
    console = make_console(is_stderr=True)
    begun_s = time.monotonic()
    done: dict[str, int] = {}
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task("", total=sum(sizes.values()))

        def show(rec: str, indexed_bytes: int, _total_bytes: int) -> None:
            done[rec] = min(indexed_bytes, sizes[rec])
            bar.update(
                task,
                description=f"{len(done)}/{len(sizes)} {rec[:16]}",
                completed=sum(done.values()),
            )

        for rec in sizes:
            try:
                reindex(store, [rec], progress=show)
            except StoreError as error:
                failures[rec] = error
    trails = [rec for rec in sizes if is_trail(rec)]
    lines = sum(store.lines_count(rec) for rec in sizes if rec not in trails)
    megabytes = sum(sizes.values()) / 1e6
    seconds = time.monotonic() - begun_s
    and_trails = ""
    if trails:
        events = sum(one.events for one in store.trail_summaries() if one.trail in sizes)
        and_trails = f", {len(trails)} audit trails with {events} events"
    click.echo(
        f"{len(sizes) - len(trails)} recordings{and_trails}, {megabytes:.1f} MB,"
        f" {lines} lines indexed in {seconds:.1f} s"
    )
