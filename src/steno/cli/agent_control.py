"""`steno agent status`, `sessions`, `kill` ...: what the agent that runs says, and does."""

from __future__ import annotations

import json
import os
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
from steno.cli.options import examples, json_option
from steno.cli.tables import make_console
from steno.delivery.control import AgentControl
from steno.errors import AmbiguousError, NotFoundError
from steno.heartbeat import HostOrder
from steno.model import NO_AUDIT_SESSION
from steno.recorder.facts import read_account, read_line

_TIMEOUT_S = 10.0


@click.command("status", epilog=examples("steno agent status", "steno agent status --json"))
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
        *(f"FAILS       recordings cannot be written: {why}" for why in answer["unwritable"]),
    ]
    for line in lines:
        click.echo(escape_controls(line))


@click.command("sessions", epilog=examples("steno agent sessions"))
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


@click.command("reload", epilog=examples("steno agent reload"))
@config_option
@control_option
@click.pass_context
def reload_command(context: click.Context, /, **given: Any) -> None:  # noqa: ANN401  # click's values
    """Read configuration and policy again; a wrong file is refused, and the old one stays."""
    _ask(context, given, "reload")
    click.echo("configuration and policy were read again")


@click.command("kill", epilog=examples("steno agent kill 3c5d7"))
@click.argument("rec")
@config_option
@control_option
@click.pass_context
def kill_command(context: click.Context, /, rec: str, **given: Any) -> None:  # noqa: ANN401  # click's values
    """End the session whose recording is REC, or begins so: it is hung up, and noted by whom."""
    control = _find_agent(context, given)
    session = _find_session(control, rec)
    control.perform(HostOrder("", "kill", session["rec"], _name_caller()))
    click.echo(f"ended {_describe(session)}")


@click.command("message", epilog=examples('steno agent message 3c5d7 "Please log out."'))
@click.argument("rec")
@click.argument("text")
@config_option
@control_option
@click.pass_context
def message_command(context: click.Context, /, rec: str, text: str, **given: Any) -> None:  # noqa: ANN401  # click's values
    """Show TEXT on the terminal of the session whose recording is REC, or begins so."""
    control = _find_agent(context, given)
    session = _find_session(control, rec)
    control.perform(HostOrder("", "message", session["rec"], _name_caller(), text))
    click.echo(f"shown to {_describe(session)}")


def _find_session(control: AgentControl, rec: str) -> dict[str, Any]:
    """Return the session that `rec` is the beginning of.

    Raises:
        NotFoundError: There is none.
        AmbiguousError: There are several.
    """
    found = [one for one in control.ask("sessions")["sessions"] if one["rec"].startswith(rec)]
    if not found:
        raise NotFoundError(f"no session {rec} is being recorded here")
    if len(found) > 1:
        raise AmbiguousError(f"{len(found)} sessions begin with {rec}")
    return dict(found[0])


def _describe(session: dict[str, Any]) -> str:
    return escape_controls(f"{session['rec']} ({session['user']})")


def _name_caller() -> str:
    """Return who is asking: who logged in, if the kernel knows, else whose rights we have."""
    text = (read_line("/proc/self/loginuid") or "").strip()
    uid = int(text) if text.isdigit() and int(text) != NO_AUDIT_SESSION else os.geteuid()
    return read_account(uid).name


def _ask(context: click.Context, given: dict[str, Any], do: str) -> dict[str, Any]:
    """Ask the agent that the options name."""
    return _find_agent(context, given).ask(do)


def _find_agent(context: click.Context, given: dict[str, Any]) -> AgentControl:
    """Return the agent that the options name: the command's own, or those of `steno agent`."""
    before: dict[str, Any] = context.obj or {}
    file = given["config_file"] or before.get("config_file")
    control = given["control"] or before.get("control")
    config = load_agent_config(file, {"control": control})
    return AgentControl(Path(config.control), timeout_s=_TIMEOUT_S)


def _since(unix_us: int) -> str:
    """Return how long ago an instant was, roughly."""
    passed_s = max(0, time.time_ns() // 1000 - unix_us) // 1_000_000
    for size_s, letter in ((86400, "d"), (3600, "h"), (60, "m")):
        if passed_s >= size_s:
            return f"{passed_s // size_s}{letter}"
    return f"{passed_s}s"
