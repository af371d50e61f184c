"""The clocks of a recording."""

from __future__ import annotations

import time


class RecordingClock:
    """Begins with the recording; its instants go on while the machine is suspended.

    Attributes:
        base_ns: CLOCK_BOOTTIME at instant 0.
        started_unix_us: CLOCK_REALTIME at instant 0.
        coarse_unix_us: CLOCK_REALTIME_COARSE beside it, the clock of the audit trail.
    """

    def __init__(self) -> None:
        self.base_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        self.started_unix_us = time.clock_gettime_ns(time.CLOCK_REALTIME) // 1000
        coarse = 5  # CLOCK_REALTIME_COARSE, <linux/time.h>; Python's time module doesn't name it
        self.coarse_unix_us = time.clock_gettime_ns(coarse) // 1000

    @classmethod
    def resume(cls, base_ns: int, started_unix_us: int, coarse_unix_us: int) -> RecordingClock:
        """Go on with the clock of a recording that another process of this boot began."""
        clock = cls()
        clock.base_ns = base_ns
        clock.started_unix_us = started_unix_us
        clock.coarse_unix_us = coarse_unix_us
        return clock

    def at_us(self) -> int:
        """Return the present instant, in microseconds since the recording's start."""
        return (time.clock_gettime_ns(time.CLOCK_BOOTTIME) - self.base_ns) // 1000
