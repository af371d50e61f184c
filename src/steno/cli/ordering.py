"""Asking a server to act on a session, and waiting for what comes of it."""

from __future__ import annotations

import json
import time
from typing import Any

import click

from steno.cli.library import Location, open_server
from steno.cli.messages import escape_controls
from steno.cli.remote import RemoteLibrary
from steno.errors import RefusedError, UnreachableError
from steno.store.protocol import Summary

_LOOK_S = 0.3
_PATIENCE_S = 60.0


def give_order(
    location: Location, rec: str, do: str, asked: dict[str, str], *, as_json: bool, done: str
) -> None:
    """Give an order about the recording that goes by `rec`, wait, and say what came of it.

    Raises:
        RefusedError: The server or the host says no, and why.
        UnreachableError: The host did not answer in time.
        StenoError: The server cannot be asked.
    """
    server = open_server(location)
    try:
        summary = server.find(rec)
        order = _wait(server, server.order(summary.rec, do, asked))
    finally:
        server.close()
    if as_json:
        click.echo(json.dumps(order))
    if order["state"] == "failed":
        raise RefusedError(f"{summary.host}: {escape_controls(order['failure'])}")
    if order["state"] != "done":
        raise UnreachableError(f"{summary.host} did not answer in time; nothing will be done now")
    if not as_json:
        click.echo(f"{done} {describe(summary)}")


def describe(summary: Summary) -> str:
    """Return whose session a recording is, for a line of text."""
    return escape_controls(f"{summary.rec} ({summary.user} on {summary.host})")


def _wait(server: RemoteLibrary, order: dict[str, Any]) -> dict[str, Any]:
    until_s = time.monotonic() + _PATIENCE_S
    while order["state"] == "waiting" and time.monotonic() < until_s:
        time.sleep(_LOOK_S)
        found = [one for one in server.orders(order["rec"]) if one["id"] == order["id"]]
        order = found[0] if found else order
    return order
