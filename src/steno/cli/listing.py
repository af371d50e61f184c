"""What commands do with what they found: a table for people, lines for scripts, or a word."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import click
import msgspec

from steno.cli.tables import make_console

Item = TypeVar("Item")


def print_found(
    found: tuple[Sequence[Item], bool],
    show: Callable[[Sequence[Item]], None],
    *,
    as_json: bool,
    nothing: str,
) -> int:
    """Print what was found; return the exit status of commands that look for something.

    Args:
        found: The items, and whether there are more.
        show: Prints them for people.
        as_json: Print them as JSON instead, one a line.
        nothing: What to tell people when there are none.
    """
    items, has_more = found
    if as_json:
        for item in items:
            click.echo(msgspec.json.encode(item))
    elif items:
        show(items)
        if has_more:
            tell(f"more than {len(items)}; see -n")
    else:
        tell(nothing)
    return 0 if items else 1


def tell(text: str) -> None:
    """Say something beside the output: on standard error, faint where that is a terminal."""
    make_console(is_stderr=True).print(text, style="dim")
