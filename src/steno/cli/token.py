"""`steno token`: access to the API for scripts."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import click
import msgspec
from rich.table import Table

from steno.cli.directory import directory_options, open_accounts
from steno.cli.numbers import WholeRange
from steno.cli.options import examples, json_lines_option
from steno.cli.tables import make_console
from steno.store.accounts import Accounts, Role, Token, lesser_role, read_unix_us

_DAY_US = 24 * 3600 * 1_000_000


@click.group("token")
def command() -> None:
    """Make, list and revoke API tokens: `Authorization: Bearer steno_...`."""


@command.command("add", epilog=examples("steno token add audrey --role auditor --label script"))
@click.argument("user")
@click.option(
    "--role",
    type=click.Choice(["admin", "auditor", "user"]),
    help="What the token may do at most [default: what USER may].",
)
@click.option("--label", metavar="TEXT", default="", help="What it is for.")
@click.option(
    "--days",
    type=WholeRange(1, 3650),
    metavar="N",
    default=90,
    show_default=True,
    help="How long it works.",
)
@directory_options
def add(
    user: str,
    role: Role | None,
    label: str,
    days: int,
    *,
    config_file: Path | None,
    directory: Path | None,
) -> None:
    """Make a token for USER and print it: it is shown only now."""
    with open_accounts(config_file, directory) as (_, file):
        accounts = Accounts(file)
        owner = accounts.user(user)
        _, secret = accounts.add_token(
            user,
            role=lesser_role(owner.role, role or owner.role),
            label=label,
            lifetime_us=days * _DAY_US,
        )
    click.echo(secret)


@command.command("list", epilog=examples("steno token list"))
@json_lines_option
@directory_options
def list_(*, as_json: bool, config_file: Path | None, directory: Path | None) -> None:
    """List the tokens, without their secrets."""
    with open_accounts(config_file, directory) as (_, file):
        tokens = Accounts(file).tokens()
    if as_json:
        for token in tokens:
            click.echo(json.dumps(msgspec.to_builtins(token)))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("id", "user", "role", "state", "expires", "last used", "label"):
        table.add_column(heading)
    for token in tokens:
        table.add_row(
            token.id,
            token.user,
            token.role,
            _state(token),
            _day(token.expires_unix_us),
            _day(token.used_unix_us),
            token.label,
        )
    make_console().print(table)


def _state(token: Token) -> str:
    if token.revoked_unix_us is not None:
        return "revoked"
    is_expired = token.expires_unix_us is not None and token.expires_unix_us <= read_unix_us()
    return "expired" if is_expired else "good"


def _day(unix_us: int | None) -> str:
    if unix_us is None:
        return "never"
    return f"{datetime.fromtimestamp(unix_us // 1_000_000).astimezone():%Y-%m-%d}"


@command.command("revoke", epilog=examples("steno token revoke c19cf7c723b3"))
@click.argument("token_id", metavar="ID")
@directory_options
def revoke(token_id: str, *, config_file: Path | None, directory: Path | None) -> None:
    """Make a token useless at once; ID is from `steno token list`."""
    with open_accounts(config_file, directory) as (_, file):
        Accounts(file).revoke_token(token_id)
    click.echo(f"revoked {token_id}")
