"""Put one recording's messages in sequence: what a player or an index reads.

Messages may come twice, out of order, or not at all; the windows that each message repeats are of
no interest to a reader.
"""

from __future__ import annotations

from steno.model import Message, Note, Piece, Window


class Sequencer:
    """Turn a recording's messages into its pieces; say where messages are missing.

    Messages that come again, or later than their successors, are left out: a piece of the past
    cannot be played any more. `late` counts them.
    """

    def __init__(self) -> None:
        self.late = 0
        self._last_id: int | None = None
        self._window: tuple[int, int] | None = None

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
