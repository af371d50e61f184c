"""`steno host enable` and `steno host disable`: which local users are recorded."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from steno.cli.messages import escape_controls, say
from steno.cli.options import examples
from steno.errors import RefusedError, UsageError
from steno.policy.checks.accounts import check_chsh
from steno.policy.checks.finding import HostFiles
from steno.policy.checks.running import check_agent
from steno.policy.enabling import Change, disable, enable
from steno.policy.places import HostPlaces

_ROOT = click.option(
    "--root",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path("/"),
    metavar="DIRECTORY",
    help="Work on the image of a host in DIRECTORY, as useradd's --prefix does.",
)


def _named_users(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.argument("users", nargs=-1, metavar="USER...")(_ROOT(command))


@click.command(
    "enable", epilog=examples("steno host enable ann ben", "steno host enable --group staff")
)
@click.option(
    "--group",
    "groups",
    multiple=True,
    metavar="GROUP",
    help="Also the local users who are in GROUP now and may log in; repeatable.",
)
@click.option(
    "--shell",
    metavar="PATH",
    help="Their real shell [default: the login shell that they have now].",
)
@click.option("--even-root", is_flag=True, help="Let root be one of the users.")
@click.option("--without-agent", is_flag=True, help="Do so although the agent does not run.")
@_named_users
def enable_command(
    users: tuple[str, ...],
    groups: tuple[str, ...],
    shell: str | None,
    even_root: bool,
    without_agent: bool,
    root: Path,
) -> None:
    """Record the sessions of local users from their next login on.

    Their login shell becomes steno-shell; the real one is kept in /etc/steno/shells, and is what
    their sessions run.
    """
    if not users and not groups:
        raise UsageError("name a user, or a group with --group")
    places = HostPlaces(root)
    if not places.is_image and not without_agent:
        for finding in check_agent(places):
            raise RefusedError(
                f"{finding.place}: the agent does not run, so that sessions might be denied: start"
                " it (systemctl enable --now steno-agent), or say --without-agent"
            )
    changes = enable(
        places,
        users,
        groups=groups,
        even_root=even_root,
        real_shell=None if shell is None else os.fsencode(shell),
    )
    _tell(changes, "recorded from the next login on; the real shell is", "recorded already:")
    if not changes:
        say("nobody in these groups may log in")
    for finding in check_chsh(HostFiles(root)):
        say(f"{finding.text}; {finding.remedy}")


@click.command("disable", epilog=examples("steno host disable ann", "steno host disable --all"))
@click.option("--all", "everybody", is_flag=True, help="Everybody who is enabled.")
@_named_users
def disable_command(users: tuple[str, ...], everybody: bool, root: Path) -> None:
    """Stop to record the sessions of local users, from their next login on.

    Their login shell becomes what it was.
    """
    if not users and not everybody:
        raise UsageError("name a user, or say --all")
    changes = disable(HostPlaces(root), users, everybody=everybody)
    _tell(changes, "no longer recorded; the login shell is", "not recorded; the login shell is")


def _tell(changes: Sequence[Change], done: str, known: str) -> None:
    for change in changes:
        shell = os.fsdecode(change.shell)
        text = done if change.is_done else known
        click.echo(f"{escape_controls(change.user)}: {text} {escape_controls(shell)}")
