"""`steno host code`, `list` and `revoke`: the server's side, on its directory."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import click
import msgspec
from rich.table import Table

from steno.cli.directory import directory_options, open_accounts
from steno.cli.numbers import WholeRange
from steno.cli.options import examples, json_lines_option, json_option
from steno.cli.tables import make_console
from steno.server.certificates import Authority, CertificateFiles
from steno.server.enrolment import open_registry
from steno.store.hosts import Host

_MINUTE_US = 60 * 1_000_000


@click.command("code", epilog=examples("steno host code", "steno host code web1 --minutes 10"))
@click.argument("name", required=False)
@click.option(
    "--minutes",
    type=WholeRange(1, 7 * 24 * 60),
    metavar="N",
    default=60,
    show_default=True,
    help="How long the code works.",
)
@json_option
@directory_options
def code_command(
    name: str | None,
    minutes: int,
    *,
    as_json: bool,
    config_file: Path | None,
    directory: Path | None,
) -> None:
    """Make a one-time code with which a host enrols, as NAME or as any name not taken yet.

    Only a code made for its NAME lets a host enrol again that is enrolled already.
    """
    with open_accounts(config_file, directory, creates=True) as (config, file):
        authority = Authority.load(CertificateFiles(config.ca_directory))
        code = open_registry(file, authority).make_code(name, valid_us=minutes * _MINUTE_US)
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(code)))
        return
    click.echo(code.code)
    click.echo(f"good once, until {_shown(code.expires_unix_us)}. On the host:", err=True)
    click.echo(f"  steno host enrol https://SERVER:PORT {code.code}", err=True)


@click.command("list", epilog=examples("steno host list"))
@json_lines_option
@directory_options
def list_command(*, as_json: bool, config_file: Path | None, directory: Path | None) -> None:
    """List the hosts that enrolled."""
    with open_accounts(config_file, directory) as (_, file):
        hosts = open_registry(file, None).hosts()
    if as_json:
        for host in hosts:
            click.echo(json.dumps(msgspec.to_builtins(host)))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("host", "state", "enrolled", "last seen", "certificate"):
        table.add_column(heading)
    for host in hosts:
        table.add_row(
            host.name,
            _state(host),
            _shown(host.enrolled_unix_us),
            _shown(host.last_seen_unix_us),
            host.certificate_serial or "none",
        )
    make_console().print(table)


def _state(host: Host) -> str:
    return "revoked" if host.revoked_unix_us is not None else "good"


def _shown(unix_us: int | None) -> str:
    if unix_us is None:
        return "never"
    return f"{datetime.fromtimestamp(unix_us // 1_000_000).astimezone():%Y-%m-%d %H:%M}"


@click.command("revoke", epilog=examples("steno host revoke web1"))
@click.argument("name")
@directory_options
def revoke_command(name: str, *, config_file: Path | None, directory: Path | None) -> None:
    """Refuse the host NAME from now on, whatever it shows; its recordings stay."""
    with open_accounts(config_file, directory) as (_, file):
        open_registry(file, None).revoke(name)
    click.echo(f"revoked {name}")
