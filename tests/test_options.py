"""Every command and every option is documented."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from steno.cli import group

DOCS = Path(__file__).parents[1] / "docs"


def list_commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """Yield every command below `command`, by its path."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None
        yield from list_commands(found, f"{path} {name}")


COMMANDS = dict(list_commands(group, "steno"))


@pytest.mark.parametrize("path", COMMANDS)
def test_every_option_is_documented(path: str) -> None:
    """A page that speaks of the command names each of its long options."""
    pages = [page.read_text() for page in DOCS.rglob("*.md")]
    about = "\n".join(page for page in pages if path in page)
    assert about, f"no page in docs/ speaks of `{path}`"
    options = [
        option
        for parameter in COMMANDS[path].params
        if isinstance(parameter, click.Option)
        for option in [*parameter.opts, *parameter.secondary_opts]
        if option.startswith("--") and option != "--help"
    ]
    missing = [option for option in options if option not in about]
    assert not missing, f"`{path}`: not in docs/: {', '.join(missing)}"


@pytest.mark.parametrize("path", COMMANDS)
def test_every_option_has_a_help_text(path: str) -> None:
    """`--help` says what each option does, and the command what it is for."""
    command = COMMANDS[path]
    assert command.help
    silent = [p.name for p in command.params if isinstance(p, click.Option) and not p.help]
    assert silent == []
