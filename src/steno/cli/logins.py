"""`steno logins`: who logged in where and when, and who was refused."""

from __future__ import annotations

from datetime import datetime

import click
import msgspec
from rich.table import Table
from rich.text import Text

from steno.cli.library import Library, Location, collect, library_options, open_library
from steno.cli.tables import format_duration, format_instant, make_console, printable
from steno.errors import UsageError
from steno.store.events import Login, LoginFailures, LoginQuery
from steno.store.fields import parse_instant

_REC_CHARACTERS = 8


@click.command("logins")
@click.option("--failed", is_flag=True, help="Show attempts that failed instead.")
@click.option("--user", default="", help="On this account; * stands for anything.")
@click.option("--host", default="", help="On this host.")
@click.option("--source", metavar="FROM", default="", help="From this address or name.")
@click.option(
    "--service", default="", help="Through this program (all but cron, atd and systemd's)."
)
@click.option(
    "--recorded/--not-recorded", "is_recorded", default=None, help="With, or without a recording."
)
@click.option("--after", metavar="TIME", help="Then or later: 2026-11-20, 3d, yesterday ...")
@click.option("--before", metavar="TIME", help="Earlier than that.")
@click.option(
    "-n", "--limit", type=click.IntRange(1), default=50, help="How many at the most (50)."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@library_options
def command(
    failed: bool,
    user: str,
    host: str,
    source: str,
    service: str,
    is_recorded: bool | None,
    after: str | None,
    before: str | None,
    limit: int,
    as_json: bool,
    location: Location,
) -> None:
    """Show who logged in, newest first, as the hosts' audit trails tell it (docs/audit.md)."""
    if failed and is_recorded is not None:
        raise UsageError("--failed and --recorded exclude each other")
    query = LoginQuery(
        user=user,
        host=host,
        source=source,
        service=service,
        is_recorded=is_recorded,
        from_unix_us=_instant("--after", after),
        until_unix_us=_instant("--before", before),
    )
    library = open_library(location)
    try:
        table, items, has_more = (_failures if failed else _logins)(library, query, limit)
    finally:
        library.close()
    if as_json:
        for item in items:
            click.echo(msgspec.json.encode(item))
        return
    if not items:
        make_console(is_stderr=True).print("no failures" if failed else "no logins")
        return
    make_console().print(table)
    if has_more:
        make_console(is_stderr=True).print(f"more than {limit}; see -n", style="dim")


def _instant(option: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return parse_instant(text, datetime.now().astimezone())[0]
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from error


def _logins(library: Library, query: LoginQuery, limit: int) -> tuple[Table, list[Login], bool]:
    logins, has_more = collect(
        lambda cursor, count: library.logins(query, cursor=cursor, limit=count), limit
    )
    table = _table("when", "user", "host", "through", "from", "lasted", "failed", "recording")
    for login in logins:
        table.add_row(
            Text(format_instant(login.opened_unix_us)),
            printable(login.user or "?"),
            printable(login.host),
            printable(login.service or "?"),
            printable(login.source or login.terminal.removeprefix("/dev/") or "-"),
            Text(_lasted(login)),
            Text(str(login.failures) if login.failures else "-", style=_style(login.failures)),
            _recordings(login.recordings),
        )
    return table, logins, has_more


def _failures(
    library: Library, query: LoginQuery, limit: int
) -> tuple[Table, list[LoginFailures], bool]:
    failures, has_more = collect(
        lambda cursor, count: library.login_failures(query, cursor=cursor, limit=count), limit
    )
    table = _table("count", "user", "host", "through", "from", "first", "last")
    for one in failures:
        table.add_row(
            Text(str(one.count), style=_style(one.count)),
            printable(one.user or "?"),
            printable(one.host),
            printable(one.service or "?"),
            printable(one.source or (f"by {one.login_user}" if one.login_user else "-")),
            Text(format_instant(one.first_unix_us)),
            Text("" if one.count == 1 else format_instant(one.last_unix_us)),
        )
    return table, failures, has_more


def _table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    for name in names:
        is_number = name in ("failed", "count")
        is_fixed = name in ("when", "first", "last", "lasted", "recording")
        table.add_column(
            name,
            justify="right" if is_number else "left",
            no_wrap=is_fixed,
            overflow="fold",
        )
    return table


def _style(count: int) -> str:
    return "bold red" if count >= 5 else "red" if count else "dim"


def _lasted(login: Login) -> str:
    if login.closed_unix_us is None:
        return "-"
    return format_duration(login.closed_unix_us - login.opened_unix_us)


def _recordings(recs: list[str]) -> Text:
    if not recs:
        return Text("not recorded", style="yellow")
    more = f" +{len(recs) - 1}" if len(recs) > 1 else ""
    return Text(str(printable(recs[0][:_REC_CHARACTERS])) + more, style="cyan")
