"""Cut a recording's pieces into chained messages: what a recorder writes."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from steno.errors import UsageError
from steno.formats.charset import find_charset
from steno.formats.payload import Payload
from steno.formats.stretches import Filled, Row, Stretch, split_stretches
from steno.formats.tlog import chain_lines, make_member, render_head, render_line
from steno.model import End, Input, Output, Piece, Start, Window, digest_of_line

MIN_LIMIT_BYTES = 256
DEFAULT_LIMIT_BYTES = 16384
_RECORD_BYTES = 100
"""Room for a window's or a note's record, and what is kept free for one beside data."""
_MARKS = {"in": "<[", "out": ">]", "err": ">]"}
"""See payload.Stream."""
_MAX_EXPANSION = 10
"""A byte takes at most this much payload.

That is, `255,`, a U+FFFD and `]1/1` by turns with `\\u001b` and `>1`.
"""


class Identity(msgspec.Struct, frozen=True):
    """What all messages of a recording say about it; see model.Message for the members."""

    host: str
    rec: str
    user: str
    term: str
    session: int
    start: Start


class CutterState(msgspec.Struct, frozen=True, array_like=True):
    """What a cutter knows between two messages.

    Attributes:
        next_id: The next message's number.
        prev: The digest of the last line.
        window: (columns, rows) as they were last recorded.
        unfinished: The beginnings of characters, by stream: `in`, `out`, `err`.
    """

    next_id: int
    prev: str | None
    window: tuple[int, int] | None = None
    unfinished: dict[str, bytes] = {}


class Room(NamedTuple):
    """What somebody must know who encodes output in a row.

    Attributes:
        free_bytes: How much goes into the message that is being made; see `Stretch.size_bytes`.
        most_bytes: How much goes into any other.
        unfinished: The beginning of a character: it comes first.
        marks: See payload.Stream.
    """

    free_bytes: int
    most_bytes: int
    unfinished: bytes
    marks: str


class Cutter:
    """Turn pieces into lines, each a message that names the digest of the line before it.

    Does no I/O and reads no clock. A message is cut when it would exceed `limit_bytes` of
    payload, and whenever `cut` is called: the caller does so some time after `pending_since_us`.
    A character whose bytes come in several pieces is kept whole, in one message. Pieces hold what
    the terminal had, in the start's charset (UTF-8 without one).
    """

    def __init__(
        self,
        identity: Identity,
        *,
        limit_bytes: int = DEFAULT_LIMIT_BYTES,
        first_id: int = 1,
        prev: str | None = None,
    ) -> None:
        """Begin at message `first_id`, which follows the line whose digest is `prev`.

        Raises:
            UsageError: `limit_bytes` is below MIN_LIMIT_BYTES, or the start's charset not known.
        """
        if limit_bytes < MIN_LIMIT_BYTES:
            raise UsageError(f"messages cannot be limited to less than {MIN_LIMIT_BYTES} bytes")
        self._head = render_head(
            identity.host, identity.rec, identity.user, identity.term, identity.session
        )
        self._start = identity.start
        self._started_ms = identity.start.started_unix_us // 1000
        charset = find_charset(identity.start.charset or "UTF-8")
        self._split = split_stretches if charset is None else charset.split_stretches
        self._limit_bytes = limit_bytes
        self._id = first_id
        self._prev = prev
        self._payload = Payload()
        self._window: Window | None = None
        self._unfinished = {"in": b"", "out": b"", "err": b""}
        self.written_bytes = 0
        """How many bytes of lines were returned."""

    @classmethod
    def resume(cls, identity: Identity, state: CutterState, *, limit_bytes: int) -> Cutter:
        """Go on where another cutter was when it gave `state`."""
        cutter = cls(identity, limit_bytes=limit_bytes, first_id=state.next_id, prev=state.prev)
        if state.window is not None:
            cutter._window = Window(0, *state.window)
        cutter._unfinished |= state.unfinished
        return cutter

    def state(self) -> CutterState:
        """Return what another cutter needs to go on.

        Raises:
            ValueError: Something is pending; `cut` first.
        """
        if not self._payload.is_empty:
            raise ValueError("a cutter's state is known between two messages only")
        window = self._window
        size = None if window is None else (window.columns, window.rows)
        unfinished = {name: data for name, data in self._unfinished.items() if data}
        return CutterState(self._id, self._prev, size, unfinished)

    @property
    def pending_since_us(self) -> int | None:
        """The instant of the oldest piece not yet in a line; None when there is none."""
        first_ms = self._payload.first_ms
        return None if first_ms is None else first_ms * 1000

    @property
    def prev(self) -> str | None:
        """The digest of the last line."""
        return self._prev

    @property
    def next_id(self) -> int:
        """The next message's number."""
        return self._id

    def add(self, piece: Piece) -> list[bytes]:
        """Take in `piece`; return the lines that had to be cut to make room for it.

        Pieces come in the order of their instants.
        """
        if isinstance(piece, Output):
            name = "err" if piece.is_stderr else "out"
            return self._add_data(name, piece.at_us, piece.data, is_final=False)
        if isinstance(piece, Input):
            return self._add_data("in", piece.at_us, piece.data, is_final=False)
        lines = self._make_room(_RECORD_BYTES)
        if isinstance(piece, Window):
            if not self._has_same_window(piece):
                self._payload.add_window(piece)
                self._window = piece
        else:
            self._payload.add_note(piece)
        return lines

    def room(self) -> Room | None:
        """Return what of output can be encoded for `add_filled` and `add_row` now.

        None: whole pieces only. It is None until there is a first line, which others can follow.
        """
        if self._split is not split_stretches or self._prev is None:
            return None
        most_bytes = self._limit_bytes - _RECORD_BYTES
        payload = self._payload
        free_bytes = most_bytes if payload.is_empty else self._limit_bytes - payload.size_bytes
        return Room(free_bytes, most_bytes, self._unfinished["out"], _MARKS["out"])

    def add_filled(self, filled: Filled) -> list[bytes]:
        """Take in output that was encoded into `room` and fills it; return the lines."""
        self._write_row(filled.first)
        lines = [] if self._payload.is_empty else [self._render(None)]
        return lines + self._chain(filled.whole)

    def add_row(self, row: Row) -> None:
        """Take in the output behind all that filled messages."""
        self._unfinished["out"] = row.unfinished
        self._write_row(row.rest)

    def begin(self, at_us: int) -> bytes:
        """Return the first line now, with the start's facts, whether anything has passed or not."""
        if self._payload.is_empty:
            self._payload.start_at(at_us // 1000)
        return self._render(None)

    def cut(self) -> bytes | None:
        """Return what is pending as a line, or None when nothing is."""
        return None if self._payload.is_empty else self._render(None)

    def end(self, end: End, at_us: int) -> list[bytes]:
        """Return the last lines; unfinished characters stand in them as invalid bytes."""
        lines: list[bytes] = []
        for name in self._unfinished:
            lines += self._add_data(name, at_us, b"", is_final=True)
        if self._payload.is_empty:
            self._payload.start_at(at_us // 1000)
        lines.append(self._render(end))
        return lines

    def _has_same_window(self, window: Window) -> bool:
        # Each message repeats the window as soon as it holds data.
        last = self._window
        return last is not None and (last.columns, last.rows) == (window.columns, window.rows)

    def _add_data(self, name: str, at_us: int, data: bytes, *, is_final: bool) -> list[bytes]:
        rest = self._unfinished[name]
        if rest:
            data = rest + data
        marks = _MARKS[name]
        stretches, rest = self._split(data, marks, is_final=is_final)
        self._unfinished[name] = rest
        if not stretches:
            return []
        size_bytes = sum([stretch.size_bytes() for stretch in stretches])
        if size_bytes > self._limit_bytes - _RECORD_BYTES:
            return self._add_large(name, at_us, data.removesuffix(rest))
        lines = self._make_room(size_bytes)
        self._write(name, at_us, stretches)
        return lines

    def _add_large(self, name: str, at_us: int, data: bytes) -> list[bytes]:
        """Add data too large for one message in slices that fit, cut between characters."""
        lines: list[bytes] = []
        step = (self._limit_bytes - _RECORD_BYTES) // _MAX_EXPANSION - 4
        carried = b""
        for start in range(0, len(data), step):
            is_last = start + step >= len(data)
            slice_ = carried + data[start : start + step]
            stretches, carried = self._split(slice_, _MARKS[name], is_final=is_last)
            lines += self._make_room(sum(stretch.size_bytes() for stretch in stretches))
            self._write(name, at_us, stretches)
        return lines

    def _write_row(self, stretches: list[tuple[int, Stretch]]) -> None:
        for at_us, stretch in stretches:
            self._write("out", at_us, [stretch])

    def _write(self, name: str, at_us: int, stretches: list[Stretch]) -> None:
        payload = self._payload
        if payload.first_ms is None and self._window is not None:
            payload.add_window(Window(at_us, self._window.columns, self._window.rows))
        stream = payload.input if name == "in" else payload.output
        payload.add_stretches(stream, at_us, stretches, is_stderr=name == "err")

    def _make_room(self, size_bytes: int) -> list[bytes]:
        if self._payload.is_empty or self._payload.size_bytes + size_bytes <= self._limit_bytes:
            return []
        return [self._render(None)]

    def _chain(self, messages: list[tuple[int, bytes, bytes, bytes]]) -> list[bytes]:
        """Return messages that hold nothing but output as lines."""
        window = self._window
        record = b"" if window is None else b"=%dx%d" % (window.columns, window.rows)
        lines, self._prev = chain_lines(
            messages, self._head, self._id, self._started_ms, record, self._prev or ""
        )
        self._id += len(lines)
        self.written_bytes += sum(map(len, lines))
        return lines

    def _render(self, end: End | None) -> bytes:
        payload = self._payload
        member = make_member(self._prev, payload, self._start if self._id == 1 else None, end)
        self._payload = Payload()
        content = payload.content()
        time_ms = self._started_ms + content.first_ms
        line = render_line(self._head, self._id, time_ms, content, member)
        self._prev = digest_of_line(line)
        self._id += 1
        self.written_bytes += len(line)
        return line
