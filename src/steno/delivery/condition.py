"""What a spool holds and what waits there, as a heartbeat tells it."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from steno.delivery.spool import Spool, SpoolEntry
from steno.errors import FormatError, NotFoundError
from steno.formats.tlog import decode_message
from steno.heartbeat import MOST_NUMBERS, MOST_SESSIONS, SpoolFacts
from steno.model import is_trail

_LOOK_BYTES = 65536
_MOST_LOOKED_INTO = 500
"""So many recordings are read from at a look; when more wait, the oldest file's time serves."""
_TIME = re.compile(rb'"time":(\d{1,15}(?:\.\d{1,9})?)|"at_unix_us":(\d{1,18})')
"""A message's time, or that of an audit trail's line."""


class SpoolCondition:
    """Looks at one spool again and again.

    Args:
        spool: What to look at.
        numbers: The directory where the host's recordings are counted.
    """

    def __init__(self, spool: Spool, numbers: Path | None = None) -> None:
        self._spool = spool
        self._numbers = (numbers or spool.directory.parent) / "number"
        self._number_of: dict[str, int | None] = {}

    @property
    def source(self) -> str:
        """What tells this spool from the host's others, without saying where it is."""
        place = os.fsencode(self._spool.directory.absolute())
        return hashlib.sha256(place).hexdigest()[:16]

    def look(self) -> SpoolFacts:
        """Return what the spool holds now.

        Raises:
            OSError: The directory cannot be read.
        """
        # First the number: what was counted by then is in the spool by now, or on a server.
        number = self._last_number()
        entries = [entry for entry in self._spool.entries() if not entry.is_delivered]
        late = [entry for entry in entries if entry.size_bytes > entry.delivered_bytes]
        recordings = [entry for entry in entries if not is_trail(entry.rec)]
        used_bytes, free_bytes = self._spool.recount()
        return SpoolFacts(
            used_bytes=used_bytes,
            limit_bytes=self._spool.limits.total_bytes,
            free_bytes=max(0, free_bytes),
            least_free_bytes=self._spool.limits.free_bytes,
            undelivered_bytes=sum(entry.size_bytes - entry.delivered_bytes for entry in late),
            oldest_undelivered_unix_us=self._oldest(late),
            undelivered=sum(not is_trail(entry.rec) for entry in late),
            open=tuple(entry.rec for entry in recordings if not entry.is_finished)[:MOST_SESSIONS],
            waiting_numbers=self._waiting(recordings),
            number=number,
        )

    def _oldest(self, late: list[SpoolEntry]) -> int | None:
        """Return when the oldest undelivered bytes came to be, by the messages' own times."""
        if not late:
            return None
        found = [self._time_at(entry) for entry in late[:_MOST_LOOKED_INTO]]
        return min(found)

    def _time_at(self, entry: SpoolEntry) -> int:
        data = self._read(entry.rec, entry.delivered_bytes)
        time = _TIME.search(data)
        if time is None:
            return entry.changed_unix_us
        # A message bears the time of its first piece; nobody's clock makes a file older than it is.
        at_unix_us = int(time[2]) if time[2] else round(float(time[1]) * 1_000_000)
        return min(at_unix_us, entry.changed_unix_us)

    def _waiting(self, entries: list[SpoolEntry]) -> tuple[int, ...]:
        """Return the running numbers of recordings that no server has anything of."""
        waiting = [entry for entry in entries if not entry.delivered_bytes][:MOST_NUMBERS]
        here = {entry.rec for entry in waiting}
        self._number_of = {rec: one for rec, one in self._number_of.items() if rec in here}
        for entry in waiting:
            if entry.rec not in self._number_of and entry.size_bytes:
                self._number_of[entry.rec] = self._read_number(entry.rec)
        return tuple(sorted(one for one in self._number_of.values() if one is not None))

    def _read_number(self, rec: str) -> int | None:
        line, newline, _ = self._read(rec, 0).partition(b"\n")
        try:
            start = decode_message(line).start if newline else None
        except FormatError:
            return None
        return start.number if start is not None else None

    def _read(self, rec: str, offset_bytes: int) -> bytes:
        try:
            reader = self._spool.open(rec)
        except NotFoundError:
            return b""
        try:
            return reader.read(offset_bytes, offset_bytes + _LOOK_BYTES)
        finally:
            reader.close()

    def _last_number(self) -> int | None:
        try:
            text = self._numbers.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError):
            return None
        return int(text) if text.isdigit() and len(text) <= 20 else None
