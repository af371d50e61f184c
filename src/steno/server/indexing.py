"""One recording's turn at being indexed, and what is held of recordings between their turns."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

import msgspec

from steno.metrics import Metrics
from steno.server.derivation import Derivation
from steno.server.feeding import UnderivableError, feed_turn, naming_failures
from steno.server.reopening import reopen
from steno.server.turns import Turns
from steno.store.protocol import Store


class IndexerSettings(msgspec.Struct, frozen=True):
    """How the indexer works.

    Attributes:
        turn_bytes: How much of a recording is read in one turn.
        turn_s: A turn ends early after this long; contrived output can be slow to emulate.
        settle_wait_s: When nothing came for so long, what stands on the screen is indexed. Longer
            than a recorder holds a message back, plus the rule's second is for late deliveries.
        live_timeout_s: A recording without end facts whose last line is older than this is not
            live any more, unless its host said later that it is.
        gone_wait_s: One that its host has ceased to name, and of which nothing came for so long,
            is not live either.
        torn_wait_s: A last line without its newline counts as torn when nothing came for so long
            and the recording is not live.
        max_open: How many recordings' states are held in memory; others' are read anew when it is
            their turn.
        rescan_s: How often all recordings are looked through for what was missed.
    """

    turn_bytes: int = 1024 * 1024
    turn_s: float = 0.5
    settle_wait_s: float = 1.5
    live_timeout_s: float = 900.0
    gone_wait_s: float = 5.0
    torn_wait_s: float = 60.0
    max_open: int = 32
    rescan_s: float = 300.0


class _Opened(msgspec.Struct):
    """A recording's state in memory, and what the index said when it was read."""

    derivation: Derivation
    from_bytes: int
    serial: int


class _Quiet(msgspec.Struct):
    """How long nothing came for a recording; small, and kept for all that may still grow.

    Attributes:
        seen_bytes: Where what was read ends.
        grown_s: When that became so, on the monotonic clock.
        has_grown: Whether it did in our time; else `grown_s` is when we first looked.
        is_settled: Whether what stands on the screen was indexed since then.
    """

    seen_bytes: int
    grown_s: float
    is_settled: bool
    has_grown: bool = False


class Indexing:
    """Indexes recordings of one store, a bounded amount at a time.

    What it still awaits of a recording it asks `turns` for.

    Attributes:
        bytes_total: Counts the bytes that were indexed.
    """

    def __init__(
        self,
        store: Store,
        settings: IndexerSettings,
        turns: Turns,
        metrics: Metrics,
        *,
        now_unix_us: Callable[[], int] = lambda: time.time_ns() // 1000,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._settings = settings
        self._turns = turns
        self._now_unix_us = now_unix_us
        self._monotonic_s = monotonic_s
        self._opened: OrderedDict[str, _Opened] = OrderedDict()
        self._quiet: dict[str, _Quiet] = {}
        self.bytes_total = metrics.counter(
            "steno_indexed_bytes_total", "Original bytes that were indexed"
        )
        self._lines_total = metrics.counter(
            "steno_indexed_lines_total", "Lines of screen text that were indexed"
        )

    def index_some(self, rec: str, *, is_final: bool) -> bool:
        """Index some of `rec`; return whether there is more.

        Raises:
            UnderivableError: The recording makes the derivation fail; nothing of this turn was put.
            StaleError: Another indexer was quicker; `close` it, and begin the turn anew.
            StenoError: What the store raises; `close` it.
        """
        opened = self._open(rec)
        derivation = opened.derivation
        end_bytes = self._store.size_bytes(rec)
        if derivation.is_torn and end_bytes > derivation.upto_bytes:
            # The torn line was none: it goes on.
            self._restart(rec)
            opened = self._open(rec)
            derivation = opened.derivation
        taken_bytes = feed_turn(
            self._store,
            rec,
            derivation,
            end_bytes=end_bytes,
            turn_bytes=self._settings.turn_bytes,
            turn_s=self._settings.turn_s,
            monotonic_s=self._monotonic_s,
        )
        if taken_bytes:
            self._note_growth(rec, derivation.next_bytes)
            self.bytes_total.add(taken_bytes)
            if derivation.upto_bytes > opened.from_bytes:
                self._put(rec, opened)
        if derivation.next_bytes < end_bytes:
            return True
        self._wait_for_more(rec, opened, is_final=is_final)
        return False

    def _note_growth(self, rec: str, seen_bytes: int) -> None:
        quiet = self._quiet[rec]
        # A torn line is read again whenever its recording's state was put away meanwhile.
        if seen_bytes > quiet.seen_bytes:
            quiet.seen_bytes = seen_bytes
            quiet.grown_s = self._monotonic_s()
            quiet.is_settled = False
            quiet.has_grown = True

    def _wait_for_more(self, rec: str, opened: _Opened, *, is_final: bool) -> None:
        """All bytes are indexed: see what their absence says, and when to look again."""
        settings = self._settings
        derivation = opened.derivation
        quiet = self._quiet[rec]
        quiet_s = self._monotonic_s() - quiet.grown_s
        age_s = (self._now_unix_us() - derivation.last_unix_us) / 1e6
        left_s = self._life_left_s(rec, derivation)
        is_over = left_s <= 0
        is_torn = derivation.next_bytes > derivation.upto_bytes
        wait_s = settings.settle_wait_s
        if is_over:
            if is_torn and not is_final and quiet_s < settings.torn_wait_s:
                self._turns.add_later(rec, settings.torn_wait_s - quiet_s)
            else:
                self._conclude(rec, opened)
        elif not quiet.is_settled and max(quiet_s, age_s if is_final else 0) >= wait_s:
            quiet.is_settled = True
            with naming_failures():
                derivation.settle(int(wait_s * 1e6))
            self._put(rec, opened)
            self._turns.add_later(rec, max(1.0, left_s))
        elif quiet.is_settled:
            if not self._store.find(rec).is_live:
                self._put(rec, opened)  # its host says that it lives after all
            self._turns.add_later(rec, max(1.0, left_s))
        else:
            self._turns.add_later(rec, wait_s - quiet_s)

    def _life_left_s(self, rec: str, derivation: Derivation) -> float:
        """Return how long a recording counts as live if nothing more is heard of it; 0: it is over.

        What its host says counts more than the silence of its lines: somebody may just be idle.
        """
        if derivation.has_ended:
            return 0.0
        now_unix_us = self._now_unix_us()
        age_s = (now_unix_us - derivation.last_unix_us) / 1e6
        liveness = self._store.liveness(rec)
        if liveness is not None:
            heard_s = (now_unix_us - liveness.at_unix_us) / 1e6
            if liveness.is_open:
                age_s = min(age_s, heard_s)
            else:
                quiet = self._quiet.get(rec)
                has_grown = quiet is not None and quiet.has_grown
                quiet_s = self._monotonic_s() - quiet.grown_s if quiet and has_grown else heard_s
                # What came after the host's word says more than that.
                if quiet_s >= heard_s - self._settings.gone_wait_s:
                    return max(0.0, self._settings.gone_wait_s - min(heard_s, quiet_s))
        return max(0.0, self._settings.live_timeout_s - age_s)

    def _conclude(self, rec: str, opened: _Opened) -> None:
        """No more is expected: put what is still outstanding, if the index does not know yet."""
        derivation = opened.derivation
        is_torn = derivation.next_bytes > derivation.upto_bytes
        is_shown_live = opened.serial > 0 and self._store.find(rec).is_live
        with naming_failures():
            if not derivation.has_ended:
                derivation.settle(int(self._settings.live_timeout_s * 1e6))
            if is_torn:
                derivation.finish_torn()
        if is_torn or is_shown_live or not self._quiet[rec].is_settled or not opened.serial:
            self._put(rec, opened)
        self.close(rec)

    def _put(self, rec: str, opened: _Opened) -> None:
        derived = opened.derivation.take(
            is_live=self._life_left_s(rec, opened.derivation) > 0,
            sender=self._store.sender_of(rec),
            from_bytes=opened.from_bytes,
            from_serial=opened.serial,
        )
        self._store.put_derived(rec, derived)
        opened.from_bytes = derived.upto_bytes
        opened.serial += 1
        self._lines_total.add(len(derived.lines))

    def _open(self, rec: str) -> _Opened:
        opened = self._opened.get(rec)
        if opened is None:
            derivation, state = reopen(self._store, rec, Derivation.restore, Derivation)
            opened = _Opened(derivation, state.upto_bytes, state.serial)
            self._opened[rec] = opened
            if rec not in self._quiet:
                is_settled = derivation.has_ended
                self._quiet[rec] = _Quiet(state.upto_bytes, self._monotonic_s(), is_settled)
            while len(self._opened) > self._settings.max_open:
                self._opened.popitem(last=False)[1].derivation.close()
        self._opened.move_to_end(rec)
        return opened

    def stop_text(self, rec: str, error: UnderivableError) -> bool:
        """Go on with a recording without its screen text; return whether that is news."""
        opened = self._open(rec)
        if opened.derivation.is_text_stopped:
            self.close(rec)
            return False
        opened.derivation.stop_text(str(error))
        self._put(rec, opened)
        return True

    def _restart(self, rec: str) -> None:
        self.close(rec)
        self._store.clear_derived(rec)

    def close(self, rec: str) -> None:
        """Forget what is held of `rec`; its next turn reads that anew."""
        self._quiet.pop(rec, None)
        opened = self._opened.pop(rec, None)
        if opened is not None:
            opened.derivation.close()

    def close_all(self) -> None:
        """Forget all that is held."""
        for rec in list(self._opened):
            self.close(rec)
