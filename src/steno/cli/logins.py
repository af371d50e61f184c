"""`steno logins`: who logged in where and when, and who was refused."""

from __future__ import annotations

from collections.abc import Sequence

import click
from rich.table import Table
from rich.text import Text

from steno.cli.instants import read_instant
from steno.cli.library import Location, collect, library_options, open_library
from steno.cli.listing import print_found, tell
from steno.cli.options import examples, json_lines_option, limit_option
from steno.cli.tables import format_duration, format_instant, make_console, printable
from steno.errors import UsageError
from steno.store.events import Login, LoginFailures, LoginQuery, ToldBy

_REC_CHARACTERS = 8


@click.command(
    "logins",
    epilog=examples(
        "steno logins --after 1d",
        "steno logins --not-recorded --host 'web*'",
        "steno logins --failed --user avery",
    ),
)
@click.option("--failed", is_flag=True, help="Show attempts that failed instead.")
@click.option("--user", metavar="NAME", default="", help="On this account; * stands for anything.")
@click.option("--host", metavar="NAME", default="", help="On this host; * too.")
@click.option("--source", metavar="ADDRESS", default="", help="From this address or name; * too.")
@click.option(
    "--service",
    metavar="NAME",
    default="",
    help="Through this program; * too [default: all but cron, atd and systemd's].",
)
@click.option(
    "--recorded/--not-recorded", "is_recorded", default=None, help="With, or without a recording."
)
@click.option("--after", metavar="TIME", help="Then or later: 2026-11-20, 3d, yesterday ...")
@click.option("--before", metavar="TIME", help="Earlier than that.")
@limit_option(50)
@json_lines_option
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
        from_unix_us=None if after is None else read_instant("--after", after)[0],
        until_unix_us=None if before is None else read_instant("--before", before)[0],
    )
    library = open_library(location)
    try:
        if failed:
            failures = collect(
                lambda cursor, count: library.login_failures(query, cursor=cursor, limit=count),
                limit,
            )
            print_found(failures, _print_failures, as_json=as_json, nothing="no failures")
        else:
            logins = collect(
                lambda cursor, count: library.logins(query, cursor=cursor, limit=count), limit
            )
            print_found(logins, _print_logins, as_json=as_json, nothing="no logins")
    finally:
        library.close()


def _print_logins(logins: Sequence[Login]) -> None:
    table = _table("when", "user", "host", "through", "from", "lasted", "failed", "recording")
    for login in logins:
        table.add_row(
            Text(format_instant(login.opened_unix_us)),
            printable(login.user or "?"),
            printable(login.host),
            _service(login.service, login.told_by),
            printable(login.source or login.terminal.removeprefix("/dev/") or "-"),
            Text(_lasted(login)),
            Text(str(login.failures) if login.failures else "-", style=_style(login.failures)),
            _recordings(login.recordings),
        )
    make_console().print(table)
    _explain(logins)


def _print_failures(failures: Sequence[LoginFailures]) -> None:
    table = _table("count", "user", "host", "through", "from", "first", "last")
    for one in failures:
        table.add_row(
            Text(str(one.count), style=_style(one.count)),
            printable(one.user or "?"),
            printable(one.host),
            _service(one.service, one.told_by),
            printable(one.source or (f"by {one.login_user}" if one.login_user else "-")),
            Text(format_instant(one.first_unix_us)),
            Text("" if one.count == 1 else format_instant(one.last_unix_us)),
        )
    make_console().print(table)
    _explain(failures)


def _explain(found: Sequence[Login] | Sequence[LoginFailures]) -> None:
    if any(one.told_by == "journal" for one in found):
        tell("* the program's own word in the host's journal; no audit record says so")


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


def _service(service: str, told_by: ToldBy) -> Text:
    """Return a program's name, and a star where only its own word is known."""
    return Text(str(printable(service or "?")) + ("*" if told_by == "journal" else ""))


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
