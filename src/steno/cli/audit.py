"""`steno audit`: the kernel's audit trail."""

from __future__ import annotations

import click

from steno.cli.lazy import LazyGroup

_COMMANDS: dict[str, tuple[str, str]] = {
    "convert": ("audit_convert", "Convert audit logs to events in plain words."),
    "follow": ("audit_follow", "Take in this host's audit events as they happen."),
    "import": ("audit_import", "Take the events of audit logs in."),
    "report": ("audit_report", "Report commands, files, connections and logins."),
    "rules": ("audit_rules", "Print, check and install the kernel's audit rules."),
}


@click.group("audit", cls=LazyGroup, table=_COMMANDS)
def command() -> None:
    """Work with the kernel's audit trail."""
