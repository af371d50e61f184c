"""The recording's clock, and the calendar beside it."""

from __future__ import annotations

import time

from waiting import wait_for

from steno.model import Note
from steno.recorder.clock import COARSE, KIND, LOOK_US, STEP_US, RecordingClock

HOUR_US = 3600 * 1_000_000
TICK_US = round(time.clock_getres(COARSE) * 1e6)


def read_coarse_us() -> int:
    """Return what the coarse calendar says now."""
    return time.clock_gettime_ns(COARSE) // 1000


def keeps_tick(unix_us: int, coarse_unix_us: int) -> bool:
    """Whether the coarse calendar is no more than a tick behind, read right before the other.

    Where the processor that moves it on stands still, it is behind by as long.
    """
    return unix_us - coarse_unix_us <= TICK_US + STEP_US // 2


def begin_in_step() -> RecordingClock | None:
    """Return a clock that began when the coarse calendar kept its tick."""
    before_us = read_coarse_us()
    clock = RecordingClock()
    assert before_us <= clock.coarse_unix_us <= read_coarse_us()
    return clock if keeps_tick(clock.started_unix_us, clock.coarse_unix_us) else None


def look_past_a_step() -> tuple[RecordingClock, Note, int, int] | None:
    """Return a clock whose calendar has moved by an hour, and what it noted.

    Also when the recording began by the calendar, and the instant of the look. None: the coarse
    calendar did not keep its tick.
    """
    now = RecordingClock()
    started_unix_us = now.started_unix_us - 1000 * LOOK_US  # with a thousand looks in the past
    base_ns = now.base_ns - 1000 * LOOK_US * 1000
    clock = RecordingClock.resume(base_ns, started_unix_us - HOUR_US, 0)
    at_us = 0
    note = None
    while note is None:  # A look that was interrupted between two clocks tells nothing.
        at_us += LOOK_US
        before_us, coarse_before_us = time.time_ns() // 1000, read_coarse_us()
        note = clock.look(at_us)
    after_us, coarse_after_us = time.time_ns() // 1000, read_coarse_us()
    behind_us = note.facts["unix_us"] - note.facts["coarse_unix_us"]
    assert before_us - coarse_after_us <= behind_us <= after_us - coarse_before_us
    if not keeps_tick(note.facts["unix_us"], note.facts["coarse_unix_us"]):
        return None
    return clock, note, started_unix_us, at_us


def test_a_calendar_that_keeps_step_is_not_noted() -> None:
    """As long as the calendar goes as the recording does, no note says so."""
    clock = RecordingClock()
    assert [clock.look(at_us) for at_us in range(0, 5 * LOOK_US, LOOK_US // 2)] == [None] * 10


def test_the_clocks_of_the_start_tell_one_instant() -> None:
    """Both calendars and the recording's own clock were read together when it began."""
    before_us = time.time_ns() // 1000
    clock = wait_for(begin_in_step, "the coarse calendar is always more than a tick behind")
    lasted_us = clock.at_us()
    assert before_us <= clock.started_unix_us <= time.time_ns() // 1000
    assert clock.coarse_unix_us <= clock.started_unix_us
    assert 0 <= lasted_us <= time.time_ns() // 1000 - before_us + 1


def test_a_step_of_the_calendar_is_noted_once() -> None:
    """After a step one note holds both calendars as they are then; the next looks say nothing."""
    found = wait_for(look_past_a_step, "the coarse calendar is always more than a tick behind")
    clock, note, started_unix_us, at_us = found
    assert note.kind == KIND
    assert note.at_us == at_us
    assert abs(note.facts["moved_us"] - HOUR_US) <= STEP_US
    assert note.facts["from_ms"] == 0
    assert abs(note.facts["unix_us"] - (started_unix_us + at_us)) <= STEP_US
    assert note.facts["coarse_unix_us"] <= note.facts["unix_us"]
    assert [clock.look(at_us + n * LOOK_US) for n in range(1, 4)] == [None] * 3


def test_the_calendar_is_looked_at_once_a_second_at_most() -> None:
    """Looking costs time, and a recording that cuts many messages looks no more often for it."""
    now = RecordingClock()
    clock = RecordingClock.resume(now.base_ns, now.started_unix_us - HOUR_US, 0)
    assert clock.look(LOOK_US - 1) is None
