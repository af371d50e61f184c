"""A player's clock: which pieces are due when. Pure: instants come in, pieces go out."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from typing import Protocol

from steno.model import Note, Output, Piece, Window

MIN_SPEED = 1 / 16
MAX_SPEED = 16.0


_RUN = 256
"""So many pieces are taken from a timeline at a time."""


class Pieces(Protocol):
    """A growing sequence of pieces; a list is one."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> Output | Window: ...
    def append(self, piece: Output | Window, /) -> None:
        """Keep one more."""


class Timeline:
    """A recording's output, windows and notes, in order; a live one grows."""

    def __init__(self, pieces: Pieces | None = None) -> None:
        """Begin an empty timeline that keeps its pieces in `pieces`, an empty sequence."""
        self.pieces: Pieces = [] if pieces is None else pieces
        self._at_us = array("q")
        self._notes: list[Note] = []
        self._noted_us: list[int] = []
        self.duration_us = 0

    def add(self, pieces: list[Piece]) -> None:
        """Append pieces; input only counts for the duration."""
        for piece in pieces:
            self.duration_us = max(self.duration_us, piece.at_us)
            if isinstance(piece, (Output, Window)):
                self.pieces.append(piece)
                self._at_us.append(self.duration_us)
            elif isinstance(piece, Note):
                self._notes.append(piece)
                self._noted_us.append(self.duration_us)

    def notes_between(self, after_us: int, upto_us: int) -> list[Note]:
        """Return the notes later than `after_us`, up to `upto_us`."""
        first = bisect_right(self._noted_us, after_us)
        return self._notes[first : bisect_right(self._noted_us, upto_us)]

    def runs(self, first: int, end: int) -> Iterator[list[Output | Window]]:
        """Yield the pieces from index `first` up to `end`, some at a time."""
        for start in range(first, end, _RUN):
            yield [self.pieces[index] for index in range(start, min(start + _RUN, end))]

    def instant(self, index: int) -> int:
        """Return the instant of the piece with this index."""
        return self._at_us[index]

    def index_after(self, at_us: int) -> int:
        """Return the index of the first piece later than `at_us`."""
        return bisect_right(self._at_us, at_us)


class Playback:
    """Where a player stands in a timeline, and how it goes on.

    `now_us` is any steady clock. Between two pieces the position moves with the clock times the
    speed; pauses longer than `idle_limit_us` are shortened to it.
    """

    def __init__(
        self, timeline: Timeline, now_us: int, *, idle_limit_us: int | None, speed: float = 1.0
    ) -> None:
        self.timeline = timeline
        self.speed = speed
        self.idle_limit_us = idle_limit_us
        self.is_playing = True
        self.is_following = False
        self._next = 0
        self._base_us = 0
        self._since_us = now_us

    def position_us(self, now_us: int) -> int:
        """Return the instant of the recording that is shown."""
        if not self.is_playing:
            return self._base_us
        passed_us = int((now_us - self._since_us) * self.speed)
        return min(self._base_us + passed_us, self._limit_us())

    @property
    def is_at_end(self) -> bool:
        """Whether all pieces were given out."""
        return self._next >= len(self.timeline.pieces)

    @property
    def next_index(self) -> int:
        """The index of the next piece to be given out."""
        return self._next

    def wait_us(self, now_us: int) -> int | None:
        """Return how long until a piece is due, 0 when one is; None when nothing will be."""
        if not self.is_playing or self.is_at_end:
            return None
        if self.is_following:
            return 0
        return max(0, self._due_us() - now_us)

    def take_due(self, now_us: int) -> list[Output | Window]:
        """Return the pieces that are due, and move on past them."""
        due: list[Output | Window] = []
        while self.is_playing and not self.is_at_end:
            due_us = now_us if self.is_following else self._due_us()
            if due_us > now_us:
                break
            due.append(self._take_next(due_us))
        return due

    def toggle(self, now_us: int) -> None:
        """Pause, or go on."""
        self._settle(now_us)
        self.is_playing = not self.is_playing
        self.is_following = False

    def set_speed(self, speed: float, now_us: int) -> None:
        """Play at `speed` times the original's, within the limits, or the speed it began with."""
        self._settle(now_us)
        self.speed = min(max(speed, min(MIN_SPEED, self.speed)), max(MAX_SPEED, self.speed))

    def set_idle_limit(self, idle_limit_us: int | None, now_us: int) -> None:
        """Shorten pauses to `idle_limit_us`; None: leave them."""
        self._settle(now_us)
        self.idle_limit_us = idle_limit_us

    def step(self, now_us: int, *, goes_on: bool = False) -> list[Output | Window]:
        """Return the next output (with windows before it) at once; pause, unless it `goes_on`."""
        self._settle(now_us)
        self.is_playing = self.is_playing and goes_on
        self.is_following = False
        taken: list[Output | Window] = []
        while not self.is_at_end:
            taken.append(self._take_next(now_us))
            if isinstance(taken[-1], Output):
                break
        return taken

    def seek(self, at_us: int, now_us: int) -> None:
        """Stand where everything up to `at_us` was shown; the caller draws that."""
        self._base_us = min(max(at_us, 0), self.timeline.duration_us)
        self._since_us = now_us
        self._next = self.timeline.index_after(self._base_us)
        self.is_following = False

    def follow(self, now_us: int) -> None:
        """Go to the end and show what comes as it comes."""
        self.seek(self.timeline.duration_us, now_us)
        self.is_playing = self.is_following = True

    def _limit_us(self) -> int:
        if self.is_at_end:
            return self.timeline.duration_us
        return self.timeline.instant(self._next)

    def _due_us(self) -> int:
        gap_us = self.timeline.instant(self._next) - self._base_us
        if self.idle_limit_us is not None:
            gap_us = min(gap_us, self.idle_limit_us)
        return self._since_us + int(gap_us / self.speed)

    def _take_next(self, due_us: int) -> Output | Window:
        piece = self.timeline.pieces[self._next]
        self._base_us = self.timeline.instant(self._next)
        # The next pause counts from when this piece was due, so that lateness does not add up.
        self._since_us = due_us
        self._next += 1
        return piece

    def _settle(self, now_us: int) -> None:
        self._base_us = self.position_us(now_us)
        self._since_us = now_us
