"""`steno audit follow`: the host's audit events, as they happen, into the spool."""

from __future__ import annotations

import logging
import logging.handlers
import os
import sys
from pathlib import Path
from typing import Any

import click

from steno.agent.auditing.intake import LIMIT_BYTES
from steno.agent.auditing.running import FollowSettings, follow_dispatcher, follow_journal
from steno.agent.configuration import load_agent_config
from steno.cli.agent import config_option, policy_option, user_option
from steno.cli.numbers import WholeRange
from steno.cli.options import examples
from steno.delivery.trail_recovery import read_boot_id
from steno.errors import UsageError
from steno.logs import TextFormatter, configure_logs

_SYSLOG = "/dev/log"


@click.command("follow", epilog=examples("steno audit follow --journal"))
@config_option
@click.option("--host", metavar="NAME", help="What this host is called [default: its host name].")
@policy_option
@click.option(
    "--spool",
    metavar="DIRECTORY",
    help="Where events wait for the server [default: /var/lib/steno/spool].",
)
@click.option(
    "--control",
    metavar="PATH",
    help="The agent's control socket; what it notes of sessions is beside it"
    " [default: /run/steno/control.sock].",
)
@user_option
@click.option(
    "--queue",
    "queue_mib",
    type=WholeRange(min=1),
    default=LIMIT_BYTES >> 20,
    show_default=True,
    metavar="MIB",
    help="How much may have been read and not been looked at; what comes beyond is lost.",
)
@click.option("--journal", is_flag=True, help="Read the systemd journal, where no auditd runs.")
@click.option(
    "--journal-directory",
    metavar="DIRECTORY",
    help="With --journal: the journal's files in DIRECTORY, in place of the system's.",
)
def command(
    config_file: Path | None,
    host: str | None,
    queue_mib: int,
    journal: bool,
    journal_directory: str | None,
    **given: str | None,
) -> None:
    """Take in the audit events that auditd's dispatcher writes to standard input.

    `steno-audit` is this, as a plugin of auditd: /etc/audit/plugins.d/steno.conf. With --journal
    it takes those that journald has, from where it left off: steno-audit-journal.service.
    """
    if journal_directory is not None and not journal:
        raise UsageError("--journal-directory: only with --journal")
    config = load_agent_config(config_file, dict(given))
    _configure_logs(config.log.level, config.log.style)
    settings = FollowSettings(
        config=config,
        host=host or os.uname().nodename or "localhost",
        boot_id=read_boot_id(),
        queue_bytes=queue_mib << 20,
        source="journal" if journal else "auditd",
    )
    if journal:
        options = [] if journal_directory is None else [f"--directory={journal_directory}"]
        follow_journal(settings, options)
    else:
        follow_dispatcher(settings)


def _configure_logs(level: str, style: str) -> None:
    """Log to standard error or, where that leads nowhere, as under auditd, to syslog."""
    configure_logs(level, style)
    if not _leads_nowhere(sys.stderr) or not os.path.exists(_SYSLOG):
        return
    handler = logging.handlers.SysLogHandler(
        _SYSLOG, facility=logging.handlers.SysLogHandler.LOG_DAEMON
    )
    handler.ident = f"steno-audit[{os.getpid()}]: "
    handler.setFormatter(TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]


def _leads_nowhere(stream: Any) -> bool:  # noqa: ANN401  # whatever stands for standard error
    try:
        return os.fstat(stream.fileno()).st_rdev == os.stat(os.devnull).st_rdev
    except (OSError, ValueError, AttributeError):
        return True
