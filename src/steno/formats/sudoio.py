"""sudo's I/O logs: a directory with facts, a timing file and one file a stream.

Source: sudo 1.9.13, sudoers(5) "I/O LOGGING", lib/iolog/iolog_timing.c (the timing file),
iolog_json.c (log.json) and iolog_legacy.c (log). A line of the timing file is EVENT DELAY NUMBER, a
window's is 5 DELAY ROWS COLUMNS, a suspended command's is 7 DELAY SIGNAL. All files but log and
log.json may be compressed by gzip.
"""

from __future__ import annotations

import re
import zlib
from signal import Signals
from typing import Any

import orjson

from steno.errors import FormatError
from steno.formats.lines import Line, LineSplitter
from steno.formats.timing import Delays, Matched, Matcher, Step, read_length
from steno.formats.track import MAX_CELLS, Header, Item, Tally, unknown_start
from steno.formats.typescript import SIGNAL
from steno.model import Damage, Input, Note, Output, Piece, Window

STREAMS = ("stdin", "stdout", "stderr", "ttyin", "ttyout")
_WINDOW_EVENT = 5
_BUGGED_EVENT = 6
"""What sudo 1.8.7 wrote for ttyout; there, all later events are too high by two."""
_SUSPEND_EVENT = 7
_MAX_LINE_BYTES = 65536
_MAX_UNIX_S = 253402300799
_GZIP = b"\x1f\x8b"
_CHUNK_BYTES = 1024 * 1024
_NUMBER = re.compile(rb"[0-9]{1,18}")
_USED = frozenset(
    {"timestamp", "submituser", "submithost", "runuser", "runuid", "ttyname", "columns", "lines"}
    | {"command", "runargv", "runenv", "exit_value", "signal", "run_time"}
)


class Decoder:
    """Turn the contents of an I/O log's files into items. Does no I/O.

    Feed the timing before the streams, and little must be held.
    """

    def __init__(self, *, log_json: bytes | None = None, log: bytes | None = None) -> None:
        """Begin with the whole of `log.json`, or of `log` as older versions wrote it.

        Raises:
            FormatError: It is neither, or both are None.
        """
        if log_json is not None:
            facts = _read_json(log_json)
            self._header = make_header(facts)
        elif log is not None:
            facts = {}
            self._header = read_legacy_header(log)
        else:
            raise FormatError("there is neither log.json nor log")
        self._facts = facts
        self._files: dict[str, _Inflater] = {}
        self._timing = LineSplitter(limit_bytes=_MAX_LINE_BYTES)
        self._matcher = Matcher()
        self._delays = Delays()
        self._tally = Tally()
        self._adjustment = 0
        self._is_begun = False

    def feed(self, name: str, data: bytes) -> list[Item]:
        """Return what `data`, the next bytes of the file `name`, completes.

        `name` is "timing" or one of STREAMS.
        """
        items = self._begin()
        inflater = self._files.setdefault(name, _Inflater(name))
        items += self._take(name, inflater.feed(data))
        return items + self._play(self._matcher.take())

    def finish(self) -> list[Item]:
        """Return what the end of all files completes.

        Raises:
            FormatError: There was no timing file.
        """
        if "timing" not in self._files:
            raise FormatError("there is no timing file")
        items = self._begin()
        for name, inflater in self._files.items():
            items += self._take(name, inflater.rest())
        for line in self._timing.finish():
            items += self._read_timing(line)
        for inflater in self._files.values():
            items += inflater.finish()
        matched, missing = self._matcher.take_rest(frozenset(self._files))
        items += self._play(matched)
        items += missing
        for name in STREAMS:
            items += self._read_rest(name)
        status, signal, at_us = _read_end(self._facts)
        items.append(self._tally.finish(exit_status=status, signal=signal, at_us=at_us))
        return items

    def _begin(self) -> list[Item]:
        if self._is_begun:
            return []
        self._is_begun = True
        return [self._header]

    def _take(self, name: str, parts: list[bytes]) -> list[Item]:
        items: list[Item] = []
        for data in parts:
            if name == "timing":
                for line in self._timing.feed(data):
                    items += self._read_timing(line)
            else:
                self._matcher.add_data(name, data)
        return items

    def _read_timing(self, line: Line) -> list[Item]:
        try:
            if line.data is None:
                raise FormatError("line is too long")
            if not line.is_whole:
                raise FormatError("torn line")
            if line.data.strip():
                self._matcher.add_step(self._read_step(line.data.split(), line.number))
        except FormatError as error:
            place = line.number, line.offset_bytes, line.length_bytes
            return [Damage(*place, f"timing: {error.reason}")]
        return []

    def _read_step(self, fields: list[bytes], number: int) -> Step:
        if not _NUMBER.fullmatch(fields[0]) or len(fields) < 3:
            raise FormatError("a step has an event's number, a delay and a number")
        event = int(fields[0])
        if event == _BUGGED_EVENT:
            self._adjustment = 2
        event -= self._adjustment
        at_us = self._delays.add(fields[1])
        if 0 <= event < len(STREAMS):
            return Step(at_us, STREAMS[event], read_length(fields[2]), number)
        if event == _WINDOW_EVENT:
            if len(fields) != 4 or not all(_NUMBER.fullmatch(text) for text in fields[2:]):
                raise FormatError("a window has rows and columns")
            rows, columns = int(fields[2]), int(fields[3])
            if max(rows, columns) > MAX_CELLS:
                raise FormatError("the window is too large to be one")
            return Step(at_us, "", 0, number, Window(at_us, columns, rows))
        if event == _SUSPEND_EVENT:
            name = fields[2].decode(errors="replace")
            facts = {"name": name if name.isdecimal() else f"SIG{name}"}
            return Step(at_us, "", 0, number, Note(at_us, SIGNAL, facts))
        raise FormatError(f"unknown event {event}")

    def _play(self, matched: list[Matched]) -> list[Item]:
        items: list[Item] = []
        for found in matched:
            step = found.step
            piece = step.piece
            if step.stream:
                piece = _make_piece(step.stream, step.at_us, found.data) if found.data else None
            self._tally.at_us = max(self._tally.at_us, step.at_us)
            if piece is not None:
                self._tally.add(piece)
                items.append(piece)
        return items

    def _read_rest(self, name: str) -> list[Item]:
        data = self._matcher.rest(name)
        if not data:
            return []
        piece = _make_piece(name, self._tally.at_us, data)
        self._tally.add(piece)
        reason = f"{name}: {len(data)} bytes that the timing does not tell of"
        return [Damage(0, 0, len(data), reason), piece]


class _Inflater:
    """Decompress a file if it is compressed."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._head: bytes | None = b""
        self._inflate: Any = None
        self._fed_bytes = 0
        self._damage: str | None = None

    def feed(self, data: bytes) -> list[bytes]:
        self._fed_bytes += len(data)
        if self._head is not None:
            self._head += data
            if len(self._head) < len(_GZIP) and _GZIP.startswith(self._head):
                return []
            data, self._head = self._head, None
            if data.startswith(_GZIP):
                self._inflate = zlib.decompressobj(wbits=31)
        return [data] if self._inflate is None else self._decompress(data)

    def rest(self) -> list[bytes]:
        """Return what was held to see whether it is compressed, when no more comes."""
        data, self._head = self._head or b"", None
        return [data]

    def finish(self) -> list[Item]:
        """Return what is wrong with the file."""
        if self._damage is None and self._inflate is not None and not self._inflate.eof:
            self._damage = "compressed data end too early"
        if self._damage is None:
            return []
        return [Damage(0, 0, self._fed_bytes, f"{self._name}: {self._damage}")]

    def _decompress(self, data: bytes) -> list[bytes]:
        parts: list[bytes] = []
        is_pending = True
        while is_pending and self._damage is None:
            if self._inflate.eof:
                # gzip allows several members in a row.
                self._inflate = zlib.decompressobj(wbits=31)
            before = self._inflate.copy()
            try:
                parts.append(self._inflate.decompress(data, _CHUNK_BYTES))
            except zlib.error as error:
                self._damage = f"compressed data are damaged: {error}"
                parts += _decompress_good(before, data)
                break
            data = self._inflate.unconsumed_tail or self._inflate.unused_data
            # A full part may leave more inside, even when all data were taken in.
            is_pending = bool(data) or len(parts[-1]) == _CHUNK_BYTES
        return parts


def _decompress_good(inflate: Any, data: bytes) -> list[bytes]:  # noqa: ANN401  # zlib's has no type
    """Return what can be had from `data` up to its damage."""
    parts: list[bytes] = []
    try:
        for number in data:
            parts.append(inflate.decompress(bytes((number,))))  # noqa: PERF401  # may raise
    except zlib.error:
        pass
    return parts


def make_header(facts: dict[str, Any]) -> Header:
    """Return the header for the members of log.json."""

    def text(name: str) -> str | None:
        value = facts.get(name)
        return value if isinstance(value, str) and value else None

    def number(name: str, highest: int) -> int | None:
        value = facts.get(name)
        if not isinstance(value, int) or isinstance(value, bool):
            return None
        return value if 0 <= value <= highest else None

    terminal = text("ttyname")
    if terminal == "unknown":
        terminal = None
    argv = facts.get("runargv")
    arguments = argv[1:] if isinstance(argv, list) else []
    command = text("command")
    if command and all(isinstance(part, str) for part in arguments):
        words: list[str] | None = [command, *arguments]
    else:
        words = [command] if command else None
    environment = _read_environment(facts.get("runenv"))
    extras = {name: value for name, value in facts.items() if name not in _USED and value}
    start = unknown_start(
        user=text("runuser") or "",
        uid=number("runuid", 2**32 - 1),
        login_user=text("submituser"),
        host=text("submithost") or "",
        service="sudo",
        command=words,
        terminal=terminal,
        # Without a terminal, sudo writes 80x24 all the same.
        columns=(terminal and number("columns", MAX_CELLS)) or None,
        rows=(terminal and number("lines", MAX_CELLS)) or None,
        started_unix_us=_read_duration(facts.get("timestamp"), _MAX_UNIX_S),
    )
    term = environment.pop("TERM", "")
    return Header(
        start,
        term=term,
        environment=environment,
        is_terminal=terminal is not None,
        extras=extras,
    )


def read_legacy_header(log: bytes) -> Header:
    """Return the header for the three lines of a file `log`.

    Raises:
        FormatError: It has other lines than those.
    """
    lines = log.decode(errors="replace").split("\n")
    fields = lines[0].split(":")
    if len(lines) < 3 or len(fields) < 5 or not _NUMBER.fullmatch(fields[0].encode()):
        raise FormatError("log does not begin with time:user:runas_user:runas_group:terminal")
    facts: dict[str, Any] = {
        "timestamp": {"seconds": int(fields[0])},
        "submituser": fields[1],
        "runuser": fields[2],
        "rungroup": fields[3],
        "ttyname": fields[4],
        "submitcwd": lines[1],
        "command": lines[2],
    }
    for name, value in zip(("lines", "columns"), fields[5:], strict=False):
        facts[name] = int(value) if _NUMBER.fullmatch(value.encode()) else None
    return make_header(facts)


def _read_json(data: bytes) -> dict[str, Any]:
    try:
        facts = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise FormatError(f"log.json is not JSON: {error}") from error
    if not isinstance(facts, dict):
        raise FormatError("log.json holds no object")
    return facts


def _read_environment(raw: object) -> dict[str, str]:
    if not isinstance(raw, list):
        return {}
    pairs = (text.partition("=") for text in raw if isinstance(text, str))
    return {name: value for name, _, value in pairs if name}


def _read_duration(raw: object, highest_s: int) -> int:
    """Return microseconds for an object with seconds and nanoseconds; 0 when it is none."""
    if not isinstance(raw, dict):
        return 0
    seconds, nanoseconds = raw.get("seconds", 0), raw.get("nanoseconds", 0)
    if not isinstance(seconds, int) or not isinstance(nanoseconds, int):
        return 0
    if not 0 <= seconds <= highest_s or not 0 <= nanoseconds < 10**9:
        return 0
    return seconds * 10**6 + nanoseconds // 1000


def _read_end(facts: dict[str, Any]) -> tuple[int | None, int | None, int]:
    """Return exit status, signal and instant of the end, as later versions log them."""
    status, signal = facts.get("exit_value"), facts.get("signal")
    at_us = _read_duration(facts.get("run_time"), 10**9)
    if isinstance(signal, str) and signal.isalnum():
        name = f"SIG{signal.removeprefix('SIG')}"
        number = Signals[name].value if name in Signals.__members__ else None
        return None, number, at_us
    return (status if isinstance(status, int) and 0 <= status <= 255 else None), None, at_us


def _make_piece(stream: str, at_us: int, data: bytes) -> Piece:
    if stream in ("stdin", "ttyin"):
        return Input(at_us, data)
    return Output(at_us, data, is_stderr=stream == "stderr")
