"""Options that several commands have, so that each is called and explained alike everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from steno.cli.numbers import WholeRange

F = TypeVar("F", bound=Callable[..., Any])

SERVER_DIRECTORY_DEFAULT = (
    "[default: ~/.local/share/steno; for root what /etc/steno/server.toml says, else"
    " /var/lib/steno]"
)
"""Where a server's directory is looked for, at the end of a help text; config.default_directory."""

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object.")
json_lines_option = click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
every_option = click.option(
    "--every", is_flag=True, help="Also one by one what denials say several times."
)
chosen_option = click.option(
    "--rec",
    metavar="REC",
    help="Which recording, where a file holds several; a beginning of its id.",
)
original_option = click.option(
    "--original",
    "is_original",
    is_flag=True,
    help="What a terminal with another charset had, instead of UTF-8.",
)


def limit_option(count: int, *, of: str = "") -> Callable[[F], F]:
    """Return the option --limit, handed over as `limit`; `of` says of what, if that is in doubt."""
    return click.option(
        "-n",
        "--limit",
        type=WholeRange(1),
        default=count,
        show_default=True,
        metavar="N",
        help=f"How many{of and ' '}{of} at most.",
    )


def examples(*lines: str) -> str:
    """Return what stands below a command's options: how it is called."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])
