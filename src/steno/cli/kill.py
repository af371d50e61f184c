"""`steno kill`: end a session that is being recorded."""

from __future__ import annotations

import sys

import click

from steno.cli.library import Location, open_server, server_options
from steno.cli.options import examples, json_option
from steno.cli.ordering import describe, give_order


@click.command("kill", epilog=examples('steno kill 3c5d7 --reason "left open over the weekend"'))
@click.argument("rec")
@click.option("--reason", metavar="TEXT", default="", help="Why; it is logged.")
@click.option("--yes", "is_sure", is_flag=True, help="Do not ask first.")
@json_option
@server_options
def command(rec: str, reason: str, is_sure: bool, *, as_json: bool, location: Location) -> None:
    """End the session whose recording is REC: its host hangs it up.

    By role (docs/hosts.md), and logged. On a terminal it asks first.
    """
    if not is_sure and sys.stdin.isatty():
        server = open_server(location)
        try:
            found = server.find(rec)
        finally:
            server.close()
        click.confirm(f"End the session {describe(found)}?", abort=True, err=True)
        rec = found.rec
    give_order(location, rec, "kill", {"reason": reason}, as_json=as_json, done="ended")
