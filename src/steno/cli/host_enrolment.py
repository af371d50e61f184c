"""`steno host enrol` and `steno host status`: this host and its server."""

from __future__ import annotations

import os
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec
from cryptography import x509

from steno.cli.options import examples, json_option
from steno.cli.ownership import become_owner
from steno.delivery.credentials import Credentials, is_certificate_valid, load, prepare, save
from steno.delivery.enrolment import enrol
from steno.delivery.places import default_places
from steno.delivery.wire import checked_url
from steno.errors import ConfigError, UsageError

_DIRECTORY = click.option(
    "--host-directory",
    type=click.Path(path_type=Path),
    metavar="DIRECTORY",
    help="Where this host's credentials are kept [default: /var/lib/steno/host for root, else"
    " ~/.local/state/steno/host].",
)


def chosen_directory(given: Path | None) -> Path:
    """Return where the host's credentials are."""
    return given or default_places(os.environ, os.geteuid()).host


@click.command(
    "enrol",
    epilog=examples("steno host enrol https://steno.example.com:8443 T42Z-EKKQ-IV4A-NDV4.G6WD-..."),
)
@click.argument("url")
@click.argument("code")
@click.option(
    "--name", metavar="NAME", help="What the server shall call this host [default: its host name]."
)
@click.option(
    "--also",
    "others",
    multiple=True,
    metavar="URL",
    help="Another address of the same server, tried when the first fails; repeatable.",
)
@click.option(
    "--ca",
    "ca_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The CA that the server's certificate comes from (PEM), if the code does not name it.",
)
@_DIRECTORY
def enrol_command(
    url: str,
    code: str,
    name: str | None,
    others: tuple[str, ...],
    ca_file: Path | None,
    host_directory: Path | None,
) -> None:
    """Enrol this host with the server at URL, with the one-time CODE that `steno host code` made.

    CODE may be `-`: it is then read from standard input. The host makes a key, and keeps it with
    the certificate and the token that the server gives it, readable by its user only.
    """
    if code == "-":
        code = sys.stdin.readline().strip()
        if not code:
            raise UsageError("no code came on standard input")
    servers = [checked_url(other) for other in others]
    directory = chosen_directory(host_directory)
    ca = _read_ca(ca_file) if ca_file else None
    become_owner(directory)
    prepare(directory)
    given = enrol(url, code, name or socket.gethostname(), ca=ca)
    credentials = msgspec.structs.replace(given, servers=(*given.servers, *servers))
    save(directory, credentials)
    how = "with a client certificate and a token" if credentials.certificate else "with a token"
    click.echo(f"enrolled as {credentials.host} with {credentials.servers[0]}, {how}")


def _read_ca(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(str(error.strerror), file=str(path)) from error


@click.command("status", epilog=examples("steno host status"))
@json_option
@_DIRECTORY
def status_command(as_json: bool, host_directory: Path | None) -> None:
    """Show under which name and with which servers this host is enrolled."""
    directory = chosen_directory(host_directory)
    credentials = load(directory)
    expires = _expiry(credentials)
    is_valid = is_certificate_valid(credentials, datetime.now(UTC))
    if as_json:
        facts = {
            "host": credentials.host,
            "servers": credentials.servers,
            "certificate_expires_unix_us": int(expires.timestamp()) * 1_000_000
            if expires
            else None,
            "certificate_is_valid": is_valid,
            "directory": str(directory),
        }
        click.echo(msgspec.json.encode(facts).decode())
        return
    click.echo(f"host         {credentials.host}")
    for server in credentials.servers:
        click.echo(f"server       {server}")
    if expires is None:
        click.echo("certificate  none; the token alone proves who this host is")
    else:
        state = "" if is_valid else " (not valid now: only the token is shown; enrol again)"
        click.echo(f"certificate  until {expires.astimezone():%Y-%m-%d %H:%M}{state}")
    click.echo(f"kept in      {directory}")


def _expiry(credentials: Credentials) -> datetime | None:
    if credentials.certificate is None:
        return None
    return x509.load_pem_x509_certificate(credentials.certificate).not_valid_after_utc
