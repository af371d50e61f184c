"""Convert large audit logs with all processors."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from steno.audit.coalescing import Coalescer, RecordGroup
from steno.audit.records import LineReader
from steno.audit.sources import ENOUGH_BYTES, guess_reader
from steno.cli.audit_converting import Account, Conversion, Wanted
from steno.cli.audit_files import read_logs
from steno.cli.audit_workers import (
    BATCH_BYTES,
    Batch,
    Convert,
    Lines,
    Workers,
    pack_events,
)
from steno.errors import StenoError

_WORTH_BYTES = 8 * 1024 * 1024
"""Below that, what is won is not felt."""

_MOST_WORKERS = 16
"""Beyond that they wait for the one process that puts records together."""


def count_workers(wanted: Wanted, paths: Sequence[Path | None]) -> int:
    """Return how many processes are worth having for these logs besides this one; 0: none.

    Pipes may pause, and what came before must not wait for what comes after; aushape's documents
    depend on those before them.
    """
    processors = min(len(os.sched_getaffinity(0)), _MOST_WORKERS)
    if processors < 2 or wanted.format == "aushape" or None in paths:
        return 0
    size = 0
    for path in paths:
        try:
            facts = os.stat(path or "")
        except OSError:
            return 0  # whoever opens it says so
        if not stat.S_ISREG(facts.st_mode):
            return 0
        size += facts.st_size
    return processors if size >= _WORTH_BYTES and all(map(_holds_lines, paths)) else 0


def _holds_lines(path: Path | None) -> bool:
    """Tell whether it is a log, and not the journal's or the dispatcher's form."""
    try:
        _, begin = next(read_logs([path]), ("", b""))
    except StenoError:
        return False  # whoever reads it says so
    return guess_reader(begin[:ENOUGH_BYTES]) is LineReader


_LINES_AT_A_TIME = 32
"""So many lines are looked at closely before the next search for whole events."""

_LONG_LINE_BYTES = 64 * 1024
"""No real line is so long."""


class ParallelConversion:
    """Do what `Conversion` does, in several processes. Close it."""

    def __init__(self, wanted: Wanted, workers: int) -> None:
        self._lines = LineReader()
        self._coalescer = Coalescer(finds_losses=wanted.finds_losses)
        self._rest = b""
        self._batch: Batch = []
        self._size_bytes = 0
        self._account = Account()
        self._workers = Workers(workers, lambda: _converter(wanted))

    def feed_pieces(self, data: bytes) -> Iterator[memoryview]:
        """Return what is ready; each piece holds until the next is asked for.

        Raises:
            StenoError: A worker has ended.
        """
        for at in range(0, len(data), BATCH_BYTES):
            self._add(data[at : at + BATCH_BYTES])
            if self._size_bytes >= BATCH_BYTES:
                yield from self._hand_out()

    def expire_pieces(self) -> Iterator[memoryview]:
        """Return what waits for more records, and all before it."""
        self._add_groups(self._coalescer.expire())
        yield from self._hand_out()
        yield from self._workers.finish()

    def finish_pieces(self) -> Iterator[memoryview]:
        """Return what is left."""
        rest, self._rest = self._rest, b""
        records = self._lines.feed(rest) + self._lines.finish()
        self._add_groups(self._coalescer.feed(records) + self._coalescer.finish())
        yield from self._hand_out()
        yield from self._workers.finish()

    def take_account(self) -> Account:
        """Return what came of it since the last call."""
        account, self._account = self._account, Account()
        account.damages += self._lines.take_damage()
        return account

    def close(self) -> None:
        """End the workers."""
        self._workers.__exit__()

    def _add(self, data: bytes) -> None:
        self._size_bytes += len(data)
        data = self._rest + data
        end = data.rfind(b"\n") + 1
        self._rest = data[end:]
        if len(self._rest) > _LONG_LINE_BYTES or not self._lines.is_between_lines:
            # The reader knows what to do with lines that do not end.
            end, self._rest = len(data), b""
        self._add_lines(data, end)

    def _add_lines(self, data: bytes, end: int) -> None:
        """Leave to the workers what they can do as well: whole events in a row."""
        at = 0
        while at < end:
            if self._lines.is_between_lines:
                to, lines, events = self._coalescer.pass_whole_events(data, at)
                if events:
                    self._lines.pass_over(to - at, lines)
                    self._batch.append(Lines(data[at:to]))
                    self._account.events += events
                    at = to
            to = at
            for _ in range(_LINES_AT_A_TIME):
                to = data.find(b"\n", to, end) + 1 or end
            self._add_groups(self._coalescer.feed(self._lines.feed(data[at:to])))
            at = to

    def _add_groups(self, groups: list[RecordGroup]) -> None:
        if groups:
            self._batch.append(pack_events(groups))
            self._account.events += len(groups)
            self._account.lost += sum(group.lost_before for group in groups)

    def _hand_out(self) -> Iterator[memoryview]:
        batch, self._batch = self._batch, []
        self._size_bytes = 0
        if batch:
            yield from self._workers.convert(batch)


def _converter(wanted: Wanted) -> Convert:
    return Conversion(wanted).convert
