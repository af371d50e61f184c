"""The indexer in a process of its own, so that no recording can hurt the server.

Emulating a terminal means running native code on hostile input, and takes processor time that
ingest should not wait for. If that process dies or hangs, it is started anew; a recording that did
that twice is indexed without its screen text from there on, and one that goes on doing it is left
alone. What is indexed stands in the store, so that nothing is lost with the process.

The two talk in lines over the child's standard input (`wake REC`; `again REC` for what was left
alone) and output (JSON reports).
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from steno.errors import StenoError
from steno.logs import configure_logs
from steno.metrics import Metrics
from steno.server.indexer import Indexer
from steno.server.indexing import IndexerSettings
from steno.settings import Log
from steno.store.opening import open_store
from steno.store.protocol import Change, Store
from steno.structs import decode_json

_log = logging.getLogger(__name__)
_STOP_WAIT_S = 10.0
_RESTART_WAIT_S = 0.2
_MAX_RESTART_WAIT_S = 30.0
_POISON_AFTER = 2
_SKIP_AFTER = 4
_NICENESS = 5
_COUNTERS = (
    "steno_indexed_bytes_total",
    "steno_indexed_lines_total",
    "steno_indexed_events_total",
    "steno_index_failures_total",
)


class ChildSettings(msgspec.Struct, frozen=True):
    """What the child is told when it starts.

    Attributes:
        directory: The store's directory.
        indexer: How to work.
        log: What is logged, and how: as in the server.
        poisoned: Recordings whose screen text is not to be followed any further.
        skipped: Recordings that are not to be touched.
    """

    directory: str
    indexer: IndexerSettings = IndexerSettings()
    log: Log = Log()
    poisoned: list[str] = []
    skipped: list[str] = []


class IndexProcess:
    """Run the indexer of a store beside the server. Owns the child and three threads."""

    def __init__(
        self,
        store: Store,
        directory: Path,
        settings: IndexerSettings | None = None,
        *,
        log: Log | None = None,
        metrics: Metrics | None = None,
        hang_s: float = 120.0,
    ) -> None:
        """Prepare it; `directory` is where the child opens `store`, `log` is how it logs.

        A turn that takes longer than `hang_s` counts as hanging.
        """
        self._store = store
        self._directory = directory
        self._settings = settings or IndexerSettings()
        self._log_settings = log or Log()
        self._hang_s = hang_s
        metrics = metrics or Metrics()
        self._counters = {
            name: metrics.counter(name, purpose)
            for name, purpose in zip(
                _COUNTERS,
                (
                    "Original bytes that were indexed",
                    "Lines of screen text that were indexed",
                    "Audit events that were indexed",
                    "Turns that failed for a reason that nobody foresaw",
                ),
                strict=True,
            )
        }
        self._deaths_total = metrics.counter(
            "steno_index_process_deaths_total", "Times that the index process died or hung"
        )
        self._waiting = 0.0
        metrics.gauge(
            "steno_index_waiting", "Recordings that wait for the indexer", lambda: self._waiting
        )
        metrics.gauge(
            "steno_index_left_alone",
            "Recordings and audit trails that are not indexed any further: indexing them fails",
            lambda: len(store.left_alone()),
        )
        self._deaths: dict[str, int] = {}
        self._idle_deaths = 0
        self._child: subprocess.Popen[bytes] | None = None
        self._turn: tuple[str, float] | None = None
        self._lock = threading.Lock()
        self._is_stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._grown: dict[str, None] = {}
        self._again: dict[str, None] = {}
        self._has_news = threading.Condition()
        self._unsubscribe: Callable[[], None] | None = None

    def start(self) -> None:
        """Start the child and begin to tell it what grew."""
        self._spawn()
        self._unsubscribe = self._store.subscribe(self._on_change)
        for target in (self._follow, self._watch, self._pass_on):
            thread = threading.Thread(target=target, name="steno-index-process", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Let the child end its turn, and end it."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        with self._has_news:
            self._is_stopping.set()
            self._has_news.notify()
        with self._lock:
            child = self._child
        teller = self._threads.pop() if self._threads else None
        if teller is not None:
            teller.join(_STOP_WAIT_S)
            if teller.is_alive() and child is not None:
                child.kill()
                teller.join()
        if child is not None:
            assert child.stdin is not None  # noqa: S101  # it is a pipe
            child.stdin.close()
            try:
                child.wait(_STOP_WAIT_S)
            except subprocess.TimeoutExpired:
                child.kill()
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    @property
    def pid(self) -> int | None:
        """The child's process id."""
        return None if self._child is None else self._child.pid

    def _spawn(self) -> None:
        skipped = [rec for rec, count in self._deaths.items() if count >= _SKIP_AFTER]
        poisoned = [
            rec for rec, count in self._deaths.items() if _POISON_AFTER <= count < _SKIP_AFTER
        ]
        settings = ChildSettings(
            str(self._directory), self._settings, self._log_settings, poisoned, skipped
        )
        command = [sys.executable, "-m", "steno.server.index_process"]
        with self._lock:
            if self._is_stopping.is_set():
                return
            self._turn = None
            # Our own interpreter and module; what it is told goes through its standard input.
            child = subprocess.Popen(  # noqa: S603
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            _tell(child, msgspec.json.encode(settings) + b"\n")
            self._child = child

    def _on_change(self, change: Change) -> None:
        """Note what grew. Never waits: it is called by who appends."""
        is_anew = self._deaths.get(change.rec, 0) >= _SKIP_AFTER and not change.upto_bytes
        if change.kind == "derived" and is_anew:
            # `steno server reindex` builds its index anew: it is no longer left alone.
            with self._has_news:
                self._deaths.pop(change.rec, None)
                self._again[change.rec] = None
                self._has_news.notify()
        elif change.kind in ("appended", "heard"):
            with self._has_news:
                self._grown[change.rec] = None
                self._has_news.notify()

    def _pass_on(self) -> None:
        """Tell the child what grew; waits while the child does not listen."""
        while True:
            with self._has_news:
                self._has_news.wait_for(
                    lambda: self._grown or self._again or self._is_stopping.is_set()
                )
                if self._is_stopping.is_set():
                    return
                lines = [b"again " + rec.encode() + b"\n" for rec in self._again]
                lines += [b"wake " + rec.encode() + b"\n" for rec in self._grown]
                self._again.clear()
                self._grown.clear()
            with self._lock:
                child = self._child
            if child is not None:
                _tell(child, b"".join(lines))

    def _follow(self) -> None:
        """Read the child's reports; start it anew when it is gone."""
        while not self._is_stopping.is_set():
            child = self._child
            if child is None or child.stdout is None:
                return
            for line in child.stdout:
                self._take_report(line)
            status = child.wait()
            if self._is_stopping.is_set():
                return
            self._note_death(status)
            self._is_stopping.wait(
                min(_MAX_RESTART_WAIT_S, _RESTART_WAIT_S * 2 ** min(self._idle_deaths, 10))
            )
            self._spawn()

    def _take_report(self, line: bytes) -> None:
        try:
            report = decode_json(line, dict[str, Any])
        except ValueError:
            # A library's own words, say: whoever reads must go on, or the child waits for ever.
            _log.warning("the index process said %r", line[:200])
            return
        if "turn" in report:
            rec = report["turn"]
            self._turn = (rec, time.monotonic()) if rec is not None else None
        self._waiting = report.get("waiting", self._waiting)
        for name, amount in report.get("counted", {}).items():
            self._counters[name].add(amount)

    def _note_death(self, status: int) -> None:
        self._deaths_total.add()
        turn = self._turn
        if turn is None:
            self._idle_deaths += 1
            _log.error("the index process died (status %d)", status)
            return
        rec = turn[0]
        self._idle_deaths = 0
        self._deaths[rec] = count = self._deaths.get(rec, 0) + 1
        _log.error(
            "the index process died (status %d) at recording %s, time %d", status, rec, count
        )
        if count == _SKIP_AFTER:
            self._leave_alone(rec, count)

    def _leave_alone(self, rec: str, count: int) -> None:
        _log.error("recording %s is left alone: run `steno server reindex %s`", rec, rec)
        reason = f"the index process died at it {count} times"
        try:
            self._store.leave_alone(rec, reason, time.time_ns() // 1000)
        except StenoError as error:
            _log.error("that %s is left alone cannot be noted: %s", rec, error)

    def _watch(self) -> None:
        """Kill a child that hangs in one turn."""
        while not self._is_stopping.wait(min(1.0, self._hang_s / 4)):
            turn, child = self._turn, self._child
            if turn is not None and child is not None and child.poll() is None:
                rec, since_s = turn
                if time.monotonic() - since_s > self._hang_s and self._turn == turn:
                    _log.error("the index process hangs at recording %s", rec)
                    child.kill()


def _tell(child: subprocess.Popen[bytes], lines: bytes) -> None:
    """Write to the child; one that has died is told nothing: its successor looks for itself."""
    assert child.stdin is not None  # noqa: S101  # it is a pipe
    view = memoryview(lines)
    try:
        while view:
            # Past the file's buffer, so that closing it never waits for a child that hangs.
            view = view[os.write(child.stdin.fileno(), view) :]
    except OSError:
        _log.debug("the index process does not listen")


class _Reporter:
    """The child's side: say whose turn it is, and what was counted."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._told = dict.fromkeys(_COUNTERS, 0.0)

    def report_turn(self, rec: str | None) -> None:
        """Say that a turn begins, or with None that it is over."""
        report: dict[str, object] = {"turn": rec}
        if rec is None:
            report["counted"] = self._count()
            report["waiting"] = self._metrics.value("steno_index_waiting")
        sys.stdout.write(json.dumps(report) + "\n")
        sys.stdout.flush()

    def _count(self) -> dict[str, float]:
        counted = {}
        for name in _COUNTERS:
            value = self._metrics.value(name)
            if value > self._told[name]:
                counted[name] = value - self._told[name]
                self._told[name] = value
        return counted


def main() -> None:
    """Be the child: index until standard input ends."""
    # Who stops the server may signal the whole group; the end of standard input is what counts.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with contextlib.suppress(PermissionError):  # in a sandbox that forbids even that
        os.nice(_NICENESS)
    settings = decode_json(sys.stdin.buffer.readline(), ChildSettings)
    configure_logs(settings.log.level, settings.log.style)
    store = open_store(Path(settings.directory), must_exist=True)
    metrics = Metrics()
    reporter = _Reporter(metrics)
    indexer = Indexer(
        store,
        settings.indexer,
        metrics=metrics,
        on_turn=reporter.report_turn,
        skipped=settings.skipped,
    )
    for rec in settings.poisoned:
        reporter.report_turn(rec)
        indexer.poison(rec, "the terminal emulation crashed or hung on it")
        reporter.report_turn(None)
    indexer.start()
    for line in sys.stdin.buffer:
        word, _, rec = line.decode().strip().partition(" ")
        (indexer.take_again if word == "again" else indexer.wake)(rec)
    indexer.stop()
    store.close()


if __name__ == "__main__":
    main()
