"""`steno rec`: record a shell or a command in the foreground."""

from __future__ import annotations

import gc
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from steno.cli.messages import say
from steno.cli.numbers import RealRange, WholeRange
from steno.cli.options import examples
from steno.cli.rec_ending import leave, tell_delivery, tell_end, tell_failure, tell_losses
from steno.cli.spool_options import choose_places, spool_options
from steno.delivery.places import Places
from steno.delivery.spool import Spool
from steno.delivery.writers.journal import DEFAULT_PATH as JOURNAL_SOCKET
from steno.delivery.writers.journal import JournalWriter
from steno.delivery.writers.pipe import open_path
from steno.delivery.writers.protocol import Writer
from steno.delivery.writers.spool import SpoolWriter
from steno.delivery.writers.syslog import DEFAULT_PATH as SYSLOG_SOCKET
from steno.delivery.writers.syslog import FACILITIES, PRIORITIES, SyslogWriter
from steno.delivery.writers.syslog import PAYLOAD_BYTES as SYSLOG_PAYLOAD_BYTES
from steno.errors import StenoError, UsageError
from steno.formats.charset import name_charset
from steno.formats.cutter import DEFAULT_LIMIT_BYTES, MIN_LIMIT_BYTES, Identity
from steno.recorder.facts import choose_command
from steno.recorder.foreground import Request, has_terminal, record
from steno.recorder.limit import Action, Limit
from steno.recorder.session import InputMode, Settings
from steno.structs import convert

if TYPE_CHECKING:
    from steno.cli.uploading import Upload

DELIVERY_S = 10.0
"""How long to wait at the end until the server has everything."""
SERVER, SYSLOG, JOURNAL, FILE = "server", "syslog", "journal", "file:"


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The command line of `steno rec`, as docs/record.md describes it."""

    command: tuple[str, ...]
    places: tuple[str, ...]
    files: tuple[str, ...]
    keeps_input: bool
    keeps_all_input: bool
    keeps_output: bool
    keeps_window: bool
    latency_s: float
    payload_bytes: int | None
    charset: str | None
    rate_bytes: int
    burst_bytes: int
    action: Action
    labels: tuple[str, ...]
    on_failure: str
    spool_directory: Path | None
    servers: tuple[str, ...]
    host_directory: Path | None
    syslog_facility: str
    syslog_priority: str
    syslog_socket: str
    journal_priority: str
    journal_socket: str
    quiet: bool


@click.command(
    context_settings={"allow_interspersed_args": False},
    short_help="Record a shell or a command.",
    epilog=examples(
        "steno rec",
        "steno rec -- make install",
        "steno rec --input --label audit-2026 --file session.log -- ssh db1",
    ),
)
@click.option(
    "--to",
    "places",
    multiple=True,
    metavar="PLACE",
    help="Where the recording goes: file:PATH, server, syslog or journal; repeatable"
    " [default: the server if this host is enrolled with one, else ./REC.log].",
)
@click.option(
    "--file", "files", multiple=True, metavar="PATH", help="The same as --to file:PATH; repeatable."
)
@click.option(
    "--input",
    "keeps_input",
    is_flag=True,
    help="Record what is typed too, as far as the terminal shows it (no passwords).",
)
@click.option(
    "--input-all", "keeps_all_input", is_flag=True, help="Record what is typed, passwords included."
)
@click.option(
    "--output/--no-output",
    "keeps_output",
    default=True,
    help="Record what is shown [default: yes].",
)
@click.option(
    "--window/--no-window", "keeps_window", default=True, help="Record window sizes [default: yes]."
)
@click.option(
    "--latency",
    "latency_s",
    type=RealRange(0.01, 3600),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="How long what passes may stay in memory before it is written.",
)
@click.option(
    "--payload",
    "payload_bytes",
    type=WholeRange(MIN_LIMIT_BYTES, 1 << 20),
    metavar="BYTES",
    help="How large a message may become [default: 16384; with syslog 2048].",
)
@click.option(
    "--charset",
    callback=lambda _context, _parameter, name: name_charset(name),
    metavar="NAME",
    help="What the terminal speaks, as `locale charmap` says [default: UTF-8].",
)
@click.option(
    "--limit-rate",
    "rate_bytes",
    type=WholeRange(1),
    default=16384,
    show_default=True,
    metavar="BYTES",
    help="Bytes a second that may be recorded.",
)
@click.option(
    "--limit-burst",
    "burst_bytes",
    type=WholeRange(1),
    default=32768,
    show_default=True,
    metavar="BYTES",
    help="Bytes by which that may be exceeded.",
)
@click.option(
    "--limit-action",
    "action",
    default="pass",
    show_default=True,
    type=click.Choice([action.value for action in Action]),
    help="What happens beyond the limit: nothing, the session is slowed down, or "
    "what exceeds it is not recorded.",
)
@click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="TEXT",
    help="A label for the recording; repeatable.",
)
@click.option(
    "--on-failure",
    type=click.Choice(["continue", "stop"]),
    default="continue",
    show_default=True,
    help="What becomes of the session when its last destination fails.",
)
@spool_options
@click.option(
    "--syslog-facility",
    type=click.Choice(list(FACILITIES)),
    default="authpriv",
    show_default=True,
    metavar="NAME",
    help="For --to syslog.",
)
@click.option(
    "--syslog-priority",
    type=click.Choice(list(PRIORITIES)),
    default="info",
    show_default=True,
    metavar="NAME",
    help="For --to syslog.",
)
@click.option(
    "--syslog-socket",
    default=SYSLOG_SOCKET,
    show_default=True,
    metavar="PATH",
    help="For --to syslog.",
)
@click.option(
    "--journal-priority",
    type=click.Choice(list(PRIORITIES)),
    default="info",
    show_default=True,
    metavar="NAME",
    help="For --to journal.",
)
@click.option(
    "--journal-socket",
    default=JOURNAL_SOCKET,
    show_default=True,
    metavar="PATH",
    help="For --to journal.",
)
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def command(**given: object) -> int:
    """Record COMMAND, or your shell.

    The exit status is the command's; a signal that ended it ends this too.
    """
    return record_as_told(convert(given, Options, strict=False))


def record_as_told(options: Options, service: str = "rec") -> int:
    """Record as the command line says; return the exit status, or end as the command did.

    Args:
        options: The command line.
        service: What model.Start calls it.

    Raises:
        StenoError: Nothing could be recorded.
    """
    gc.freeze()  # what was imported stays; looking at it again and again would delay keys
    places = choose_places(options.spool_directory, options.host_directory)
    destinations = choose_destinations(options, places)
    is_talkative = has_terminal() and os.isatty(2) and not options.quiet
    request = Request(
        command=choose_command(options.command, os.environ),
        service=service,
        settings=make_settings(options, destinations),
        labels=list(options.labels),
        # What never goes to a server is counted apart: there it would be missed.
        numbers=places.spool.parent if SERVER in destinations else places.spool.parent / "local",
        stops_without_destination=options.on_failure == "stop",
    )
    upload = start_upload(options, places) if SERVER in destinations else None
    try:
        opener = partial(open_writers, options, places, destinations, is_talkative)
        is_raw = has_terminal() and os.isatty(2)
        outcome = record(request, opener, partial(tell_failure, is_raw))
    except BaseException:
        if upload is not None:
            upload.stop()
        raise
    tell_losses(outcome)
    if upload is not None:
        tell_delivery(upload.finish(outcome.rec, DELIVERY_S), places)
    if is_talkative:
        tell_end(outcome)
    return leave(outcome)


def choose_destinations(options: Options, places: Places) -> list[str]:
    """Return where the recording goes, as words of --to; [] means ./REC.log.

    Raises:
        UsageError: One is not known, or named twice.
    """
    chosen = [*options.places, *(FILE + path for path in options.files)]
    for place in chosen:
        if place not in (SERVER, SYSLOG, JOURNAL) and not place.removeprefix(FILE):
            raise UsageError("--to file: needs a path, as in --to file:session.log")
        if place not in (SERVER, SYSLOG, JOURNAL) and not place.startswith(FILE):
            raise UsageError(
                f"--to {place}: no such place; there are file:PATH, server, syslog and journal"
            )
        if chosen.count(place) > 1:
            raise UsageError(f"--to {place} is given twice")
    if not chosen and (places.host / "host.json").exists():
        return [SERVER]
    return chosen


def make_settings(options: Options, destinations: Sequence[str]) -> Settings:
    """Return how the session is recorded."""
    mode = InputMode.NONE
    if options.keeps_all_input:
        mode = InputMode.ALL
    elif options.keeps_input:
        mode = InputMode.SEEN
    default_bytes = SYSLOG_PAYLOAD_BYTES if SYSLOG in destinations else DEFAULT_LIMIT_BYTES
    return Settings(
        latency_us=round(options.latency_s * 1_000_000),
        payload_bytes=options.payload_bytes or default_bytes,
        output=options.keeps_output,
        window=options.keeps_window,
        input=mode,
        limit=Limit(options.rate_bytes, options.burst_bytes, options.action),
        charset=options.charset,
    )


def open_writers(
    options: Options,
    places: Places,
    destinations: Sequence[str],
    is_talkative: bool,
    identity: Identity,
) -> list[Writer]:
    """Open all destinations; when one cannot be, close the others and say why.

    Raises:
        StenoError: A destination cannot be opened.
    """
    chosen = destinations or [f"{FILE}{identity.rec}.log"]
    writers: list[Writer] = []
    try:
        for place in chosen:
            writers.append(open_writer(options, places, place, identity))  # noqa: PERF401  # closed below
    except StenoError:
        for writer in writers:
            writer.close()
        raise
    if is_talkative:
        names = ", ".join(writer.name for writer in writers)
        say(f"recording to {names}")
    return writers


def open_writer(options: Options, places: Places, place: str, identity: Identity) -> Writer:
    """Open one destination."""
    if place == SERVER:
        return SpoolWriter(Spool(places.spool), identity.rec)
    if place == SYSLOG:
        return SyslogWriter(
            identity.host,
            path=options.syslog_socket,
            facility=options.syslog_facility,
            priority=options.syslog_priority,
        )
    if place == JOURNAL:
        return JournalWriter(
            identity.rec,
            identity.user,
            identity.session,
            path=options.journal_socket,
            priority=options.journal_priority,
        )
    return open_path(place.removeprefix(FILE))


def start_upload(options: Options, places: Places) -> Upload:
    """Start to deliver the spool beside the session.

    Raises:
        ConfigError: This host is not enrolled.
        UsageError: A server's address cannot be one.
    """
    # Imported only when needed: TLS and certificates are most of what there is to import.
    from steno.cli.uploading import Upload
    from steno.delivery.credentials import load
    from steno.delivery.wire import checked_url

    load(places.host)
    for server in options.servers:
        checked_url(server)
    return Upload(Spool(places.spool), options.servers, places.host)
