"""`steno search`: find what was on the screen, and what was done meanwhile."""

from __future__ import annotations

from collections.abc import Sequence

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from steno.cli.event_tables import format_event_hit
from steno.cli.library import Location, collect, library_options, open_library
from steno.cli.listing import print_found
from steno.cli.numbers import WholeRange
from steno.cli.options import every_option, examples, json_lines_option, limit_option
from steno.cli.tables import format_instant, format_offset, make_console, printable
from steno.model import TextLine
from steno.store.protocol import Hit

_OFFSET_CELLS = 10


@click.command(
    "search",
    epilog=examples(
        "steno search passwd",
        "steno search '\"permission denied\" user:avery'",
        "steno search 'action:wrote file:/etc/passwd after:7d'",
        "steno search 'rm \"-rf\"'",
    ),
)
@click.argument("query", nargs=-1, required=True)
@limit_option(20, of="hits")
@click.option(
    "-C",
    "--context",
    "context_lines",
    type=WholeRange(0, 20),
    default=1,
    show_default=True,
    metavar="N",
    help="Lines of context before and after each hit.",
)
@click.option("--rec", metavar="REC", help="Search in this recording only, oldest hit first.")
@every_option
@json_lines_option
@library_options
def command(
    query: tuple[str, ...],
    limit: int,
    context_lines: int,
    rec: str | None,
    every: bool,
    as_json: bool,
    location: Location,
) -> int:
    """Find QUERY on the recorded screens and in audit events (the language: docs/find.md).

    Denials of one process that say the same are one hit, but with --every and --json.

    Ends with 0 when something was found, with 1 when nothing was.
    """
    library = open_library(location)
    try:
        rec = None if rec is None else library.find(rec).rec
        found = collect(
            lambda cursor, count: library.search(
                " ".join(query),
                rec=rec,
                cursor=cursor,
                limit=count,
                context_lines=context_lines,
                is_bunched=not every and not as_json,
            ),
            limit,
        )
    finally:
        library.close()
    return print_found(found, _print_hits, as_json=as_json, nothing="nothing found")


def _print_hits(hits: Sequence[Hit]) -> None:
    console = make_console()
    last_rec = None
    for hit in hits:
        summary = hit.summary
        if summary.rec != last_rec:
            if last_rec is not None:
                console.print()
            console.print(
                Text.assemble(
                    (str(printable(summary.rec)), "bold"),
                    f"  {format_instant(summary.started_unix_us)}  ",
                    (f"{printable(summary.user)}@{printable(summary.host)}", "cyan"),
                )
            )
            last_rec = summary.rec
        elif hit.before:
            console.print("  --", style="dim")
        for line in hit.before:
            _print_line(console, line, "dim")
        if hit.line is not None:
            _print_line(console, hit.line, "", hit.highlights)
        if hit.event is not None:
            _print_at(console, hit.at_us or 0, format_event_hit(hit.event.event))
        for line in hit.after:
            _print_line(console, line, "dim")


def _print_line(
    console: Console, line: TextLine, style: str, highlights: list[tuple[int, int]] | None = None
) -> None:
    text = Text()
    at = 0
    for start, end in highlights or []:
        text.append_text(printable(line.text[at:start]))
        text.append_text(Text(str(printable(line.text[start:end])), style="bold reverse"))
        at = end
    text.append_text(printable(line.text[at:]))
    text.stylize(style)
    _print_at(console, line.at_us, text)


def _print_at(console: Console, at_us: int, text: Text) -> None:
    """Print what stood there then; what does not fit into the line goes on below itself."""
    row = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
    row.add_column(justify="right", min_width=_OFFSET_CELLS, no_wrap=True)
    row.add_column(overflow="fold")
    row.add_row(Text(format_offset(at_us), style="green"), text)
    console.print(row)
