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
"""So many turns may wait to be recorded."""
_MOST_TURNS = 64
"""So many pass in a row, in less than a second, then the clock gets its turn."""
_PAUSE_MS = 1
"""When nothing came for so long, a flood is over."""

Waits = tuple[list[tuple[int, int]], tuple[int, int] | None]


class Flood:
    """Has turns of output recorded by a thread of its own; a context manager, which ends that.

    Args:
        record: Records what passed; returns whether more may come at once. Whatever it uses is the
            thread's until it is done.
        ask_waits: Returns what to wait for and where keys pass; see `wait_for_traffic`.
        ask_way: Returns where output passes; None: it must be looked at first.
    """

    def __init__(
        self,
        record: Callable[[Traffic], bool],
        ask_waits: Callable[[], Waits],
        ask_way: Callable[[], OutputWay | None],
    ) -> None:
        self._record = record
        self._ask_waits = ask_waits
        self._ask_way = ask_way
        self._thread: Thread | None = None
        self._turns: SimpleQueue[Traffic | None] = SimpleQueue()
        self._answers: SimpleQueue[bool | BaseException] = SimpleQueue()
        self._due_answers = 0

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
        way = self._ask_way() if _is_full_turn(traffic) else None
        if way is None:
            return traffic
        waits, keys = self._ask_waits()
        if self._thread is None:
            self._thread = Thread(target=self._record_turns, name="steno-record")
            self._thread.start()
        try:
            for _ in range(_MOST_TURNS):
                if not _is_full_turn(traffic):
                    break
                if self._due_answers == _AHEAD_TURNS and not self._take_answer():
                    break
                self._turns.put(traffic)
                self._due_answers += 1
                way = way._replace(room=way.room.behind(traffic.row.unfinished))
                traffic = wait_for_traffic(waits, _PAUSE_MS, keys, way)
        finally:
            self._take_all_answers()
        return traffic

    def _take_answer(self) -> bool:
        """Wait until the oldest turn was recorded; return whether more may come."""
        answer = self._answers.get()
        self._due_answers -= 1
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def _take_all_answers(self) -> None:
        """Wait until all turns were recorded, whatever becomes of one."""
        answers = [self._answers.get() for _ in range(self._due_answers)]
        self._due_answers = 0
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer

    def _record_turns(self) -> None:
        while (traffic := self._turns.get()) is not None:
            try:
                self._answers.put(self._record(traffic))
            except BaseException as error:  # noqa: BLE001  # raised where the session is relayed
                self._answers.put(error)


def _is_full_turn(traffic: Traffic) -> bool:
    """Return whether much output came, and nothing else happened."""
    is_odd = traffic.odd is not None or traffic.odd_keys is not None
    return traffic.row.length_bytes >= _FULL_BYTES and not is_odd and not traffic.ready
