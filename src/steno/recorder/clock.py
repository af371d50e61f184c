"""The clocks of a recording."""

from __future__ import annotations

import time

import msgspec

from steno.model import Note

COARSE = 5  # CLOCK_REALTIME_COARSE, <linux/time.h>; Python's time module doesn't name it

STEP_US = 10_000
"""A calendar that has moved by more than this is noted; the coarse clock's tick is at most this."""

LOOK_US = 1_000_000
"""The calendar is looked at no more often than this."""

KIND = "calendar"

_TRIES = 100
"""How often clocks are read again that were read too far apart, before that must do."""


class _Reading(msgspec.Struct, frozen=True):
    """All clocks, read one after the other.

    Attributes:
        before_ns: CLOCK_BOOTTIME before the others were read.
        coarse_unix_us: CLOCK_REALTIME_COARSE.
        unix_us: CLOCK_REALTIME; read last, it is never before the coarse one.
        is_one: Whether nothing came between them, so that they tell one instant.
    """

    before_ns: int
    coarse_unix_us: int
    unix_us: int
    is_one: bool


def _read() -> _Reading:
    before_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    coarse_unix_us = time.clock_gettime_ns(COARSE) // 1000
    unix_us = time.clock_gettime_ns(time.CLOCK_REALTIME) // 1000
    after_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    is_one = after_ns - before_ns <= STEP_US * 1000 // 2
    return _Reading(before_ns, coarse_unix_us, unix_us, is_one)


class RecordingClock:
    """Begins with the recording; its instants go on while the machine is suspended.

    Attributes:
        base_ns: CLOCK_BOOTTIME at instant 0.
        started_unix_us: CLOCK_REALTIME at instant 0.
        coarse_unix_us: CLOCK_REALTIME_COARSE beside it, the clock of the audit trail.
    """

    def __init__(self) -> None:
        reading = _read()
        for _ in range(_TRIES):
            if reading.is_one:
                break
            reading = _read()
        self.base_ns = reading.before_ns
        self.started_unix_us = reading.unix_us
        self.coarse_unix_us = reading.coarse_unix_us
        self._noted_unix_us = self.started_unix_us
        self._looked_at_us = 0

    @classmethod
    def resume(cls, base_ns: int, started_unix_us: int, coarse_unix_us: int) -> RecordingClock:
        """Go on with the clock of a recording that another process of this boot began."""
        clock = cls()
        clock.base_ns = base_ns
        clock.started_unix_us = clock._noted_unix_us = started_unix_us
        clock.coarse_unix_us = coarse_unix_us
        return clock

    def at_us(self) -> int:
        """Return the present instant, in microseconds since the recording's start."""
        return (time.clock_gettime_ns(time.CLOCK_BOOTTIME) - self.base_ns) // 1000

    def look(self, at_us: int) -> Note | None:
        """Return a note if the calendar has moved against the recording since the last one.

        Looks once a second; whoever takes up a recording may note once more what was noted.

        Args:
            at_us: The present instant.
        """
        if at_us - self._looked_at_us < LOOK_US:
            return None
        return self._compare(at_us)

    def _compare(self, at_us: int) -> Note | None:
        reading = _read()
        if not reading.is_one:
            return None  # Interrupted between the clocks: the next look will tell.
        looked_at_us, self._looked_at_us = self._looked_at_us, at_us
        recorded_us = (reading.before_ns - self.base_ns) // 1000
        begun_unix_us = reading.unix_us - recorded_us
        moved_us = begun_unix_us - self._noted_unix_us
        if abs(moved_us) <= STEP_US:
            return None
        self._noted_unix_us = begun_unix_us
        # The calendar belongs to the instant when it was read, and that may be a little later.
        now_us = max(at_us, recorded_us)
        facts = {
            "unix_us": reading.unix_us + at_us - now_us,
            "coarse_unix_us": reading.coarse_unix_us + at_us - now_us,
            "moved_us": moved_us,
            "from_ms": looked_at_us // 1000,
        }
        return Note(at_us, KIND, facts)
