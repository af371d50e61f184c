"""Put one recording's messages in sequence: what a player or an index reads.

Messages may come twice, out of order, or not at all; the windows that each message repeats are of
no interest to a reader.
"""

from __future__ import annotations

from steno.model import Message, Note, Piece, Window


def describe_late(number: int, last_id: int | None) -> str:
    """Return what is wrong with message `number`, which came after message `last_id`."""
    return f"message {number} comes again or late, after {last_id}"


class Sequencer:
    """Turn a recording's messages into its pieces; say where messages are missing.

    Messages that come again, or later than their successors, are left out: a piece of the past
    cannot be played any more. `late` counts them.
    """

    def __init__(self, *, last_id: int | None = None) -> None:
        """Begin after message `last_id`, or before all messages."""
        self.late = 0
        self._last_id = last_id
        self._window: tuple[int, int] | None = None

    @property
    def last_id(self) -> int | None:
        """The number of the last message that was let through; None before the first."""
        return self._last_id

    def feed(self, message: Message) -> list[Piece]:
        """Return the pieces that `message` adds, after a note `gap` where messages are missing."""
        if self._last_id is not None and message.id <= self._last_id:
            self.late += 1
            return []
        pieces: list[Piece] = []
        expected = 1 if self._last_id is None else self._last_id + 1
        if message.id > expected:
            facts = {"first_id": expected, "last_id": message.id - 1}
            pieces.append(Note(message.pos_ms * 1000, "gap", facts))
        self._last_id = message.id
        for piece in message.pieces:
            if isinstance(piece, Window):
                size = piece.columns, piece.rows
                if size == self._window:
                    continue
                self._window = size
            pieces.append(piece)
        return pieces
