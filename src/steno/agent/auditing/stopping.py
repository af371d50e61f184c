"""The signals that ask for an end, whenever they come."""

from __future__ import annotations

import signal
from collections.abc import Callable


class Stop:
    """What a SIGTERM or a SIGINT asks for, whenever it comes from the first call of `listen` on.

    Attributes:
        is_asked: Whether one has come.
    """

    def __init__(self) -> None:
        self.is_asked = False
        self._end: Callable[[], None] | None = None

    def listen(self, end: Callable[[], None]) -> None:
        """Have `end` called when a signal comes; at once if it has come already."""
        self._end = end
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._ask())
        if self.is_asked:
            end()

    def forget(self) -> None:
        """Call nobody any more; a signal is still remembered."""
        self._end = None

    def _ask(self) -> None:
        self.is_asked = True
        if self._end is not None:
            self._end()
