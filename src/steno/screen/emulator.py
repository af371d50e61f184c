"""A terminal without a window: bytes in; screen text, scrolled-off lines and keyframes out.

Nothing that a recording holds gets out of here: no answers to queries, no files, no clipboard.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from steno.screen.native import (
    CELL_BYTES,
    HISTORY_LIMIT_BYTES,
    NativeTerminal,
    ScreenStateError,
)
from steno.structs import msgpack_decoder

DEFAULT_COLUMNS = 80
DEFAULT_ROWS = 24
MAX_COLUMNS = 1000
MAX_ROWS = 300
_FEED_LIMIT_BYTES = 16 * 1024
_FEED_LIMIT_CELLS = 4_000_000
"""A byte scrolls at most one row off, so that this bounds what one call adds to the history."""
_MAX_LINE_CHARACTERS = 64 * 1024
"""A wrapped line is joined up to this length, then broken."""
_ALTERNATE_MODES = (1049, 1047, 47)
_CANCEL = b"\x18"
# Hyperlinks are kept from the library, which panics when a page's room for them is used up
# (ghostty issue 10358); nothing here shows them. Control characters may stand within a sequence.
_HYPERLINK = re.compile(rb"\x1b[\0-\x17\x19\x1c-\x1f\x7f]*\][\0-\x17\x19\x1c-\x1f\x7f]*8(?=[^0-9])")
_HYPERLINK_START = re.compile(
    rb"\x1b[\0-\x17\x19\x1c-\x1f\x7f]{0,8}(?:\][\0-\x17\x19\x1c-\x1f\x7f]{0,8}8?)?\Z"
)
# REP, repeat the last character: programs never mean more than a row, attackers mean hours.
_REPEAT = re.compile(rb"\x1b\[[0-9]{4,}b")
_REPEAT_MOST = b"\x1b[%db" % MAX_COLUMNS
_UNKNOWN_COMMAND = b"\x1b]7770"


class _Saved(msgspec.Struct, frozen=True):
    columns: int
    rows: int
    partial: str
    held: bytes
    snapshot: bytes | None
    screen: bytes


_encode = msgspec.msgpack.encode
_decode = msgpack_decoder(_Saved)


def clamp_window(columns: int, rows: int) -> tuple[int, int]:
    """Return the size that is emulated for a window of this size; no size at all means 80x24."""
    if columns <= 0 or rows <= 0:
        return DEFAULT_COLUMNS, DEFAULT_ROWS
    return min(columns, MAX_COLUMNS), min(rows, MAX_ROWS)


class Emulator:
    """One terminal. Owns native memory, freed with it.

    Lines that scroll off come out of `feed` and `resize`, each once, joined where they were
    wrapped. While the parser is within a sequence they stay inside until it is through.
    """

    def __init__(self, columns: int = DEFAULT_COLUMNS, rows: int = DEFAULT_ROWS) -> None:
        self.columns, self.rows = clamp_window(columns, rows)
        self._native = NativeTerminal(self.columns, self.rows)
        self._partial = ""
        self._held = b""
        self.has_lost_lines = False

    def close(self) -> None:
        """Free the native memory now; the emulator cannot be used afterwards."""
        self._native.close()

    # Feeding.

    def feed(self, data: bytes) -> list[str]:
        """Take output; return the lines that scrolled off, in order."""
        limit_bytes = max(256, min(_FEED_LIMIT_BYTES, _FEED_LIMIT_CELLS // self.columns))
        scrolled: list[str] = []
        data = self._without_traps(data)
        for start in range(0, len(data), limit_bytes):
            chunk = data[start : start + limit_bytes]
            self._native.write(chunk)
            self._keep_size()
            scrolled += self._take_history()
        return scrolled

    def _without_traps(self, data: bytes) -> bytes:
        data = self._held + data
        start = _HYPERLINK_START.search(data, max(0, len(data) - 24))
        self._held = start.group() if start else b""
        if start:
            data = data[: start.start()]
        if b"\x1b" not in data:
            return data
        return _REPEAT.sub(_REPEAT_MOST, _HYPERLINK.sub(_UNKNOWN_COMMAND, data))

    def resize(self, columns: int, rows: int) -> list[str]:
        """Change the window's size, clamped; return the lines that scrolled off by it."""
        self.columns, self.rows = clamp_window(columns, rows)
        self._native.resize(self.columns, self.rows)
        return self._take_history()

    def _keep_size(self) -> None:
        """Undo what a program did to the size (DECCOLM): the window decides, not the program."""
        if self._native.size != (self.columns, self.rows):
            self._native.resize(self.columns, self.rows)

    def _take_history(self) -> list[str]:
        if not self.is_ground or self.is_alternate:
            return []
        count = self._native.history_rows
        if not count:
            return []
        if count * self.columns * CELL_BYTES > HISTORY_LIMIT_BYTES * 3 // 4:
            self.has_lost_lines = True
        lines, is_wrapped = self._read_history(count)
        self._native.write(b"\x1b[3J")
        lines[0] = self._partial + lines[0]
        self._partial = ""
        if is_wrapped and len(lines[-1]) < _MAX_LINE_CHARACTERS:
            self._partial = lines.pop()
        return lines

    def _read_history(self, count: int) -> tuple[list[str], bool]:
        """Return the history's lines, and whether the last one goes on on the screen."""
        start = self._native.reference(0, 0, "HISTORY")
        last = self._native.reference(0, count - 1, "HISTORY")
        end = self._native.row_end(count - 1, "HISTORY")
        if self._native.is_wrapped(last):
            # Trimming would take the blanks before the last line's continuation.
            lines = self._native.format(start, end, unwrap=True, trim=False).split("\n")
            return [*(line.rstrip(" ") for line in lines[:-1]), lines[-1]], True
        lines = self._native.format(start, end, unwrap=True).split("\n")
        if not self._native.format(last, end, unwrap=False):
            # Trimming took the blank rows at the end; rows tell how many there were.
            text = self._native.format(start, end, unwrap=False)
            kept = text.count("\n") + 1 if text else 0
            lines = (lines if text else []) + [""] * (count - kept)
        return lines, False

    # Looking.

    @property
    def is_alternate(self) -> bool:
        """Whether the alternate screen is shown, as full-screen programs do."""
        return self._native.is_alternate

    @property
    def is_ground(self) -> bool:
        """Whether the parser is outside of any sequence and character."""
        return not self._held and self._native.is_ground

    @property
    def is_cursor_visible(self) -> bool:
        """Whether the cursor is shown (DECTCEM)."""
        return self._native.has_mode(25)

    @property
    def cursor(self) -> tuple[int, int]:
        """The cursor's column and row, from 0."""
        return self._native.cursor

    def text(self) -> str:
        """Return the screen's rows, without trailing blanks and blank rows at the end."""
        return self._native.format(*self._screen(), unwrap=False)

    def lines(self) -> list[str]:
        """Return the screen's lines, joined where wrapped, without the blank ones at the end.

        The first one is whole even when its beginning has scrolled off.
        """
        text = self._native.format(*self._screen(), unwrap=True)
        lines = text.split("\n") if text else []
        if self._partial and not self.is_alternate:
            lines[:1] = [self._partial + (lines[0] if lines else "")]
        return lines

    def text_before_cursor(self) -> tuple[int, str]:
        """Return the number of the cursor's line in `lines()`, and its text up to the cursor."""
        x, y = self.cursor
        start = self._native.reference(0, 0, "ACTIVE")
        if self._native.is_wrap_pending:
            x += 1
        if x:
            end = self._native.reference(x - 1, y, "ACTIVE")
            before = self._native.format(start, end, unwrap=True, trim=False).split("\n")
        elif y:
            end = self._native.row_end(y - 1, "ACTIVE")
            before = self._native.format(start, end, unwrap=True, trim=False).split("\n")
            if not self._native.is_wrapped(self._native.reference(0, y - 1, "ACTIVE")):
                before.append("")
        else:
            before = [""]
        if len(before) == 1 and not self.is_alternate:
            before[0] = self._partial + before[0]
        return len(before) - 1, before[-1]

    # Keeping.

    def keyframe(self) -> bytes:
        """Return bytes that draw this screen on a terminal of this size that was just reset.

        Within the alternate screen they draw the primary screen first, so that leaving it
        works. What an application saved with DECSC is lost, and so are wrap marks: after a later
        change of width, lines that were wrapped stay broken.
        """
        if not self.is_alternate:
            return self._render()
        mode = next((mode for mode in _ALTERNATE_MODES if self._native.has_mode(mode)), 1049)
        primary = Emulator.restore(self.save())
        try:
            primary._native.write(_CANCEL)
            primary._native.write(b"\x1b[?%dl" % mode)
            below = b"" if primary.is_alternate else primary._render()
        finally:
            primary.close()
        enter = b"\x1b[?%dh" % mode
        above = self._render().replace(enter, b"", 1)
        return below + b"\x1b[0m" + enter + b"\x1b[2J\x1b[H" + above

    def save(self) -> bytes:
        """Return all of the terminal's state, both screens and an unfinished sequence included.

        Where the library cannot (a sequence of more than 1 MiB, some contrived screens), what a
        keyframe holds is saved, and an unfinished sequence is cancelled.
        """
        snapshot, screen = self._native.snapshot(), b""
        if snapshot is None:
            self._native.write(_CANCEL)
            screen = self._render()
        return _encode(_Saved(self.columns, self.rows, self._partial, self._held, snapshot, screen))

    @classmethod
    def restore(cls, state: bytes) -> Emulator:
        """Return the terminal that `save` saved.

        Raises:
            ScreenStateError: `state` is not readable (any more).
        """
        try:
            saved = _decode(state)
        except msgspec.MsgspecError as error:
            raise ScreenStateError(f"saved terminal is unreadable: {error}") from error
        if saved.snapshot is None:
            emulator = cls(saved.columns, saved.rows)
            emulator.feed(saved.screen)
        else:
            emulator = cls.__new__(cls)
            emulator._native = NativeTerminal.from_snapshot(saved.snapshot)
            emulator.columns, emulator.rows = saved.columns, saved.rows
            emulator.has_lost_lines = False
        emulator._partial = saved.partial
        emulator._held = saved.held
        return emulator

    def crop(self, left: int, top: int, columns: int, rows: int) -> list[bytes]:
        """Return a part of the screen, a row each: VT sequences that draw its cells in one line.

        The part must lie within the screen.
        """
        drawn = []
        for y in range(top, top + rows):
            start = self._native.reference(left, y, "ACTIVE")
            end = self._native.reference(left + columns - 1, y, "ACTIVE")
            drawn.append(self._native.render(start, end, with_modes=False, trim=False))
        return drawn

    def _render(self) -> bytes:
        """Return VT sequences for the active screen, its modes, region, cursor and style."""
        return self._native.render(*self._screen(), with_modes=True)

    def _screen(self) -> tuple[Any, Any]:
        return (
            self._native.reference(0, 0, "ACTIVE"),
            self._native.reference(self.columns - 1, self.rows - 1, "ACTIVE"),
        )
