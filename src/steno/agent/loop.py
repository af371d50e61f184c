"""The agent's one loop: descriptors, instants and finished work, each with its callback.

Everything in the loop's thread is short: a callback reads and writes a bounded amount, and what may
wait (disks, name services) is done by `submit` in threads beside it.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import logging
import os
import queue
import select
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

READABLE = select.EPOLLIN
WRITABLE = select.EPOLLOUT
GONE = select.EPOLLHUP | select.EPOLLERR
"""What epoll tells of a descriptor whether it is asked for or not."""
_MANY = 3
_FLOODS_PER_TURN = 2
"""So many descriptors through which much comes are served before the others are looked at."""
_LONGEST_WAIT_S = 3600.0

log = logging.getLogger("steno.agent")


def now_us() -> int:
    """Read the loop's clock: it never goes back, whatever becomes of the time of day."""
    return time.monotonic_ns() // 1000


class Timer:
    """A callback that waits for its instant; `cancel` it when it is no longer wanted."""

    __slots__ = ("at_us", "callback", "on_fault")

    def __init__(
        self,
        at_us: int,
        callback: Callable[[], None],
        on_fault: Callable[[], None] | None = None,
    ) -> None:
        self.at_us = at_us
        self.callback: Callable[[], None] | None = callback
        self.on_fault = on_fault

    def cancel(self) -> None:
        """Forget the callback; harmless when it has been called."""
        self.callback = None


class Loop:
    """Waits for many things at once and calls back, one at a time, in the thread that runs it.

    An exception that a callback lets out is logged and counted (`faults`), and its descriptor no
    longer watched: one bad session must not stop the others.

    Attributes:
        faults: How many exceptions that was.
        is_busy: Whether many descriptors had something in this turn: each should then take little,
            so that whoever comes next waits no longer than a moment.

    Args:
        threads: How many pieces of work `submit` does at a time, of either kind.
    """

    def __init__(self, threads: int = 8) -> None:
        self.faults = 0
        self.is_busy = False
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[int], None]] = {}
        self._floods: set[int] = set()
        self._next_flood = 0
        self._faults: dict[int, Callable[[], None]] = {}
        self._timers: list[tuple[int, int, Timer]] = []
        self._numbers = itertools.count()
        self._posted: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._wake_fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._wake_lock = threading.Lock()
        self._is_closed = False
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="steno-work")
        self._slow_pool = ThreadPoolExecutor(threads, thread_name_prefix="steno-slow")
        self._is_running = False
        self.watch(self._wake_fd, READABLE, self._take_posted)

    def watch(
        self,
        fd: int,
        events: int,
        callback: Callable[[int], None],
        on_fault: Callable[[], None] | None = None,
    ) -> None:
        """Call `callback` with what happened whenever one of `events`, or GONE, comes to `fd`.

        Replaces what was asked for `fd` before. The descriptor stays its owner's, who must `ignore`
        it before it is closed. `on_fault` is called once after an exception that the callback let
        out, for the owner to end what can't go on.

        Raises:
            OSError: It cannot be watched (a plain file), or the system has no room.
        """
        if fd in self._callbacks:
            self._epoll.modify(fd, events)
        else:
            self._epoll.register(fd, events)
        self._callbacks[fd] = callback
        if on_fault is not None:
            self._faults[fd] = on_fault

    def ignore(self, fd: int) -> None:
        """Watch `fd` no longer; harmless when it is not watched."""
        self._faults.pop(fd, None)
        if self._callbacks.pop(fd, None) is not None:
            with contextlib.suppress(OSError, ValueError):
                self._epoll.unregister(fd)

    def mark_flood(self, fd: int, *, is_flood: bool) -> None:
        """Let `fd` wait for those that are not marked; unmark it before it is closed."""
        if is_flood:
            self._floods.add(fd)
        else:
            self._floods.discard(fd)

    def call_at(
        self, at_us: int, callback: Callable[[], None], on_fault: Callable[[], None] | None = None
    ) -> Timer:
        """Call `callback` once `now_us()` has reached `at_us`; `on_fault` as with `watch`."""
        timer = Timer(at_us, callback, on_fault)
        heapq.heappush(self._timers, (at_us, next(self._numbers), timer))
        return timer

    def call_in(
        self,
        delay_us: int,
        callback: Callable[[], None],
        on_fault: Callable[[], None] | None = None,
    ) -> Timer:
        """Call `callback` so many microseconds from now."""
        return self.call_at(now_us() + delay_us, callback, on_fault)

    def post(self, callback: Callable[[], None]) -> None:
        """Call `callback` in the loop's thread soon. May be called from any thread.

        Once the loop is closed nothing is called: a thread may still be busy with a user's file.
        """
        with self._wake_lock:  # else the descriptor might be another's by now
            if self._is_closed:
                return
            self._posted.put(callback)
            with contextlib.suppress(BlockingIOError):
                os.eventfd_write(self._wake_fd, 1)

    def submit(
        self, work: Callable[[], T], done: Callable[[Future[T]], None], *, is_slow: bool = False
    ) -> None:
        """Do `work` in a thread, then call `done` with its outcome in the loop's thread.

        What may wait for somebody else for seconds says that it `is_slow`, so that nobody who
        begins waits behind it.
        """
        future = (self._slow_pool if is_slow else self._pool).submit(work)
        future.add_done_callback(lambda finished: self.post(lambda: done(finished)))

    def run(self) -> None:
        """Serve until `stop`."""
        self._is_running = True
        while self._is_running:
            self.turn()

    def turn(self) -> None:
        """Wait for the next thing to happen and serve all that have happened."""
        ready = self._epoll.poll(self._wait_s())
        self.is_busy = len(ready) > _MANY
        floods = []
        for item in ready:
            if item[0] in self._floods:
                floods.append(item)
            else:
                self._serve(*item)
        if floods:
            # Some of them in each turn, in turns; before the others somebody may have typed a key.
            first = self._next_flood % len(floods)
            for item in (floods + floods)[first : first + min(_FLOODS_PER_TURN, len(floods))]:
                self._serve(*item)
            self._next_flood = first + _FLOODS_PER_TURN
        self._call_due()

    def _serve(self, fd: int, events: int) -> None:
        callback = self._callbacks.get(fd)
        if callback is not None:  # and not ignored by one that was called just before
            self._call(callback, fd, events)

    def stop(self) -> None:
        """Let `run` return after this turn."""
        self._is_running = False

    def close(self) -> None:
        """Wait for the work in threads and let go of the loop's own descriptors."""
        self._pool.shutdown(wait=True)
        self._slow_pool.shutdown(wait=True)
        with self._wake_lock:
            self._is_closed = True
            os.close(self._wake_fd)
        self._epoll.close()

    def _wait_s(self) -> float:
        while self._timers and self._timers[0][2].callback is None:
            heapq.heappop(self._timers)
        if not self._timers:
            return _LONGEST_WAIT_S
        # epoll counts in milliseconds and rounds up: no turn comes too early for its timer.
        return min(max(0.0, (self._timers[0][0] - now_us()) / 1_000_000), _LONGEST_WAIT_S)

    def _call_due(self) -> None:
        until_us = now_us()
        while self._timers and self._timers[0][0] <= until_us:
            timer = heapq.heappop(self._timers)[2]
            callback, timer.callback = timer.callback, None
            if callback is not None:
                self._guard(callback, timer.on_fault)

    def _take_posted(self, _events: int) -> None:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._wake_fd)
        # No more than there are now: what they post comes with the next turn.
        for _ in range(self._posted.qsize()):
            with contextlib.suppress(queue.Empty):
                self._guard(self._posted.get_nowait())

    def _call(self, callback: Callable[[int], None], fd: int, events: int) -> None:
        try:
            callback(events)
        except Exception:
            self.faults += 1
            log.exception("a callback failed; its descriptor is no longer watched")
            on_fault = self._faults.get(fd)
            if fd != self._wake_fd:
                self.ignore(fd)
            if on_fault is not None:
                self._guard(on_fault)

    def _guard(
        self, callback: Callable[[], None], on_fault: Callable[[], None] | None = None
    ) -> None:
        try:
            callback()
        except Exception:
            self.faults += 1
            log.exception("a callback failed")
            if on_fault is not None:
                self._guard(on_fault)
