"""script(1)'s typescripts with their timing files, classic and advanced: reading.

Source: util-linux 2.38, term-utils/script.c (what is written) and script-playutils.c (what
scriptreplay reads). A typescript is one line "Script started on ...", the output as it was, and at
the end a newline and "Script done on ...". The classic timing file has a line "DELAY BYTES" a
chunk of output. The advanced one has a line a step, its delay after a letter: `O` and `I` with a
number of bytes of output and input, `S` with a signal, `H` with a fact.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from steno.errors import FormatError
from steno.formats.lines import Line, LineSplitter
from steno.formats.timing import Delays, Matched, Matcher, Step, read_length
from steno.formats.track import (
    MAX_CELLS,
    Header,
    Item,
    Tally,
    unknown_start,
)
from steno.model import Damage, Input, Note, Output, Piece, Window

STREAMS = ("timing", "output", "input")
SIGNAL = "signal"
"""The kind of note that stands for a signal that the recorder got; its fact is the name."""
_MAX_LINE_BYTES = 65536
_CHUNK_BYTES = 65536
_FACT = re.compile(rb'([A-Z_]{1,40})="([^"]*)"')
_STARTED = re.compile(rb"Script started on ([0-9: +-]{19,30})")
_TRAILER = re.compile(rb"\n[^\n]*\n?")
_ENGLISH_TRAILER = re.compile(rb"\nScript done[^\n]*\n?\Z")
_EXIT_CODE = re.compile(rb'COMMAND_EXIT_CODE="([0-9]{1,3})"')
_WINDOW = re.compile(rb"ROWS=([0-9]{1,5}) COLS=([0-9]{1,5})")
_USED_FACTS = frozenset(
    {"START_TIME", "TERM", "TTY", "COLUMNS", "LINES", "SHELL", "COMMAND", "DURATION", "EXIT_CODE"}
    | {"TIMING_LOG", "OUTPUT_LOG", "INPUT_LOG", "COMMAND_EXIT_CODE"}
)


class Decoder:
    """Turn a typescript's files, however they were cut and mixed, into items. Does no I/O.

    Feed the timing before the output it is about, and little must be held. A typescript without a
    timing file is read too: all of it at the start.
    """

    def __init__(self) -> None:
        self._timing = LineSplitter(limit_bytes=_MAX_LINE_BYTES)
        self._matcher = Matcher()
        self._delays = Delays()
        self._tally = Tally()
        self._heads: dict[str, _Head] = {}
        self._facts: dict[str, str] = {}
        self._early: list[Item] = []
        self._has_timing = False
        self._has_steps = False
        self._has_input = False
        self._is_begun = False

    @property
    def has_input(self) -> bool:
        """Whether the timing fed so far tells of bytes in a file of their own for input."""
        return self._has_input

    def feed(self, stream: str, data: bytes) -> list[Item]:
        """Return what `data`, the next bytes of one of STREAMS, completes."""
        if stream == "timing":
            self._has_timing = True
            for line in self._timing.feed(data):
                self._read_timing(line)
        else:
            head = self._heads.setdefault(stream, _Head())
            self._matcher.add_data(stream, head.feed(data))
        output = self._heads.get("output")
        if not self._is_begun and not (self._has_steps and output and output.is_complete):
            return []
        return self._begin() + self._play(self._matcher.take())

    def finish(self) -> list[Item]:
        """Return what the end of all files completes.

        Raises:
            FormatError: There was neither a timing file nor a typescript.
        """
        for line in self._timing.finish():
            self._read_timing(line)
        if not self._has_timing and not self._heads:
            raise FormatError("there is no typescript")
        items = self._begin()
        matched, missing = self._matcher.take_rest(frozenset(self._heads))
        items += self._play(matched)
        items += missing
        for stream in sorted(self._heads, reverse=True):
            items += self._read_rest(stream)
        code = self._facts.get("EXIT_CODE") or self._facts.get("COMMAND_EXIT_CODE") or ""
        status = int(code) if code.isdecimal() and len(code) < 4 else None
        items.append(self._tally.finish(exit_status=status, at_us=self._read_duration()))
        return items

    def _begin(self) -> list[Item]:
        items = self._early
        if not self._is_begun:
            self._is_begun = True
            output = self._heads.get("output") or self._heads.get("input") or _Head()
            items = [make_header(output.facts | self._facts), *items]
        self._early = []
        return items

    def _read_timing(self, line: Line) -> None:
        data = line.data
        try:
            if data is None:
                raise FormatError("line is too long")
            if not line.is_whole:
                raise FormatError("torn line")
            if data[:1].isdigit():
                self._read_data_step(b"O", data, line)
            elif data.strip():
                self._read_step(data, line)
        except FormatError as error:
            place = line.number, line.offset_bytes, line.length_bytes
            self._early.append(Damage(*place, f"timing: {error.reason}"))

    def _read_step(self, data: bytes, line: Line) -> None:
        kind, _, rest = data.partition(b" ")
        if kind in (b"O", b"I"):
            self._read_data_step(kind, rest, line)
            return
        if kind not in (b"S", b"H"):
            raise FormatError(f"unknown step {kind[:40].decode(errors='replace')!r}")
        delay, _, rest = rest.partition(b" ")
        at_us = self._delays.add(delay)
        name, _, value = rest.partition(b" ")
        if kind == b"H":
            self._facts[name.decode(errors="replace")] = value.decode(errors="replace")
            return
        self._has_steps = True
        piece = _make_signal_piece(at_us, name, value)
        self._matcher.add_step(Step(at_us, "", 0, line.number, piece))

    def _read_data_step(self, kind: bytes, data: bytes, line: Line) -> None:
        delay, _, length = data.strip().partition(b" ")
        at_us = self._delays.add(delay)
        self._has_steps = True
        is_input = kind == b"I"
        is_shared = self._facts.get("INPUT_LOG", "") == self._facts.get("OUTPUT_LOG")
        stream = "input" if is_input and not is_shared else "output"
        self._has_input = self._has_input or stream == "input"
        piece = Input(at_us, b"") if is_input else None
        step = Step(at_us, stream, read_length(length.strip()), line.number, piece)
        self._matcher.add_step(step)

    def _play(self, matched: list[Matched]) -> list[Item]:
        items: list[Item] = []
        for found in matched:
            step = found.step
            piece = step.piece
            if step.stream:
                kind = Input if isinstance(piece, Input) else Output
                piece = kind(step.at_us, found.data) if found.data else None
            self._tally.at_us = max(self._tally.at_us, step.at_us)
            if piece is not None:
                self._tally.add(piece)
                items.append(piece)
        return items

    def _read_rest(self, stream: str) -> list[Item]:
        """Read what no timing told of: the trailer, and data where timing is missing."""
        head = self._heads[stream]
        data = self._matcher.rest(stream)
        if not head.is_complete or (not self._has_timing and not head.is_english):
            data = head.line + data
        trailer = _TRAILER.fullmatch(data) if self._has_timing else None
        trailer = trailer or _ENGLISH_TRAILER.search(data)
        if trailer:
            if code := _EXIT_CODE.search(trailer[0]):
                self._facts["COMMAND_EXIT_CODE"] = code[1].decode()
            data = data[: trailer.start()]
        if not data:
            return []
        kind = Input if stream == "input" else Output
        at_us = self._tally.at_us
        items: list[Item] = []
        if self._has_timing:
            reason = f"{stream}: {len(data)} bytes that the timing does not tell of"
            items.append(Damage(0, 0, len(data), reason))
        for start in range(0, len(data), _CHUNK_BYTES):
            piece = kind(at_us, data[start : start + _CHUNK_BYTES])
            self._tally.add(piece)
            items.append(piece)
        return items

    def _read_duration(self) -> int:
        try:
            return Delays().add(self._facts.get("DURATION", "0").encode())
        except FormatError:
            return 0


class _Head:
    """The first line of a typescript, which scriptreplay skips whatever it says."""

    def __init__(self) -> None:
        self.line = b""
        self.is_complete = False

    def feed(self, data: bytes) -> bytes:
        """Return what of `data` comes after the first line."""
        if self.is_complete:
            return data
        room_bytes = _MAX_LINE_BYTES - len(self.line)
        newline = data.find(b"\n", 0, room_bytes)
        end = room_bytes if newline < 0 else newline + 1
        self.is_complete = len(data) >= end
        self.line += data[:end]
        return data[end:]

    @property
    def is_english(self) -> bool:
        """Whether it is the line that script writes without a translation."""
        return self.line.startswith(b"Script started on ")

    @property
    def facts(self) -> dict[str, str]:
        """The facts in it, under the names that the advanced timing file has for them."""
        found = {
            match[1].decode(): match[2].decode(errors="replace")
            for match in _FACT.finditer(self.line)
        }
        if started := _STARTED.match(self.line):
            found["START_TIME"] = started[1].decode().strip()
        return found


def make_header(facts: dict[str, str]) -> Header:
    """Return the header for facts under the names that the advanced timing file has for them."""

    def cells(name: str) -> int | None:
        text = facts.get(name, "")
        is_number = text.isascii() and text.isdecimal() and len(text) < 6
        return (int(text) or None) if is_number and int(text) <= MAX_CELLS else None

    command = facts.get("COMMAND")
    start = unknown_start(
        started_unix_us=_read_time(facts.get("START_TIME", "")),
        columns=cells("COLUMNS"),
        rows=cells("LINES"),
        terminal=facts.get("TTY") or None,
        command=[command] if command else None,
    )
    shell = facts.get("SHELL")
    return Header(
        start,
        term=facts.get("TERM", ""),
        environment={"SHELL": shell} if shell else {},
        extras={name: value for name, value in facts.items() if name not in _USED_FACTS},
    )


def _make_signal_piece(at_us: int, name: bytes, value: bytes) -> Piece:
    window = _WINDOW.search(value) if name == b"SIGWINCH" else None
    if not window:
        return Note(at_us, SIGNAL, {"name": name.decode(errors="replace")})
    rows, columns = int(window[1]), int(window[2])
    if max(rows, columns) > MAX_CELLS:
        raise FormatError("the window is too large to be one")
    return Window(at_us, columns, rows)


def _read_time(text: str) -> int:
    """Return microseconds since 1970; 0 for a text that is no instant with a time zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return 0
    if moment.tzinfo is None:
        return 0
    return max(0, (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1))
