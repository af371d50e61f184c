"""ttyrec: what ttyrec(1) writes and ttyplay(1), termrec, dgamelaunch's games and others understand.

Source: ttyrec 1.0.8, io.c, read_header() and write_header(): a row of frames, each of three
little-endian 32-bit numbers (seconds and microseconds since 1970, the payload's length) and the
payload, always output. Windows: by termrec's custom (https://github.com/kilobyte/termrec), a frame
that holds nothing but the request `CSI 8 ; ROWS ; COLUMNS t` tells of a window.
"""

from __future__ import annotations

import re
import struct

from steno.errors import FormatError
from steno.formats.track import (
    MAX_CELLS,
    Clock,
    Finish,
    Header,
    Item,
    Ledger,
    Tally,
    describe_end,
    is_initial_window,
    make_clock_note,
    name_note,
    unknown_start,
)
from steno.model import Damage, Input, Output, Piece, Window

_FRAME = struct.Struct("<III")
_WINDOW = re.compile(rb"\x1b\[8;([0-9]{1,5});([0-9]{1,5})t")
MAX_FRAME_BYTES = 16 * 1024 * 1024
_MAX_UNIX_S = 2**32 - 1


class Decoder:
    """Turn ttyrec bytes, however they were cut, into items. Does no I/O."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._offset_bytes = 0
        self._number = 0
        self._started_unix_us: int | None = None
        self._clock = Clock()
        self._tally = Tally()
        self._damage: FormatError | None = None
        self._skipped_bytes = 0

    def feed(self, data: bytes) -> list[Item]:
        """Return what `data` completes.

        After a frame's header that cannot be one, nothing can be found any more: the rest of the
        input is damage.

        Raises:
            FormatError: The very first header cannot be one.
        """
        if self._damage is not None:
            self._skipped_bytes += len(data)
            return []
        self._rest += data
        items: list[Item] = []
        start = 0
        try:
            while len(self._rest) - start >= _FRAME.size:
                end = self._find_end(start)
                if end > len(self._rest):
                    break
                items += self._read_frame(start, end)
                start = end
        except FormatError as error:
            if self._started_unix_us is None:
                raise
            self._damage = error
            self._skipped_bytes = len(self._rest) - start
            del self._rest[start:]
        del self._rest[:start]
        self._offset_bytes += start
        return items

    def finish(self) -> list[Item]:
        """Return what the input's end completes; a torn frame's bytes still count.

        Raises:
            FormatError: There was no frame at all.
        """
        items: list[Item] = []
        length = len(self._rest)
        if length > _FRAME.size:
            items += self._read_frame(0, length)
            self._number -= 1
        if self._started_unix_us is None:
            raise FormatError("there is no frame; is this a ttyrec?", offset_bytes=0)
        if self._damage is not None:
            place = self._number + 1, self._offset_bytes, self._skipped_bytes
            items.append(Damage(*place, f"{self._damage.reason}; the rest cannot be read"))
        if length:
            items.append(Damage(self._number + 1, self._offset_bytes, length, "torn frame"))
        items.append(self._tally.finish())
        return items

    def _find_end(self, start: int) -> int:
        _, rest_us, length = _FRAME.unpack_from(self._rest, start)
        place = self._offset_bytes + start
        if rest_us >= 10**6:
            raise FormatError(f"a frame with {rest_us} microseconds", offset_bytes=place)
        if length > MAX_FRAME_BYTES:
            raise FormatError(f"a frame of {length} bytes", offset_bytes=place)
        return start + _FRAME.size + int(length)

    def _read_frame(self, start: int, end: int) -> list[Item]:
        seconds, rest_us, _ = _FRAME.unpack_from(self._rest, start)
        data = bytes(self._rest[start + _FRAME.size : end])
        unix_us = seconds * 10**6 + rest_us
        self._number += 1
        window = _read_window(data)
        items: list[Item] = []
        if self._started_unix_us is None:
            self._started_unix_us = unix_us
            self._clock = Clock(unix_us)
            items.append(_make_header(unix_us, window))
            if window:
                return items
        at_us, step_us = self._clock.read(unix_us)
        pieces: list[Piece] = []
        if step_us:
            pieces.append(make_clock_note(at_us, step_us))
        if window:
            pieces.append(Window(at_us, *window))
        elif data:
            pieces.append(Output(at_us, data))
        self._tally.at_us = max(self._tally.at_us, at_us)
        for piece in pieces:
            self._tally.add(piece)
        return items + pieces


class Encoder:
    """Turn items into ttyrec bytes. Does no I/O."""

    def __init__(self) -> None:
        self._ledger = Ledger()
        self._header = Header(unknown_start())
        self._first_us: int | None = None
        self._last_us = 0

    def write(self, item: Item) -> bytes:
        """Return the bytes for `item`; a Header comes first, a Finish last."""
        if isinstance(item, Header):
            return self._write_header(item)
        if isinstance(item, Finish):
            self._note_end(item)
            return b""
        if isinstance(item, Damage) or is_initial_window(item, self._header):
            return b""
        if isinstance(item, Window):
            return self._write_frame(item.at_us, _make_window(item.columns, item.rows))
        if isinstance(item, Output):
            return self._write_output(item)
        if isinstance(item, Input):
            self._ledger.count("input", len(item.data), "bytes")
        else:
            self._ledger.count(name_note(item), 1)
        return b""

    def losses(self) -> list[str]:
        """Return what could not be written so far, one text each."""
        return self._ledger.texts()

    def _write_header(self, header: Header) -> bytes:
        self._header = header
        start = header.start
        self._ledger.add_facts(header, frozenset({"columns", "rows", "started_unix_us"}))
        if start.columns and start.rows:
            return self._write_frame(0, _make_window(start.columns, start.rows))
        return b""

    def _write_output(self, output: Output) -> bytes:
        if output.is_stderr:
            self._ledger.count("standard error, mixed with output", len(output.data), "bytes")
        if not output.data:
            return b""
        if _read_window(output.data):
            # Two frames, so that a reader does not take the program's request for a window.
            head = self._write_frame(output.at_us, output.data[:1])
            return head + self._write_frame(output.at_us, output.data[1:])
        return self._write_frame(output.at_us, output.data)

    def _write_frame(self, at_us: int, data: bytes) -> bytes:
        if self._first_us is None:
            self._first_us = at_us
            self._ledger.count("the time before the first output", at_us, "microseconds")
        self._last_us = max(at_us, self._last_us)
        seconds, rest_us = divmod(self._header.start.started_unix_us + self._last_us, 10**6)
        if seconds > _MAX_UNIX_S:
            self._ledger.add("instants after the year 2106, all written as its end")
            seconds = _MAX_UNIX_S
        frames = []
        for begin in range(0, len(data), MAX_FRAME_BYTES):
            part = data[begin : begin + MAX_FRAME_BYTES]
            frames.append(_FRAME.pack(seconds, rest_us, len(part)) + part)
        return b"".join(frames)

    def _note_end(self, finish: Finish) -> None:
        if finish.end.reason != "unknown":
            self._ledger.add("the end: " + describe_end(finish))
        after_us = finish.at_us - self._last_us
        self._ledger.count("the time after the last output", max(0, after_us), "microseconds")


def _make_header(unix_us: int, window: tuple[int, int] | None) -> Header:
    columns, rows = window or (None, None)
    return Header(unknown_start(started_unix_us=unix_us, columns=columns, rows=rows))


def _make_window(columns: int, rows: int) -> bytes:
    return b"\x1b[8;%d;%dt" % (rows, columns)


def _read_window(data: bytes) -> tuple[int, int] | None:
    match = _WINDOW.fullmatch(data)
    if not match:
        return None
    rows, columns = int(match[1]), int(match[2])
    return (columns, rows) if max(columns, rows) <= MAX_CELLS else None
