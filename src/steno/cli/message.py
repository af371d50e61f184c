"""`steno message`: show a message on a recorded session's terminal."""

from __future__ import annotations

import click

from steno.cli.library import Location, server_options
from steno.cli.options import examples, json_option
from steno.cli.ordering import give_order


@click.command(
    "message", epilog=examples('steno message 3c5d7 "Please log out: the host goes down at noon."')
)
@click.argument("rec")
@click.argument("text")
@click.option(
    "--reason", metavar="TEXT", default="", help="Why; it is logged, and not shown to the person."
)
@json_option
@server_options
def command(rec: str, text: str, reason: str, *, as_json: bool, location: Location) -> None:
    """Show TEXT on the terminal of the session whose recording is REC.

    By role (docs/hosts.md), and logged. It stands in the recording too.
    """
    asked = {"text": text, "reason": reason}
    give_order(location, rec, "message", asked, as_json=as_json, done="shown to")
