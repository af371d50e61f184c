"""Every command and every option is documented."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from steno.cli import COMMANDS as TABLE
from steno.cli import SECTIONS, group

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
STAND_INS = {f"steno tlog {name}" for name in ("rec", "rec-session", "play")}
"""Their help is that of tlog's programs."""


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


@pytest.mark.parametrize("path", COMMANDS)
def test_help_texts_are_alike(path: str) -> None:
    """Defaults stand in brackets at the end, and what a value is has a name of its own."""
    for option in COMMANDS[path].params:
        if not isinstance(option, click.Option) or option.help is None:
            continue
        assert option.help.rstrip()[-1] == ".", f"{path} {option.name}: {option.help}"
        assert "Default:" not in option.help, f"{path} {option.name}: {option.help}"
        shown = (option.get_help_record(click.Context(COMMANDS[path])) or ("", ""))[0]
        is_named = option.name == "text" or not shown.endswith((" INTEGER", " RANGE", " PATH"))
        assert is_named or option.metavar, f"{path}: {shown}"
        assert option.metavar or not shown.endswith(" TEXT"), f"{path}: {shown}"


@pytest.mark.parametrize("path", [path for path in COMMANDS if path not in STAND_INS])
def test_every_command_shows_how_it_is_called(path: str) -> None:
    """`--help` ends with examples, which the command understands."""
    marker, heading, *lines = (COMMANDS[path].epilog or "").splitlines()
    assert (marker, heading) == ("\b", "Examples:")
    called = [line for line in lines if path in line]
    assert called
    for line in called:
        words = shlex.split(
            line[line.index(path) + len(path) :].partition("|")[0].partition(">")[0]
        )
        with COMMANDS[path].make_context(path, words, resilient_parsing=False):
            assert len(line) < 80, line


def test_every_command_stands_in_one_section() -> None:
    """`steno --help` lists each command once."""
    assert sorted(name for names in SECTIONS.values() for name in names) == sorted(TABLE)
