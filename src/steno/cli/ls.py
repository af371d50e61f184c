"""`steno ls`: which recordings there are."""

from __future__ import annotations

from collections.abc import Sequence

import click

from steno.cli.library import Location, collect, library_options, open_library
from steno.cli.listing import print_found
from steno.cli.options import examples, json_lines_option, limit_option
from steno.cli.tables import make_console, make_recordings_table
from steno.store.protocol import Summary

_SORTS = ("started", "duration", "size", "user", "host")


@click.command(
    "ls",
    epilog=examples(
        "steno ls after:today --sort -duration",
        "steno ls 'is:live OR (status:3 longer:10m)'",
        "steno ls user:avery --json",
    ),
)
@click.argument("query", nargs=-1)
@limit_option(50)
@click.option(
    "--sort",
    type=click.Choice([sign + name for name in _SORTS for sign in ("", "-")]),
    default="-started",
    show_default=True,
    metavar="FIELD",
    help=f"By {', '.join(_SORTS[:-1])} or {_SORTS[-1]}; with `-` before it descending.",
)
@json_lines_option
@library_options
def command(
    query: tuple[str, ...], limit: int, sort: str, as_json: bool, location: Location
) -> None:
    """List recordings, those that match QUERY (docs/find.md), newest first."""
    library = open_library(location)
    try:
        found = collect(
            lambda cursor, count: library.recordings(
                " ".join(query) or None, sort=sort, cursor=cursor, limit=count
            ),
            limit,
        )
    finally:
        library.close()
    nothing = "no recordings match" if query else "no recordings yet"
    print_found(found, _print_table, as_json=as_json, nothing=nothing)


def _print_table(summaries: Sequence[Summary]) -> None:
    console = make_console()
    console.print(make_recordings_table(summaries, console.width))
