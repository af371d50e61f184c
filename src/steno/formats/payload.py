"""Pieces to and from the five payload members of a tlog message.

Source: tlog, doc/log_format.md ("timing" and the *_txt and *_bin members), lib/tlog/json_chunk.c
and json_stream.c. A timing string is a row of records:

    =WxH   the window is W columns by H rows
    +N     N milliseconds pass
    <N >N  N characters (code points) of in_txt, out_txt
    [C/B ]C/B  C replacement characters of in_txt, out_txt that stand for B bytes of in_bin, out_bin

Bytes that are not UTF-8 stand in *_bin, with one U+FFFD in *_txt per maximal invalid piece (Unicode
standard, section 3.9, "U+FFFD substitution of maximal subparts", which Python's decoder follows).
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from steno.errors import FormatError
from steno.formats.stretches import Stretch, split_stretches
from steno.model import Input, Note, Output, Piece, Window

_RECORD = re.compile(
    r"\s*(?:([<>+])([0-9]{1,15})|(=)([0-9]{1,5})x([0-9]{1,5})|([][])([0-9]{1,15})/([0-9]{1,15}))"
)
_MAX_WINDOW = 65535
MAX_AT_MS = 10**12
"""The latest instant that is believed, some thirty years into a recording."""


class Stream:
    """What one message holds of one direction: its text and its binary member."""

    def __init__(self, marks: str) -> None:
        """Begin; `marks` begin the timing records of runs of text and of runs of bytes."""
        self.marks = marks
        self.text: list[bytes] = []
        self.binary: list[bytes] = []
        self.length_bytes = 0


class Content(NamedTuple):
    """What a message's payload members say.

    Attributes:
        first_ms: When it begins.
        timing: The timing member's inside.
        in_txt: The inside of in_txt.
        in_bin: The inside of in_bin.
        out_txt: The inside of out_txt.
        out_bin: The inside of out_bin.
    """

    first_ms: int
    timing: bytes
    in_txt: bytes
    in_bin: bytes
    out_txt: bytes
    out_bin: bytes


class Payload:
    """The payload members of one message, growing piece by piece."""

    def __init__(self) -> None:
        self.first_ms: int | None = None
        self.size_bytes = 0
        self.notes: list[Note] = []
        self.stderr: list[tuple[int, int]] = []
        self.input = Stream("<[")
        self.output = Stream(">]")
        self._timing: list[str] = []
        self._last_ms = 0
        self._open: Stream | None = None
        self._open_characters = 0
        self._open_binary = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing was added yet."""
        return self.first_ms is None

    def start_at(self, first_ms: int) -> None:
        """Say when the message begins, where that is not the first piece's instant."""
        self.first_ms = self._last_ms = first_ms

    def add(self, piece: Piece) -> None:
        """Add a whole piece; an unfinished character at its end counts as invalid."""
        if isinstance(piece, Output):
            self._add_data(self.output, piece.at_us, piece.data, is_stderr=piece.is_stderr)
        elif isinstance(piece, Input):
            self._add_data(self.input, piece.at_us, piece.data)
        elif isinstance(piece, Window):
            self.add_window(piece)
        else:
            self.add_note(piece)

    def add_window(self, window: Window) -> None:
        """Add a window record."""
        self._advance(window.at_us)
        self._write_run()
        self._write(f"={window.columns}x{window.rows}")

    def add_note(self, note: Note) -> None:
        """Add a note; it takes no part in the timing."""
        if self.first_ms is None:
            self.start_at(note.at_us // 1000)
        self.notes.append(note)
        self.size_bytes += 100

    def _add_data(
        self, stream: Stream, at_us: int, data: bytes, *, is_stderr: bool = False
    ) -> None:
        stretches, _ = split_stretches(data, stream.marks, is_final=True)
        self.add_stretches(stream, at_us, stretches, is_stderr=is_stderr)

    def add_stretches(
        self, stream: Stream, at_us: int, stretches: list[Stretch], *, is_stderr: bool = False
    ) -> None:
        """Add encoded bytes of one direction (`self.input` or `self.output`)."""
        if self.first_ms is None or at_us // 1000 > self._last_ms:
            self._advance(at_us)
        for stretch in stretches:
            self._extend(stream, *stretch.first)
            if stretch.last[0]:
                self._write_run()
                if stretch.middle:
                    self._write(stretch.middle)
                self._extend(stream, *stretch.last)
            stream.text.append(stretch.text)
            if stretch.binary:
                stream.binary.append(stretch.binary)
            self.size_bytes += len(stretch.text) + len(stretch.binary) + 1
            if is_stderr:
                self._mark_stderr(stream.length_bytes, stretch.length_bytes)
            stream.length_bytes += stretch.length_bytes

    def _extend(self, stream: Stream, characters: int, binary_bytes: int) -> None:
        if stream is not self._open or bool(binary_bytes) != bool(self._open_binary):
            self._write_run()
            self._open = stream
        self._open_characters += characters
        self._open_binary += binary_bytes

    def content(self) -> Content:
        """Return what the members say."""
        self._write_run()
        return Content(
            self.first_ms or 0,
            "".join(self._timing).encode(),
            b"".join(self.input.text),
            b",".join(self.input.binary),
            b"".join(self.output.text),
            b",".join(self.output.binary),
        )

    def _mark_stderr(self, offset: int, length: int) -> None:
        if self.stderr and sum(self.stderr[-1]) == offset:
            offset, length = self.stderr[-1][0], self.stderr[-1][1] + length
            self.stderr.pop()
        self.stderr.append((offset, length))

    def _advance(self, at_us: int) -> None:
        at_ms = at_us // 1000
        if self.first_ms is None:
            self.start_at(at_ms)
        elif at_ms > self._last_ms:
            self._write_run()
            self._write(f"+{at_ms - self._last_ms}")
            self._last_ms = at_ms

    def _write_run(self) -> None:
        stream = self._open
        if stream is not None and self._open_characters:
            if self._open_binary:
                self._write(f"{stream.marks[1]}{self._open_characters}/{self._open_binary}")
            else:
                self._write(f"{stream.marks[0]}{self._open_characters}")
        self._open = None
        self._open_characters = self._open_binary = 0

    def _write(self, record: str) -> None:
        self._timing.append(record)
        self.size_bytes += len(record)


class _Source:
    """Hands out one direction's bytes as the timing asks for them."""

    def __init__(self, name: str, text: str, binary: bytes) -> None:
        self._name = name
        self._text = text
        self._binary = binary
        self._text_at = 0
        self._binary_at = 0
        self._taken_bytes = 0
        self.raw: list[tuple[int, int]] = []
        """Which of the bytes that were taken are not text: offset and length."""

    def take_text(self, characters: int) -> bytes:
        """Return the next characters as bytes."""
        data = self._take_characters(characters).encode()
        self._taken_bytes += len(data)
        return data

    def take_binary(self, characters: int, length_bytes: int) -> bytes:
        """Skip replacement characters and return the bytes they stand for."""
        self._take_characters(characters)
        end = self._binary_at + length_bytes
        if end > len(self._binary):
            raise FormatError(f"timing asks for more bytes than {self._name}_bin holds")
        data = self._binary[self._binary_at : end]
        self._binary_at = end
        self.raw.append((self._taken_bytes, length_bytes))
        self._taken_bytes += length_bytes
        return data

    def _take_characters(self, characters: int) -> str:
        end = self._text_at + characters
        if end > len(self._text):
            raise FormatError(f"timing asks for more characters than {self._name}_txt holds")
        text = self._text[self._text_at : end]
        self._text_at = end
        return text


def read_pieces(
    pos_ms: int,
    timing: str,
    input_: tuple[str, bytes],
    output: tuple[str, bytes],
    raw: dict[str, list[tuple[int, int]]] | None = None,
) -> list[Piece]:
    """Return the pieces that a message's payload members say, in order.

    Args:
        pos_ms: The instant of the first piece.
        timing: The timing string.
        input_: in_txt and in_bin.
        output: out_txt and out_bin.
        raw: Is told, for `in` and `out`, which of the pieces' bytes are not text: offset and
            length.

    Raises:
        FormatError: The timing string is malformed, or asks for more than there is.
    """
    sources = {"<": _Source("in", *input_), ">": _Source("out", *output)}
    sources["["], sources["]"] = sources["<"], sources[">"]
    if raw is not None:
        raw["in"], raw["out"] = sources["<"].raw, sources[">"].raw
    pieces: list[Piece] = []
    at_us = pos_ms * 1000
    is_input = False
    data = bytearray()

    def end_data() -> None:
        if data:
            pieces.append(Input(at_us, bytes(data)) if is_input else Output(at_us, bytes(data)))
            data.clear()

    for mark, first, second in _read_records(timing):
        if mark == "+":
            end_data()
            at_us += first * 1000
            if at_us > MAX_AT_MS * 1000:
                raise FormatError(f"timing goes beyond {MAX_AT_MS} ms")
        elif mark == "=":
            end_data()
            pieces.append(_read_window(at_us, first, second))
        else:
            if is_input != (mark in "<["):
                end_data()
                is_input = mark in "<["
            source = sources[mark]
            if mark in "<>":
                data += source.take_text(first)
            else:
                data += source.take_binary(first, second)
    end_data()
    return pieces


def _read_records(timing: str) -> Iterator[tuple[str, int, int]]:
    at = 0
    end = len(timing.rstrip())
    while at < end:
        match = _RECORD.match(timing, at)
        if match is None:
            raise FormatError(f"timing is malformed at character {at}: {timing[at : at + 20]!r}")
        simple, count, window, columns, rows, binary, characters, length = match.groups()
        if simple:
            yield simple, int(count), 0
        elif window:
            yield window, int(columns), int(rows)
        else:
            yield binary, int(characters), int(length)
        at = match.end()


def _read_window(at_us: int, columns: int, rows: int) -> Window:
    if columns > _MAX_WINDOW or rows > _MAX_WINDOW:
        raise FormatError(f"window {columns}x{rows} is larger than {_MAX_WINDOW}")
    return Window(at_us, columns, rows)


def split_stderr(pieces: list[Piece], ranges: list[tuple[int, int]]) -> list[Piece]:
    """Return `pieces` with the output bytes in `ranges` (offset, length) marked as stderr."""
    marked: list[Piece] = []
    all_edges = {edge for offset, length in ranges for edge in (offset, offset + length)}
    edges = sorted(all_edges)
    starts = {offset for offset, _ in ranges}
    at = 0
    is_stderr = False
    for piece in pieces:
        if not isinstance(piece, Output):
            marked.append(piece)
            continue
        end = at + len(piece.data)
        within = edges[bisect_right(edges, at) : bisect_left(edges, end)]
        for low, high in pairwise([at, *within, end]):
            if low in all_edges:
                is_stderr = low in starts
            data = piece.data[low - at : high - at]
            marked.append(Output(piece.at_us, data, is_stderr))
        at = end
    return marked
