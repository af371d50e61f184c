"""Whose turn it is: recordings that wait, in order, and those that are due later."""

from __future__ import annotations

import heapq
import threading
from collections import OrderedDict
from collections.abc import Callable


class Turns:
    """A fair queue: each recording waits at most once. Any thread may call any method."""

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        self._monotonic_s = monotonic_s
        self._condition = threading.Condition()
        self._waiting: OrderedDict[str, None] = OrderedDict()
        self._timers: list[tuple[float, str]] = []
        self._due_s: dict[str, float] = {}
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, rec: str) -> None:
        """Put `rec` at the queue's end, unless it waits already."""
        with self._condition:
            self._waiting[rec] = None
            self._condition.notify()

    def add_later(self, rec: str, delay_s: float) -> None:
        """Put `rec` there after a while; replaces what was said for it before."""
        with self._condition:
            due_s = self._monotonic_s() + delay_s
            self._due_s[rec] = due_s
            heapq.heappush(self._timers, (due_s, rec))
            self._condition.notify()

    def next(self, until_s: float) -> str | None:
        """Return whose turn it is, waiting for it; None at `until_s` or after `close`."""
        with self._condition:
            while not self._is_closed:
                now_s = self._monotonic_s()
                self._move_due(now_s)
                if self._waiting:
                    return self._waiting.popitem(last=False)[0]
                wake_s = min(until_s, self._timers[0][0]) if self._timers else until_s
                if wake_s <= now_s:
                    return None
                self._condition.wait(wake_s - now_s)
        return None

    def forget_timers(self) -> None:
        """Forget what is due later."""
        with self._condition:
            self._timers.clear()
            self._due_s.clear()

    def close(self) -> None:
        """Let `next` return None from now on."""
        with self._condition:
            self._is_closed = True
            self._condition.notify_all()

    def _move_due(self, now_s: float) -> None:
        while self._timers and self._timers[0][0] <= now_s:
            due_s, rec = heapq.heappop(self._timers)
            if self._due_s.get(rec) == due_s:
                del self._due_s[rec]
                self._waiting[rec] = None
