"""`steno show`: all that is known of one recording."""

from __future__ import annotations

import click
import msgspec
from rich.table import Table

from steno.cli.input_files import names_file
from steno.cli.library import Library, Location, library_options, open_library
from steno.cli.options import chosen_option, examples, json_option
from steno.cli.recorded_file import RecordedFile
from steno.cli.tables import (
    format_chain,
    format_duration,
    format_end,
    format_instant,
    format_offset,
    format_size,
    make_console,
    printable,
)
from steno.store.protocol import Summary


@click.command(
    "show", epilog=examples("steno show 3c5d7", "steno show 3c5d7 --text", "steno show session.log")
)
@click.argument("target", metavar="REC|FILE|-")
@chosen_option
@click.option("--text", "with_text", is_flag=True, help="The screen's text instead, a line each.")
@json_option
@library_options
def command(
    target: str, rec: str | None, with_text: bool, as_json: bool, location: Location
) -> None:
    """Show who, where, when and how of a recording, and the commands in it.

    It is the recording REC of a library, or stands in a FILE; - is standard input.
    """
    library = RecordedFile(target, rec) if names_file(target) else open_library(location)
    try:
        summary = library.find(target)
        if with_text:
            for line in library.lines(summary.rec):
                if as_json:
                    click.echo(msgspec.json.encode(line))
                else:
                    click.echo(str(printable(line.text)))
        elif as_json:
            click.echo(msgspec.json.encode(_gather(library, summary)))
        else:
            _print_facts(library, summary)
    finally:
        library.close()


def _gather(library: Library | RecordedFile, summary: Summary) -> dict[str, object]:
    return {
        **msgspec.structs.asdict(summary),
        "commands": library.commands(summary.rec),
        "damage": library.damages(summary.rec),
    }


def _list_facts(summary: Summary) -> list[tuple[str, str | None]]:
    window = f"{summary.columns}x{summary.rows}" if summary.columns else None
    notes = ", ".join(f"{kind} {count}" for kind, count in sorted(summary.notes.items()))
    return [
        ("recording", summary.rec),
        ("user", summary.user + (f" (uid {summary.uid})" if summary.uid is not None else "")),
        ("login user", summary.login_user),
        ("host", summary.host),
        ("delivered by", summary.sender),
        ("from", summary.remote),
        ("service", summary.service),
        ("command", " ".join(summary.command) if summary.command else None),
        ("terminal", summary.terminal),
        ("window", window),
        ("started", format_instant(summary.started_unix_us)),
        ("length", format_duration(summary.duration_us)),
        ("end", format_end(summary)),
        ("output", format_size(summary.output_bytes)),
        ("input", format_size(summary.input_bytes) if "input" in summary.records else None),
        ("recorded", ", ".join(summary.records) or None),
        ("policy", summary.policy),
        ("labels", ", ".join(summary.labels) or None),
        ("audit session", None if summary.audit_session is None else str(summary.audit_session)),
        ("boot", summary.boot_id),
        ("number", None if summary.number is None else f"{summary.number} of this host"),
        ("size", f"{format_size(summary.size_bytes)} in {summary.messages} messages"),
        ("chain", format_chain(summary.chain)),
        ("notes", notes or None),
    ]


def _print_facts(library: Library | RecordedFile, summary: Summary) -> None:
    console = make_console()
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _list_facts(summary):
        if value is not None:
            table.add_row(name, printable(value))
    for damage in library.damages(summary.rec):
        place = f"line {damage.line}, byte {damage.offset_bytes}, {damage.length_bytes} bytes"
        table.add_row("damage", printable(f"{place}: {damage.reason}"), style="red")
    console.print(table)
    commands = library.commands(summary.rec)
    if commands:
        console.print("\ncommands that were typed (steno commands shows what ran)", style="bold")
        for entered in commands:
            console.print(f"{format_offset(entered.at_us):>10}  ", style="green", end="")
            console.print(printable(entered.text))
