"""A terminal without a window: bytes in; screen text, scrolled-off lines and keyframes out.

Our own narrow interface over pyghostty (libghostty-vt through cffi), the only module that knows
it. Nothing that a recording holds gets out of here: no answers to queries, no files, no clipboard.

Source of the calls: pyghostty 0.1.3, core.py and _cdef.py (libghostty-vt 0.1.0-dev).
"""

from __future__ import annotations

import re
import weakref
from typing import Any

import msgspec

# pyghostty carries no types.
from pyghostty import GhosttyError  # type: ignore[import-untyped]
from pyghostty._ffi import check, ffi, lib, union_fn  # type: ignore[import-untyped]
from pyghostty.core import init_sized  # type: ignore[import-untyped]

from steno.errors import StenoError

DEFAULT_COLUMNS = 80
DEFAULT_ROWS = 24
MAX_COLUMNS = 1000
MAX_ROWS = 300
_HISTORY_LIMIT_BYTES = 64 * 1024 * 1024
_HISTORY_LIMIT_LINES = 10_000_000
_CONTINUATION_LIMIT_BYTES = 1024 * 1024
_CELL_BYTES = 8
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


class ScreenStateError(StenoError):
    """A saved terminal cannot be restored; the recording must be read from its start."""

    exit_code = 9


class _Saved(msgspec.Struct, frozen=True):
    columns: int
    rows: int
    partial: str
    held: bytes
    snapshot: bytes | None
    screen: bytes


_encode = msgspec.msgpack.encode
_decode = msgspec.msgpack.Decoder(_Saved).decode


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
        handle = ffi.new("GhosttyTerminal*")
        check(lib.ghostty_terminal_new(ffi.NULL, handle, self.columns, self.rows), "new")
        self._adopt(handle)
        self._partial = ""
        self._held = b""
        self.has_lost_lines = False

    def _adopt(self, handle: Any) -> None:  # noqa: ANN401  # a cffi object has no type
        self._terminal = handle[0]
        self._finalizer = weakref.finalize(self, lib.ghostty_terminal_free, handle[0])
        for option, ctype, value in (
            ("SCROLLBACK_MAX_LINES", "size_t*", _HISTORY_LIMIT_LINES),
            ("SCROLLBACK_MAX_BYTES", "size_t*", _HISTORY_LIMIT_BYTES),
            ("CONTINUATION_MAX_BYTES", "size_t*", _CONTINUATION_LIMIT_BYTES),
            ("RESIZE_PULL_SCROLLBACK", "bool*", False),
            ("KITTY_IMAGE_STORAGE_LIMIT", "uint64_t*", 0),
            ("APC_MAX_BYTES", "size_t*", 4096),
            ("KITTY_IMAGE_MEDIUM_FILE", "bool*", False),
            ("KITTY_IMAGE_MEDIUM_SHARED_MEM", "bool*", False),
        ):
            key = getattr(lib, f"GHOSTTY_TERMINAL_OPT_{option}")
            check(lib.ghostty_terminal_set(self._terminal, key, ffi.new(ctype, value)), option)
        self._buffer = ffi.new("uint8_t[]", 64 * 1024)

    def close(self) -> None:
        """Free the native memory now; the emulator cannot be used afterwards."""
        self._finalizer()

    # Feeding.

    def feed(self, data: bytes) -> list[str]:
        """Take output; return the lines that scrolled off, in order."""
        limit_bytes = max(256, min(_FEED_LIMIT_BYTES, _FEED_LIMIT_CELLS // self.columns))
        scrolled: list[str] = []
        data = self._without_traps(data)
        for start in range(0, len(data), limit_bytes):
            chunk = data[start : start + limit_bytes]
            lib.ghostty_terminal_vt_write(self._terminal, chunk, len(chunk))
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
        self._resize()
        return self._take_history()

    def _resize(self) -> None:
        result = lib.ghostty_terminal_resize(self._terminal, self.columns, self.rows, 8, 16)
        check(result, "resize")

    def _keep_size(self) -> None:
        """Undo what a program did to the size (DECCOLM): the window decides, not the program."""
        size = self._get("COLS", "uint16_t*"), self._get("ROWS", "uint16_t*")
        if size != (self.columns, self.rows):
            self._resize()

    def _take_history(self) -> list[str]:
        if not self.is_ground or self.is_alternate:
            return []
        count = self._get("SCROLLBACK_ROWS", "size_t*")
        if not count:
            return []
        if count * self.columns * _CELL_BYTES > _HISTORY_LIMIT_BYTES * 3 // 4:
            self.has_lost_lines = True
        lines, is_wrapped = self._read_history(count)
        lib.ghostty_terminal_vt_write(self._terminal, b"\x1b[3J", 4)
        lines[0] = self._partial + lines[0]
        self._partial = ""
        if is_wrapped and len(lines[-1]) < _MAX_LINE_CHARACTERS:
            self._partial = lines.pop()
        return lines

    def _read_history(self, count: int) -> tuple[list[str], bool]:
        """Return the history's lines, and whether the last one goes on on the screen."""
        start = self._reference(0, 0, "HISTORY")
        last = self._reference(0, count - 1, "HISTORY")
        end = self._row_end(count - 1, "HISTORY")
        if self._is_wrapped(last):
            # Trimming would take the blanks before the last line's continuation.
            lines = self._format(start, end, unwrap=True, trim=False).split("\n")
            return [*(line.rstrip(" ") for line in lines[:-1]), lines[-1]], True
        lines = self._format(start, end, unwrap=True).split("\n")
        if not self._format(last, end, unwrap=False):
            # Trimming took the blank rows at the end; rows tell how many there were.
            text = self._format(start, end, unwrap=False)
            kept = text.count("\n") + 1 if text else 0
            lines = (lines if text else []) + [""] * (count - kept)
        return lines, False

    # Looking.

    @property
    def is_alternate(self) -> bool:
        """Whether the alternate screen is shown, as full-screen programs do."""
        screen = self._get("ACTIVE_SCREEN", "GhosttyTerminalScreen*")
        return bool(screen == lib.GHOSTTY_TERMINAL_SCREEN_ALTERNATE)

    @property
    def is_ground(self) -> bool:
        """Whether the parser is outside of any sequence and character."""
        return not self._held and bool(self._get("VT_GROUND", "bool*"))

    @property
    def is_cursor_visible(self) -> bool:
        """Whether the cursor is shown (DECTCEM)."""
        return self._has_mode(25)

    @property
    def cursor(self) -> tuple[int, int]:
        """The cursor's column and row, from 0."""
        return int(self._get("CURSOR_X", "uint16_t*")), int(self._get("CURSOR_Y", "uint16_t*"))

    def text(self) -> str:
        """Return the screen's rows, without trailing blanks and blank rows at the end."""
        return self._format(*self._screen(), unwrap=False)

    def lines(self) -> list[str]:
        """Return the screen's lines, joined where wrapped, without the blank ones at the end.

        The first one is whole even when its beginning has scrolled off.
        """
        text = self._format(*self._screen(), unwrap=True)
        lines = text.split("\n") if text else []
        if self._partial and not self.is_alternate:
            lines[:1] = [self._partial + (lines[0] if lines else "")]
        return lines

    def text_before_cursor(self) -> tuple[int, str]:
        """Return the number of the cursor's line in `lines()`, and its text up to the cursor."""
        x, y = self.cursor
        start = self._reference(0, 0, "ACTIVE")
        if self._get("CURSOR_PENDING_WRAP", "bool*"):
            x += 1
        if x:
            end = self._reference(x - 1, y, "ACTIVE")
            before = self._format(start, end, unwrap=True, trim=False).split("\n")
        elif y:
            end = self._row_end(y - 1, "ACTIVE")
            before = self._format(start, end, unwrap=True, trim=False).split("\n")
            if not self._is_wrapped(self._reference(0, y - 1, "ACTIVE")):
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
        mode = next((mode for mode in _ALTERNATE_MODES if self._has_mode(mode)), 1049)
        primary = Emulator.restore(self.save())
        try:
            lib.ghostty_terminal_vt_write(primary._terminal, _CANCEL, 1)
            leave = b"\x1b[?%dl" % mode
            lib.ghostty_terminal_vt_write(primary._terminal, leave, len(leave))
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
        snapshot, screen = self._snapshot(), b""
        if snapshot is None:
            lib.ghostty_terminal_vt_write(self._terminal, _CANCEL, 1)
            screen = self._render()
        return _encode(_Saved(self.columns, self.rows, self._partial, self._held, snapshot, screen))

    def _snapshot(self) -> bytes | None:
        size = ffi.new("size_t*")
        lib.ghostty_snapshot_encode_buf(self._terminal, ffi.NULL, 0, size)
        buffer = ffi.new("uint8_t[]", max(1, size[0]))
        result = lib.ghostty_snapshot_encode_buf(self._terminal, buffer, len(buffer), size)
        return bytes(ffi.buffer(buffer, size[0])) if result == lib.GHOSTTY_SUCCESS else None

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
            emulator._adopt(_decode_snapshot(saved.snapshot))
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
            selection = init_sized("GhosttySelection")
            start = self._reference(left, y, "ACTIVE")
            end = self._reference(left + columns - 1, y, "ACTIVE")
            selection.start, selection.end = start[0], end[0]
            drawn.append(self._render_selection(selection, with_modes=False, trim=False))
        return drawn

    # The library's calls.

    def _get(self, key: str, ctype: str) -> Any:  # noqa: ANN401  # the key decides
        out = ffi.new(ctype)
        data = getattr(lib, f"GHOSTTY_TERMINAL_DATA_{key}")
        check(lib.ghostty_terminal_get(self._terminal, data, out), key)
        return out[0]

    def _has_mode(self, number: int) -> bool:
        config = ffi.new("GhosttyTerminalModeConfig*")
        config.mode = number
        data = lib.GHOSTTY_TERMINAL_DATA_MODE
        check(lib.ghostty_terminal_get(self._terminal, data, config), "mode")
        return bool(config.value)

    def _reference(self, x: int, y: int, tag: str) -> Any:  # noqa: ANN401  # a cffi struct
        call = union_fn(
            "ghostty_terminal_grid_ref",
            "GhosttyResult(*)(GhosttyTerminal, GhosttyPointS, GhosttyGridRef*)",
        )
        point = ffi.new("GhosttyPointS*")
        point.tag = getattr(lib, f"GHOSTTY_POINT_TAG_{tag}")
        point.value.x, point.value.y = x, y
        reference = init_sized("GhosttyGridRef")
        check(call(self._terminal, point[0], reference), "grid_ref")
        return reference

    def _row_end(self, y: int, tag: str) -> Any:  # noqa: ANN401  # a cffi struct
        """Return the reference to a row's last column.

        Where a wide character did not fit there, its text would come with that column as well as
        with the next row: the column before it is returned.
        """
        end = self._reference(self.columns - 1, y, tag)
        cell = ffi.new("GhosttyCell*")
        check(lib.ghostty_grid_ref_cell(end, cell), "cell")
        wide = ffi.new("GhosttyCellWide*")
        check(lib.ghostty_cell_get(cell[0], lib.GHOSTTY_CELL_DATA_WIDE, wide), "cell")
        is_placeholder = wide[0] == lib.GHOSTTY_CELL_WIDE_SPACER_HEAD and self.columns > 1
        return self._reference(self.columns - 2, y, tag) if is_placeholder else end

    def _screen(self) -> tuple[Any, Any]:
        return (
            self._reference(0, 0, "ACTIVE"),
            self._reference(self.columns - 1, self.rows - 1, "ACTIVE"),
        )

    def _is_wrapped(self, reference: Any) -> bool:  # noqa: ANN401  # a cffi struct
        row = ffi.new("GhosttyRow*")
        check(lib.ghostty_grid_ref_row(reference, row), "row")
        value = ffi.new("bool*")
        check(lib.ghostty_row_get(row[0], lib.GHOSTTY_ROW_DATA_WRAP, value), "row")
        return bool(value[0])

    def _format(self, start: Any, end: Any, *, unwrap: bool, trim: bool = True) -> str:  # noqa: ANN401
        selection = init_sized("GhosttySelection")
        selection.start, selection.end = start[0], end[0]
        options = init_sized("GhosttyTerminalSelectionFormatOptions")
        options.emit = lib.GHOSTTY_FORMATTER_FORMAT_PLAIN
        options.unwrap, options.trim, options.selection = unwrap, trim, selection
        data = self._read(
            lambda buffer, size, written: lib.ghostty_terminal_selection_format_buf(
                self._terminal, options[0], buffer, size, written
            )
        )
        return data.decode("utf-8", "replace")

    def _render(self) -> bytes:
        """Return VT sequences for the active screen, its modes, region, cursor and style."""
        selection = init_sized("GhosttySelection")
        start, end = self._screen()
        selection.start, selection.end = start[0], end[0]
        return self._render_selection(selection, with_modes=True)

    def _render_selection(self, selection: Any, *, with_modes: bool, trim: bool = True) -> bytes:  # noqa: ANN401  # a cffi struct
        options = init_sized("GhosttyFormatterTerminalOptions")
        options.emit = lib.GHOSTTY_FORMATTER_FORMAT_VT
        options.unwrap, options.trim = False, trim
        extra = options.extra
        extra.modes = extra.scrolling_region = extra.keyboard = with_modes
        extra.tabstops = False
        extra.screen.cursor = extra.screen.style = with_modes
        extra.screen.charsets = extra.screen.protection = with_modes
        options.selection = selection
        formatter = ffi.new("GhosttyFormatter*")
        check(
            lib.ghostty_formatter_terminal_new(ffi.NULL, formatter, self._terminal, options[0]),
            "formatter",
        )
        try:
            return self._read(
                lambda buffer, size, written: lib.ghostty_formatter_format_buf(
                    formatter[0], buffer, size, written
                )
            )
        finally:
            lib.ghostty_formatter_free(formatter[0])

    def _read(self, call: Any) -> bytes:  # noqa: ANN401  # a function of cffi objects
        written = ffi.new("size_t*")
        result = call(self._buffer, len(self._buffer), written)
        if result == lib.GHOSTTY_OUT_OF_SPACE:
            buffer = ffi.new("uint8_t[]", max(1, written[0]))
            check(call(buffer, len(buffer), written), "format")
            return bytes(ffi.buffer(buffer, written[0]))
        check(result, "format")
        return bytes(ffi.buffer(self._buffer, written[0]))


def _decode_snapshot(snapshot: bytes) -> Any:  # noqa: ANN401  # a cffi object has no type
    """Return a new terminal, as a pointer to its handle."""
    decoder = ffi.new("GhosttySnapshotDecoder*")
    buffer = ffi.from_buffer("uint8_t[]", snapshot)
    handle = ffi.new("GhosttyTerminal*")
    try:
        check(
            lib.ghostty_snapshot_decoder_new_buf(ffi.NULL, decoder, buffer, len(buffer)), "decode"
        )
        try:
            retain = lib.GHOSTTY_SNAPSHOT_DECODER_OPT_RETAIN_CONTINUATION
            lib.ghostty_snapshot_decoder_set(decoder[0], retain, ffi.new("bool*", True))
            check(lib.ghostty_snapshot_decoder_decode(decoder[0], handle), "decode")
        finally:
            lib.ghostty_snapshot_decoder_free(decoder[0])
    except GhosttyError as error:
        raise ScreenStateError(f"saved terminal is unreadable: {error}") from error
    return handle
