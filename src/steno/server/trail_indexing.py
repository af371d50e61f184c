"""One audit trail's turn at being indexed, beside the recordings' (`indexing`)."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

import msgspec

from steno.metrics import Counter, Metrics
from steno.server.feeding import feed_turn, naming_failures
from steno.server.indexing import IndexerSettings
from steno.server.reopening import reopen
from steno.server.trail_derivation import TrailDerivation
from steno.server.turns import Turns
from steno.store.protocol import Store

_MAX_OPEN = 256


class _Opened(msgspec.Struct):
    """A trail's state in memory, and what the index said when it was read.

    `grown_s` is when its last bytes came, on the monotonic clock.
    """

    derivation: TrailDerivation
    from_bytes: int
    serial: int
    grown_s: float


class TrailIndexing:
    """Indexes audit trails of one store, a bounded amount at a time.

    `bytes_total` counts the bytes that were indexed, recordings' among them.
    """

    def __init__(
        self,
        store: Store,
        settings: IndexerSettings,
        turns: Turns,
        metrics: Metrics,
        *,
        bytes_total: Counter,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._settings = settings
        self._turns = turns
        self._monotonic_s = monotonic_s
        self._opened: OrderedDict[str, _Opened] = OrderedDict()
        self._bytes_total = bytes_total
        self._events_total = metrics.counter(
            "steno_indexed_events_total", "Audit events that were indexed"
        )

    def index_some(self, trail: str, *, is_final: bool) -> bool:
        """Index some of `trail`; return whether there is more.

        Raises:
            UnderivableError: The trail makes the derivation fail; nothing of this turn was put.
            StaleError: Another indexer was quicker; `close` it, and begin the turn anew.
            StenoError: What the store raises; `close` it.
        """
        opened = self._open(trail)
        end_bytes = self._store.size_bytes(trail)
        if opened.derivation.is_torn and end_bytes > opened.derivation.upto_bytes:
            # The torn line was none: it goes on.
            self.close(trail)
            self._store.clear_derived(trail)
            opened = self._open(trail)
        derivation = opened.derivation
        taken_bytes = feed_turn(
            self._store,
            trail,
            derivation,
            end_bytes=end_bytes,
            turn_bytes=self._settings.turn_bytes,
            turn_s=self._settings.turn_s,
            monotonic_s=self._monotonic_s,
        )
        if taken_bytes:
            opened.grown_s = self._monotonic_s()
            self._bytes_total.add(taken_bytes)
            if derivation.upto_bytes > opened.from_bytes:
                self._put(trail, opened)
        if derivation.next_bytes < end_bytes:
            return True
        if derivation.next_bytes > derivation.upto_bytes:
            self._wait_for_rest(trail, opened, is_final=is_final)
        elif derivation.has_ended:
            self.close(trail)
        return False

    def _wait_for_rest(self, trail: str, opened: _Opened, *, is_final: bool) -> None:
        """A line's end has not come: wait for it, or after long enough take it for torn."""
        quiet_s = self._monotonic_s() - opened.grown_s
        if not is_final and quiet_s < self._settings.torn_wait_s:
            self._turns.add_later(trail, self._settings.torn_wait_s - quiet_s)
            return
        with naming_failures():
            opened.derivation.finish_torn()
        self._put(trail, opened)

    def _put(self, trail: str, opened: _Opened) -> None:
        derived = opened.derivation.take(
            sender=self._store.sender_of(trail),
            from_bytes=opened.from_bytes,
            from_serial=opened.serial,
        )
        self._store.put_events(trail, derived)
        opened.from_bytes = derived.upto_bytes
        opened.serial += 1
        self._events_total.add(len(derived.events))

    def _open(self, trail: str) -> _Opened:
        opened = self._opened.get(trail)
        if opened is None:
            derivation, state = reopen(self._store, trail, TrailDerivation.restore, TrailDerivation)
            opened = _Opened(derivation, state.upto_bytes, state.serial, self._monotonic_s())
            self._opened[trail] = opened
            while len(self._opened) > _MAX_OPEN:
                self._opened.popitem(last=False)
        self._opened.move_to_end(trail)
        return opened

    def close(self, trail: str) -> None:
        """Forget what is held of `trail`; its next turn reads that anew."""
        self._opened.pop(trail, None)

    def close_all(self) -> None:
        """Forget all that is held."""
        self._opened.clear()
