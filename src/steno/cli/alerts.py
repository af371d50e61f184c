"""`steno alerts`: what alert rules found, and the rules themselves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from steno.cli.lazy import LazyGroup
from steno.cli.library import Location, collect, open_server, server_options
from steno.cli.listing import print_found
from steno.cli.numbers import WholeRange
from steno.cli.options import examples, json_lines_option, limit_option
from steno.cli.tables import format_instant, make_console, printable
from steno.errors import NotFoundError

_COMMANDS: dict[str, tuple[str, str]] = {
    "list": ("alerts:list_command", "List what alert rules found."),
    "acknowledge": ("alerts:acknowledge_command", "Say that you have seen to alerts."),
    "check": ("alerts:check_command", "Look for mistakes in a file of rules."),
    "rules": ("alerts:rules_command", "Print the rules that come with Steno."),
}
_SEVERITIES = ("low", "medium", "high", "critical")
_STYLES = {"critical": "bold red", "high": "red", "medium": "yellow", "low": ""}
_WIDE_CELLS = 140
"""From here on all fits beside each other."""


@click.group("alerts", cls=LazyGroup, table=_COMMANDS)
def command() -> None:
    """List and acknowledge alerts; check their rules (docs/alerts.md)."""


@click.command(
    "list",
    epilog=examples(
        "steno alerts list",
        "steno alerts list --least high --host web1",
        "steno alerts list --all --json",
    ),
)
@click.option(
    "--least",
    type=click.Choice(_SEVERITIES),
    default="low",
    help="Of this severity or a worse one [default: low].",
)
@click.option("--all", "is_all", is_flag=True, help="Also those that somebody has acknowledged.")
@click.option("--rule", metavar="NAME", help="Of this rule.")
@click.option("--host", metavar="NAME", help="Of this host.")
@click.option("--rec", metavar="REC", help="Of this recording, oldest first.")
@limit_option(50)
@json_lines_option
@server_options
def list_command(
    least: str,
    rule: str | None,
    host: str | None,
    rec: str | None,
    limit: int,
    *,
    is_all: bool,
    as_json: bool,
    location: Location,
) -> None:
    """List what alert rules found and nobody has acknowledged, newest first."""
    server = open_server(location)
    try:
        if rec is not None:
            found = server.recording_alerts(rec), False
        else:
            parameters = {
                "least": least,
                "state": "all" if is_all else "open",
                "rule": rule,
                "host": host,
            }
            found = collect(
                lambda cursor, count: server.alerts(
                    parameters | {"cursor": cursor, "limit": count}
                ),
                limit,
            )
    finally:
        server.close()
    print_found(found, _print, as_json=as_json, nothing="no alerts")


def _print(alerts: Sequence[dict[str, Any]]) -> None:
    """Print a table; where that is narrow, what happened stands on lines of its own."""
    console = make_console()
    names = ["id", "when", "severity", "rule", "user", "host", "times"]
    is_wide = console.width >= _WIDE_CELLS
    if is_wide:
        console.print(_make_table([*names, "what"], list(map(_cells, alerts))))
        return
    names.remove("host")
    for alert in alerts:
        cells = _cells(alert)
        head = Text("  ").join(cells[name] for name in names if name != "times")
        if alert["count"] > 1:
            head.append(f"  {alert['count']} times")
        console.print(head, no_wrap=True, overflow="ellipsis")
        console.print(Padding(cells["what"], (0, 0, 0, 4)), overflow="fold")


def _make_table(names: list[str], rows: list[dict[str, Text]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        is_text = name == "what"
        table.add_column(
            name,
            justify="right" if name in ("id", "times") else "left",
            no_wrap=not is_text,
            overflow="fold" if is_text else "ellipsis",
        )
    for cells in rows:
        table.add_row(*(cells[name] for name in names))
    return table


def _cells(alert: dict[str, Any]) -> dict[str, Text]:
    severity = str(alert["severity"])
    what = Text("\n").join(printable(text) for text in [alert["text"], *alert["others"]])
    seen = alert.get("acknowledged_by")
    if seen:
        comment = alert.get("comment")
        said = f" [acknowledged by {seen}{': ' + comment if comment else ''}]"
        what.append_text(printable(said))
    return {
        "id": Text(str(alert["id"])),
        "when": Text(format_instant(alert["at_unix_us"])),
        "severity": Text(severity, style=_STYLES.get(severity, "")),
        "rule": printable(alert["rule"]),
        "host": printable(alert["host"]),
        "user": printable(alert.get("login_user") or alert.get("user") or "-"),
        "times": Text(str(alert["count"])),
        "what": what,
    }


@click.command(
    "acknowledge", epilog=examples('steno alerts acknowledge 17 --comment "planned, change 4711"')
)
@click.argument("numbers", nargs=-1, required=True, type=WholeRange(1), metavar="ID...")
@click.option(
    "--comment", metavar="TEXT", default="", help="What there is to say about them; it is kept."
)
@server_options
def acknowledge_command(numbers: tuple[int, ...], comment: str, location: Location) -> None:
    """Say that you have seen to alerts; who, when and the comment are kept."""
    server = open_server(location)
    try:
        for number in numbers:
            alert = server.acknowledge(number, comment)
            who = str(alert["acknowledged_by"])
            click.echo(f"{number}: acknowledged by {printable(who).plain}")
    finally:
        server.close()


@click.command("check", epilog=examples("steno alerts check alerts.toml"))
@click.argument("file", type=click.Path(path_type=Path))
def check_command(file: Path) -> None:
    """Look for mistakes in FILE, a file of alert rules.

    Ends with 0 if it can be in force, else with 3 and a line that says what is wrong where.
    """
    from steno.server.alert_watch import load_rules

    if not file.exists():
        raise NotFoundError(f"{file}: no such file")
    rules = load_rules(file, must_exist=True)
    for_lines = sum(rule.is_for_lines for rule in rules)
    counts = f"{len(rules) - for_lines} for events, {for_lines} for text on screens"
    count = f"{len(rules)} rule{'' if len(rules) == 1 else 's'} in force"
    click.echo(f"{file}: {count}, {counts}; no mistake")


@click.command("rules", epilog=examples("steno alerts rules > alerts.toml"))
def rules_command() -> None:
    """Print the rules that come with Steno, to begin one's own file with."""
    from steno.server.alert_watch import read_own_rules

    click.echo(read_own_rules().decode(), nl=False)
