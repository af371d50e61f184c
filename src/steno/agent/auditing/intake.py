"""Reading what the dispatcher writes as fast as it comes: it must never wait for us."""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque

import msgspec

LIMIT_BYTES = 64 << 20
_READ_BYTES = 1 << 18
_LITTLE_BYTES = 1 << 14
_READ_EVERY_S = 0.003
"""auditd writes each record by itself: a pause this long after little was read gathers some of
them. A socket holds many times more than comes meanwhile, and what fills it is read at once."""
_TAKE_EVERY_S = 0.05
"""So long what was read is gathered before somebody takes it."""


class Dropped(msgspec.Struct):
    """What was read and thrown away, because too much waited already.

    Attributes:
        bytes: How much.
        lines: How many lines ended in it.
    """

    bytes: int = 0
    lines: int = 0


class Intake:
    """Reads a descriptor in a thread of its own into a queue of bounded size. Owns no descriptor.

    Args:
        descriptor: What to read: a pipe or a socket.
        limit_bytes: How much may wait; beyond it what comes is counted and thrown away, until half
            of it has been taken.
        may_drop: Whether that is so; else nothing more is read until there is room.
    """

    def __init__(
        self, descriptor: int, limit_bytes: int = LIMIT_BYTES, *, may_drop: bool = True
    ) -> None:
        self._descriptor = descriptor
        self._limit_bytes = limit_bytes
        self._queue: deque[bytes | Dropped] = deque()
        self._may_drop = may_drop
        self._is_stopped = False
        self._waiting_bytes = 0
        self._dropping: Dropped | None = None
        self._has_ended = False
        self._changed = threading.Condition()
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._thread = threading.Thread(target=self._run, name="steno-intake", daemon=True)

    @property
    def waiting_bytes(self) -> int:
        """How much was read and not taken yet."""
        return self._waiting_bytes

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Read what is there already, no more; may be called by a signal's handler."""
        self._is_stopped = True
        os.write(self._wake_write, b"x")

    def close(self) -> None:
        """Stop, and end the thread."""
        self.stop()
        if self._thread.ident is not None:
            self._thread.join()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def take(self, timeout_s: float) -> list[bytes | Dropped] | None:
        """Return all that waits, waiting for some if need be; None: nothing will come any more."""
        with self._changed:
            if not self._queue and not self._has_ended:
                self._changed.wait(timeout_s)
            is_more_to_come = self._queue and not self._has_ended
        if is_more_to_come:
            time.sleep(_TAKE_EVERY_S)
        with self._changed:
            taken = [*self._queue]
            self._queue.clear()
            self._waiting_bytes = 0
            self._changed.notify_all()
            if not taken and self._has_ended:
                return None
            return taken

    def _run(self) -> None:
        try:
            while self._wait():
                data = os.read(self._descriptor, _READ_BYTES)
                if not data:
                    return
                self._put(data)
                if len(data) < _LITTLE_BYTES:
                    time.sleep(_READ_EVERY_S)
        except OSError:
            return  # as good as its end: the other side is gone
        finally:
            with self._changed:
                self._has_ended = True
                self._changed.notify()

    def _wait(self) -> bool:
        """Wait for something to read; return whether to go on."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        poll.register(self._wake_read, select.POLLIN)
        ready = {descriptor for descriptor, _ in poll.poll()}
        if self._wake_read not in ready:
            return True
        # Told to stop: what was sent before is still read, if it cannot be read again.
        return self._descriptor in ready and self._may_drop

    def _must_wait(self) -> bool:
        is_full = self._waiting_bytes > self._limit_bytes
        return is_full and not self._may_drop and not self._is_stopped

    def _put(self, data: bytes) -> None:
        with self._changed:
            while self._must_wait():
                self._changed.wait(1.0)
            if self._dropping is not None and self._waiting_bytes <= self._limit_bytes // 2:
                self._dropping = None
            is_too_much = self._waiting_bytes + len(data) > self._limit_bytes
            if self._dropping is None and is_too_much and self._may_drop:
                self._dropping = Dropped()
                self._queue.append(self._dropping)
            if self._dropping is not None:
                self._dropping.bytes += len(data)
                self._dropping.lines += data.count(b"\n")
                return
            if not self._queue:
                self._changed.notify()
            self._queue.append(data)
            self._waiting_bytes += len(data)
