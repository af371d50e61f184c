"""`steno audit import`: an audit log's events, as if its host had delivered them."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import click
import msgspec

from steno import __version__
from steno.audit.event import Event
from steno.audit.events import EventBuilder
from steno.audit.reading import EventReader
from steno.audit.trail import Lost, TrailEncoder, TrailEnd, TrailHead, TrailItem, make_trail_id
from steno.cli.audit_files import find_logs, read_logs
from steno.cli.audit_telling import Teller
from steno.cli.listing import tell
from steno.cli.options import examples, json_option
from steno.cli.ownership import become_owner
from steno.cli.spool_options import choose_places
from steno.delivery.spool import Spool
from steno.delivery.trails import TRAIL_BYTES, TrailOrigin, TrailWriter
from steno.errors import FormatError, StoreError, UsageError

_BOOT_ID = re.compile(r"[0-9a-f]{32}")


class _Trail(Protocol):
    """Where events go."""

    def append(self, items: Sequence[TrailItem]) -> None:
        """Add lines."""

    def end(self, why: str) -> None:
        """End the trail."""


class Summary(msgspec.Struct):
    """What was imported; `--json` prints it.

    Attributes:
        events: How many events.
        lost: How many events the log itself lost, by gaps in its serial numbers.
        damaged: How many lines are no audit records.
        first_unix_us: The first event's time.
        last_unix_us: The last one's.
    """

    events: int = 0
    lost: int = 0
    damaged: int = 0
    first_unix_us: int | None = None
    last_unix_us: int | None = None


@click.command(
    "import",
    epilog=examples("steno audit import audit.log.1 audit.log --host web1 --boot-id 8c6b0f1e..."),
)
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--host", required=True, metavar="NAME", help="The host that the log is from.")
@click.option(
    "--boot-id",
    required=True,
    metavar="ID",
    help="The boot that it is of, as `journalctl --list-boots` says it there.",
)
@click.option(
    "--spool",
    "spool_directory",
    type=click.Path(path_type=Path),
    metavar="DIRECTORY",
    help="Put it into this spool, to be delivered [default: this host's].",
)
@click.option(
    "--store",
    "store_directory",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIRECTORY",
    help="Put it into the store, or the server's directory, on this machine instead.",
)
@click.option(
    "--sender",
    metavar="NAME",
    help="With --store: the enrolled host whose recordings the events belong to"
    " [default: none, they belong to recordings that nobody delivered].",
)
@json_option
def command(
    files: tuple[str, ...],
    host: str,
    boot_id: str,
    spool_directory: Path | None,
    store_directory: Path | None,
    sender: str | None,
    as_json: bool,
) -> int:
    """Take the events of audit logs in, as if their host had delivered them as they happened.

    For logs of hosts that have no agent, or from before they had one. FILEs are of one host and
    boot, the oldest first, RAW or ENRICHED, packed or not; a directory stands for its audit.log
    and all that was rotated away, `-` for standard input. What is no audit record is named on
    standard error, and the rest is taken in; then the exit code is 4.
    """
    boot_id = boot_id.replace("-", "").lower()
    if not _BOOT_ID.fullmatch(boot_id):
        raise UsageError("--boot-id: 32 hexadecimal digits, with or without dashes")
    if sender is not None and store_directory is None:
        raise UsageError("--sender: only with --store; a spool's host is known to the server")
    origin = TrailOrigin(host, boot_id, f"steno {__version__}")
    trail: _Trail
    if store_directory is not None:
        if (store_directory / "store").is_dir():
            store_directory = store_directory / "store"
        become_owner(store_directory)
        trail = _StoredTrail(store_directory, origin, sender)
    else:
        places = choose_places(spool_directory, None)
        trail = TrailWriter(Spool(places.spool), origin, is_live=False)
    teller = Teller()
    summary = import_events(read_logs(find_logs(files)), trail, teller)
    if not summary.events:
        raise FormatError("there is no audit record", source=", ".join(files))
    if as_json:
        click.echo(msgspec.json.encode(summary))
    else:
        click.echo(_describe(summary))
        if store_directory is None:
            tell("it waits in the spool: steno deliver")
    return teller.finish()


def import_events(pieces: Iterator[tuple[str, bytes]], trail: _Trail, teller: Teller) -> Summary:
    """Put the events of logs into a trail, and what is missing among them.

    Args:
        pieces: The logs' bytes, each with the log's name.
        trail: Where they go; nothing does where there is no event.
        teller: Says what is no record.
    """
    # Host and boot stand in the trail's head.
    reader = EventReader(EventBuilder(), finds_losses=True)
    summary = Summary()
    waiting: list[TrailItem] = []

    def take(events: list[Event]) -> None:
        damages = reader.take_damage()
        waiting.extend(_account(events, len(damages), summary))
        teller.tell(damages)
        if summary.events:
            trail.append(waiting)
            waiting.clear()

    for _, piece in teller.hold(pieces):
        take(reader.feed(piece))
    take(reader.finish())
    trail.end("gone" if teller.is_cut else "file")
    return summary


def _account(events: list[Event], damaged: int, summary: Summary) -> list[TrailItem]:
    items: list[TrailItem] = []
    for event in events:
        if event.lost_before:
            first, last = event.serial - event.lost_before, event.serial - 1
            items.append(Lost(event.at_unix_us, event.lost_before, "gap", first, last))
            summary.lost += event.lost_before
        items.append(event)
        summary.events += 1
        if summary.first_unix_us is None:
            summary.first_unix_us = event.at_unix_us
        summary.last_unix_us = event.at_unix_us
    if damaged:
        items.append(Lost(summary.last_unix_us or 0, damaged, "damaged"))
        summary.damaged += damaged
    return items


class _StoredTrail:
    """Writes trails into a store on this machine."""

    def __init__(self, directory: Path, origin: TrailOrigin, sender: str | None) -> None:
        try:
            from steno.store.opening import open_store
        except ModuleNotFoundError as error:
            raise StoreError(
                f"writing a store here needs steno[server] ({error.name} is missing)"
            ) from error
        self._store = open_store(directory, must_exist=True)
        self._origin = origin
        self._sender = sender
        self._trail = ""
        self._size_bytes = 0
        self._encoder = TrailEncoder()

    def append(self, items: Sequence[TrailItem]) -> None:
        """Add lines; begin a trail before the first, and when one is full."""
        if not items:
            return
        if self._size_bytes >= TRAIL_BYTES:
            self._write([TrailEnd(time.time_ns() // 1000, "full")])
            self._begin(self._trail, self._encoder.head)
        elif not self._trail:
            self._begin(None, None)
        self._write(items)

    def end(self, why: str) -> None:
        """End the trail and close the store."""
        if self._trail:
            self._write([TrailEnd(time.time_ns() // 1000, why)])
        self._store.close()

    def _begin(self, follows: str | None, follows_head: str | None) -> None:
        self._trail = make_trail_id(self._origin.boot_id, secrets.token_hex(6))
        self._size_bytes = 0
        self._encoder = TrailEncoder()
        head = TrailHead(
            self._trail,
            self._origin.host,
            self._origin.boot_id,
            time.time_ns() // 1000,
            self._origin.steno,
            follows=follows,
            follows_head=follows_head,
        )
        self._write([head])

    def _write(self, items: Sequence[TrailItem]) -> None:
        data = b"".join([self._encoder.encode(item) for item in items])
        self._store.append(self._trail, self._size_bytes, data, sender=self._sender)
        self._size_bytes += len(data)


def _describe(summary: Summary) -> str:
    text = f"imported {_count(summary.events, 'event')}"
    if summary.lost:
        text += f"; {_count(summary.lost, 'event')} missing in the log"
    if summary.damaged:
        text += f"; {_count(summary.damaged, 'line')} unreadable"
    return text


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
