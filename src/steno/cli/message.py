"""`steno message`: show a message on a recorded session's terminal."""

from __future__ import annotations

import click

from steno.cli.library import Location, server_options
from steno.cli.ordering import give_order


@click.command("message")
@click.argument("rec")
@click.argument("text")
@click.option("--reason", default="", help="Why; it is logged, and not shown to the person.")
@click.option("--json", "as_json", is_flag=True, help="Say what came of it as one JSON object.")
@server_options
def command(rec: str, text: str, reason: str, *, as_json: bool, location: Location) -> None:
    """Show TEXT on the terminal of the session whose recording is REC.

    By role (docs/hosts.md), and logged. It stands in the recording too.
    """
    asked = {"text": text, "reason": reason}
    give_order(location, rec, "message", asked, as_json=as_json, done="shown to")
