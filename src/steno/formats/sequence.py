"""Put one recording's messages in sequence: what a player or an index reads.

Messages may come twice, out of order, or not at all; the windows that each message repeats are of
no interest to a reader.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from steno.model import Message, Note, Piece, Window

_MOST_GAPS = 256
"""So many stretches of missing messages are remembered, the newest ones: a bound on memory."""

Gap = tuple[int, int]
"""The first and the last number of a stretch of missing messages."""


class Sequencer:
    """Turn a recording's messages into its pieces; say where messages are missing.

    A message that comes after its successors is let through where it stands, its pieces at the
    instant that was reached: what it shows is good, only its place is not. A message that came
    already is left out.

    Attributes:
        disorder: What is wrong with the last message's place, if anything.
        is_left_out: Whether the last message was left out.
    """

    def __init__(
        self, *, last_id: int | None = None, gaps: Sequence[Gap] = (), is_midway: bool = False
    ) -> None:
        """Begin before all messages, or go on where another sequencer stood.

        Args:
            last_id: The highest number so far.
            gaps: What is missing of what came before.
            is_midway: Whether the first message is one in the middle of the recording, so that
                nothing is known of those before it: they count as repeated.
        """
        self.disorder: str | None = None
        self.is_left_out = False
        self._last_id = last_id
        self._gaps = list(gaps)
        self._is_midway = is_midway
        self._at_us = 0
        self._window: tuple[int, int] | None = None

    @property
    def last_id(self) -> int | None:
        """The highest number of a message so far; None before the first."""
        return self._last_id

    @property
    def gaps(self) -> list[Gap]:
        """What is missing so far, in no order."""
        return list(self._gaps)

    def feed(self, message: Message) -> list[Piece]:
        """Return the pieces that `message` adds, after a note `gap` where messages are missing."""
        last_id = self._last_id
        self.disorder, self.is_left_out = None, False
        if last_id is not None and message.id <= last_id:
            if self._fill(message.id):
                self.disorder = f"message {message.id} comes late, after {last_id}"
                return [self._delay(piece) for piece in self._without_windows(message)]
            self.disorder = f"message {message.id} comes again, after {last_id}: left out"
            self.is_left_out = True
            return []
        pieces: list[Piece] = []
        expected = 1 if last_id is None else last_id + 1
        if message.id > expected and not (self._is_midway and last_id is None):
            self._gaps = [*self._gaps, (expected, message.id - 1)][-_MOST_GAPS:]
            facts = {"first_id": expected, "last_id": message.id - 1}
            pieces.append(Note(message.pos_ms * 1000, "gap", facts))
        self._last_id = message.id
        pieces += self._without_windows(message)
        if message.pieces:
            self._at_us = max(self._at_us, message.pieces[-1].at_us)
        return pieces

    def _without_windows(self, message: Message) -> list[Piece]:
        """Return the pieces without windows that change nothing."""
        pieces: list[Piece] = []
        for piece in message.pieces:
            if isinstance(piece, Window):
                size = piece.columns, piece.rows
                if size == self._window:
                    continue
                self._window = size
            pieces.append(piece)
        return pieces

    def _fill(self, number: int) -> bool:
        """Return whether message `number` was missing, and count it as come."""
        for place, (first, last) in enumerate(self._gaps):
            if first <= number <= last:
                rest = [(first, number - 1), (number + 1, last)]
                self._gaps[place : place + 1] = [gap for gap in rest if gap[0] <= gap[1]]
                return True
        return False

    def _delay(self, piece: Piece) -> Piece:
        return msgspec.structs.replace(piece, at_us=max(piece.at_us, self._at_us))
