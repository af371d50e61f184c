"""Convert large audit logs with all processors."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from steno.audit.coalescing import Coalescer, RecordGroup
from steno.audit.records import LineReader
from steno.cli.audit_converting import Account, Conversion, Wanted
from steno.cli.audit_workers import BATCH_BYTES, Convert, Workers

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
    return processors if size >= _WORTH_BYTES else 0


class ParallelConversion:
    """Do what `Conversion` does, in several processes. Close it."""

    def __init__(self, wanted: Wanted, workers: int) -> None:
        self._lines = LineReader()
        self._coalescer = Coalescer(finds_losses=wanted.finds_losses)
        self._groups: list[RecordGroup] = []
        self._size_bytes = 0
        self._account = Account()
        self._workers = Workers(workers, lambda: _converter(wanted))

    def feed(self, data: bytes) -> bytes:
        """Return what is ready.

        Raises:
            StenoError: A worker has ended.
        """
        ready: list[bytes] = []
        for at in range(0, len(data), BATCH_BYTES):
            piece = data[at : at + BATCH_BYTES]
            self._groups += self._coalescer.feed(self._lines.feed(piece))
            self._size_bytes += len(piece)
            if self._size_bytes >= BATCH_BYTES:
                ready += self._hand_out()
        return ready[0] if len(ready) == 1 else b"".join(ready)

    def expire(self) -> bytes:
        """Return what is ready when nothing came for a while."""
        self._groups += self._coalescer.expire()
        return b"".join(self._hand_out() + self._workers.finish())

    def finish(self) -> bytes:
        """Return what is left."""
        self._groups += self._coalescer.feed(self._lines.finish()) + self._coalescer.finish()
        return b"".join(self._hand_out() + self._workers.finish())

    def take_account(self) -> Account:
        """Return what came of it since the last call."""
        account, self._account = self._account, Account()
        account.damages += self._lines.take_damage()
        return account

    def close(self) -> None:
        """End the workers."""
        self._workers.__exit__()

    def _hand_out(self) -> list[bytes]:
        groups, self._groups = self._groups, []
        self._size_bytes = 0
        self._account.events += len(groups)
        self._account.lost += sum(group.lost_before for group in groups)
        return self._workers.convert(groups) if groups else []


def _converter(wanted: Wanted) -> Convert:
    return Conversion(wanted).convert
