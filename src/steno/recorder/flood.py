"""Floods of output: turns of one are recorded while the next pass."""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from types import TracebackType

from steno.recorder.traffic import OutputWay, Traffic, wait_for_traffic

TURN_BYTES = 262144
"""So much output is passed on in a row, or 10 ms of it; then signals get their turn."""
_FULL_BYTES = 65536
"""A turn with less is recorded before the next."""
_AHEAD_TURNS = 4
"""So many turns pass before all of them must have been recorded."""
_ROUNDS = 16
"""So often this goes on, in less than a second, then the clock gets its turn."""
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
        self._thread: Thread | None = None
        self._turns: SimpleQueue[Traffic | None] = SimpleQueue()
        self._recorded: SimpleQueue[BaseException | None] = SimpleQueue()

    def __enter__(self) -> Flood:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._thread is not None:
            self._turns.put(None)
            self._thread.join()

    def follow(self, traffic: Traffic) -> Traffic:
        """Go on while output comes in full turns and nothing else happens; return the last turn.

        That is still to be recorded. It ends now and then all the same: what the clock makes due
        must not be recorded before output that came earlier.
        """
        for _ in range(_ROUNDS):
            way = self._ask_way()
            if way is None or not _is_full_turn(traffic):
                break
            traffic = self._go_ahead(traffic, way)
        return traffic

    def _go_ahead(self, traffic: Traffic, way: OutputWay) -> Traffic:
        """Pass turns on while those before are recorded; return the last one."""
        waits, keys = self._ask_waits()
        if self._thread is None:
            self._thread = Thread(target=self._record_turns, name="steno-record")
            self._thread.start()
        count = 0
        try:
            while count < _AHEAD_TURNS and _is_full_turn(traffic):
                self._turns.put(traffic)
                count += 1
                way = way._replace(room=way.room.behind(traffic.row.unfinished))
                traffic = wait_for_traffic(waits, _PAUSE_MS, keys, way)
        finally:
            errors = [self._recorded.get() for _ in range(count)]
        for error in errors:
            if error is not None:
                raise error
        return traffic

    def _record_turns(self) -> None:
        while (traffic := self._turns.get()) is not None:
            try:
                self._record(traffic)
            except BaseException as error:  # noqa: BLE001  # raised where the session is relayed
                self._recorded.put(error)
            else:
                self._recorded.put(None)


def _is_full_turn(traffic: Traffic) -> bool:
    """Return whether much output came, and nothing else happened."""
    is_odd = traffic.odd is not None or traffic.odd_keys is not None
    return traffic.row.length_bytes >= _FULL_BYTES and not is_odd and not traffic.ready
