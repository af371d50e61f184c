"""The recording's clock, and the calendar beside it."""

from __future__ import annotations

import time

from steno.recorder.clock import KIND, LOOK_US, RecordingClock

HOUR_US = 3600 * 1_000_000
TICK_US = 10_000


def test_a_calendar_that_keeps_step_is_not_noted() -> None:
    """As long as the calendar goes as the recording does, no note says so."""
    clock = RecordingClock()
    assert [clock.look(at_us) for at_us in range(0, 5 * LOOK_US, LOOK_US // 2)] == [None] * 10


def test_a_step_of_the_calendar_is_noted_once() -> None:
    """After a step one note holds both calendars as they are then; the next looks say nothing."""
    now = RecordingClock()
    clock = RecordingClock.resume(now.base_ns, now.started_unix_us - HOUR_US, 0)
    at_us = LOOK_US
    note = None
    while note is None:  # A look that was interrupted between two clocks tells nothing.
        note = clock.look(at_us)
        at_us += LOOK_US
    at_us -= LOOK_US
    unix_us = time.clock_gettime_ns(time.CLOCK_REALTIME) // 1000 + at_us - clock.at_us()
    assert note.kind == KIND
    assert note.at_us == at_us
    assert abs(note.facts["moved_us"] - HOUR_US) < 1000
    assert note.facts["from_ms"] == 0
    assert abs(note.facts["unix_us"] - unix_us) < 1_000_000
    assert 0 <= note.facts["unix_us"] - note.facts["coarse_unix_us"] <= TICK_US + 1000
    assert [clock.look(at_us + n * LOOK_US) for n in range(1, 4)] == [None] * 3


def test_the_calendar_is_looked_at_once_a_second_at_most() -> None:
    """Looking costs time, and a recording that cuts many messages looks no more often for it."""
    now = RecordingClock()
    clock = RecordingClock.resume(now.base_ns, now.started_unix_us - HOUR_US, 0)
    assert clock.look(LOOK_US - 1) is None
