"""What a recorder wants of a place that lines go to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Writer(Protocol):
    """Takes a recording's lines without ever making the recorder wait.

    What cannot be handed over yet is kept (`pending_bytes`); the recorder calls `flush` when
    `fileno` is writable, or a little later, and reads no more while too much is kept.
    After an error the writer is of no more use, but must still be closed.
    """

    @property
    def name(self) -> str:
        """What messages call it: "file /tmp/a.log"."""

    @property
    def pending_bytes(self) -> int:
        """How many bytes of lines were taken but not handed over yet."""

    @property
    def handed_bytes(self) -> int:
        """How many bytes were handed over; that it grows shows that somebody takes them."""

    def fileno(self) -> int | None:
        """Return the descriptor to poll for writing while something is pending, if any."""

    def write(self, lines: Sequence[bytes]) -> None:
        """Take whole lines, each with its newline.

        Raises:
            NoSpaceError: The disk is full; no part of a line was left behind.
            UnreachableError: Nobody takes them.
            StoreError: They cannot be kept for another reason.
        """

    def flush(self) -> None:
        """Hand over what is pending, as far as it is taken; raises as `write` does."""

    def close(self) -> None:
        """Make safe what was written and let go of it; what is pending is lost.

        Raises:
            NoSpaceError, StoreError: It did not become safe.
        """
