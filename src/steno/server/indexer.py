"""Keep the index up with the recordings, in the background.

A thread takes turns among the recordings that grew: each turn reads a bounded amount, so that
no recording waits for another's bulk. All that a recording needs to go on is in the store, written
with what was found, so that idle recordings cost no memory and a restart loses nothing. Several
indexers may work on one store: the slower one notices and starts that turn anew. Another thread
joins recordings with their audit events (`joining`).
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator

from steno.errors import StenoError
from steno.metrics import Metrics
from steno.model import is_trail
from steno.server.feeding import UnderivableError
from steno.server.indexing import IndexerSettings, Indexing
from steno.server.joining import Joining
from steno.server.trail_indexing import TrailIndexing
from steno.server.turns import Turns
from steno.store.protocol import Change, StaleError, Store

_log = logging.getLogger(__name__)
_RETRY_S, _LONGEST_RETRY_S = 5.0, 300.0
_SCAN_S = 0.05
"""How long recordings are looked through between two turns."""


class Indexer:
    """Follow one store.

    Use either `start` and `stop` (a thread), or `drain` (the caller's thread), not both at once.
    `on_turn` is called with a recording before its turn, and with None after it;
    `skipped` recordings are never touched.
    """

    def __init__(
        self,
        store: Store,
        settings: IndexerSettings | None = None,
        *,
        metrics: Metrics | None = None,
        on_turn: Callable[[str | None], None] = lambda _rec: None,
        skipped: Iterable[str] = (),
        now_unix_us: Callable[[], int] = lambda: time.time_ns() // 1000,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._settings = settings or IndexerSettings()
        self._on_turn = on_turn
        self._monotonic_s = monotonic_s
        metrics = metrics or Metrics()
        self._turns = Turns(monotonic_s)
        self._indexing = Indexing(
            store,
            self._settings,
            self._turns,
            metrics,
            now_unix_us=now_unix_us,
            monotonic_s=monotonic_s,
        )
        self._trails = TrailIndexing(
            store,
            self._settings,
            self._turns,
            metrics,
            bytes_total=self._indexing.bytes_total,
            monotonic_s=monotonic_s,
        )
        self._joining = Joining(store, monotonic_s=monotonic_s)
        self._failures: dict[str, int] = {}
        self._now_unix_us = now_unix_us
        self._skipped = set(skipped)
        self._given_up = set(self._skipped)
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._unsubscribe: Callable[[], None] | None = None
        self._failures_total = metrics.counter(
            "steno_index_failures_total", "Turns that failed for a reason that nobody foresaw"
        )
        metrics.gauge(
            "steno_index_waiting", "Recordings that wait for the indexer", lambda: len(self._turns)
        )

    # In the background.

    def start(self) -> None:
        """Begin to follow the store in threads of its own."""
        self._unsubscribe = self._store.subscribe(self._on_change)
        for target, name in ((self._run, "steno-indexer"), (self._run_joining, "steno-joiner")):
            thread = threading.Thread(target=target, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """End the threads, after the turns they are in."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        self._stopping.set()
        self._turns.close()
        for thread in self._threads:
            thread.join()
        self._threads.clear()
        self._indexing.close_all()
        self._trails.close_all()

    def _on_change(self, change: Change) -> None:
        if change.kind in ("appended", "heard"):
            self.wake(change.rec)

    def wake(self, rec: str) -> None:
        """Have `rec` looked at soon. Any thread may call this."""
        if rec not in self._skipped:
            self._given_up.discard(rec)
            self._turns.add(rec)

    def take_again(self, rec: str) -> None:
        """Look at what was skipped again, soon: it was built anew. Any thread may call this."""
        self._skipped.discard(rec)
        self.wake(rec)

    def poison(self, rec: str, reason: str) -> None:
        """Derive no more screen text from `rec`; trails have none. To be called before `start`."""
        if is_trail(rec):
            return
        self._stop_text(rec, UnderivableError(reason))
        self._indexing.close(rec)

    def _run(self) -> None:
        scan: Iterator[tuple[str, bool]] | None = None
        next_scan_s = 0.0
        while not self._stopping.is_set():
            now_s = self._monotonic_s()
            if scan is None and now_s >= next_scan_s:
                scan = self._store.index_states()
                next_scan_s = now_s + self._settings.rescan_s
            # Looking through many recordings takes long: what grows meanwhile has its turns.
            rec = self._turns.next(now_s if scan is not None else next_scan_s)
            if rec is not None:
                self._on_turn(rec)
                self._take_guarded_turn(rec)
                self._on_turn(None)
            if scan is not None and not self._scan_some(scan):
                scan = None

    def _run_joining(self) -> None:
        """Join recordings with their events, beside the turns: large ones take seconds."""
        wait_s = 0.0
        while not self._stopping.wait(wait_s):
            try:
                wait_s = max(0.0, self._joining.join_due() - self._monotonic_s())
            except Exception:  # noqa: BLE001  # a daemon's outermost loop
                self._failures_total.add()
                _log.exception("joining recordings with their events failed")
                wait_s = _RETRY_S

    def _take_guarded_turn(self, rec: str) -> None:
        try:
            if self._take_turn(rec, is_final=False):
                self._turns.add(rec)
        except Exception as error:  # noqa: BLE001  # a daemon's outermost loop
            # The store's disk is full, say: later it may work.
            self._failures_total.add()
            if isinstance(error, StenoError):
                _log.error("recording %s cannot be indexed now: %s", rec, error)
            else:
                _log.exception("recording %s cannot be indexed now", rec)
            self._close(rec)
            failures = self._failures[rec] = self._failures.get(rec, 0) + 1
            self._turns.add_later(rec, min(_RETRY_S * 2 ** (failures - 1), _LONGEST_RETRY_S))
        else:
            self._failures.pop(rec, None)

    def _scan_some(self, scan: Iterator[tuple[str, bool]]) -> bool:
        """Look through some recordings, and wake them if need be; return whether there are more."""
        stop_s = self._monotonic_s() + _SCAN_S
        try:
            for rec, is_current in scan:
                if not is_current and rec not in self._given_up:
                    self.wake(rec)
                if self._monotonic_s() >= stop_s:
                    return True
        except Exception:  # noqa: BLE001  # a daemon's outermost loop
            self._failures_total.add()
            _log.exception("looking through the recordings failed")
        return False

    # In the caller's thread.

    def drain(
        self,
        recs: Iterable[str] | None = None,
        progress: Callable[[str, int, int], None] | None = None,
    ) -> None:
        """Index these recordings, or all, up to their present ends; then return.

        `progress` is called after every turn with the recording, the bytes that are indexed and
        the bytes there are. What is not live any more is taken to be complete.
        """
        for rec in _all(self._store) if recs is None else list(recs):
            while True:
                has_more = self._take_turn(rec, is_final=True)
                if progress is not None:
                    total_bytes = self._store.size_bytes(rec)
                    progress(rec, self._store.derived_bytes(rec), total_bytes)
                if not has_more:
                    break
            self._close(rec)
        self._turns.forget_timers()
        if recs is None:
            self._joining.join_all()

    # One turn.

    def _take_turn(self, rec: str, *, is_final: bool) -> bool:
        """Index some of `rec`; return whether there is more. Raises only what the store raises."""
        indexing = self._trails if is_trail(rec) else self._indexing
        try:
            return indexing.index_some(rec, is_final=is_final)
        except StaleError:
            self._close(rec)
            if is_final:
                return self._store.derived_bytes(rec) < self._store.size_bytes(rec)
            self._turns.add_later(rec, random.uniform(0.2, 1.0))  # noqa: S311  # spreads load
            return False
        except UnderivableError as error:
            self._failures_total.add()
            _log.error("indexing recording %s failed", rec, exc_info=error)
            self._close(rec)
            return self._stop_text(rec, error)

    def _close(self, rec: str) -> None:
        (self._trails if is_trail(rec) else self._indexing).close(rec)

    def _stop_text(self, rec: str, error: UnderivableError) -> bool:
        """Do without the recording's screen text, or give it up; return whether there is more."""
        if is_trail(rec) or not self._indexing.stop_text(rec, error):
            _log.error("recording %s is not indexed any further", rec)
            self._given_up.add(rec)
            self._store.leave_alone(rec, f"it cannot be indexed: {error}", self._now_unix_us())
            return False
        return self._store.derived_bytes(rec) < self._store.size_bytes(rec)


def _all(store: Store) -> list[str]:
    """Return all recordings, and behind them all audit trails."""
    return [*store.recs(), *store.trails()]


def reindex(
    store: Store,
    recs: Iterable[str] | None = None,
    *,
    settings: IndexerSettings | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> None:
    """Forget what is derived from these recordings, or all, and derive it anew.

    `progress` is called with a recording, its bytes indexed so far, and all its bytes.
    """
    indexer = Indexer(store, settings)
    for rec in _all(store) if recs is None else list(recs):
        store.clear_derived(rec)
        indexer.drain([rec], progress)
    if recs is None:
        Joining(store).join_all()
