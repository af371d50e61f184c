"""Which audit events are a recording's, and at which of its instants: one answer for everybody.

A recording joined with its session's events (`steno.audit.session`) says exactly what its page
shows. What that came to is kept in the index, so that search, lists of events and alerts say the
same. Of events that came in since, only the session and the time are known.
"""

from __future__ import annotations

from bisect import bisect_left

import msgspec

from steno.audit.session.recording_trail import RecordingTrail
from steno.store.protocol import Summary

EARLY_US = 20_000
"""So much before a recording's start an event of it may be stamped: the audit trail's clock ticks
every 1 to 10 ms and is read when a system call begins, and auditd cuts off microseconds."""

_FOREVER = (1 << 62) - 1


class JoinedEvents(msgspec.Struct, frozen=True):
    """What joining a recording found.

    Attributes:
        duration_us: The recording's last instant then.
        seen: Up to which byte each trail was looked at.
        until_unix_us: Later events were not looked at; None: all that were there.
        first_unix_us: The earliest event that is the recording's; None: there is none.
        last_unix_us: The latest one.
        serials: The numbers of the events that are the recording's, growing.
        at_us: The instant of each in the recording.
    """

    duration_us: int = 0
    seen: dict[str, int] = {}
    until_unix_us: int | None = None
    first_unix_us: int | None = None
    last_unix_us: int | None = None
    serials: list[int] = []
    at_us: list[int] = []


def describe_join(trail: RecordingTrail, duration_us: int, seen: dict[str, int]) -> JoinedEvents:
    """Return what is kept of a join.

    Args:
        trail: What it found.
        duration_us: The recording's last instant.
        seen: Up to which byte each trail was looked at, at least.
    """
    stamps = [one.event.at_unix_us for one in trail.events]
    placed = sorted((one.event.serial, one.at_us) for one in trail.events)
    last_us = max(stamps, default=None)
    return JoinedEvents(
        duration_us=duration_us,
        seen=seen,
        until_unix_us=last_us if trail.commands.is_cut else None,
        first_unix_us=min(stamps, default=None),
        last_unix_us=last_us,
        serials=[serial for serial, _ in placed],
        at_us=[at_us for _, at_us in placed],
    )


class RecordingEvents:
    """Tells which events of its session are a recording's.

    Args:
        started_unix_us: When it was begun.
        duration_us: Its last piece's instant.
        is_live: Whether it goes on.
        joined: What joining it found, where that was done.
    """

    def __init__(
        self,
        started_unix_us: int,
        duration_us: int,
        *,
        is_live: bool,
        joined: JoinedEvents | None = None,
    ) -> None:
        self._started_unix_us = started_unix_us
        self._duration_us = max(0, duration_us)
        self._joined = joined
        self._from_unix_us = started_unix_us - EARLY_US
        self._until_unix_us = _FOREVER if is_live else started_unix_us + duration_us

    @classmethod
    def of(cls, summary: Summary, joined: JoinedEvents | None) -> RecordingEvents:
        """Return those of the recording with this summary."""
        return cls(
            summary.started_unix_us, summary.duration_us, is_live=summary.is_live, joined=joined
        )

    def span_unix_us(self) -> tuple[int, int]:
        """Return the first and the last stamp that its events may have."""
        first_us, last_us = self._from_unix_us, self._until_unix_us
        joined = self._joined
        if joined is not None:
            first_us = min(first_us, joined.first_unix_us or first_us)
            last_us = max(last_us, joined.last_unix_us or last_us)
        return first_us, last_us

    def locate(
        self, at_unix_us: int, trail: str, serial: int, offset_bytes: int | None = None
    ) -> int | None:
        """Return an event's instant in the recording; None: it is none of its.

        Args:
            at_unix_us: Its stamp.
            trail: The trail that has it.
            serial: Its number.
            offset_bytes: Where in the trail it stands; None: not known, but long since looked at.
        """
        joined = self._joined
        if joined is not None:
            number = bisect_left(joined.serials, serial)
            if number < len(joined.serials) and joined.serials[number] == serial:
                return joined.at_us[number]
            if _was_looked_at(joined, at_unix_us, trail, offset_bytes):
                return None
        if not self._from_unix_us <= at_unix_us <= self._until_unix_us:
            return None
        return min(max(at_unix_us - self._started_unix_us, 0), self._duration_us)


def _was_looked_at(
    joined: JoinedEvents, at_unix_us: int, trail: str, offset_bytes: int | None
) -> bool:
    if joined.until_unix_us is not None and at_unix_us > joined.until_unix_us:
        return False
    seen_bytes = joined.seen.get(trail)
    return seen_bytes is not None and (offset_bytes is None or offset_bytes < seen_bytes)
