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
