"""`steno agent status`, `sessions` and `reload`: what the agent that runs says."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from steno.agent.configuration import load_agent_config
from steno.cli.agent import config_option, control_option
from steno.cli.messages import escape_controls
from steno.cli.tables import make_console
from steno.delivery.control import AgentControl

_TIMEOUT_S = 10.0

json_option = click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")


@click.command("status")
@config_option
@control_option
@json_option
@click.pass_context
def status_command(context: click.Context, /, as_json: bool, **given: Any) -> None:  # noqa: ANN401  # click's values
    """Show how the agent is, and what its spool holds."""
    answer = _ask(context, given, "status")
    if as_json:
        click.echo(json.dumps(answer))
        return
    spool, policy = answer["spool"], answer["policy"]
    used, total = decimal(spool["used_bytes"]), decimal(spool["total_bytes"])
    state = (
        "in force" if policy["is_current"] else f"REFUSED, the one before stays: {policy['error']}"
    )
    lines = [
        f"agent {answer['version']}, process {answer['pid']},"
        f" up {_since(answer['started_unix_us'])}",
        f"sessions    {answer['sessions']} now, {answer['sessions_total']} in all,"
        f" {answer['failures']} failures",
        f"passed      {decimal(answer['passed_bytes'])},"
        f" {decimal(answer['dropped_bytes'])} not recorded",
        f"spool       {used} of {total}, {spool['recordings']} recordings waiting"
        f" ({spool['lag_s']:.0f} s behind), {decimal(spool['free_bytes'])} free",
        f"policy      {policy['file']}, {state}",
    ]
    for line in lines:
        click.echo(escape_controls(line))


@click.command("sessions")
@config_option
@control_option
@json_option
@click.pass_context
def sessions_command(context: click.Context, /, as_json: bool, **given: Any) -> None:  # noqa: ANN401  # click's values
    """List the sessions that are being recorded."""
    sessions = _ask(context, given, "sessions")["sessions"]
    if as_json:
        click.echo(json.dumps(sessions))
        return
    if not sessions:
        click.echo("no sessions")
        return
    table = Table(box=None, pad_edge=False)
    for name in ("REC", "USER", "LOGIN", "SERVICE", "FROM", "TERMINAL", "SINCE", "BYTES"):
        table.add_column(name, overflow="fold", justify="right" if name == "BYTES" else "left")
    for session in sorted(sessions, key=lambda one: one["started_unix_us"]):
        cells = [
            session["rec"],
            session["user"],
            session["login_user"] or "",
            session["service"] or "",
            session["remote"] or "",
            session["terminal"] or session["kind"],
            _since(session["started_unix_us"]),
            decimal(session["bytes"]),
        ]
        table.add_row(*[Text(escape_controls(cell)) for cell in cells])
    make_console().print(table)


@click.command("reload")
@config_option
@control_option
@click.pass_context
def reload_command(context: click.Context, /, **given: Any) -> None:  # noqa: ANN401  # click's values
    """Read configuration and policy again; a wrong file is refused, and the old one stays."""
    _ask(context, given, "reload")
    click.echo("configuration and policy were read again")


def _ask(context: click.Context, given: dict[str, Any], do: str) -> dict[str, Any]:
    """Ask the agent that the options name: the command's own, or those of `steno agent`."""
    before: dict[str, Any] = context.obj or {}
    file = given["config_file"] or before.get("config_file")
    control = given["control"] or before.get("control")
    config = load_agent_config(file, {"control": control})
    return AgentControl(Path(config.control), timeout_s=_TIMEOUT_S).ask(do)


def _since(unix_us: int) -> str:
    """Return how long ago an instant was, roughly."""
    passed_s = max(0, time.time_ns() // 1000 - unix_us) // 1_000_000
    for size_s, letter in ((86400, "d"), (3600, "h"), (60, "m")):
        if passed_s >= size_s:
            return f"{passed_s // size_s}{letter}"
    return f"{passed_s}s"
