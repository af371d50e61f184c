"""How `steno audit report` shows its rows to people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from rich.table import Table
from rich.text import Text

from steno.audit.totals.logins import Failure, Session
from steno.audit.totals.summaries import Summary
from steno.audit.totals.tallies import RanProgram, Tally
from steno.audit.words.quoting import join_arguments
from steno.audit.words.sentences import signal_name
from steno.cli.listing import tell
from steno.cli.tables import format_duration, format_instant, make_console, printable

_SHOWN = 15
"""So many of the most frequent programs and keys are shown in a summary."""

Row = TypeVar("Row", RanProgram, Tally)


def print_commands(rows: list[RanProgram]) -> None:
    """Print programs that were run, by user and session."""
    console = make_console()
    if not rows:
        tell("no commands")
        return
    for number, group in enumerate(_group_commands(rows)):
        first = group[0]
        heading = _join([first.host, first.user or "nobody", _session(first.session)])
        days = {_day(row.at_unix_us) for row in group}
        console.print(Text(("\n" if number else "") + f"{heading}, {min(days)}", style="bold"))
        table = _table("time", "took", "exit", "as", "command")
        for row in group:
            style = "red" if row.exit_status or row.signal or row.result == "failure" else ""
            table.add_row(
                _time(row.at_unix_us, is_one_day=len(days) == 1),
                _took(row),
                Text(_exit(row), style=style),
                printable(row.account),
                printable(join_arguments(row.arguments)),
            )
        console.print(table)


def _group_commands(rows: list[RanProgram]) -> Iterable[list[RanProgram]]:
    groups: dict[tuple[str, str, int | None], list[RanProgram]] = {}
    for row in sorted(rows, key=lambda row: row.at_unix_us):
        groups.setdefault((row.host, row.user, row.session), []).append(row)
    return groups.values()


def print_tallies(rows: list[Tally], noun: str) -> None:
    """Print what was done with files or addresses (`noun`: file, address), by user."""
    console = make_console()
    if not rows:
        tell("none")
        return
    groups: dict[tuple[str, str, str], list[Tally]] = {}
    for row in rows:
        groups.setdefault((row.host, row.user, row.account), []).append(row)
    for number, ((host, user, account), group) in enumerate(groups.items()):
        who = user if user == account else f"{user} as {account}"
        days = {_day(row.first_unix_us) for row in group}
        heading = f"{_join([host, who or 'nobody'])}, {min(days)}"
        console.print(Text(("\n" if number else "") + heading, style="bold"))
        table = _table("time", "what", noun, "with")
        for row in group:
            table.add_row(
                _time(row.first_unix_us, is_one_day=len(days) == 1),
                Text(_counted(row), style="red" if row.failures else ""),
                printable(row.name),
                printable(", ".join(row.programs)),
            )
        console.print(table)


def _counted(row: Tally) -> str:
    words = [word if count == 1 else f"{word} {count}x" for word, count in row.actions.items()]
    if row.failures:
        words.append("failed" if row.failures == 1 else f"failed {row.failures}x")
    return ", ".join(words)


def print_logins(rows: list[Session | Failure]) -> None:
    """Print the sessions of each host, then the failures."""
    if not rows:
        tell("no logins")
    console = make_console()
    is_first = True
    for host in dict.fromkeys(row.host for row in rows):
        on = f" on {host}" if host else ""
        sessions = [row for row in rows if isinstance(row, Session) and row.host == host]
        failures = [row for row in rows if isinstance(row, Failure) and row.host == host]
        for heading, table in (
            (f"Sessions{on}", _sessions_table(sessions)),
            (f"Failures{on}", _failures_table(failures)),
        ):
            if table.row_count:
                console.print(Text("" if is_first else "\n") + Text(heading, style="bold"))
                console.print(table)
                is_first = False


def _sessions_table(sessions: Sequence[Session]) -> Table:
    table = _table("began", "took", "ses", "user", "through", "from", "on", "became")
    for row in sessions:
        ended_us = row.ended_unix_us
        table.add_row(
            Text(format_instant(row.began_unix_us)),
            Text("" if ended_us is None else format_duration(ended_us - row.began_unix_us)),
            Text("" if row.session is None else str(row.session)),
            printable(row.user),
            printable(row.program),
            printable(row.origin),
            printable(row.terminal or ""),
            printable(", ".join(row.became)),
        )
    return table


def _failures_table(failures: Sequence[Failure]) -> Table:
    table = _table("when", "account", "through", "from", "by", "attempts")
    for row in failures:
        table.add_row(
            Text(format_instant(row.at_unix_us)),
            printable(row.account),
            printable(row.program),
            printable(row.origin),
            printable(row.user),
            Text(str(row.attempts)),
        )
    return table


def print_summary(rows: list[Summary]) -> None:
    """Print a log in numbers."""
    console = make_console()
    for row in rows:
        if row.first_unix_us is None or row.last_unix_us is None:
            tell("no events")
            continue
        first, last = format_instant(row.first_unix_us), format_instant(row.last_unix_us)
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
        table.add_row("events", f"{row.events}, {first} to {last}")
        if row.lost or row.damaged:
            table.add_row(
                "missing", f"{row.lost} events; {row.damaged} unreadable lines", style="red"
            )
        table.add_row("sessions", str(row.sessions))
        for name, counts in (
            ("hosts", row.hosts),
            ("users", row.users),
            ("what was done", row.actions),
            ("failures", row.failures),
            ("programs", row.programs),
            ("rules' keys", row.keys),
        ):
            if counts:
                table.add_row(name, printable(_most(counts)))
        console.print(table)


def _most(counts: dict[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    shown = [f"{name} {count}" for name, count in ordered[:_SHOWN]]
    if len(ordered) > _SHOWN:
        shown.append(f"and {len(ordered) - _SHOWN} more")
    return ", ".join(shown)


def _table(*names: str) -> Table:
    """Return a table whose last columns wrap: nothing is cut."""
    table = Table(box=None, pad_edge=False, header_style="bold dim", padding=(0, 1, 0, 0))
    for name in names:
        wraps = name in _WRAPPED
        least = 12 if name == "from" else None
        table.add_column(name, no_wrap=not wraps, overflow="fold", min_width=least)
    return table


_WRAPPED = frozenset({"command", "file", "address", "what", "with", "became", "from"})


def _join(parts: Sequence[str]) -> str:
    return ", ".join(str(printable(part)) for part in parts if part)


def _session(session: int | None) -> str:
    return "no session" if session is None else f"session {session}"


def _day(at_unix_us: int) -> str:
    return datetime.fromtimestamp(at_unix_us / 1e6).astimezone().strftime("%Y-%m-%d")


def _time(at_unix_us: int, *, is_one_day: bool) -> Text:
    instant = format_instant(at_unix_us)
    return Text(instant[11:] if is_one_day else instant[5:])


def _took(row: RanProgram) -> Text:
    if row.ended_unix_us is None:
        return Text("")
    return Text(format_duration(row.ended_unix_us - row.at_unix_us))


def _exit(row: RanProgram) -> str:
    if row.result == "failure":
        return row.error or "failed"
    if row.signal is not None:
        return signal_name(str(row.signal))
    return "" if row.exit_status is None else str(row.exit_status)
