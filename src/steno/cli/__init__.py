"""The command line: one module per command."""

import click


@click.group()
def main() -> None:
    """Record, find, replay and prove terminal sessions."""
