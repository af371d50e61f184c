"""What the spool holds and how far its delivery is behind: counted in a thread, now and then."""

from __future__ import annotations

import threading
import time

import msgspec

from steno.delivery.spool import Spool
from steno.errors import StenoError
from steno.model import is_trail

_EVERY_S = 1.0
_ENTRIES_S = 5.0
"""How often the recordings are looked at one by one."""
_SHARE = 20
"""A look at a large spool takes long: it may take one part in so many of the processor's time.

Not of the clock's: when the machine stands still for a minute, the spool must not go unwatched for
twenty."""


class SpoolFacts(msgspec.Struct, frozen=True):
    """What a spool held when it was looked at.

    Attributes:
        used_bytes: All its files together.
        free_bytes: What its disk has left.
        recordings: How many recordings it holds that no server has whole.
        lag_s: How long the recording that has waited longest has been changed and not delivered.
    """

    used_bytes: int = 0
    free_bytes: int = 0
    recordings: int = 0
    lag_s: float = 0.0


class SpoolWatch:
    """Looks at a spool every second, and tells it so how much room there is.

    Attributes:
        facts: What it held lately.
    """

    def __init__(self, spool: Spool) -> None:
        self.facts = SpoolFacts()
        self._spool = spool
        self._undelivered_since: dict[str, tuple[int, float]] = {}
        self._entries_at_s = 0.0
        self._recordings = 0
        self._ended = threading.Event()
        self._look()
        self._thread = threading.Thread(target=self._run, name="steno-spool", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        wait_s = _EVERY_S
        while not self._ended.wait(wait_s):
            begun_s = time.thread_time()
            self._look()
            wait_s = max(_EVERY_S, _SHARE * (time.thread_time() - begun_s))

    def _look(self) -> None:
        now_s = time.monotonic()
        try:
            used_bytes, free_bytes = self._spool.recount()
            if now_s >= self._entries_at_s:
                self._look_at_entries(now_s)
        except (StenoError, OSError):
            return  # what was known stays; appending tells what is wrong
        since = self._undelivered_since.values()
        lag_s = max((now_s - at_s for _, at_s in since), default=0.0)
        self.facts = SpoolFacts(used_bytes, free_bytes, self._recordings, lag_s)

    def _look_at_entries(self, now_s: float) -> None:
        self._entries_at_s = now_s + _ENTRIES_S
        entries = [entry for entry in self._spool.entries() if not entry.is_delivered]
        self._recordings = sum(not is_trail(entry.rec) for entry in entries)
        since: dict[str, tuple[int, float]] = {}
        for entry in entries:
            if entry.delivered_bytes >= entry.size_bytes and not entry.is_finished:
                continue
            before = self._undelivered_since.get(entry.rec)
            is_new = before is None or before[0] != entry.delivered_bytes
            since[entry.rec] = (
                (entry.delivered_bytes, now_s) if before is None or is_new else before
            )
        self._undelivered_since = since
