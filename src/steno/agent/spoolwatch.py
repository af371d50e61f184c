"""What the spool holds and how far its delivery is behind: counted in a thread, now and then."""

from __future__ import annotations

import threading
import time

import msgspec

from steno.delivery.spool import Spool
from steno.errors import StenoError

_EVERY_S = 1.0


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
    """Looks at a spool every second, which also tells the spool how much room there is.

    Attributes:
        facts: What it held lately.
    """

    def __init__(self, spool: Spool) -> None:
        self.facts = SpoolFacts()
        self._spool = spool
        self._undelivered_since: dict[str, tuple[int, float]] = {}
        self._ended = threading.Event()
        self._look()
        self._thread = threading.Thread(target=self._run, name="steno-spool", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(_EVERY_S):
            self._look()

    def _look(self) -> None:
        try:
            used_bytes, free_bytes = self._spool.recount()
            entries = [entry for entry in self._spool.entries() if not entry.is_delivered]
        except (StenoError, OSError):
            return  # what was known stays; appending tells what is wrong
        now_s = time.monotonic()
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
        lag_s = max((now_s - at_s for _, at_s in since.values()), default=0.0)
        self.facts = SpoolFacts(used_bytes, free_bytes, len(entries), lag_s)
