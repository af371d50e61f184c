"""Floods of output: each turn of one is recorded while the next passes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType

from steno.recorder.traffic import OutputWay, Traffic, wait_for_traffic

TURN_BYTES = 65536
"""So much output is passed on in a row, then signals get their turn."""
_TURNS = 64
"""So many turns of a flood pass, in less than a second, then the clock gets its turn."""
_PAUSE_MS = 1
"""When nothing came for so long, a flood is over."""

Waits = tuple[list[tuple[int, int]], tuple[int, int] | None]


class Flood:
    """Has turns of output recorded by a thread of its own; a context manager, which ends that.

    Args:
        record: Records what passed. Whatever it uses is the thread's until it is done.
        ask_waits: Returns what to wait for and where keys pass; see `wait_for_traffic`.
        ask_way: Returns where output passes; None: it must be looked at first.
    """

    def __init__(
        self,
        record: Callable[[Traffic], None],
        ask_waits: Callable[[], Waits],
        ask_way: Callable[[], OutputWay | None],
    ) -> None:
        self._record = record
        self._ask_waits = ask_waits
        self._ask_way = ask_way
        self._thread = ThreadPoolExecutor(1, "steno-record")  # starts with the first turn

    def __enter__(self) -> Flood:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._thread.shutdown()

    def follow(self, traffic: Traffic) -> Traffic:
        """Go on while output fills its turns and nothing else happens; return the last turn.

        That is still to be recorded. It ends now and then all the same: what the clock makes due
        must not be recorded before output that came earlier.
        """
        for _ in range(_TURNS):
            way = self._ask_way()
            if way is None or not _is_full_turn(traffic):
                break
            traffic = self._record_meanwhile(traffic, way)
        return traffic

    def _record_meanwhile(self, traffic: Traffic, way: OutputWay) -> Traffic:
        """Have a turn recorded; return what passed meanwhile."""
        waits, keys = self._ask_waits()
        way = way._replace(room=way.room.behind(traffic.unfinished))
        recorded = self._thread.submit(self._record, traffic)
        try:
            return wait_for_traffic(waits, _PAUSE_MS, keys, way)
        finally:
            recorded.result()


def _is_full_turn(traffic: Traffic) -> bool:
    """Return whether output filled its turn, and nothing else happened."""
    is_odd = traffic.odd is not None or traffic.odd_keys is not None
    return traffic.read_bytes >= TURN_BYTES and not is_odd and not traffic.ready
