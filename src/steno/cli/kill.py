"""`steno kill`: end a session that is being recorded."""

from __future__ import annotations

import sys

import click

from steno.cli.library import Location, open_server, server_options
from steno.cli.ordering import describe, give_order


@click.command("kill")
@click.argument("rec")
@click.option("--reason", default="", help="Why; it is logged.")
@click.option("--yes", "is_sure", is_flag=True, help="Do not ask first.")
@click.option("--json", "as_json", is_flag=True, help="Say what came of it as one JSON object.")
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
