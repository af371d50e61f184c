"""`steno policy`: what the policy file says."""

from __future__ import annotations

import click

from steno.cli.lazy import LazyGroup

_COMMANDS: dict[str, tuple[str, str]] = {
    "test": ("policy_test:test_command", "Explain how a session would be recorded."),
    "check": ("policy_check:check_command", "Look for mistakes in a policy file."),
}


@click.group("policy", cls=LazyGroup, table=_COMMANDS)
def command() -> None:
    """Ask the policy who is recorded and how."""
