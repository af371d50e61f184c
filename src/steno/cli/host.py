"""`steno host`: enrolling hosts, on the host (enrol, status) and on the server (the rest)."""

from __future__ import annotations

import click

from steno.cli.lazy import LazyGroup

_COMMANDS: dict[str, tuple[str, str]] = {
    "enrol": ("host_enrolment:enrol_command", "On a host: enrol it with a server."),
    "status": ("host_enrolment:status_command", "On a host: show how it is enrolled."),
    "enable": ("host_shells:enable_command", "On a host: record local users."),
    "disable": ("host_shells:disable_command", "On a host: stop to record them."),
    "check": ("host_check:check_command", "On a host: find what lets sessions escape."),
    "code": ("host_accounts:code_command", "On the server: make a one-time code."),
    "list": ("host_accounts:list_command", "On the server: list the hosts."),
    "revoke": ("host_accounts:revoke_command", "On the server: refuse a host from now on."),
}


@click.group("host", cls=LazyGroup, table=_COMMANDS)
def command() -> None:
    """Enrol hosts with a server, record their local users, find what lets sessions escape."""
