"""asciicast v2 and v3, the recordings of asciinema 2 and 3.

Source: https://docs.asciinema.org/manual/asciicast/v2/ and /v3/. A line of JSON, the header, then
one JSON array an event, `[time, code, data]`; v2's times count from the start, v3's from the event
before. Lines of v3 that begin with `#` are comments.
"""

from __future__ import annotations

import codecs
import math
import re
from typing import Any

import msgspec
import orjson

from steno.errors import FormatError
from steno.formats.lines import MAX_LINE_BYTES, Line, LineSplitter
from steno.formats.track import (
    MAX_AT_US,
    MAX_CELLS,
    Clock,
    Finish,
    Header,
    Item,
    Ledger,
    Tally,
    is_initial_window,
    join_command,
    make_clock_note,
    show,
    unknown_start,
)
from steno.model import Damage, Input, Note, Output, Piece, Window

DEFAULT_WINDOW = (80, 24)
MARKER = "marker"
"""The kind of note that stands for a marker; its fact is the label."""
_NOTE_LABEL = re.compile(r"steno:([a-z_]{1,40}) (\{.*\})", re.DOTALL)
_SIZE = re.compile(r"([0-9]{1,5})x([0-9]{1,5})")
_MAX_UNIX_S = 253402300799
_KEPT = frozenset(
    {"columns", "rows", "command", "started_unix_us", "term", "title"}
    | {"theme", "idle_time_limit", "tags", "term_version"}
)


class Decoder:
    """Turn asciicast bytes, however they were cut, into items. Does no I/O."""

    def __init__(self) -> None:
        self._splitter = LineSplitter()
        self._version = 0
        self._tally = Tally()
        self._clock = Clock()
        self._now_ns = 0
        self._duration_us = 0
        self._exit_status: int | None = None

    def feed(self, data: bytes) -> list[Item]:
        """Return what `data` completes.

        Raises:
            FormatError: The header is none, or of an unknown version; nothing was read.
        """
        return [item for line in self._splitter.feed(data) for item in self._read(line)]

    def finish(self) -> list[Item]:
        """Return what the input's end completes.

        Raises:
            FormatError: There was no header.
        """
        items = [item for line in self._splitter.finish() for item in self._read(line)]
        if not self._version:
            raise FormatError("there is no header; is this an asciicast?", line=1)
        items.append(self._tally.finish(exit_status=self._exit_status, at_us=self._duration_us))
        return items

    def _read(self, line: Line) -> list[Item]:
        if not self._version:
            return [self._read_header(line)]
        if line.data is None:
            return [_damage(line, f"line is longer than {MAX_LINE_BYTES} bytes")]
        if not line.data.strip() or (self._version == 3 and line.data.startswith(b"#")):
            return []
        try:
            event = orjson.loads(line.data)
        except orjson.JSONDecodeError as error:
            torn = "" if line.is_whole else "torn line: "
            return [_damage(line, f"{torn}not JSON: {error}")]
        try:
            return self._read_event(event)
        except FormatError as error:
            return [_damage(line, error.reason)]

    def _read_header(self, line: Line) -> Header:
        try:
            raw = orjson.loads(line.data or b"")
        except orjson.JSONDecodeError as error:
            raise FormatError(f"the header is not JSON: {error}", line=1) from error
        version = raw.get("version") if isinstance(raw, dict) else None
        if version not in (2, 3) or isinstance(version, (bool, float)):
            known = "versions 2 and 3 are known"
            raise FormatError(f"asciicast of version {version!r}; {known}", line=1)
        try:
            header = read_header(raw)
        except FormatError as error:
            raise FormatError(error.reason, line=1) from error
        duration = raw.get("duration")
        if version == 2 and _is_number(duration) and 0 <= duration <= MAX_AT_US / 10**6:
            self._duration_us = round(duration * 10**6)
        self._version = version
        return header

    def _read_event(self, event: object) -> list[Item]:
        if not isinstance(event, list) or len(event) != 3:
            raise FormatError("an event is a list of time, code and data")
        time_s, code, data = event
        if not _is_number(time_s) or not isinstance(code, str) or not isinstance(data, str):
            raise FormatError("an event is a list of a number and two strings")
        # Its time has passed even if the event then turns out to be bad.
        at_us, step_us = self._read_time(time_s)
        pieces: list[Piece] = []
        if step_us:
            pieces.append(make_clock_note(at_us, step_us))
        self._tally.at_us = max(self._tally.at_us, at_us)
        if code == "x" and self._version == 3:
            self._exit_status = int(data) if data.isascii() and data.isdecimal() else None
        else:
            pieces.append(make_piece(at_us, code, data))
        for piece in pieces:
            self._tally.add(piece)
        return list(pieces)

    def _read_time(self, time_s: float) -> tuple[int, int]:
        """Return the event's instant, and a step of v2's clock that was not followed."""
        if not (math.isfinite(time_s) and 0 <= time_s <= MAX_AT_US / 10**6):
            raise FormatError(f"time {time_s} is out of range")
        if self._version == 2:
            return self._clock.read(round(time_s * 10**6))
        now_ns = self._now_ns + round(time_s * 10**9)
        if now_ns > MAX_AT_US * 1000:
            raise FormatError(f"time {time_s} leads out of range")
        self._now_ns = now_ns
        return now_ns // 1000, 0


class Encoder:
    """Turn items into asciicast bytes. Does no I/O.

    Bytes that are not UTF-8 become U+FFFD: JSON cannot hold them.
    """

    def __init__(self, version: int = 3) -> None:
        self._version = version
        self._ledger = Ledger()
        self._last_us = 0
        self._header = Header(unknown_start())
        self._output = _Text()
        self._input = _Text()

    def write(self, item: Item) -> bytes:
        """Return the bytes for `item`; a Header comes first, a Finish last."""
        if isinstance(item, Header):
            self._header = item
            return self._write_header(item)
        if isinstance(item, Finish):
            return self._write_finish(item)
        if isinstance(item, Damage) or is_initial_window(item, self._header):
            return b""
        return self._write_piece(item)

    def losses(self) -> list[str]:
        """Return what could not be written so far, one text each."""
        return self._ledger.texts()

    def _write_header(self, header: Header) -> bytes:
        start = header.start
        self._ledger.add_facts(header, _KEPT | {f"${n}" for n in header.environment})
        if start.command and len(start.command) > 1:
            self._ledger.add("the command's division into arguments")
        if start.started_unix_us % 10**6:
            self._ledger.add("the start's fraction of a second")
        if not start.columns or not start.rows:
            self._ledger.add("the window is unknown; 80x24 is written")
        columns = start.columns or DEFAULT_WINDOW[0]
        rows = start.rows or DEFAULT_WINDOW[1]
        return orjson.dumps(make_header(self._version, header, columns, rows)) + b"\n"

    def _write_finish(self, finish: Finish) -> bytes:
        end = finish.end
        written = self._write_text("o", finish.at_us, self._output, b"", is_final=True)
        written += self._write_text("i", finish.at_us, self._input, b"", is_final=True)
        self._ledger.count(
            "not UTF-8, written as U+FFFD", self._output.bad_bytes, "bytes of output"
        )
        self._ledger.count("not UTF-8, written as U+FFFD", self._input.bad_bytes, "bytes of input")
        status = end.exit_status
        if status is None and end.signal is not None:
            status = 128 + end.signal
            self._ledger.add(f"the end: signal {end.signal}, as exit status {status}")
        elif end.reason not in ("exit", "unknown"):
            self._ledger.add(f"the end: {show(end.reason)}")
        if status is not None and self._version == 3:
            return written + self._write_event(finish.at_us, "x", str(status))
        if status is not None:
            self._ledger.add(f"the exit status: {status}")
        after_us = max(0, finish.at_us - self._last_us)
        self._ledger.count("the time after the last event", after_us, "microseconds")
        return written

    def _write_piece(self, piece: Piece) -> bytes:
        if isinstance(piece, Window):
            return self._write_event(piece.at_us, "r", f"{piece.columns}x{piece.rows}")
        if isinstance(piece, Note):
            return self._write_event(piece.at_us, "m", make_label(piece))
        if isinstance(piece, Input):
            return self._write_text("i", piece.at_us, self._input, piece.data)
        if piece.is_stderr:
            self._ledger.count("standard error, mixed with output", len(piece.data), "bytes")
        return self._write_text("o", piece.at_us, self._output, piece.data)

    def _write_text(
        self, code: str, at_us: int, text: _Text, data: bytes, *, is_final: bool = False
    ) -> bytes:
        decoded = text.decode(data, is_final=is_final)
        return self._write_event(at_us, code, decoded) if decoded else b""

    def _write_event(self, at_us: int, code: str, data: str) -> bytes:
        at_us = max(at_us, self._last_us)
        time_us = at_us - self._last_us if self._version == 3 else at_us
        self._last_us = at_us
        seconds, rest_us = divmod(time_us, 10**6)
        return b'[%d.%06d, "%s", %s]\n' % (seconds, rest_us, code.encode(), orjson.dumps(data))


class _Text:
    """Decode UTF-8 that comes in pieces; count the bytes that are none."""

    def __init__(self) -> None:
        self.bad_bytes = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._counter = codecs.getincrementaldecoder("utf-8")("surrogateescape")

    def decode(self, data: bytes, *, is_final: bool) -> str:
        text = self._decoder.decode(data, is_final)
        escaped = self._counter.decode(data, is_final)
        if text != escaped:
            self.bad_bytes += sum("\udc80" <= character <= "\udcff" for character in escaped)
        return text


def read_header(raw: dict[str, Any]) -> Header:
    """Return what an asciicast's header says.

    Raises:
        FormatError: A member is missing or has the wrong type.
    """
    term = raw if raw["version"] == 2 else _member(raw, "term", dict, {})
    names = ("width", "height") if raw["version"] == 2 else ("cols", "rows")
    columns, rows = (_read_cells(term, name) for name in names)
    environment = _member(raw, "env", dict, {})
    if not all(isinstance(value, str) for value in environment.values()):
        # asciinema 2 writes null for a variable that is not set.
        environment = {name: value for name, value in environment.items() if value is not None}
    if not all(isinstance(value, str) for value in environment.values()):
        raise FormatError("env in the header must hold texts")
    command = _member(raw, "command", str, None)
    timestamp = raw.get("timestamp")
    if timestamp is not None and (not _is_number(timestamp) or not 0 <= timestamp <= _MAX_UNIX_S):
        raise FormatError("timestamp in the header must be seconds since 1970")
    extras = {name: raw[name] for name in ("idle_time_limit", "tags") if raw.get(name)}
    extras |= {"theme": term["theme"]} if term.get("theme") else {}
    extras |= {"term_version": term["version"]} if raw["version"] == 3 and "version" in term else {}
    return Header(
        start=unknown_start(
            started_unix_us=round(timestamp * 10**6) if timestamp else 0,
            columns=columns or None,
            rows=rows or None,
            command=[command] if command else None,
        ),
        term=_member(term, "type", str, "") or environment.get("TERM", ""),
        title=_member(raw, "title", str, None),
        environment={name: value for name, value in environment.items() if name != "TERM"},
        extras=extras,
    )


def make_header(version: int, header: Header, columns: int, rows: int) -> dict[str, Any]:
    """Return the header's JSON object for this version."""
    start, extras = header.start, header.extras
    raw: dict[str, Any] = {"version": version}
    term = raw if version == 2 else {}
    term |= {"width": columns, "height": rows} if version == 2 else {"cols": columns, "rows": rows}
    environment = dict(header.environment)
    if version == 2:
        environment |= {"TERM": header.term} if header.term else {}
    else:
        term |= {"type": header.term} if header.term else {}
        term |= {"version": extras["term_version"]} if "term_version" in extras else {}
        raw["term"] = term
    term |= {"theme": extras["theme"]} if "theme" in extras else {}
    raw |= {"timestamp": start.started_unix_us // 10**6} if start.started_unix_us else {}
    raw |= {name: extras[name] for name in ("idle_time_limit", "tags") if name in extras}
    if start.command:
        raw["command"] = join_command(start.command)
    raw |= {"title": header.title} if header.title else {}
    raw |= {"env": environment} if environment else {}
    return raw


def make_piece(at_us: int, code: str, data: str) -> Piece:
    """Return the piece that an event stands for; one of an unknown kind becomes a note.

    Raises:
        FormatError: A window's size is none.
    """
    if code == "o":
        return Output(at_us, data.encode())
    if code == "i":
        return Input(at_us, data.encode())
    if code == "m":
        return read_label(at_us, data)
    if code != "r":
        return Note(at_us, "lost", {"what": f"event with code {code[:40]!r}"})
    match = _SIZE.fullmatch(data)
    if not match or max(int(match[1]), int(match[2])) > MAX_CELLS:
        raise FormatError(f"{data[:40]!r} is no window size")
    return Window(at_us, int(match[1]), int(match[2]))


def make_label(note: Note) -> str:
    """Return the marker's label for `note`: a marker's own, or one that `read_label` knows."""
    if note.kind == MARKER:
        return str(note.facts.get("label", ""))
    return f"steno:{note.kind} {msgspec.json.encode(note.facts).decode()}"


def read_label(at_us: int, label: str) -> Note:
    """Return the note that a marker's label stands for."""
    match = _NOTE_LABEL.fullmatch(label)
    if match:
        try:
            return Note(at_us, match[1], orjson.loads(match[2]))
        except orjson.JSONDecodeError:
            pass
    return Note(at_us, MARKER, {"label": label})


def _damage(line: Line, reason: str) -> Damage:
    return Damage(line.number, line.offset_bytes, line.length_bytes, reason)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _member(raw: dict[str, Any], name: str, kind: type, default: Any) -> Any:  # noqa: ANN401  # JSON
    value = raw.get(name)
    if value is None:
        return default
    if not isinstance(value, kind):
        raise FormatError(f"{name} in the header has the wrong type")
    return value


def _read_cells(raw: dict[str, Any], name: str) -> int:
    value = raw.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_CELLS:
        raise FormatError(f"{name} in the header must be a number of cells")
    return value
