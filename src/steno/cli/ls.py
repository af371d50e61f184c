"""`steno ls`: which recordings there are."""

from __future__ import annotations

import click
import msgspec

from steno.cli.library import Location, collect, library_options, open_library
from steno.cli.tables import make_console, make_recordings_table

_SORTS = ("started", "duration", "size", "user", "host")


@click.command("ls")
@click.argument("query", nargs=-1)
@click.option(
    "-n", "--limit", type=click.IntRange(1), default=50, help="How many at the most (50)."
)
@click.option(
    "--sort",
    type=click.Choice([sign + name for name in _SORTS for sign in ("", "-")]),
    default="-started",
    help="By what, `-` for descending (-started).",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@library_options
def command(
    query: tuple[str, ...], limit: int, sort: str, as_json: bool, location: Location
) -> None:
    """List recordings, those that match QUERY (docs/find.md), newest first."""
    library = open_library(location)
    try:
        summaries, has_more = collect(
            lambda cursor, count: library.recordings(
                " ".join(query) or None, sort=sort, cursor=cursor, limit=count
            ),
            limit,
        )
    finally:
        library.close()
    if as_json:
        for summary in summaries:
            click.echo(msgspec.json.encode(summary))
        return
    console = make_console()
    if not summaries:
        make_console(is_stderr=True).print("no recordings" + (" match" if query else " yet"))
        return
    console.print(make_recordings_table(summaries, console.width))
    if has_more:
        make_console(is_stderr=True).print(f"more than {limit}; see -n", style="dim")
