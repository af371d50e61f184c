"""`steno user`: who may sign in to the server of a directory."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from urllib.parse import quote, urlsplit

import click
import msgspec
from rich.table import Table

from steno.cli.directory import directory_options, open_accounts
from steno.cli.options import examples, json_lines_option
from steno.cli.tables import make_console
from steno.config import ServerConfig
from steno.errors import UsageError
from steno.store.accounts import Accounts, Role
from steno.web.passwords import hash_password
from steno.web.signing import is_local_path

MIN_CHARACTERS = 8
_MINUTE_US = 60 * 1_000_000
_ROLES = click.Choice(["admin", "auditor", "user"])


@click.group("user")
def command() -> None:
    """Say who may sign in: admin, auditor (sees everything), user (sees own recordings)."""


def _read_password(name: str, *, from_stdin: bool) -> str:
    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        password = str(click.prompt(f"Password for {name}", hide_input=True, err=True))
        if click.prompt("Again", hide_input=True, err=True) != password:
            raise UsageError("the two passwords differ; nothing was changed")
    else:
        raise UsageError("no terminal to ask for the password; use --password-stdin")
    if len(password) < MIN_CHARACTERS:
        raise UsageError(f"a password has at least {MIN_CHARACTERS} characters")
    return password


@command.command(
    "add",
    epilog=examples(
        "steno user add ada --role admin", "steno user add ben --role user --no-password"
    ),
)
@click.argument("name")
@click.option("--role", type=_ROLES, required=True, help="What they may do.")
@click.option("--password-stdin", is_flag=True, help="Read the password's line from stdin.")
@click.option("--no-password", is_flag=True, help="They come in by one-time links only.")
@directory_options
def add(
    name: str,
    role: Role,
    *,
    password_stdin: bool,
    no_password: bool,
    config_file: Path | None,
    directory: Path | None,
) -> None:
    """Add a user; the password is asked for, there is no default one."""
    if password_stdin and no_password:
        raise UsageError("--password-stdin and --no-password exclude each other")
    with open_accounts(config_file, directory, creates=True) as (_, file):
        accounts = Accounts(file)
        if any(user.name == name for user in accounts.users()):
            raise UsageError(f"user {name} exists already")
        password_hash = None
        if not no_password:
            password_hash = hash_password(_read_password(name, from_stdin=password_stdin))
        accounts.add_user(name, role, password_hash)
    click.echo(f"added {role} {name}")


@command.command("list", epilog=examples("steno user list"))
@json_lines_option
@directory_options
def list_(*, as_json: bool, config_file: Path | None, directory: Path | None) -> None:
    """List the users."""
    with open_accounts(config_file, directory) as (_, file):
        users = Accounts(file).users()
    if as_json:
        for user in users:
            click.echo(json.dumps(msgspec.to_builtins(user)))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("name", "role", "password", "since", ""):
        table.add_column(heading)
    for user in users:
        since = datetime.fromtimestamp(user.created_unix_us // 1_000_000).astimezone()
        state = "" if user.disabled_unix_us is None else "disabled"
        has_password = "yes" if user.has_password else "no"
        table.add_row(user.name, user.role, has_password, f"{since:%Y-%m-%d %H:%M}", state)
    make_console().print(table)


@command.command("remove", epilog=examples("steno user remove ben"))
@click.argument("name")
@directory_options
def remove(name: str, *, config_file: Path | None, directory: Path | None) -> None:
    """Remove a user with all sessions and tokens; what they viewed stays logged."""
    with open_accounts(config_file, directory) as (_, file):
        Accounts(file).remove_user(name)
    click.echo(f"removed {name}")


@command.command("disable", epilog=examples("steno user disable ben"))
@click.argument("name")
@directory_options
def disable(name: str, *, config_file: Path | None, directory: Path | None) -> None:
    """Keep a user out for now: their sessions end, their tokens are refused."""
    with open_accounts(config_file, directory) as (_, file):
        Accounts(file).set_disabled(name, is_disabled=True)
    click.echo(f"disabled {name}")


@command.command("enable", epilog=examples("steno user enable ben"))
@click.argument("name")
@directory_options
def enable(name: str, *, config_file: Path | None, directory: Path | None) -> None:
    """Let a disabled user in again."""
    with open_accounts(config_file, directory) as (_, file):
        Accounts(file).set_disabled(name, is_disabled=False)
    click.echo(f"enabled {name}")


@command.command("passwd", epilog=examples("steno user passwd ada"))
@click.argument("name")
@click.option("--password-stdin", is_flag=True, help="Read the password's line from stdin.")
@directory_options
def passwd(
    name: str, *, password_stdin: bool, config_file: Path | None, directory: Path | None
) -> None:
    """Set a user's password and end all their sessions."""
    with open_accounts(config_file, directory) as (_, file):
        accounts = Accounts(file)
        accounts.user(name)
        password = _read_password(name, from_stdin=password_stdin)
        accounts.set_password(name, hash_password(password))
    click.echo(f"new password set for {name}; all their sessions have ended")


@command.command("role", epilog=examples("steno user role ben auditor"))
@click.argument("name")
@click.argument("role", type=_ROLES)
@directory_options
def set_role(name: str, role: Role, *, config_file: Path | None, directory: Path | None) -> None:
    """Change what a user may do, at once."""
    with open_accounts(config_file, directory) as (_, file):
        Accounts(file).set_role(name, role)
    click.echo(f"{name} is {role} now")


@command.command(
    "link", epilog=examples("steno user link ada --url https://steno.example.com:8443")
)
@click.argument("name")
@click.option(
    "--next", "next_path", metavar="PATH", default="/", help="The page to go to: /recordings/REC."
)
@click.option(
    "--url", metavar="URL", help="The server's address as browsers see it [default: by the config]."
)
@directory_options
def link(
    name: str,
    next_path: str,
    url: str | None,
    *,
    config_file: Path | None,
    directory: Path | None,
) -> None:
    """Print a link that signs NAME in once."""
    if not is_local_path(next_path):
        raise UsageError(f"--next {next_path}: give a path on the server, like /search")
    with open_accounts(config_file, directory) as (config, file):
        secret = Accounts(file).add_link(name, config.sessions.link_minutes * _MINUTE_US)
        base = (url or base_url(config)).rstrip("/")
    if urlsplit(base).scheme not in ("http", "https"):
        raise UsageError(f"--url {base}: give http://HOST:PORT or https://HOST:PORT")
    click.echo(once_url(base, secret, next_path))
    minutes = config.sessions.link_minutes
    click.echo(f"works once, within {minutes} minutes", err=True)


def once_url(base: str, secret: str, next_path: str = "/") -> str:
    """Return the address of a one-time link on the server at `base`."""
    suffix = f"?next={quote(next_path, safe='/')}" if next_path != "/" else ""
    return f"{base}/once/{secret}{suffix}"


def base_url(config: ServerConfig) -> str:
    """Return the server's address as browsers see it, as far as the configuration tells."""
    host, port = config.address
    if not config.is_loopback and config.names:
        host = config.names[0]
    host = f"[{host}]" if ":" in host else host
    scheme = "https" if config.is_https else "http"
    return f"{scheme}://{host}:{port}"
