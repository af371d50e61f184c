"""`steno commands`: what was typed in a recording, and what ran."""

from __future__ import annotations

import signal

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from steno.audit.session.recorded import RecordedCommand, RecordedCommands
from steno.cli.audited import (
    commands_of_session,
    join_messages,
    read_audit_log,
    read_file,
    read_library,
    sessions_of,
)
from steno.cli.input_files import names_file
from steno.cli.library import Location, library_options, open_library
from steno.cli.listing import tell
from steno.cli.numbers import WholeRange
from steno.cli.options import examples, json_option
from steno.cli.tables import format_duration, format_offset, make_console, printable
from steno.errors import UsageError

_LINE_CHARACTERS = 400


@click.command(
    "commands",
    epilog=examples(
        "steno commands 3c5d7",
        "steno commands 3c5d7 --tree",
        "steno commands session.log --audit /var/log/audit",
    ),
)
@click.argument("target", metavar="[REC|FILE|-]", required=False)
@click.option("--tree", is_flag=True, help="All that ran, each below what ran it.")
@click.option("--audit", metavar="FILE", help="An audit log, or a directory of them, beside it.")
@click.option(
    "--session",
    type=WholeRange(0),
    metavar="N",
    help="With --audit alone: of this audit session only.",
)
@json_option
@library_options
def command(
    target: str | None,
    tree: bool,
    audit: str | None,
    session: int | None,
    as_json: bool,
    location: Location,
) -> int:
    """Show what was typed in the recording REC, or in a recording's FILE, and what ran.

    Programs come from the audit trail of the recording's host, where the server has it, or from
    the log that --audit names; without either, the lines are those that stood on the screen.
    With --audit alone it is the log's sessions, with --json an object each. Ends with 1 when
    there is nothing.
    """
    if session is not None and (target is not None or audit is None):
        raise UsageError("--session is for --audit without a recording")
    if target is None:
        if audit is None:
            raise UsageError("name a recording, or an audit log with --audit")
        return _show_log(audit, session, tree=tree, as_json=as_json)
    return _show(_find(target, audit, location), tree=tree, as_json=as_json)


def _find(target: str, audit: str | None, location: Location) -> RecordedCommands:
    if names_file(target):
        return join_messages(read_file(target), audit, None)
    library = open_library(location)
    try:
        rec = library.find(target).rec
        if audit is None:
            return library.recorded_commands(rec)
        return join_messages(list(read_library(library, rec)), audit, library.commands(rec))
    finally:
        library.close()


def _show_log(audit: str, session: int | None, *, tree: bool, as_json: bool) -> int:
    events = read_audit_log(audit, session)
    sessions = sessions_of(events) if session is None else [session]
    status = 1
    for number in sessions:
        found = commands_of_session(events, number)
        if not as_json and len(sessions) > 1:
            make_console().print(f"audit session {number}", style="bold")
        if _show(found, tree=tree, as_json=as_json) == 0:
            status = 0
    return status


def _show(commands: RecordedCommands, *, tree: bool, as_json: bool) -> int:
    if as_json:
        click.echo(msgspec.json.encode(commands))
    elif commands.items:
        _print_commands(make_console(), commands, tree=tree)
    else:
        tell("no commands")
    return 0 if commands.items else 1


def _print_commands(console: Console, commands: RecordedCommands, *, tree: bool) -> None:
    depths = _depths(commands.items)
    shown = [one for one in commands.items if tree or _was_wanted(one, commands.items)]
    if not shown:
        tell("nothing was typed; this is all that ran")
        shown, tree = commands.items, True
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("at", justify="right", no_wrap=True)
    table.add_column("took", justify="right", no_wrap=True)
    table.add_column("exit", justify="right", no_wrap=True)
    table.add_column("command", overflow="fold")
    for one in shown:
        text = Text("  " * (depths[one.number] if tree else 0))
        text.append(_one_line(one), style="bold" if one.typed is not None else "")
        if marks := _marks(one, commands.source, tree=tree):
            text.append(f"  [{', '.join(marks)}]", style="dim")
        table.add_row(Text(format_offset(one.at_us), style="green"), _took(one), _exit(one), text)
    console.print(table)


def _depths(items: list[RecordedCommand]) -> dict[int | None, int]:
    depths: dict[int | None, int] = {None: -1}
    for one in items:
        depths[one.number] = depths[one.parent] + 1
    return depths


def _was_wanted(one: RecordedCommand, items: list[RecordedCommand]) -> bool:
    """Return whether a person asked for this: a line, or a program where no lines are known."""
    if one.typed is not None:
        return True
    parent = None if one.parent is None else items[one.parent - 1]
    return one.origin == "typed" and parent is not None and parent.kind == "shell"


def _one_line(one: RecordedCommand) -> str:
    text = str(printable(one.text.replace("\n", "\\n")))
    return text if len(text) <= _LINE_CHARACTERS else text[: _LINE_CHARACTERS - 1] + "…"


def _took(one: RecordedCommand) -> Text:
    if one.end_us is None:
        return Text("")
    lasted_us = one.end_us - one.at_us
    lasted = f"{lasted_us / 1000:.0f} ms" if lasted_us < 1_000_000 else format_duration(lasted_us)
    sign = {"next": "< ", "last": "> "}.get(one.ended, "")
    return Text(sign + lasted)


def _exit(one: RecordedCommand) -> Text:
    if one.signal is not None:
        try:
            return Text(signal.Signals(one.signal).name, style="red")
        except ValueError:
            return Text(f"signal {one.signal}", style="red")
    if one.error is not None:
        return Text(one.error, style="red")
    if one.exit_status is None:
        return Text("")
    return Text(str(one.exit_status), style="red" if one.exit_status else "")


def _marks(one: RecordedCommand, source: str, *, tree: bool) -> list[str]:
    """Return what else is to be said of a command; in a tree, of itself alone."""
    if source == "screen":
        return []
    counts = one.own if tree else one.below
    marks: list[str] = []
    marks += [one.kind] if tree and one.kind in ("shell", "subshell") else []
    marks += [one.origin] if tree and one.origin == "script" else []
    marks += [f"as {one.privilege}"] if one.privilege else []
    marks += ["background"] if one.is_background else []
    marks += [f"pipeline {one.pipeline}"] if tree and one.pipeline is not None else []
    for count, word in (
        (counts.files_changed, "file change"),
        (counts.connections, "connection"),
        (counts.denials, "denial"),
    ):
        marks += [f"{count} {word}{'s' if count != 1 else ''}"] if count else []
    if not tree and counts.programs > 1:
        marks.append(f"{counts.programs} programs")
    return marks
