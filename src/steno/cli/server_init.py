"""`steno server init`: the server's own CA, and the certificate that it shows."""

from __future__ import annotations

import socket
from pathlib import Path

import click

from steno.cli.directory import directory_options
from steno.cli.options import examples
from steno.cli.ownership import become_owner
from steno.config import load_config
from steno.delivery.fingerprint import fingerprint
from steno.server.certificates import SERVER_DAYS, CertificateFiles, init_certificates


@click.command("init", epilog=examples("steno server init steno.example.com"))
@click.argument("names", metavar="[NAME]...", nargs=-1)
@directory_options
def command(names: tuple[str, ...], config_file: Path | None, directory: Path | None) -> None:
    """Make the server's CA, unless there is one, and a certificate for these NAMEs and addresses.

    Without NAMEs: the names in the configuration, else this machine's name, localhost and the
    loopback addresses. Run it again to renew the certificate; hosts need not enrol again.
    """
    config = load_config(config_file, directory=directory)
    become_owner(config.base)
    chosen = list(names) or config.names
    if not chosen:
        chosen = list(dict.fromkeys([socket.getfqdn(), socket.gethostname(), "localhost"]))
        chosen += ["127.0.0.1", "::1"]
    files = CertificateFiles(config.ca_directory)
    had_ca = files.ca.exists()
    authority = init_certificates(files, chosen)
    click.echo(f"CA           {files.ca}{'' if had_ca else ' (new)'}")
    click.echo(f"             {fingerprint(authority.pem)}")
    click.echo(f"certificate  {files.server}, {SERVER_DAYS} days, for {', '.join(chosen)}")
    click.echo(f"keep secret  {files.ca_key}")
