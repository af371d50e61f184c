"""`steno events`: audit events of all hosts."""

from __future__ import annotations

from collections.abc import Sequence

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from steno.cli.event_tables import sentence
from steno.cli.library import Location, collect, library_options, open_library
from steno.cli.listing import print_found
from steno.cli.options import every_option, examples, json_lines_option, limit_option
from steno.cli.tables import format_instant, format_offset, make_console, printable
from steno.store.event_places import FoundEvent

_NARROW_CELLS = 110
_REC_CHARACTERS = 8


@click.command(
    "events",
    epilog=examples(
        "steno events 'action:wrote file:/etc/passwd after:7d'",
        "steno events 'ran:curl -addr:10.0.0.0/8' --json",
    ),
)
@click.argument("query", nargs=-1)
@limit_option(50)
@click.option("--oldest-first", is_flag=True, help="In the order in which they happened.")
@every_option
@json_lines_option
@library_options
def command(
    query: tuple[str, ...],
    limit: int,
    oldest_first: bool,
    every: bool,
    as_json: bool,
    location: Location,
) -> int:
    """List audit events that match QUERY, newest first (the language: docs/find.md).

    Denials of one process that say the same are one line, but with --every and --json.

    Ends with 0 when something was found, with 1 when nothing was.
    """
    library = open_library(location)
    try:
        found = collect(
            lambda cursor, count: library.events(
                " ".join(query) or None,
                is_ascending=oldest_first,
                cursor=cursor,
                limit=count,
                is_bunched=not every and not as_json,
            ),
            limit,
        )
    finally:
        library.close()
    nothing = "no events match" if query else "no events yet"
    return print_found(found, _print_events, as_json=as_json, nothing=nothing)


def _print_events(events: Sequence[FoundEvent]) -> None:
    """Print one line an event; where there is little room, the host stands above its events."""
    console = make_console()
    is_narrow = console.width < _NARROW_CELLS
    table = Table(box=None, pad_edge=False, header_style="bold", show_header=not is_narrow)
    table.add_column("time", no_wrap=True)
    if not is_narrow:
        table.add_column("host", no_wrap=True)
        table.add_column("session", justify="right", no_wrap=True)
    table.add_column("recording", no_wrap=True)
    table.add_column("event", overflow="fold")
    heading = ""
    for found in events:
        event = found.event
        instant = format_instant(event.at_unix_us)
        if is_narrow:
            wanted = f"{printable(event.host)}  {instant[:10]}"
            if wanted != heading:
                _flush(console, table)
                table = _narrow_table()
                console.print(Text(wanted, style="bold"))
                heading = wanted
            table.add_row(Text(instant[11:], style="green"), _place(found), _sentence(found))
        else:
            session = "-" if event.audit_session is None else str(event.audit_session)
            table.add_row(
                Text(instant, style="green"),
                printable(event.host),
                Text(session),
                _place(found),
                _sentence(found),
            )
    _flush(console, table)


def _sentence(found: FoundEvent) -> Text:
    """Return an event's sentence, or that of all events that it stands for."""
    event = found.event
    if found.bunch is not None:
        event = msgspec.structs.replace(event, text=found.bunch.text)
    return sentence(event)


def _narrow_table() -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for _ in range(2):
        table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    return table


def _flush(console: Console, table: Table) -> None:
    if table.row_count:
        console.print(table)


def _place(found: FoundEvent) -> Text:
    """Return the recording's beginning and the instant in it."""
    if found.rec is None:
        return Text("-", style="dim")
    rec = str(printable(found.rec[:_REC_CHARACTERS]))
    return Text(f"{rec} {format_offset(found.at_us or 0)}", style="cyan")
