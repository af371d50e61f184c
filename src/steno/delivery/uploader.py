"""Delivering a spool: threads around the protocol's state machine.

One uploader works on a spool at a time, whichever process gets the spool's delivery lock; others
wait for it and take over when it is gone.
"""

from __future__ import annotations

import contextlib
import os
import queue
import random
import threading
from collections.abc import Callable, Sequence

from steno.delivery.events import Events, Outcome
from steno.delivery.notices import SpoolNotices
from steno.delivery.protocol import Answer, Backoff, Failure, Send, Uploads, Wait
from steno.delivery.recovery import recover
from steno.delivery.spool import Spool, SpoolEntry, monotonic_us
from steno.delivery.transport import Transport
from steno.errors import NotFoundError, StenoError, UnreachableError, UsageError

_SCAN_US = 500_000
_SCAN_WITH_NOTICES_US = 5_000_000
"""Where the kernel says what grew, all are looked at now and then only, to be on the safe side."""
_LEAST_SCAN_US = 200_000
"""Each look at a recording that grew syncs it: not more often than this, however fast it grows."""
_RECOVER_US = 30_000_000
_MOST_RECORDINGS = 512
_LONGEST_WAIT_US = 10_000_000
"""A server that wants to be left alone for longer is not waited for by `run`."""
_GIVE_UP_FAILURES = 3


class _Touched:
    """Some recordings grew; which, is in the uploader's set."""


_TOUCHED = _Touched()


class Uploader:
    """Deliver what is in a spool, and what comes into it, to the first server that takes it.

    Args:
        spool: What to deliver.
        transports: The servers, to be tried in turn. They are not closed here.
        events: Whom to tell.
        connections: How many requests may be on their way at a time.
        backoff: How long to wait after failures.
        clock: Reads a clock that only goes forward, in microseconds.

    Raises:
        UsageError: There is no server.
    """

    def __init__(
        self,
        spool: Spool,
        transports: Sequence[Transport],
        *,
        events: Events | None = None,
        connections: int = 2,
        backoff: Backoff | None = None,
        clock: Callable[[], int] = monotonic_us,
    ) -> None:
        if not transports:
            raise UsageError("there is no server to deliver to")
        self._spool = spool
        self._transports = list(transports)
        self._events = events or Events()
        self._clock = clock
        self._uploads = Uploads(
            len(self._transports),
            backoff or Backoff(random.random),  # jitter, no secret
            connections=connections,
        )
        self._requests: queue.SimpleQueue[Send | None] = queue.SimpleQueue()
        self._reports: queue.SimpleQueue[tuple[Send, Answer | None] | _Touched | None] = (
            queue.SimpleQueue()
        )
        self._workers = [
            threading.Thread(target=self._work, name=f"steno-send-{number}", daemon=True)
            for number in range(connections)
        ]
        self._seen: dict[str, tuple[int, bool]] = {}
        self._is_all_offered = False
        self._delivered: list[str] = []
        self._scan_us = 0
        self._scanned_us = 0
        self._notices: SpoolNotices | None = None
        self._touched: set[str] = set()
        self._touched_lock = threading.Lock()
        self._due_us: dict[str, int] = {}
        self._looked_us: dict[str, int] = {}
        self._recover_us = 0
        self._lock_descriptor: int | None = None
        self._is_stopped = threading.Event()
        self._is_notified = threading.Event()
        self._is_touched = threading.Event()
        self._thread: threading.Thread | None = None
        self.error: StenoError | None = None
        """Why the background's thread ended by itself: the spool cannot be used at all."""

    # In the background.

    def start(self) -> None:
        """Deliver from now on, in a thread, until `stop`."""
        self._thread = threading.Thread(target=self._run_forever, name="steno-upload", daemon=True)
        self._thread.start()

    def notify(self) -> None:
        """Have the spool looked at soon: lines were appended, or a recording finished."""
        if not self._is_notified.is_set():
            self._is_notified.set()
            self._reports.put(None)

    def _heard(self, recs: set[str] | None) -> None:
        """Take what the kernel says; called from its thread."""
        with self._touched_lock:
            self._touched |= recs or set()
        if recs is None:
            self.notify()
        elif not self._is_touched.is_set():
            self._is_touched.set()
            self._reports.put(_TOUCHED)

    def stop(self, timeout_s: float = 5.0) -> None:
        """End delivering; a request that is on its way is given up after `timeout_s`."""
        self._is_stopped.set()
        self.notify()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _run_forever(self) -> None:
        try:
            while not self._is_stopped.is_set() and not self._lock():
                self._is_stopped.wait(1.0)
            if not self._is_stopped.is_set():
                self._events.began()
                # Without it we look often enough.
                with contextlib.suppress(OSError):
                    self._notices = SpoolNotices(self._spool.directory, self._heard)
            self._start_workers()
            while not self._is_stopped.is_set():
                try:
                    self._turn()
                except (StenoError, OSError) as error:
                    # The spool's disk failed: recording must go on, and so must we.
                    self._events.failed(str(self._spool.directory), self._explained(error))
                    self._is_stopped.wait(1.0)
        except StenoError as error:
            self.error = error
            self._events.failed(str(self._spool.directory), error)
        finally:
            self._end()

    def _explained(self, error: StenoError | OSError) -> StenoError:
        return self._spool.explained(error) if isinstance(error, OSError) else error

    # By hand.

    def run(self) -> Outcome | None:
        """Deliver what is there now, then return; None when another process is delivering.

        Raises:
            StenoError: No server can be reached or takes anything, each having been tried a few
                times; what is undelivered stays in the spool.
        """
        if not self._lock():
            return None
        try:
            self._start_workers()
            while True:
                self._turn()
                if self._is_hopeless():
                    raise self._server_error()
                if outcome := self._outcome():
                    return outcome
        except OSError as error:
            raise self._spool.explained(error) from error
        finally:
            self._end()

    def _is_hopeless(self) -> bool:
        if self._uploads.least_server_failures() >= _GIVE_UP_FAILURES:
            return True
        return all(
            failure is not None
            and (failure.is_lasting or failure.retry_after_us > _LONGEST_WAIT_US)
            for failure in self._uploads.server_failures()
        )

    def _server_error(self) -> StenoError:
        failures = [failure for failure in self._uploads.server_failures() if failure]
        return failures[0].error

    def _outcome(self) -> Outcome | None:
        if not self._is_all_offered:
            return None
        growing, failed = [], {}
        for rec in self._uploads.recs():
            standing = self._uploads.standing(rec)
            if standing.error and (standing.is_lasting or standing.failures >= _GIVE_UP_FAILURES):
                failed[rec] = standing.error
            elif not standing.is_settled:
                return None
            else:
                growing.append(rec)
        return Outcome(tuple(self._delivered), tuple(growing), failed)

    # One turn of either.

    def _turn(self) -> None:
        now_us = self._clock()
        if now_us >= self._scan_us:
            self._scan(now_us)
        for rec in [rec for rec, due_us in self._due_us.items() if now_us >= due_us]:
            del self._due_us[rec]
            self._look(rec, now_us)
        while isinstance(action := self._uploads.next(now_us), Send):
            self._requests.put(action)
        until_us = min(self._scan_us, self._until_us(action), *self._due_us.values())
        try:
            report = self._reports.get(timeout=max(0, until_us - self._clock()) / 1_000_000)
        except queue.Empty:
            return
        if report is None:
            self._is_notified.clear()
            self._scan_us = min(self._scan_us, self._scanned_us + _LEAST_SCAN_US)
        elif isinstance(report, _Touched):
            self._plan_looks(self._clock())
        else:
            self._take(*report)

    def _plan_looks(self, now_us: int) -> None:
        self._is_touched.clear()
        with self._touched_lock:
            touched, self._touched = self._touched, set()
        for rec in touched:
            looked_us = self._looked_us.get(rec, -_LEAST_SCAN_US)
            self._due_us.setdefault(rec, max(now_us, looked_us + _LEAST_SCAN_US))

    def _look(self, rec: str, now_us: int) -> None:
        """See how far one recording has come."""
        entry = self._spool.entry(rec)
        if entry is None:
            return  # delivered or dropped by somebody else; the next scan forgets it
        state = entry.size_bytes, entry.is_finished
        is_new = rec not in self._seen
        if self._seen.get(rec) == state:
            return
        if is_new and self._uploads.backlog() >= _MOST_RECORDINGS:
            return  # its turn comes with the next scan
        self._looked_us[rec] = now_us
        self._seen[rec] = state
        self._offer(entry)

    def _until_us(self, wait: Wait) -> int:
        return self._scan_us if wait.until_us is None else wait.until_us

    def _scan(self, now_us: int) -> None:
        if now_us >= self._recover_us:
            self._recover()
            self._recover_us = now_us + _RECOVER_US
        entries = self._spool.entries()
        here = {entry.rec: (entry.size_bytes, entry.is_finished) for entry in entries}
        self._seen = {rec: state for rec, state in self._seen.items() if rec in here}
        for rec in self._uploads.recs():
            if rec not in here:  # delivered or dropped by somebody else
                self._uploads.forget(rec)
        self._is_all_offered = False
        for entry in entries:
            if self._seen.get(entry.rec) == here[entry.rec]:
                continue
            if self._uploads.backlog() >= _MOST_RECORDINGS:
                break  # the rest's turn comes when some of these are delivered
            self._seen[entry.rec] = here[entry.rec]
            self._offer(entry)
        else:
            self._is_all_offered = True
        self._looked_us = {rec: at for rec, at in self._looked_us.items() if rec in here}
        self._scanned_us = now_us
        period_us = _SCAN_US if self._notices is None else _SCAN_WITH_NOTICES_US
        self._scan_us = now_us + period_us

    def _recover(self) -> None:
        try:
            for recovery in recover(self._spool):
                self._events.recovered(recovery)
        except StenoError as error:
            # On a full disk an orphan cannot be closed; delivering the others makes room.
            self._events.failed(str(self._spool.directory), error)

    def _offer(self, entry: SpoolEntry) -> None:
        if entry.is_delivered:
            self._spool.complete(entry.rec)  # kept under another policy than today's
            return
        try:
            reader = self._spool.open(entry.rec)
        except NotFoundError:
            return
        try:
            upto_bytes, is_finished = reader.available()
        finally:
            reader.close()
        self._uploads.offer(
            entry.rec,
            upto_bytes,
            is_finished=is_finished,
            delivered_bytes=entry.delivered_bytes,
        )
        self._events.found(entry)

    def _take(self, send: Send, answer: Answer | None) -> None:
        if answer is None:  # delivered or dropped by somebody else
            self._uploads.forget(send.rec)
            return
        if not self._uploads.answered(send.number, answer, self._clock()):
            return
        if isinstance(answer, Failure):
            self._events.failed(self._transports[send.server].server, answer.error)
        standing = self._uploads.standing(send.rec)
        if standing.is_complete:
            self._uploads.forget(send.rec)
            self._seen.pop(send.rec, None)  # if the next line fails, it is offered again
            self._spool.complete(send.rec)
            if self._thread is None:
                self._delivered.append(send.rec)
        else:
            self._spool.acknowledge(send.rec, standing.delivered_bytes)
        self._events.moved(send.rec, standing)

    # The threads that send.

    def _start_workers(self) -> None:
        for worker in self._workers:
            worker.start()

    def _work(self) -> None:
        while (send := self._requests.get()) is not None:
            answer: Answer | None
            try:
                answer = self._perform(send)
            except Exception as error:  # noqa: BLE001  # the thread's outermost: reported, tried again
                what = f"{self._transports[send.server].server}: {type(error).__name__}: {error}"
                answer = Failure(UnreachableError(what))
            self._reports.put((send, answer))

    def _perform(self, send: Send) -> Answer | None:
        try:
            reader = self._spool.open(send.rec)
        except NotFoundError:
            return None
        try:
            data = reader.read(send.offset_bytes, send.end_bytes)
        finally:
            reader.close()
        if len(data) != send.end_bytes - send.offset_bytes:
            error = NotFoundError(f"spool: recording {send.rec} is shorter than it was")
            return Failure(error, "recording", is_lasting=True)
        return self._transports[send.server].append(send.rec, send.offset_bytes, data)

    def _end(self) -> None:
        if self._notices is not None:
            self._notices.close()
            self._notices = None
        for _ in self._workers:
            self._requests.put(None)
        if self._lock_descriptor is not None:
            os.close(self._lock_descriptor)
            self._lock_descriptor = None

    def _lock(self) -> bool:
        self._lock_descriptor = self._spool.lock_delivery()
        return self._lock_descriptor is not None
