"""Serials that never came: events that were lost, found by the gaps in a host's numbering.

The kernel numbers events without gaps, but they arrive slightly out of order. So a gap is only a
question at first: events are lost when they have not come within a time limit. The event right
after a gap waits for the answer.

Source: Linux, kernel/audit.c, audit_serial(); auditd numbers its own DAEMON records by itself.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from steno.audit.records import Record

MAX_GAPS = 256
"""So many gaps may be open questions; beyond it, the oldest is answered."""

_REBOOT_US = 1_000_000
"""A host takes longer than that to boot; events are never so far out of order."""

_MAX_LATE = 64
"""So many events in a row with serials that are long past: a boot with a clock that went back."""


class RecordGroup(msgspec.Struct, frozen=True, gc=False):
    """The records of one event, in the order in which they came.

    Attributes:
        node: The host, where the records say it.
        at_unix_us: When.
        serial: The event's number.
        records: Its records, EOE left out.
        lost_before: So many serials right before it never came, where losses are looked for.
        is_whole: Whether its end was seen, and not just a limit reached.
    """

    node: str
    at_unix_us: int
    serial: int
    records: list[Record]
    lost_before: int = 0
    is_whole: bool = True


class _Gap(NamedTuple):
    first: int
    noticed_us: int


class LossFinder:
    """Find the gaps in one host's serials. Does no I/O and reads no clock."""

    def __init__(self, limit_us: int, after_serial: int | None = None) -> None:
        """Begin without a question.

        Args:
            limit_us: A question that is older is answered.
            after_serial: The greatest serial that came before.
        """
        self._limit_us = limit_us
        self._expected = None if after_serial is None else after_serial + 1
        self._newest_us = 0
        self._late = 0
        self._gaps: dict[int, _Gap] = {}  # by their last serial
        self._lost: dict[int, int] = {}  # by the serial after them
        self._waiting: dict[int, RecordGroup] = {}
        self._free: list[RecordGroup] = []

    def see(self, serial: int, at_us: int) -> None:
        """Note that an event began to arrive."""
        expected = self._expected
        if expected is None or serial == expected:
            self._expected = serial + 1
            self._late = 0
        elif serial > expected:
            self._gaps[serial - 1] = _Gap(expected, max(at_us, self._newest_us))
            self._expected = serial + 1
            self._late = 0
            while len(self._gaps) > MAX_GAPS:
                self._declare(next(iter(self._gaps)))
        else:
            self._see_late(serial, at_us)
        self._newest_us = max(self._newest_us, at_us)

    @property
    def newest_serial(self) -> int:
        """The greatest serial of this boot so far; 0 where there is none."""
        return 0 if self._expected is None else self._expected - 1

    @property
    def deadline_us(self) -> int | None:
        """When the oldest question will be answered; None: there is none."""
        if not self._gaps:
            return None
        return next(iter(self._gaps.values())).noticed_us + self._limit_us

    def pass_over(self, serial: int, at_us: int) -> None:
        """Note that all events up to this one came, whole, each with the next number."""
        self._expected = serial + 1
        self._late = 0
        self._newest_us = max(self._newest_us, at_us)

    def hand_over(self, group: RecordGroup) -> list[RecordGroup]:
        """Return what can go on now that `group` is complete: itself, too, unless it must wait."""
        serial = group.serial
        if serial - 1 in self._gaps and serial not in self._waiting:
            self._waiting[serial] = group
        else:
            lost = self._lost.pop(serial, 0)
            self._free.append(msgspec.structs.replace(group, lost_before=lost) if lost else group)
        return self.take()

    def settle(self, now_us: int | None) -> list[RecordGroup]:
        """Answer the questions that are too old now, None: all; return what waited for them."""
        while self._gaps:
            last, gap = next(iter(self._gaps.items()))
            if now_us is not None and now_us - gap.noticed_us <= self._limit_us:
                break
            self._declare(last)
        return self.take()

    def take(self) -> list[RecordGroup]:
        """Return what need not wait any longer, in the order of its serials."""
        free, self._free = self._free, []
        if len(free) > 1:
            free.sort(key=lambda group: group.serial)
        return free

    def _see_late(self, serial: int, at_us: int) -> None:
        for last, gap in self._gaps.items():
            if gap.first <= serial <= last:
                self._fill(serial, last, gap)
                return
        self._late += 1
        # Before the first event of all there is no time to compare with.
        is_later_boot = self._newest_us and at_us > self._newest_us + _REBOOT_US
        if is_later_boot or self._late > _MAX_LATE:
            for last in list(self._gaps):
                self._declare(last)
            self._expected = serial + 1
            self._newest_us = at_us
            self._late = 0

    def _fill(self, serial: int, last: int, gap: _Gap) -> None:
        """Take a serial out of a gap; what is left before and after it stays in question."""
        if serial < last:
            self._gaps[last] = _Gap(serial + 1, gap.noticed_us)
        else:
            del self._gaps[last]
            self._release(last + 1, 0)
        if serial > gap.first:
            self._gaps[serial - 1] = gap

    def _declare(self, last: int) -> None:
        self._release(last + 1, last - self._gaps.pop(last).first + 1)

    def _release(self, serial: int, lost: int) -> None:
        group = self._waiting.pop(serial, None)
        if group is None:
            if lost:
                self._lost[serial] = lost
        elif lost:
            self._free.append(msgspec.structs.replace(group, lost_before=lost))
        else:
            self._free.append(group)
