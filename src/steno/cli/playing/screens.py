"""How a recording is drawn on the player's terminal.

Where the emulator is installed (steno[server]) the screen is drawn from its cells: the recording's
own escape codes never reach the terminal, a window that is too small shows the part around the
cursor, and going back is quick. Elsewhere the output is written as it was recorded, less what
reaches beyond the screen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from steno.cli.playing.playback import Timeline
from steno.cli.playing.sanitizer import Sanitizer
from steno.model import Output, Window

_RESET = b"\x1b[!p\x1b[0m\x1b[2J\x1b[H"
_SAVE_EVERY_BYTES = 1 << 20


class Screen(Protocol):
    """A way to draw."""

    def show(self, pieces: list[Output | Window]) -> None:
        """Draw what these pieces do, which follow what is drawn."""

    def jump(self, timeline: Timeline, index: int) -> None:
        """Draw the state before the piece with this index."""

    def redraw(self, columns: int, rows: int) -> None:
        """Draw everything anew on a terminal of this size."""

    def status(self, lines: list[str]) -> None:
        """Show these lines over the recording's screen, at the bottom; none: take them away."""

    def hint(self) -> str:
        """What to say about how it is drawn, or ""."""


def is_plain(timeline: Timeline) -> bool:
    """Return whether the output came through a pipe: its lines end in bare newlines."""
    pieces = timeline.pieces
    return len(pieces) > 0 and not isinstance(pieces[0], Window)


def _as_terminal_output(data: bytes, *, plain: bool) -> bytes:
    return data.replace(b"\n", b"\r\n") if plain else data


class WrittenScreen:
    """Writes the output itself, sanitized."""

    def __init__(self, write: Callable[[bytes], None], columns: int, rows: int) -> None:
        self._write = write
        self._columns, self._rows = columns, rows
        self._sanitizer = Sanitizer()
        self._needed = (0, 0)
        self._timeline: Timeline | None = None
        self._shown = 0

    def show(self, pieces: list[Output | Window]) -> None:
        """Write the pieces' output."""
        plain = self._timeline is not None and is_plain(self._timeline)
        for piece in pieces:
            if isinstance(piece, Window):
                self._needed = piece.columns, piece.rows
            else:
                data = _as_terminal_output(piece.data, plain=plain)
                self._write(self._sanitizer.feed(data))
        self._shown += len(pieces)

    def jump(self, timeline: Timeline, index: int) -> None:
        """Go forward by writing what lies between, back by writing all from the start."""
        self._timeline = timeline
        if index < self._shown or not self._shown:
            self._write(_RESET)
            self._sanitizer = Sanitizer()
            self._shown = 0
        for pieces in timeline.runs(self._shown, index):
            self.show(pieces)

    def redraw(self, columns: int, rows: int) -> None:
        """Write all from the start."""
        self._columns, self._rows = columns, rows
        if self._timeline is not None:
            shown, self._shown = self._shown, 0
            self.jump(self._timeline, shown)

    def status(self, lines: list[str]) -> None:
        """Show the first line as the terminal's title; the screen is the recording's own."""
        self._write(b"\x1b]2;%s\x07" % (lines[0] if lines else "").encode())

    def hint(self) -> str:
        """Say so when the window is too small to look right."""
        columns, rows = self._needed
        if columns > self._columns or rows > self._rows:
            return f"needs {columns}x{rows}"
        return ""


class DrawnScreen:
    """Draws from an emulator's cells the part of the screen that fits, row by row, what changed."""

    def __init__(self, write: Callable[[bytes], None], columns: int, rows: int) -> None:
        from steno.screen.emulator import Emulator

        self._new_emulator = Emulator
        self._restore_emulator = Emulator.restore
        self._emulator = Emulator()
        self._write = write
        self._columns, self._rows = columns, rows
        self._left = self._top = 0
        self._drawn: list[bytes] = []
        self._saved: list[tuple[int, bytes]] = []
        self._plain = False
        self._status: list[str] = []

    def show(self, pieces: list[Output | Window]) -> None:
        """Feed the pieces, then draw what changed."""
        self._feed(pieces)
        self._draw()

    def jump(self, timeline: Timeline, index: int) -> None:
        """Restore the last saved state before `index`, feed the rest, draw."""
        self._plain = is_plain(timeline)
        usable = [saved for saved in self._saved if saved[0] <= index]
        start = 0
        if usable:
            start, state = usable[-1]
            self._emulator = self._restore_emulator(state)
        else:
            self._emulator = self._new_emulator()
        fed_bytes = 0
        for at in range(start, index):
            piece = timeline.pieces[at]
            self._feed([piece])
            fed_bytes += len(piece.data) if isinstance(piece, Output) else 0
            if fed_bytes >= _SAVE_EVERY_BYTES:
                fed_bytes = 0
                if not self._saved or self._saved[-1][0] < at + 1:
                    self._saved.append((at + 1, self._emulator.save()))
        self._draw()

    def redraw(self, columns: int, rows: int) -> None:
        """Draw all rows on a terminal of this size."""
        self._columns, self._rows = columns, rows
        self._drawn = []
        self._write(_RESET)
        self._draw()

    def status(self, lines: list[str]) -> None:
        """Draw the lines in reverse over the lowest rows."""
        if lines != self._status:
            self._status = lines
            self._draw()

    def hint(self) -> str:
        """Say which part is shown when not all is."""
        emulator = self._emulator
        if emulator.columns <= self._columns and emulator.rows <= self._rows:
            return ""
        return f"part of {emulator.columns}x{emulator.rows}"

    def _feed(self, pieces: list[Output | Window]) -> None:
        for piece in pieces:
            if isinstance(piece, Window):
                self._emulator.resize(piece.columns, piece.rows)
            else:
                self._emulator.feed(_as_terminal_output(piece.data, plain=self._plain))

    def _draw(self) -> None:
        emulator = self._emulator
        columns = min(self._columns, emulator.columns)
        rows = min(self._rows, emulator.rows)
        x, y = emulator.cursor
        self._left = _scroll(self._left, x, columns, emulator.columns)
        self._top = _scroll(self._top, y, rows, emulator.rows)
        now = emulator.crop(self._left, self._top, columns, rows)
        now += [b""] * (self._rows - rows)
        for number, line in enumerate(self._status[-self._rows :], self._rows - len(self._status)):
            now[number] = b"\x1b[7m%s" % line[: self._columns].ljust(self._columns).encode()
        out = [b"\x1b[?25l"]
        for number, row in enumerate(now):
            if number >= len(self._drawn) or self._drawn[number] != row:
                out.append(b"\x1b[%d;1H\x1b[0m\x1b[K%s\x1b[0m" % (number + 1, row))
        self._drawn = now
        if emulator.is_cursor_visible and self._left <= x < self._left + columns:
            out.append(b"\x1b[%d;%dH\x1b[?25h" % (y - self._top + 1, x - self._left + 1))
        self._write(b"".join(out))


def _scroll(first: int, cursor: int, shown: int, total: int) -> int:
    """Return where the shown part begins so that the cursor is in it; it moves only if it must."""
    if not first <= cursor < first + shown:
        first = cursor - shown // 2
    return max(0, min(first, total - shown))


def make_screen(write: Callable[[bytes], None], columns: int, rows: int) -> Screen:
    """Return the best screen that can be had here."""
    try:
        return DrawnScreen(write, columns, rows)
    except ModuleNotFoundError:
        return WrittenScreen(write, columns, rows)
