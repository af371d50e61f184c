"""What audit records come in: log lines, the dispatcher's binary protocol, the journal's forms."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from steno.audit.dispatching import BinaryReader, is_header
from steno.audit.journaling import JournalExportReader, JournalJsonReader
from steno.audit.records import DamagedLine, LineReader, Record
from steno.audit.witness.hearing import JournalWords

ENOUGH_BYTES = 16
"""So many bytes tell what a source is."""


class RecordReader(Protocol):
    """Turns bytes into records. Does no I/O."""

    def feed(self, data: bytes) -> list[Record]:
        """Return the records that `data` completes."""

    def finish(self) -> list[Record]:
        """Return what is left at the input's end."""

    def take_damage(self) -> list[DamagedLine]:
        """Return what was no record since the last call."""


def guess_reader(begin: bytes, words: JournalWords | None = None) -> Callable[[], RecordReader]:
    """Return what reads a source that begins so; whatever is like nothing else is a log.

    Args:
        begin: The first `ENOUGH_BYTES`, or all that there is.
        words: Hears what programs say, where the source is a journal.
    """
    if is_header(begin):
        return BinaryReader
    if begin[:1] == b"{":
        return partial(JournalJsonReader, words)
    if begin[:9] == b"__CURSOR=":
        return partial(JournalExportReader, words)
    return LineReader


class GuessingReader:
    """Read a source whose form is not known before its first bytes are there.

    Args:
        words: Hears what programs say, where the source is a journal.
    """

    def __init__(self, words: JournalWords | None = None) -> None:
        """Begin at the source's start."""
        self._words = words
        self._begin = b""
        self._reader: RecordReader | None = None

    def feed(self, data: bytes) -> list[Record]:
        """Return the records that `data` completes."""
        if self._reader is None:
            self._begin += data
            if len(self._begin) < ENOUGH_BYTES:
                return []
            self._reader, records = self._decide()
            return records
        return self._reader.feed(data)

    def finish(self) -> list[Record]:
        """Return what is left at the input's end."""
        records: list[Record] = []
        if self._reader is None:
            self._reader, records = self._decide()
        return records + self._reader.finish()

    def take_damage(self) -> list[DamagedLine]:
        """Return what was no record since the last call."""
        return [] if self._reader is None else self._reader.take_damage()

    def _decide(self) -> tuple[RecordReader, list[Record]]:
        data, self._begin = self._begin, b""
        reader = guess_reader(data, self._words)()
        return reader, reader.feed(data)
