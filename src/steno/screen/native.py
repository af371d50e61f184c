"""The terminal library's calls: the only module that knows pyghostty (libghostty-vt through cffi).

Source of the calls: pyghostty 0.1.3, core.py and _cdef.py (libghostty-vt 0.1.0-dev).
"""

from __future__ import annotations

import weakref
from typing import Any

# pyghostty carries no types.
from pyghostty import GhosttyError as NativeError  # type: ignore[import-untyped]
from pyghostty._ffi import check, ffi, lib, union_fn  # type: ignore[import-untyped]
from pyghostty.core import init_sized  # type: ignore[import-untyped]

from steno.errors import StenoError

__all__ = ["CELL_BYTES", "HISTORY_LIMIT_BYTES", "NativeError", "NativeTerminal", "ScreenStateError"]

HISTORY_LIMIT_BYTES = 64 * 1024 * 1024
"""What the history may take; rows beyond it are lost."""
CELL_BYTES = 8
"""What a cell of the history takes."""
_HISTORY_LIMIT_LINES = 10_000_000
_CONTINUATION_LIMIT_BYTES = 1024 * 1024
_CELL_WIDTH_PIXELS, _CELL_HEIGHT_PIXELS = 8, 16


class ScreenStateError(StenoError):
    """A saved terminal cannot be restored; the recording must be read from its start."""

    exit_code = 9


class NativeTerminal:
    """One of the library's terminals. Owns its memory, freed with it.

    Places are columns and rows from 0; a `tag` says of what: "ACTIVE", the screen, or "HISTORY".
    """

    def __init__(self, columns: int, rows: int) -> None:
        handle = ffi.new("GhosttyTerminal*")
        check(lib.ghostty_terminal_new(ffi.NULL, handle, columns, rows), "new")
        self._adopt(handle)

    @classmethod
    def from_snapshot(cls, snapshot: bytes) -> NativeTerminal:
        """Return the terminal that `snapshot` was taken of.

        Raises:
            ScreenStateError: It is none that the library reads.
        """
        terminal = cls.__new__(cls)
        terminal._adopt(_decode_snapshot(snapshot))
        return terminal

    def _adopt(self, handle: Any) -> None:  # noqa: ANN401  # a cffi object has no type
        self._terminal = handle[0]
        self._finalizer = weakref.finalize(self, lib.ghostty_terminal_free, handle[0])
        for option, ctype, value in (
            ("SCROLLBACK_MAX_LINES", "size_t*", _HISTORY_LIMIT_LINES),
            ("SCROLLBACK_MAX_BYTES", "size_t*", HISTORY_LIMIT_BYTES),
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
        """Free the memory now; the terminal cannot be used afterwards."""
        self._finalizer()

    def write(self, data: bytes) -> None:
        """Take output."""
        lib.ghostty_terminal_vt_write(self._terminal, data, len(data))

    def resize(self, columns: int, rows: int) -> None:
        """Change the size."""
        result = lib.ghostty_terminal_resize(
            self._terminal, columns, rows, _CELL_WIDTH_PIXELS, _CELL_HEIGHT_PIXELS
        )
        check(result, "resize")

    # State.

    @property
    def size(self) -> tuple[int, int]:
        """The screen's columns and rows."""
        return int(self._get("COLS", "uint16_t*")), int(self._get("ROWS", "uint16_t*"))

    @property
    def cursor(self) -> tuple[int, int]:
        """The cursor's column and row."""
        return int(self._get("CURSOR_X", "uint16_t*")), int(self._get("CURSOR_Y", "uint16_t*"))

    @property
    def is_wrap_pending(self) -> bool:
        """Whether the cursor stands on the last column's character, to wrap at the next one."""
        return bool(self._get("CURSOR_PENDING_WRAP", "bool*"))

    @property
    def is_ground(self) -> bool:
        """Whether the parser is outside of any sequence and character."""
        return bool(self._get("VT_GROUND", "bool*"))

    @property
    def is_alternate(self) -> bool:
        """Whether the alternate screen is shown."""
        screen = self._get("ACTIVE_SCREEN", "GhosttyTerminalScreen*")
        return bool(screen == lib.GHOSTTY_TERMINAL_SCREEN_ALTERNATE)

    @property
    def history_rows(self) -> int:
        """How many rows have scrolled off and are kept."""
        return int(self._get("SCROLLBACK_ROWS", "size_t*"))

    def has_mode(self, number: int) -> bool:
        """Return whether a DEC private mode is set."""
        config = ffi.new("GhosttyTerminalModeConfig*")
        config.mode = number
        data = lib.GHOSTTY_TERMINAL_DATA_MODE
        check(lib.ghostty_terminal_get(self._terminal, data, config), "mode")
        return bool(config.value)

    def snapshot(self) -> bytes | None:
        """Return all of the state, or None where the library cannot."""
        size = ffi.new("size_t*")
        lib.ghostty_snapshot_encode_buf(self._terminal, ffi.NULL, 0, size)
        buffer = ffi.new("uint8_t[]", max(1, size[0]))
        result = lib.ghostty_snapshot_encode_buf(self._terminal, buffer, len(buffer), size)
        return bytes(ffi.buffer(buffer, size[0])) if result == lib.GHOSTTY_SUCCESS else None

    def _get(self, key: str, ctype: str) -> Any:  # noqa: ANN401  # the key decides
        out = ffi.new(ctype)
        data = getattr(lib, f"GHOSTTY_TERMINAL_DATA_{key}")
        check(lib.ghostty_terminal_get(self._terminal, data, out), key)
        return out[0]

    # Text.

    def reference(self, x: int, y: int, tag: str) -> Any:  # noqa: ANN401  # a cffi struct
        """Return a reference to a cell, good until the terminal changes."""
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

    def row_end(self, y: int, tag: str) -> Any:  # noqa: ANN401  # a cffi struct
        """Return the reference to a row's last column.

        Where a wide character did not fit there, its text would come with that column as well as
        with the next row: the column before it is returned.
        """
        columns, _ = self.size
        end = self.reference(columns - 1, y, tag)
        cell = ffi.new("GhosttyCell*")
        check(lib.ghostty_grid_ref_cell(end, cell), "cell")
        wide = ffi.new("GhosttyCellWide*")
        check(lib.ghostty_cell_get(cell[0], lib.GHOSTTY_CELL_DATA_WIDE, wide), "cell")
        is_placeholder = wide[0] == lib.GHOSTTY_CELL_WIDE_SPACER_HEAD and columns > 1
        return self.reference(columns - 2, y, tag) if is_placeholder else end

    def is_wrapped(self, reference: Any) -> bool:  # noqa: ANN401  # a cffi struct
        """Return whether the cell's row goes on in the next one."""
        row = ffi.new("GhosttyRow*")
        check(lib.ghostty_grid_ref_row(reference, row), "row")
        value = ffi.new("bool*")
        check(lib.ghostty_row_get(row[0], lib.GHOSTTY_ROW_DATA_WRAP, value), "row")
        return bool(value[0])

    def format(self, start: Any, end: Any, *, unwrap: bool, trim: bool = True) -> str:  # noqa: ANN401
        """Return the text between two references; `trim` takes the blanks at the ends."""
        options = init_sized("GhosttyTerminalSelectionFormatOptions")
        options.emit = lib.GHOSTTY_FORMATTER_FORMAT_PLAIN
        selection = _select(start, end)
        options.unwrap, options.trim, options.selection = unwrap, trim, selection
        data = self._read(
            lambda buffer, size, written: lib.ghostty_terminal_selection_format_buf(
                self._terminal, options[0], buffer, size, written
            )
        )
        return data.decode("utf-8", "replace")

    def render(self, start: Any, end: Any, *, with_modes: bool, trim: bool = True) -> bytes:  # noqa: ANN401
        """Return VT sequences that draw what is between two references.

        `with_modes` adds the modes, the scrolling region, the cursor and the style.
        """
        selection = _select(start, end)
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


def _select(start: Any, end: Any) -> Any:  # noqa: ANN401  # cffi structs
    """Return the selection between two references; options that take it must not outlive it."""
    selection = init_sized("GhosttySelection")
    selection.start, selection.end = start[0], end[0]
    return selection


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
    except NativeError as error:
        raise ScreenStateError(f"saved terminal is unreadable: {error}") from error
    return handle
