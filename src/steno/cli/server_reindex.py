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

from steno.cli.tables import make_console
from steno.config import default_directory
from steno.errors import AmbiguousError, NotFoundError
from steno.server.indexer import reindex
from steno.store.opening import open_store
from steno.store.protocol import Store

_MAX_NAMED = 5


@click.command("reindex")
@click.argument("recs", metavar="[REC]...", nargs=-1)
@click.option(
    "--store",
    "directory",
    type=click.Path(path_type=Path),
    help="The server's directory, or its store's (the default server's).",
)
def command(recs: tuple[str, ...], directory: Path | None) -> None:
    """Forget what was derived from these recordings, or from all, and derive it anew.

    Screen text, commands, keyframes and summaries are rebuilt from the original lines, which
    are not touched. A server may be running meanwhile; until a recording's turn is over,
    searches find only what is indexed of it so far.
    """
    directory = directory or default_directory()
    if (directory / "store").is_dir():
        directory = directory / "store"
    store = open_store(directory, must_exist=True)
    try:
        chosen = [_choose(store, rec) for rec in recs] if recs else list(store.recs())
        _reindex(store, list(dict.fromkeys(chosen)))
    finally:
        store.close()


def _choose(store: Store, prefix: str) -> str:
    """Return the recording that `prefix` means, indexed or not."""
    found = [rec for rec in store.recs() if rec.startswith(prefix)]
    if prefix in found:
        return prefix
    if not found:
        raise NotFoundError(f"no recording {prefix}")
    if len(found) > 1:
        names = ", ".join(sorted(found)[:_MAX_NAMED])
        raise AmbiguousError(f"{prefix} could be any of {len(found)} recordings: {names}")
    return found[0]


def _reindex(store: Store, recs: list[str]) -> None:
    console = make_console(is_stderr=True)
    sizes = {rec: store.durable_bytes(rec) for rec in recs}
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
                description=f"{len(done)}/{len(recs)} {rec[:16]}",
                completed=sum(done.values()),
            )

        reindex(store, recs, progress=show)
    lines = sum(store.lines_count(rec) for rec in recs)
    megabytes = sum(sizes.values()) / 1e6
    seconds = time.monotonic() - begun_s
    click.echo(
        f"{len(recs)} recordings, {megabytes:.1f} MB, {lines} lines indexed in {seconds:.1f} s"
    )
