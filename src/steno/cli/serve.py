"""`steno serve`: run the server."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import click

from steno.cli.directory import directory_options
from steno.cli.options import examples
from steno.cli.ownership import become_owner
from steno.cli.serving import Server, run_server
from steno.config import load_config
from steno.logs import configure_logs


@click.command(
    "serve",
    epilog=examples("steno serve", "steno serve --listen 0.0.0.0:8443 --name steno.example.com"),
)
@directory_options
@click.option("--listen", metavar="HOST:PORT", help="Address and port [default: 127.0.0.1:8040].")
@click.option(
    "--name",
    "names",
    multiple=True,
    metavar="NAME",
    help="A name by which the server is called (Host header); repeatable.",
)
@click.option(
    "--tls",
    "tls_mode",
    type=click.Choice(["auto", "on", "off"]),
    help="HTTPS: auto means everywhere but on loopback [default: auto].",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="What is logged [default: info].",
)
@click.option(
    "--log-style",
    type=click.Choice(["auto", "text", "json"]),
    help="How: auto is text on a terminal, else JSON lines [default: auto].",
)
def command(
    config_file: Path | None,
    directory: Path | None,
    listen: str | None,
    names: tuple[str, ...],
    tls_mode: str | None,
    log_level: str | None,
    log_style: str | None,
) -> None:
    """Serve the API and the pages, and take recordings in from hosts.

    Ends in good order on SIGTERM and Ctrl-C.
    """
    config = load_config(
        config_file,
        directory=directory,
        flags={
            "listen": listen,
            "names": list(names) or None,
            "tls.mode": tls_mode,
            "log.level": log_level,
            "log.style": log_style,
        },
    )
    become_owner(config.base)
    configure_logs(config.log.level, config.log.style)

    if config.log.level != "debug":
        # Its messages about starting and stopping say what ours say.
        logging.getLogger("uvicorn").setLevel(logging.WARNING)

    def tell(url: str, server: Server) -> None:
        # On standard output and flushed, so that scripts can wait for it.
        print(f"serving on {url}", flush=True)
        if not server.services.accounts.users():
            print("nobody can sign in yet: steno user add NAME --role admin", file=sys.stderr)

    run_server(config, on_ready=tell)
