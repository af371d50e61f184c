"""`steno audit report`: what an audit log amounts to, for people and for scripts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import click
import msgspec

from steno.audit.event import Event
from steno.audit.reading import EventReader
from steno.audit.sorts import CHANGES
from steno.audit.totals.logins import Failure, Logins, Session
from steno.audit.totals.summaries import Summaries, Summary
from steno.audit.totals.tallies import TALKS, RanProgram, RanPrograms, Tallies, Tally
from steno.cli.audit_converting import open_reader
from steno.cli.audit_files import find_logs, read_logs
from steno.cli.audit_selecting import Selection, selection_options
from steno.cli.audit_tables import (
    print_commands,
    print_logins,
    print_summary,
    print_tallies,
)
from steno.cli.audit_telling import Teller
from steno.cli.options import examples, json_lines_option

Row = RanProgram | Tally | Session | Failure | Summary


class _Tally(Protocol):
    def feed(self, event: Event, /) -> Sequence[Row]: ...
    def finish(self) -> Sequence[Row]: ...


_FILES = frozenset({"file", "directory"})
_TALLIES: dict[str, Callable[[], _Tally]] = {
    "summary": Summaries,
    "commands": RanPrograms,
    "files": lambda: Tallies(CHANGES, _FILES),
    "network": lambda: Tallies(TALKS, frozenset({"address"})),
    "logins": Logins,
}
_PRINTERS: dict[str, Callable[[list[Any]], None]] = {
    "summary": print_summary,
    "commands": print_commands,
    "files": lambda rows: print_tallies(rows, "file"),
    "network": lambda rows: print_tallies(rows, "address"),
    "logins": print_logins,
}


@click.command(
    "report",
    epilog=examples(
        "steno audit report commands",
        "steno audit report files --user avery --from yesterday audit.log",
        "ausearch --raw -ts today | steno audit report logins",
        "journalctl -o export --since today | steno audit report logins",
    ),
)
@click.argument("kind", metavar="REPORT", type=click.Choice(list(_TALLIES)))
@click.argument("files", nargs=-1, metavar="[FILE|DIRECTORY|-]...")
@selection_options
@json_lines_option
@click.option("--no-names", is_flag=True, help="Do not ask this host for the names of ids.")
def command(
    kind: str, files: tuple[str, ...], selection: Selection, as_json: bool, no_names: bool
) -> int:
    """Report what audit logs amount to.

    \b
    REPORT is one of
      summary    how much of what
      commands   programs that were run, by user and session, with how they ended
      files      files that were changed, by whom and with what
      network    addresses that were spoken with
      logins     sessions, who became whom, and failures

    FILEs are as for `steno audit convert`.
    """  # noqa: D301  # click's mark for a paragraph that keeps its lines
    logs = find_logs(files)
    reader = open_reader(
        with_names=not no_names,
        # Two records that mean the same are two words on one attempt, or two attempts.
        with_records=kind == "logins",
        finds_losses=None not in logs,
        hears_words=kind == "logins",
    )
    teller = Teller()
    tally = _TALLIES[kind]()
    rows: list[Row] = []
    for row in _tally(tally, _read(reader, logs, teller, selection)):
        if isinstance(row, Summary):
            row.damaged = teller.damaged
        if as_json:
            sys.stdout.buffer.write(msgspec.json.encode(row) + b"\n")
        else:
            rows.append(row)
    if not as_json:
        _PRINTERS[kind](rows)
    return teller.finish()


def _tally(tally: _Tally, events: Iterator[Event]) -> Iterator[Row]:
    for event in events:
        yield from tally.feed(event)
    yield from tally.finish()


def _read(
    reader: EventReader, logs: Sequence[Any], teller: Teller, selection: Selection
) -> Iterator[Event]:
    for _, piece in teller.hold(read_logs(logs)):
        yield from _select(reader.feed(piece), teller, selection)
        teller.tell(reader.take_damage())
    yield from _select(reader.finish(), teller, selection)
    teller.tell(reader.take_damage())


def _select(events: list[Event], teller: Teller, selection: Selection) -> Iterator[Event]:
    for event in events:
        teller.lost += event.lost_before
        if selection.takes(event):
            yield event
