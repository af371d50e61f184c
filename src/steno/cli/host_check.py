"""`steno host check`: what would let sessions escape, or lock people out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from steno.cli.messages import escape_controls
from steno.cli.options import examples
from steno.delivery.control import AgentControl
from steno.errors import StenoError, UnsafeHostError
from steno.policy.checks.finding import Finding
from steno.policy.checks.host import ORDER, examine

_EFFECTS = {
    "lockout": "LOCKS OUT",
    "escape": "ESCAPE",
    "secret": "SECRETS",
    "gap": "gap",
    "hint": "hint",
}


@click.command("check", epilog=examples("steno host check", "steno host check --json"))
@click.option(
    "--root",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path("/"),
    metavar="DIRECTORY",
    help="Check the image of a host in DIRECTORY.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON array of findings.")
def check_command(root: Path, as_json: bool) -> int:
    """Find what would let sessions of this host escape recording, or lock people out.

    Changes nothing. Ends with 16 if something was found that is more than a hint.
    """
    findings = [*examine(root), *([] if root.resolve() != Path("/") else _ask_agent())]
    findings.sort(key=lambda finding: ORDER.index(finding.effect))
    if as_json:
        click.echo(msgspec.json.encode(findings).decode())
    else:
        for finding in findings:
            tell(finding)
        if not findings:
            click.echo("nothing found")
    return UnsafeHostError.exit_code if any(f.effect != "hint" for f in findings) else 0


def _ask_agent() -> Iterator[Finding]:
    """Yield what only the agent knows: within its sandbox a place may be read-only."""
    try:
        unwritable = AgentControl().unwritable()
    except StenoError:
        return  # that it does not take sessions is another finding
    for why in unwritable:
        yield Finding(
            "agent",
            "lockout",
            f"recordings cannot be written: {why}: with on_failure = deny recorded users cannot"
            " log in",
            "make it writable for the agent (docs/agent.md), or change `to` in agent.toml",
            "/etc/steno/agent.toml",
        )


def tell(finding: Finding) -> None:
    """Print a finding for people."""
    place = f" [{finding.place}]" if finding.place else ""
    click.echo(
        escape_controls(f"{_EFFECTS[finding.effect]:9} {finding.check}: {finding.text}{place}")
    )
    click.echo(escape_controls(f"          remedy: {finding.remedy}"))
