"""What `steno audit convert` does with the bytes of a log: no files, no standard streams."""

from __future__ import annotations

import grp
import pwd
from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

from steno.audit.aushape.documents import AushapeFormat, AushapeWriter
from steno.audit.coalescing import RecordGroup
from steno.audit.ecs import to_ecs
from steno.audit.event import Event
from steno.audit.events import EventBuilder
from steno.audit.reading import EventReader
from steno.audit.records import DamagedLine
from steno.audit.values.names import Names
from steno.audit.witness.hearing import JournalWords
from steno.cli.audit_selecting import Selection

Format = Literal["steno", "ecs", "aushape"]


class Wanted(msgspec.Struct, frozen=True):
    """What is to be written.

    Attributes:
        format: In which format.
        aushape: aushape's options, for that format.
        selection: Which events.
        with_records: Whether Steno's events carry the records underneath.
        with_names: Whether ids get the names that they have on this host.
        finds_losses: Whether missing serials count as lost events.
    """

    format: Format = "steno"
    aushape: AushapeFormat = AushapeFormat()
    selection: Selection = Selection()
    with_records: bool = True
    with_names: bool = True
    finds_losses: bool = False


class Account(msgspec.Struct):
    """What came of it.

    Attributes:
        events: How many events were written.
        lost: How many are missing before those that were read, by their serial numbers.
        damages: What was no record; the lines themselves are not kept.
    """

    events: int = 0
    lost: int = 0
    damages: list[DamagedLine] = []


class _Writer(Protocol):
    def write(self, events: Sequence[tuple[Event, RecordGroup]]) -> bytes: ...
    def finish(self) -> bytes: ...


class Conversion:
    """Turn a log's bytes into a converted log's bytes."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._reader = open_reader(
            with_names=wanted.with_names,
            with_records=wanted.with_records or wanted.format == "aushape",
            finds_losses=wanted.finds_losses,
        )
        self._writer = _open_writer(wanted)
        self._account = Account()

    def feed(self, data: bytes) -> bytes:
        """Return what `data` completes."""
        return self._write(self._reader.feed_groups(data))

    def expire(self) -> bytes:
        """Return what waits for more records, and write it without them."""
        return self._write(self._reader.expire_groups())

    def finish(self) -> bytes:
        """Return what is left, and the output's end."""
        return self._write(self._reader.finish_groups()) + self._writer.finish()

    def feed_pieces(self, data: bytes) -> tuple[bytes, ...]:
        """Do what `feed` does, as `ParallelConversion` does it."""
        return (self.feed(data),)

    def expire_pieces(self) -> tuple[bytes, ...]:
        """Do what `expire` does."""
        return (self.expire(),)

    def finish_pieces(self) -> tuple[bytes, ...]:
        """Do what `finish` does."""
        return (self.finish(),)

    def close(self) -> None:
        """Let go of nothing: all is in this process."""

    def convert(self, groups: list[RecordGroup]) -> bytes:
        """Return what these events become, for one who has put them together."""
        return self._write(self._reader.build(groups))

    def take_account(self) -> Account:
        """Return what came of it since the last call."""
        account, self._account = self._account, Account()
        account.damages += self._reader.take_damage()
        return account

    def _write(self, events: list[tuple[Event, RecordGroup]]) -> bytes:
        selection = self._wanted.selection
        self._account.lost += sum(event.lost_before for event, _ in events)
        if not selection.takes_all:
            events = [pair for pair in events if selection.takes(pair[0])]
        self._account.events += len(events)
        return self._writer.write(events) if events else b""


class _Lines:
    """One JSON object a line."""

    def __init__(self, *, is_ecs: bool) -> None:
        self._is_ecs = is_ecs
        self._encoder = msgspec.json.Encoder()

    def write(self, events: Sequence[tuple[Event, RecordGroup]]) -> bytes:
        if self._is_ecs:
            return self._encoder.encode_lines([to_ecs(event) for event, _ in events])
        return self._encoder.encode_lines([event for event, _ in events])

    def finish(self) -> bytes:
        return b""


class _Aushape:
    """aushape's documents."""

    def __init__(self, form: AushapeFormat) -> None:
        self._writer = AushapeWriter(form)

    def write(self, events: Sequence[tuple[Event, RecordGroup]]) -> bytes:
        return b"".join([self._writer.add(event, self._lines(group)) for event, group in events])

    def _lines(self, group: RecordGroup) -> list[str]:
        return [record.line.decode(errors="replace") for record in group.records]

    def finish(self) -> bytes:
        return self._writer.finish()


def _open_writer(wanted: Wanted) -> _Writer:
    if wanted.format == "aushape":
        return _Aushape(wanted.aushape)
    return _Lines(is_ecs=wanted.format == "ecs")


def open_reader(
    *, with_names: bool, with_records: bool, finds_losses: bool, hears_words: bool = False
) -> EventReader:
    """Return what reads logs on the command line; ids may get the names they have here.

    `hears_words`: events of what login programs say in a journal come, too.
    """
    names = Names(_find_user, _find_group) if with_names else Names()
    builder = EventBuilder(names=names, with_records=with_records)
    words = JournalWords(names) if hears_words else None
    return EventReader(builder, finds_losses=finds_losses, words=words)


def _find_user(uid: int) -> str | None:
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return None


def _find_group(gid: int) -> str | None:
    try:
        return grp.getgrgid(gid).gr_name
    except (KeyError, OverflowError):
        return None
