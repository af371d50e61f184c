"""Floods: turns recorded in a thread while the next ones pass."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from steno.formats.cutter import Cutter, Identity
from steno.formats.tlog import decode_message
from steno.integrity.chain import verify_lines
from steno.model import End, Output, Start
from steno.recorder.flood import TURN_BYTES, Flood, Waits
from steno.recorder.traffic import OutputWay, Traffic, wait_for_traffic

_TEXT = "".join(f"{number} größer 日本 \x1b[31m\N{GRINNING FACE}\r\n" for number in range(60_000))
_DATA = _TEXT.encode() + b"\xff\xc3(" * 2000


_LATE_US = 1_000_000_000
_TRIES = 20
"""On a busy machine nothing may come in a row for a while."""


class Recording:
    """A recording of what passes between two pipes, and who has to do with it when."""

    def __init__(
        self,
        source: int,
        sink: int,
        record: Callable[[], None] | None = None,
        *,
        keeps_up: bool = True,
    ) -> None:
        start = Start("u", "h", 1_700_000_000_000_000, "steno test")
        self.cutter = Cutter(Identity("h", "r", "u", "xterm", 1, start))
        self.lines = [self.cutter.begin(0)]
        self.threads: set[int] = set()
        self.recorded_bytes = 0
        self._source, self._sink = source, sink
        self._base_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        self._before = record
        self._keeps_up = keeps_up
        self._busy = threading.Lock()

    def record(self, traffic: Traffic) -> bool:
        """Record what passed; nobody else may have to do with the recording then."""
        with self._alone():
            if self._before is not None:
                self._before()
            self.threads.add(threading.get_ident())
            self.recorded_bytes += traffic.row.length_bytes
            self.lines += self.cutter.add_row(traffic.row)
            if traffic.odd is not None:
                at_us = self._base_ns // 1000 if traffic.odd.at_us is None else traffic.odd.at_us
                self.lines += self.cutter.add(Output(at_us, traffic.odd.data, is_stderr=False))
                os.write(self._sink, traffic.odd.data[traffic.odd.taken_bytes :])
        return self._keeps_up

    def waits(self) -> Waits:
        """Return what to wait for."""
        with self._alone():
            return [(self._source, 1)], None

    def way(self) -> OutputWay | None:
        """Return where output passes."""
        with self._alone():
            room = self.cutter.room()
        assert room is not None
        return OutputWay(self._source, self._sink, self._base_ns, TURN_BYTES, room)

    def finish(self) -> bytes:
        """Return the output that was recorded, once the chain was found whole."""
        self.lines += self.cutter.end(End("exit", 0), _LATE_US)
        assert verify_lines(self.lines).state == "complete"
        pieces = [piece for one in self.lines for piece in decode_message(one).pieces]
        outputs = [piece for piece in pieces if isinstance(piece, Output)]
        times = [piece.at_us for piece in outputs]
        assert times == sorted(times)
        return b"".join(piece.data for piece in outputs)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        assert self._busy.acquire(blocking=False), "two threads at once"
        try:
            yield
        finally:
            self._busy.release()


@contextmanager
def flooded(data: bytes) -> Iterator[tuple[int, int, list[bytes]]]:
    """Yield a pipe that gives `data`, one that takes it, and what it has taken in the end."""
    source, feed = os.pipe()
    drain, sink = os.pipe()
    os.set_blocking(source, False)
    taken: list[bytes] = []

    def write() -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(feed, view) :]
        except BrokenPipeError:
            pass
        finally:
            os.close(feed)

    def read() -> None:
        while piece := os.read(drain, 1 << 20):
            taken.append(piece)

    threads = [threading.Thread(target=write), threading.Thread(target=read)]
    for thread in threads:
        thread.start()
    try:
        yield source, sink, taken
    finally:
        os.close(source)
        os.close(sink)
        for thread in threads:
            thread.join()
        os.close(drain)


def relay(recording: Recording) -> None:
    """Pass on and record until the source ends."""
    with Flood(recording.record, recording.waits, recording.way) as flood:
        is_over = False
        while not is_over:
            waits, keys = recording.waits()
            traffic = flood.follow(wait_for_traffic(waits, 1000, keys, recording.way()))
            recording.record(traffic)
            is_over = bool(traffic.ready) and not traffic.row.length_bytes


def test_a_flood_is_recorded_whole_and_in_order() -> None:
    """What passes is what is recorded, in a thread of its own that nobody gets in the way of."""
    for _ in range(_TRIES):
        with flooded(_DATA) as (source, sink, taken):
            recording = Recording(source, sink)
            relay(recording)
        assert b"".join(taken) == _DATA
        assert recording.finish() == _DATA
        if len(recording.threads) == 2:
            return
    raise AssertionError("no turn was full")


def test_a_failure_to_record_is_met_by_who_follows() -> None:
    """What goes wrong in the thread is raised where the session is relayed."""
    turns = itertools.count()

    def fail_in_time() -> None:
        if next(turns) == 3:
            raise OSError("the disk is gone")

    with flooded(_DATA) as (source, sink, _):
        recording = Recording(source, sink, fail_in_time)
        with pytest.raises(OSError, match="the disk is gone"):
            relay(recording)


def test_no_more_passes_than_can_be_recorded() -> None:
    """Where what is recorded cannot be put away, a flood waits after a few turns."""
    with flooded(_DATA * 4) as (source, sink, taken):
        recording = Recording(source, sink, keeps_up=False)
        with Flood(recording.record, recording.waits, recording.way) as flood:
            most_bytes, is_over = 0, False
            while not is_over:
                waits, keys = recording.waits()
                traffic = wait_for_traffic(waits, 1000, keys, recording.way())
                before_bytes = recording.recorded_bytes
                traffic = flood.follow(traffic)
                most_bytes = max(most_bytes, recording.recorded_bytes - before_bytes)
                recording.record(traffic)
                is_over = bool(traffic.ready) and not traffic.row.length_bytes
    assert b"".join(taken) == recording.finish() == _DATA * 4
    assert most_bytes <= 4 * TURN_BYTES
