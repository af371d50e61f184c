"""Records in, lines of a trail out: coalesced, chosen, decoded, and written in batches."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Protocol

from steno.agent.auditing.intake import Dropped
from steno.agent.auditing.losses import Losses
from steno.agent.auditing.wanted import Wanted
from steno.audit.coalescing import Coalescer, RecordGroup
from steno.audit.event import Event
from steno.audit.events import EventBuilder
from steno.audit.records import DamagedLine, Record
from steno.audit.trail import Lost
from steno.delivery.trails import TrailWriter
from steno.errors import NoSpaceError, StenoError

FLUSH_NS = 500_000_000
"""So long an event waits for others at most before it is written."""
_MOST_WAITING = 500
_EXPIRE_NS = 500_000_000
"""When nothing came for so long, what is open is taken to be whole."""
_RETRY_NS = 1_000_000_000
_COMPLAIN_NS = 60_000_000_000

log = logging.getLogger("steno.audit")


class RecordSource(Protocol):
    """Turns bytes into records: audit.records.LineReader, or the journal's."""

    def feed(self, data: bytes) -> list[Record]:
        """Return the records that `data` completes."""

    def finish(self) -> list[Record]:
        """Return what is left at the end."""

    def take_damage(self) -> list[DamagedLine]:
        """Return what was no record since the last call."""


class WordSource(Protocol):
    """Has events that no records underlie, and losses: what programs said in the journal."""

    def take_events(self) -> list[Event]:
        """Return those that came since the last call."""

    def take_losses(self) -> list[Lost]:
        """Return what was told of losses since the last call."""


class Marks(Protocol):
    """Remembers what was dealt with, for a source that can be read again."""

    def take(self, group: RecordGroup) -> bool:
        """Take note of an event; return whether it came for the first time."""

    def written(self) -> None:
        """Take note that all events that were taken so far are in the trail, or not wanted."""


class Pipeline:
    """Takes what was read, in one thread, and appends to the trail.

    Args:
        open_source: Makes what reads records; anew after bytes were thrown away.
        open_writer: Opens the trail; tried again while it fails.
        wanted: Which events are kept.
        builder: Makes events of records.
        marks: Told what was dealt with, if somebody wants to know.
        words: Has events besides those of the records.
        after_serial: The greatest serial that came already, of a source that is gone on with.
        clock_ns: A clock that only goes forward.
        now_unix_us: The wall clock.

    Attributes:
        events: How many events came.
        kept: How many of them are in the trail.
        losses: What was lost.
        lag_us: How old the last event was when it was written.
        is_aside: Whether somebody else writes the trail, so that what comes is passed over.
    """

    def __init__(
        self,
        open_source: Callable[[], RecordSource],
        open_writer: Callable[[], TrailWriter],
        wanted: Wanted,
        builder: EventBuilder,
        *,
        marks: Marks | None = None,
        words: WordSource | None = None,
        after_serial: int | None = None,
        clock_ns: Callable[[], int] = time.monotonic_ns,
        now_unix_us: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self.events = 0
        self.kept = 0
        self.losses = Losses()
        self.lag_us = 0
        self.is_aside = False
        self.writer: TrailWriter | None = None
        self._open_source = open_source
        self._open_writer = open_writer
        self._wanted = wanted
        self._builder = builder
        self._marks = marks
        self._words = words
        self._marked_ns = 0
        self._is_unmarked = False
        self._clock_ns = clock_ns
        self._now_unix_us = now_unix_us
        self._source = open_source()
        self._groups = Coalescer(finds_losses=True, after_serial=after_serial)
        self._waiting: list[Event] = []
        self._since_ns: int | None = None
        self._came_ns: int | None = None
        self._retry_ns = 0
        self._complain_ns = 0
        self._is_behind = False
        self._is_torn = False
        self._first_serial: int | None = None
        self._resumed_serial: int | None = None
        self._broken: set[tuple[str, int, int]] = set()

    @property
    def timeout_s(self) -> float:
        """How long to wait for more before `turn` is called again."""
        if self._since_ns is None and self._came_ns is None:
            return 1.0
        return 0.1

    def start(self) -> None:
        """Open the trail, if that is possible already."""
        try:
            self._open()
        except StenoError as error:
            log.error("the audit trail cannot be opened yet", extra={"why": str(error)})

    def turn(self, taken: list[bytes | Dropped]) -> None:
        """Take what came, if anything did, and write what is due.

        Raises:
            StenoError: It could not be written, but can be read again.
        """
        for data in taken:
            if isinstance(data, Dropped):
                self._break_off(data)
            else:
                self._take(self._groups.feed(self._records(data)))
        self._take_words()
        now_ns = self._clock_ns()
        if taken:
            self._came_ns = now_ns
            self._is_unmarked = True
        elif self._came_ns is not None and now_ns - self._came_ns >= _EXPIRE_NS:
            self._came_ns = None
            self._is_unmarked = True
            self._take(self._groups.expire())
        self._note_damage()
        is_due = self._since_ns is not None and now_ns - self._since_ns >= FLUSH_NS
        if is_due or len(self._waiting) >= _MOST_WAITING:
            self.flush()
        elif self._is_unmarked and self._since_ns is None and now_ns - self._marked_ns >= FLUSH_NS:
            self._mark(now_ns)  # there is nothing to write

    def stand_aside(self) -> None:
        """Let go of the trail for somebody else, and pass over what comes until `come_back`.

        Raises:
            StenoError: What came last could not be written, but can be read again.
        """
        self._retry_ns = 0
        if self._waiting:
            self.flush()
        self.close()
        self.is_aside = True

    def come_back(self) -> None:
        """Keep what comes from now on."""
        self.is_aside = False

    def note_kernel_loss(self, count: int) -> None:
        """Take note that the kernel lost so many records."""
        self.losses.add(Lost(self._now_unix_us(), count, "kernel"))
        self._since_ns = self._since_ns or self._clock_ns()

    def finish(self, why: str) -> None:
        """Write all that is left, and end the trail.

        Raises:
            StenoError: It could not be written; the trail is left for who goes on with it.
        """
        if self._marks is None or why != "stopped":
            # Else what is not whole yet is read again.
            self._take(self._groups.feed(self._source.finish()))
            self._take(self._groups.finish())
            self._take_words()
        self._note_damage()
        self._retry_ns = 0
        self.flush()
        if self.writer is not None:
            self.writer.end(why)
            self.writer = None

    def close(self) -> None:
        """Let go of the trail as it is, for who goes on with it."""
        if self.writer is not None:
            self.writer.close()
            self.writer = None

    # What came.

    def _records(self, data: bytes) -> list[Record]:
        if self._is_torn:
            # Behind thrown-away bytes the first line may have lost its beginning.
            _, newline, data = data.partition(b"\n")
            if not newline:
                return []
            self._is_torn = False
        return self._source.feed(data)

    def _break_off(self, dropped: Dropped) -> None:
        """Go on behind bytes that were thrown away; what was open has lost some of its records."""
        log.warning("audit records come too fast: some are lost", extra={"lines": dropped.lines})
        self._is_behind = self._is_torn = True
        self._note_damage()
        self._source = self._open_source()
        open_groups = self._groups.expire()
        # Their later records are no events of their own.
        self._broken = {(group.node, group.at_unix_us, group.serial) for group in open_groups}
        self._take(open_groups, is_broken=True)

    def _take(self, groups: list[RecordGroup], *, is_broken: bool = False) -> None:
        for group in groups:
            if self._broken and not is_broken and _key(group) in self._broken:
                continue
            if self._marks is not None and not self._marks.take(group):
                continue
            if self.is_aside:
                continue
            self.events += 1
            # auditd numbers its own events as it likes.
            if self._first_serial is None and not group.records[0].type.startswith("DAEMON_"):
                self._first_serial = group.serial
                self._note_absence(group.at_unix_us)
            if group.lost_before:
                self._note_gap(group)
            if self._wanted.takes(group):
                self._build(group)

    def _build(self, group: RecordGroup) -> None:
        try:
            self._waiting.append(self._builder.build(group))
        except Exception:
            # Whatever is wrong with one event must not end the trail.
            log.exception("an audit event cannot be read", extra={"serial": group.serial})
            lost = Lost(group.at_unix_us, 1, "damaged", group.serial, group.serial)
            self.losses.add(lost)
        if self._since_ns is None:
            self._since_ns = self._clock_ns()

    def _take_words(self) -> None:
        if self._words is None:
            return
        events, losses = self._words.take_events(), self._words.take_losses()
        if self.is_aside:
            return
        for loss in losses:
            self.losses.add(loss)
        self.events += len(events)
        kept = [event for event in events if self._wanted.takes_login(event)]
        self._waiting += kept
        if (kept or losses) and self._since_ns is None:
            self._since_ns = self._clock_ns()

    def _note_absence(self, at_unix_us: int) -> None:
        """Say between which events nobody listened, once both are known; they do not come again."""
        if self._marks is not None:
            return
        if self._resumed_serial is not None and self._first_serial is not None:
            first, last = self._resumed_serial + 1, self._first_serial - 1
            self._resumed_serial = None
            if first <= last:
                self.losses.add(Lost(at_unix_us, 0, "away", first, last))

    def _note_gap(self, group: RecordGroup) -> None:
        why = "behind" if self._is_behind else "gap"
        self._is_behind = False
        first, last = group.serial - group.lost_before, group.serial - 1
        self.losses.add(Lost(group.at_unix_us, group.lost_before, why, first, last))

    def _note_damage(self) -> None:
        damaged = len(self._source.take_damage())
        if damaged:
            log.warning("audit records cannot be read", extra={"records": damaged})
            self.losses.add(Lost(self._now_unix_us(), damaged, "damaged"))
            self._since_ns = self._since_ns or self._clock_ns()

    # The trail.

    def flush(self) -> None:
        """Write what waits; where that fails, count it as lost, or keep the losses at least."""
        now_ns = self._clock_ns()
        if self.is_aside:
            self._since_ns = None
            self._mark(now_ns)
            return
        if now_ns < self._retry_ns and len(self._waiting) < _MOST_WAITING:
            return
        waiting, losses = self._waiting, []
        self._waiting, self._since_ns = [], None
        try:
            writer = self._open()
            losses = self.losses.take()
            writer.append([*losses, *waiting])
        except StenoError as error:
            self._give_up(waiting, losses, error)
            return
        self._mark(now_ns)
        self.kept += len(waiting)
        if waiting:
            self.lag_us = max(0, self._now_unix_us() - waiting[-1].at_unix_us)

    def _mark(self, now_ns: int) -> None:
        self._marked_ns = now_ns
        self._is_unmarked = False
        if self._marks is not None:
            self._marks.written()

    def _open(self) -> TrailWriter:
        if self.writer is None:
            self.writer = self._open_writer()
            resumed = self.writer.resumed
            if resumed is not None:
                self._resumed_serial = resumed.last_serial
                self._note_absence(self._now_unix_us())
                log.info("a trail is gone on with", extra={"trail": self.writer.trail})
                if resumed.cut_bytes:
                    self.losses.add(Lost(self._now_unix_us(), 0, "torn"))
            elif self.writer.follows_serial is not None:
                self._resumed_serial = self.writer.follows_serial
                self._note_absence(self._now_unix_us())
        return self.writer

    def _give_up(self, waiting: list[Event], losses: list[Lost], error: StenoError) -> None:
        if self._marks is not None:
            raise error  # they can be read again, by who is started next
        now_ns = self._clock_ns()
        if now_ns >= self._complain_ns:
            self._complain_ns = now_ns + _COMPLAIN_NS
            log.error("audit events cannot be kept", extra={"why": str(error)})
        self.losses.put_back(losses)
        if waiting:
            why = "full" if isinstance(error, NoSpaceError) else "unwritable"
            serials = [event.serial for event in waiting]
            loss = Lost(waiting[0].at_unix_us, len(waiting), why, min(serials), max(serials))
            self.losses.add(loss)
        # There is something to tell when it works again.
        self._since_ns = now_ns
        self._retry_ns = now_ns + _RETRY_NS


def _key(group: RecordGroup) -> tuple[str, int, int]:
    return group.node, group.at_unix_us, group.serial
