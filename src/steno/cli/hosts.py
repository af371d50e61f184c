"""`steno hosts`: how the hosts are, as their server knows."""

from __future__ import annotations

import json
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from steno.cli.library import Location, open_server, server_options
from steno.cli.listing import tell
from steno.cli.options import examples, json_lines_option
from steno.cli.tables import format_duration, format_instant, format_size, make_console, printable

_HEADINGS = ("host", "state", "sessions", "heard", "lag", "missing", "clock", "agent", "warnings")
_STYLES = {"silent": "bold red", "good": "green", "revoked": "dim", "unheard": "dim"}


@click.command("hosts", epilog=examples("steno hosts", "steno hosts web1"))
@click.argument("host", required=False)
@json_lines_option
@server_options
def command(host: str | None, *, as_json: bool, location: Location) -> None:
    """Show how all hosts are, or all that is known of HOST: sessions, spool, clock, gaps.

    docs/hosts.md says what the states and warnings mean.
    """
    server = open_server(location)
    try:
        found = [server.host(host)] if host is not None else server.hosts()
    finally:
        server.close()
    if as_json:
        for one in found:
            click.echo(json.dumps(one))
        return
    console = make_console()
    if host is not None:
        _print_host(console, found[0])
    elif found:
        console.print(_make_table(found))
    else:
        tell("no hosts yet: steno host code NAME, on the server")


def _make_table(hosts: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in _HEADINGS:
        table.add_column(name, justify="right" if name in ("sessions", "missing") else "left")
    for host in hosts:
        table.add_row(*_describe(host))
    return table


def _describe(host: dict[str, Any]) -> list[Text]:
    state = str(host["state"])
    return [
        printable(host["name"]),
        Text(state, style=_STYLES.get(state, "")),
        Text(str(host["sessions"])),
        Text(_ago(host["silence_us"])),
        Text(_duration(host["lag_us"])),
        Text(str(host["missing"] or "-")),
        Text(_clock(host["clock_offset_us"])),
        printable(host["agent_version"] or "-"),
        printable(", ".join(host["warnings"])),
    ]


def _print_host(console: Console, host: dict[str, Any]) -> None:
    spool = host["spool"] or {}
    missing = ", ".join(
        str(first) if first == last else f"{first}-{last}"
        for first, last in host["missing_numbers"]
    )
    facts = [
        ("host", host["name"]),
        ("state", ", ".join([host["state"], *host["warnings"]])),
        ("heard", _ago(host["silence_us"])),
        ("agent", host["agent_version"] or "none answers"),
        ("courier", host["version"] or "-"),
        ("policy", host["policy"] or "-"),
        ("up for", _duration((host["uptime_s"] or 0) * 1_000_000)),
        ("clock", _clock(host["clock_offset_us"])),
        ("spool", _spool(host, spool)),
        ("lag", _duration(host["lag_us"])),
        ("recordings", f"{host['recordings']}, the last number is {host['last_number'] or '-'}"),
        ("missing", missing or "none"),
        ("audit trail", _audit(host.get("audit"))),
        *(("failure", failure) for failure in host["failures"]),
        *(
            ("not indexed", f"{left['rec']}: {left['reason']}; run `steno server reindex`")
            for left in host.get("left_alone", [])
        ),
    ]
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in facts:
        table.add_row(Text(name, style="dim"), printable(str(value)))
    console.print(table)
    for session in host["open_sessions"]:
        since = format_instant(session.get("started_unix_us", 0))
        who = session.get("user", "")
        login = session.get("login_user")
        through = session.get("service") or "-"
        line = f"{session['rec']}  {since}  {who}" + (f" ({login})" if login else "")
        console.print(printable(f"{line}  {through}  {session.get('remote') or '-'}"))


def _audit(audit: dict[str, Any] | None) -> str:
    """Return how a host's audit trail fares."""
    if audit is None:
        return "none"
    text = f"{audit['source']}: {audit.get('kept', 0)} of {audit.get('events', 0)} events kept"
    lost = ", ".join(f"{count} ({why})" for why, count in sorted(audit.get("lost", {}).items()))
    lag = _duration(audit.get("lag_us", 0))
    deaf = "; journald takes no events any more" if audit.get("is_deaf") else ""
    return f"{text}, {lag} behind" + (f"; lost: {lost}" if lost else "") + deaf


def _spool(host: dict[str, Any], spool: dict[str, Any]) -> str:
    if host["spool_bytes"] is None:
        return "-"
    text = f"{format_size(host['spool_bytes'])} of {format_size(host['spool_limit_bytes'])}"
    if host["undelivered_bytes"]:
        waiting = f"{spool.get('undelivered', 0)} recordings"
        text += f", {format_size(host['undelivered_bytes'])} of {waiting} not delivered"
    return text


def _ago(silence_us: int | None) -> str:
    return "never" if silence_us is None else f"{format_duration(silence_us)} ago"


def _duration(duration_us: int | None) -> str:
    return "-" if not duration_us else format_duration(duration_us)


def _clock(offset_us: int | None) -> str:
    if offset_us is None:
        return "-"
    # Added to zero, a negative zero loses its sign.
    return f"{round(offset_us / 1_000_000, 1) + 0.0:+.1f} s"
