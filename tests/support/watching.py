"""Someone at a terminal who sees what stands on its screen."""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence

from driven import Driven
from waiting import Patience

from steno.screen.emulator import Emulator


class Watcher(Driven):
    """A program on a terminal whose screen is read."""

    def __init__(self, command: Sequence[str], *, columns: int = 80, rows: int = 26) -> None:
        self.screen = Emulator(columns, rows)
        self._shown = 0
        super().__init__(command, columns=columns, rows=rows)

    def resize(self, columns: int, rows: int) -> None:
        """Change the window, and tell the program as a terminal does."""
        super().resize(columns, rows)
        self.process.send_signal(signal.SIGWINCH)
        self.screen.resize(columns, rows)

    def wait_for(self, text: str, timeout_s: float = 60) -> None:
        """Wait until `text` stands on the screen."""
        patience = Patience(timeout_s)
        while not self._comes_to(text):
            assert patience.lasts(), f"no {text!r} in:\n{self.text()}"
            self._read(0.1)

    def _comes_to(self, text: str) -> bool:
        """Look at the screen as it was and becomes: what stood there for a moment was there."""
        for piece in [b"", *re.findall(rb"[\x1b\r]?[^\x1b\r]*", bytes(self.seen[self._shown :]))]:
            self.screen.feed(piece)
            self._shown += len(piece)
            if text in self.screen.text() + "\n":
                return True
        return False

    def read_screen(self) -> Emulator:
        """Return the screen, after a moment for more to come."""
        self._read(0.1)
        self.text()
        return self.screen

    def text(self) -> str:
        """Return what stands on the screen."""
        self.screen.feed(bytes(self.seen[self._shown :]))
        self._shown = len(self.seen)
        return self.screen.text()
