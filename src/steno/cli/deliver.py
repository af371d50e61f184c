"""`steno deliver`: empty the spool."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from steno.cli.mailing import follow_mail, load_mail, make_mailer
from steno.cli.messages import escape_controls
from steno.cli.options import examples, json_option
from steno.cli.spool_options import choose_places, spool_options
from steno.delivery.audit_state import AUDIT_STATE
from steno.delivery.control import CONTROL_SOCKET, AgentControl
from steno.delivery.courier import Courier, CourierEvents
from steno.delivery.credentials import is_enrolled
from steno.delivery.events import Events, Outcome
from steno.delivery.mail.mailer import Mailer
from steno.delivery.mail.settings import MAIL_FILE
from steno.delivery.opening import open_ways
from steno.delivery.protocol import Standing
from steno.delivery.recovery import Recovery
from steno.delivery.renewal import Renewal
from steno.delivery.spool import Spool, SpoolEntry
from steno.delivery.transport import HttpTransport
from steno.delivery.uploader import Uploader
from steno.errors import NotFoundError, StenoError, UnreachableError
from steno.heartbeat import HostOrder, OrderResult
from steno.model import is_trail

_WATCH_S = 0.5
_PATIENCE_S = 60.0


@click.command("deliver", epilog=examples("steno deliver", "steno deliver --follow"))
@spool_options
@click.option(
    "--agent-socket",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help=f"The agent's control socket [default: {CONTROL_SOCKET}].",
)
@click.option(
    "--mail",
    "mail_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help=f"How recordings are mailed, with --follow [default: {MAIL_FILE}, if it is there].",
)
@click.option("--follow", is_flag=True, help="Go on delivering until SIGTERM or Ctrl-C.")
@click.option(
    "--until-eof",
    is_flag=True,
    help="With --follow: when standard input ends, deliver what is left and end. For a program"
    " that starts this one: however it dies, its recording is closed and delivered.",
)
@json_option
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
def command(
    spool_directory: Path | None,
    servers: tuple[str, ...],
    host_directory: Path | None,
    agent_socket: Path | None,
    mail_file: Path | None,
    follow: bool,
    until_eof: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Deliver the recordings that wait in the spool, and say what came of it.

    Recordings whose recorder is gone are closed first. Those still being written are delivered
    as far as they are. May be interrupted and run again at any time. With --follow, recordings
    that are to be mailed are, when they have ended; a host that only mails needs no server.
    """
    places = choose_places(spool_directory, host_directory)
    if spool_directory is not None and not follow and not spool_directory.exists():
        raise NotFoundError(f"{spool_directory}: there is no spool")
    spool, host = Spool(places.spool), places.host
    mail = load_mail(mail_file)
    if mail is not None and follow and not servers and not is_enrolled(host):
        follow_mail(spool, mail)
        return
    transports, renewal = open_ways(host, servers)
    try:
        if follow:
            logged = _Logged()
            agent = AgentControl(agent_socket or CONTROL_SOCKET)
            courier = Courier(
                spool,
                transports,
                agent,
                renewal=renewal,
                events=_Told(is_quiet=quiet),
                audit_state=(agent_socket or CONTROL_SOCKET).with_name(AUDIT_STATE.name),
            )
            logged.courier = courier
            logged.mailer = None if mail is None else make_mailer(spool, mail)
            _tell_expired(renewal)
            is_left_alone = _follow(spool, transports, logged, until_eof=until_eof)
        if not follow or is_left_alone:
            mailer = None if mail is None else make_mailer(spool, mail)
            _empty(spool, transports, mailer, as_json=as_json, is_quiet=quiet)
    finally:
        for transport in transports:
            transport.close()


class _Shown(Events):
    """Shows what an uploader does, on standard error; a bar only where that is a terminal."""

    def __init__(self, progress: Progress, mailer: Mailer | None) -> None:
        self._progress = progress
        self._mailer = mailer
        self._task = progress.add_task("delivering", total=0)
        self._sizes: dict[str, int] = {}
        self._done: dict[str, int] = {}
        self.delivered_bytes = 0
        self.complaints: dict[str, None] = {}
        """What went wrong on the way, each thing once, in order; the caller tells it."""

    def found(self, entry: SpoolEntry) -> None:
        if self._mailer is not None:
            self._mailer.notice(entry)  # it stays until who follows the spool has mailed it
        self._sizes[entry.rec] = entry.size_bytes
        self._done.setdefault(entry.rec, entry.delivered_bytes)
        self._draw()

    def moved(self, rec: str, standing: Standing) -> None:
        self.delivered_bytes += max(0, standing.delivered_bytes - self._done.get(rec, 0))
        self._done[rec] = standing.delivered_bytes
        self._draw()

    def recovered(self, recovery: Recovery) -> None:
        if recovery.kept_as:
            text = (
                f"had no whole line; its {recovery.cut_bytes} bytes are kept in {recovery.kept_as}"
            )
        elif recovery.cut_bytes:
            text = (
                f"was left open; {recovery.cut_bytes} torn bytes were cut off, and that noted in it"
            )
        else:
            text = "was left open; that is noted in it"
        self.say(f"recording {recovery.rec} {text}")

    def failed(self, server: str, error: StenoError) -> None:
        self.complaints[str(error)] = None

    def say(self, text: str) -> None:
        """Say something at once, above the bar."""
        self._progress.console.print(f"steno: {text}", soft_wrap=True)

    def _draw(self) -> None:
        done_bytes, total_bytes = sum(self._done.values()), sum(self._sizes.values())
        self._progress.update(self._task, completed=done_bytes, total=total_bytes)


def _make_progress(*, is_shown: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True, markup=False, highlight=False),
        disable=not is_shown,
        transient=True,
    )


def _empty(
    spool: Spool,
    transports: Sequence[HttpTransport],
    mailer: Mailer | None,
    *,
    as_json: bool,
    is_quiet: bool,
) -> None:
    progress = _make_progress(is_shown=not is_quiet and sys.stderr.isatty())
    shown = _Shown(progress, mailer)
    uploader = Uploader(spool, transports, events=shown)
    last: StenoError | None = None
    with progress:
        try:
            outcome = uploader.run() or _watch(spool, shown)
        except StenoError as error:
            last = error
    if last is None:
        _tell(outcome, shown.delivered_bytes, as_json=as_json)
        last = next(iter(outcome.failed.values()), None)
    for text in shown.complaints:
        if text != str(last):
            click.echo(f"steno: {text}", err=True)
    if last is not None:
        raise last


def _watch(spool: Spool, shown: _Shown) -> Outcome:
    """Show what the process that holds the spool's delivery lock gets done."""
    shown.say("another process is delivering this spool; watching it")
    first = {entry.rec for entry in spool.entries() if not entry.is_delivered}
    before: list[SpoolEntry] = []
    until_s = time.monotonic() + _PATIENCE_S
    while True:
        entries = [entry for entry in spool.entries() if not entry.is_delivered]
        for entry in entries:
            shown.found(entry)
        if not any(entry.is_finished for entry in entries):
            growing = tuple(entry.rec for entry in entries)
            return Outcome(tuple(sorted(first - set(growing))), growing, {})
        if entries != before:
            before, until_s = entries, time.monotonic() + _PATIENCE_S
        elif time.monotonic() > until_s:
            raise UnreachableError("the process that delivers this spool gets nothing through")
        time.sleep(_WATCH_S)


def _tell(outcome: Outcome, delivered_bytes: int, *, as_json: bool) -> None:
    if as_json:
        facts = {
            "delivered": list(outcome.delivered),
            "growing": list(outcome.growing),
            "failed": {rec: str(error) for rec, error in outcome.failed.items()},
            "bytes": delivered_bytes,
        }
        click.echo(json.dumps(facts))
        return
    trails = sum(map(is_trail, outcome.delivered))
    text = f"delivered {_count(len(outcome.delivered) - trails, 'recording')}"
    if trails:
        text += f" and {_count(trails, 'audit trail')}"
    text += f" ({decimal(delivered_bytes)})"
    if outcome.growing:
        text += f"; {len(outcome.growing)} still being written, delivered so far"
    if outcome.failed:
        text += f"; {len(outcome.failed)} not delivered"
    click.echo(text)


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


class _Logged(Events):
    """Says only what went wrong and what was closed: for a journal."""

    courier: Courier | None = None
    mailer: Mailer | None = None

    def began(self) -> None:
        for helper in (self.courier, self.mailer):
            if helper is not None:
                helper.start()

    def found(self, entry: SpoolEntry) -> None:
        if self.mailer is not None:
            self.mailer.notice(entry)

    def recovered(self, recovery: Recovery) -> None:
        click.echo(f"steno: closed {recovery.rec}, {recovery.cut_bytes} bytes cut off", err=True)

    def failed(self, server: str, error: StenoError) -> None:
        click.echo(f"steno: {error}", err=True)


class _Told(CourierEvents):
    """Says what the courier did; what fails again and again, once."""

    def __init__(self, *, is_quiet: bool) -> None:
        self._is_quiet = is_quiet
        self._last = ""

    def failed(self, error: StenoError) -> None:
        if str(error) != self._last and not self._is_quiet:
            self._last = str(error)
            click.echo(f"steno: heartbeat: {error}", err=True)

    def recovered(self) -> None:
        self._last = ""

    def performed(self, order: HostOrder, result: OrderResult) -> None:
        why = f": {result.reason}" if result.reason else ""
        text = f"steno: {order.do} {order.rec} for {order.by}: {result.state}{why}"
        click.echo(escape_controls(text), err=True)

    def renewed(self, until: str) -> None:
        click.echo(f"steno: this host's certificate is renewed, until {until}", err=True)


def _tell_expired(renewal: Renewal) -> None:
    expired = renewal.expired()
    if expired is not None:
        click.echo(
            f"steno: this host's certificate expired on {expired.astimezone():%Y-%m-%d %H:%M};"
            " the token alone is shown, and a new certificate asked for",
            err=True,
        )


def _follow(
    spool: Spool, transports: Sequence[HttpTransport], logged: _Logged, *, until_eof: bool
) -> bool:
    """Deliver until told to end; return whether that was by the end of standard input."""
    ended, is_left_alone = threading.Event(), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())

    def watch_input() -> None:
        while os.read(0, 4096):
            pass
        is_left_alone.set()
        ended.set()

    if until_eof:
        threading.Thread(target=watch_input, name="steno-eof", daemon=True).start()
    uploader = Uploader(spool, transports, events=logged)
    uploader.start()
    while not ended.wait(1.0) and uploader.error is None:
        pass
    uploader.stop()
    for helper in (logged.courier, logged.mailer):
        if helper is not None:
            helper.stop()
    if uploader.error is not None:
        raise uploader.error
    return is_left_alone.is_set()
