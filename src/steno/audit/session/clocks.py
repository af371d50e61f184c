"""From the audit trail's clock to a recording's instants.

The kernel stamps events with CLOCK_REALTIME_COARSE when a system call begins: a stamp lies before
its instant by less than a tick of that clock, and auditd cuts off the microseconds. A recording's
clock is CLOCK_BOOTTIME, which nobody sets. The recorder notes the calendar beside it when it
begins (`started_unix_us`), and again when it has moved by more than 10 ms (notes of the kind
`calendar`); docs/formats/steno.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from steno.model import Note

KIND = "calendar"

_LOOSE_US = 20_000
"""Stamps are a tick early, and calendars move by up to 10 ms without a note."""


@dataclass(frozen=True)
class Stretch:
    """A time through which the calendar kept step with the recording.

    Attributes:
        offset_us: What the calendar showed at the recording's instant 0, or would have shown.
        from_us: The recording's instant from which on this may hold: the calendar was looked at
            then, and was as before.
        until_us: The instant at which the calendar is known to have moved; None: it goes on.
    """

    offset_us: int
    from_us: int
    until_us: int | None = None


class Calendar:
    """Turns stamps into a recording's instants, and back.

    Args:
        started_unix_us: The calendar at the recording's instant 0.
        notes: The recording's notes, in order; those of other kinds are passed over.
    """

    def __init__(self, started_unix_us: int, notes: Iterable[Note] = ()) -> None:
        stretches = [Stretch(started_unix_us, 0)]
        for note in notes:
            unix_us = note.facts.get("unix_us")
            if note.kind != KIND or not isinstance(unix_us, int):
                continue
            from_ms = note.facts.get("from_ms")
            from_us = from_ms * 1000 if isinstance(from_ms, int) else note.at_us
            before = stretches[-1]
            stretches[-1] = Stretch(before.offset_us, before.from_us, note.at_us)
            stretches.append(Stretch(unix_us - note.at_us, min(from_us, note.at_us)))
        self.stretches = tuple(stretches)

    def place(self, stamps_unix_us: Sequence[int]) -> list[int]:
        """Return the recording's instants of stamps, in the order in which the kernel wrote them.

        An instant before the recording is negative. Where the calendar was set back, a stamp may
        stand for two instants: the one is taken that does not go back behind the stamp before.
        """
        if len(self.stretches) == 1:
            offset_us = self.stretches[0].offset_us
            return [stamp - offset_us for stamp in stamps_unix_us]
        found: list[int] = []
        last_us: int | None = None
        for stamp in stamps_unix_us:
            at_us = self._place(stamp, last_us)
            found.append(at_us)
            last_us = at_us if last_us is None else max(last_us, at_us)
        return found

    def _place(self, stamp_unix_us: int, last_us: int | None) -> int:
        """Return the earliest instant that a stamp may stand for and that is not before `last_us`.

        Blocking calls are stamped when they begin and written when they end, so that going back
        is no impossibility, only less likely.
        """
        best: tuple[int, int] | None = None
        for stretch in self.stretches:
            at_us = stamp_unix_us - stretch.offset_us
            outside_us = max(0, stretch.from_us - at_us - _LOOSE_US)
            if stretch is self.stretches[0]:
                outside_us = 0
            if stretch.until_us is not None:
                outside_us = max(outside_us, at_us - stretch.until_us - _LOOSE_US)
            back_us = 0 if last_us is None else max(0, last_us - at_us - _LOOSE_US)
            cost = outside_us + back_us
            if best is None or cost < best[0]:
                best = cost, at_us
        return best[1] if best is not None else 0

    def unix_us(self, at_us: int) -> int:
        """Return what the calendar showed at an instant of the recording."""
        found = self.stretches[0]
        for stretch in self.stretches[1:]:
            before = found.until_us
            if before is not None and at_us >= before:
                found = stretch
        return at_us + found.offset_us

    def span_unix_us(self, duration_us: int) -> tuple[int, int]:
        """Return the calendar's first and last instant from the recording's start to its end."""
        ends = [
            (
                stretch.offset_us + stretch.from_us,
                stretch.offset_us + (stretch.until_us or duration_us),
            )
            for stretch in self.stretches
        ]
        return min(first for first, _ in ends), max(last for _, last in ends)
