"""tlog's messages, one JSON object a line, and Steno's member in them.

Source: tlog 12.1, doc/log_format.md and lib/tlog/json_sink.c (key order, escapes) and
json_msg.c (what a reader accepts). The `steno` member: docs/formats/steno.md.
"""

from __future__ import annotations

from typing import Any

import msgspec

from steno.errors import FormatError
from steno.formats import _encoding
from steno.formats.charset import Charset, find_charset
from steno.formats.lines import MAX_LINE_BYTES, Line, LineSplitter
from steno.formats.payload import MAX_AT_MS, Content, Payload, read_pieces, split_stderr
from steno.formats.stretches import escape_text
from steno.model import Damage, End, Message, Note, Piece, Start, digest_of_line
from steno.structs import json_decoder

VERSION = "2.3"
MEMBER_VERSION = 1
_MAX_SESSION = 4294967295
_MAX_TIME_S = 253402300799


class NoteRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """A note as it stands in the `steno` member; `at` is milliseconds since the start."""

    at: int
    kind: str
    facts: dict[str, Any] = {}


class Member(msgspec.Struct, frozen=True, omit_defaults=True):
    """The `steno` member: the chain, the facts, the notes."""

    v: int
    prev: str | None = None
    start: Start | None = None
    end: End | None = None
    notes: list[NoteRecord] = []
    stderr: list[tuple[int, int]] = []


class _Line(msgspec.Struct, frozen=True):
    ver: str | int | float
    host: str
    user: str
    term: str
    session: int
    id: int
    pos: int
    timing: str
    in_bin: list[int]
    out_bin: list[int]
    rec: str = ""
    time: float | None = None
    in_txt: str = ""
    out_txt: str = ""
    steno: Member | None = None


_decode_line = json_decoder(_Line)

_STENO = b',"steno":'
_ANY = "0" * 64
_BEFORE, _AFTER = msgspec.json.encode(Member(MEMBER_VERSION, _ANY)).split(_ANY.encode())
_CHAINED = _STENO + _BEFORE, _AFTER
"""The member of a message that says nothing but `prev`: what stands before that and behind it."""


def render_head(host: str, rec: str, user: str, term: str, session: int) -> bytes:
    """Return the beginning of all lines of a recording, up to the message's id."""
    return b'{"ver":"2.3","host":"%s","rec":"%s","user":"%s","term":"%s","session":%d,"id":' % (
        escape_text(host),
        escape_text(rec),
        escape_text(user),
        escape_text(term),
        session,
    )


def render_line(
    head: bytes, number: int, time_ms: int | None, content: Content, member: Member | None
) -> bytes:
    """Return one line: `head`, the message's id, times and payload, and the `steno` member."""
    steno = b"" if member is None else _STENO + msgspec.json.encode(member)
    return _encoding.render_line(head, number, -1 if time_ms is None else time_ms, content, steno)


def chain_lines(
    messages: list[tuple[int, bytes, bytes, bytes]],
    head: bytes,
    number: int,
    started_ms: int,
    window: bytes,
    prev: str,
) -> tuple[list[bytes], str]:
    """Render messages of output alone, each of which names the digest of the one before it.

    Args:
        messages: See stretches.Filled.whole.
        head: See render_head.
        number: The first one's id.
        started_ms: The recording's start, since 1970.
        window: What their timing begins with: a window's record, or nothing.
        prev: The digest of the line before the first one.

    Returns:
        The lines, and the digest of the last one.
    """
    return _encoding.chain_lines(
        messages, head, number, started_ms, window, _CHAINED, prev, digest_of_line
    )


def encode_message(message: Message) -> bytes:
    """Return `message` as a line, its newline included.

    The line of a message that `decode_message` made from a line of tlog's or Steno's is that line.
    """
    payload = Payload()
    payload.start_at(message.pos_ms)
    for piece in message.pieces:
        payload.add(piece)
    member = None
    if message.is_chained:
        member = make_member(message.prev, payload, message.start, message.end)
    head = render_head(message.host, message.rec, message.user, message.term, message.session)
    return render_line(head, message.id, message.time_ms, payload.content(), member)


def make_member(prev: str | None, payload: Payload, start: Start | None, end: End | None) -> Member:
    """Return the `steno` member of a message with this payload."""
    notes = [NoteRecord(note.at_us // 1000, note.kind, note.facts) for note in payload.notes]
    return Member(MEMBER_VERSION, prev, start, end, notes, payload.stderr)


def decode_message(line: bytes, charset: Charset | None = None) -> Message:
    """Return the message that `line` holds, with or without its newline.

    Its pieces hold UTF-8, and other bytes as they were; with the recording's `charset` they hold
    what the terminal had.

    Raises:
        FormatError: It is no message, or one of an unknown version, or not of this charset.
    """
    try:
        raw = _decode_line(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError(f"not a message: {error}") from error
    _check_ranges(raw)
    try:
        input_ = raw.in_txt, bytes(raw.in_bin)
        output = raw.out_txt, bytes(raw.out_bin)
    except (ValueError, OverflowError) as error:
        raise FormatError("in_bin and out_bin must hold bytes, 0 to 255") from error
    unconverted: dict[str, list[tuple[int, int]]] = {}
    pieces = read_pieces(raw.pos, raw.timing, input_, output, unconverted)
    member = raw.steno
    if member is not None and member.stderr:
        pieces = split_stderr(pieces, member.stderr)
    if charset is not None:
        pieces = charset.restore(pieces, unconverted)
    if member is not None:
        pieces = _insert_notes(pieces, member.notes)
    return Message(
        version=str(raw.ver),
        host=raw.host,
        rec=raw.rec,
        user=raw.user,
        term=raw.term,
        session=raw.session,
        id=raw.id,
        pos_ms=raw.pos,
        time_ms=None if raw.time is None else round(raw.time * 1000),
        pieces=tuple(pieces),
        prev=member.prev if member else None,
        is_chained=member is not None,
        start=member.start if member else None,
        end=member.end if member else None,
    )


class _Named(msgspec.Struct, frozen=True):
    id: int
    rec: str = ""


_decode_named = json_decoder(_Named)


def read_rec(line: bytes) -> str | None:
    """Return which recording a line says that it is of, quickly; None when it is no message.

    What this takes for a message, `decode_message` may still refuse.
    """
    try:
        return _decode_named(line).rec
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _check_ranges(raw: _Line) -> None:
    major, dot, minor = str(raw.ver).partition(".")
    if major not in ("1", "2") or (dot and not minor.isdecimal()):
        raise FormatError(f"unknown format version {raw.ver!r}; versions 1 to 2.x are known")
    if raw.steno is not None and raw.steno.v != MEMBER_VERSION:
        raise FormatError(f"unknown version {raw.steno.v} of the steno member")
    if not 1 <= raw.session <= _MAX_SESSION:
        raise FormatError(f"session {raw.session} is out of range")
    if raw.id < 0:
        raise FormatError("id must not be negative")
    if not 0 <= raw.pos <= MAX_AT_MS:
        raise FormatError(f"pos {raw.pos} is out of range")
    if raw.time is not None and not 0 <= raw.time <= _MAX_TIME_S:
        raise FormatError(f"time {raw.time} is out of range")
    if raw.steno and any(not 0 <= note.at <= MAX_AT_MS for note in raw.steno.notes):
        raise FormatError("a note's instant is out of range")


def _insert_notes(pieces: list[Piece], notes: list[NoteRecord]) -> list[Piece]:
    if not notes:
        return pieces
    merged: list[Piece] = [Note(note.at * 1000, note.kind, note.facts) for note in notes]
    # Stable: at one instant, what passed through the terminal stands before the notes on it.
    return sorted([*pieces, *merged], key=lambda piece: piece.at_us)


class Placed(msgspec.Struct, frozen=True):
    """A message and where it stands in the input.

    Attributes:
        line: The line's number, from 1.
        offset_bytes: Where the line begins.
        length_bytes: Its length, its newline included.
        message: The message.
    """

    line: int
    offset_bytes: int
    length_bytes: int
    message: Message

    def damaged(self, reason: str) -> Damage:
        """Return what says that the message in this place is no use."""
        return Damage(self.line, self.offset_bytes, self.length_bytes, reason)


class Decoder:
    """Turn bytes, however they were cut, into messages; name what is damaged and go on.

    Does no I/O. Lines of several recordings may be mixed; each message names its own.
    """

    def __init__(
        self, *, first_line: int = 1, offset_bytes: int = 0, is_original: bool = False
    ) -> None:
        """Begin at a line's beginning.

        Args:
            first_line: Its number.
            offset_bytes: Where it is in the input.
            is_original: Return what terminals with other charsets had, instead of UTF-8. Only for
                inputs that hold recordings from their first line on.
        """
        self._lines = LineSplitter(first_line=first_line, offset_bytes=offset_bytes)
        self._is_original = is_original
        self._charsets: dict[str, Charset] = {}

    def feed(self, data: bytes) -> list[Placed | Damage]:
        """Return what `data` completes."""
        return [item for line in self._lines.feed(data) for item in self._read_line(line)]

    def finish(self) -> list[Placed | Damage]:
        """Return what the input's end completes: a last line without its newline."""
        return [item for line in self._lines.finish() for item in self._read_line(line)]

    def _read_line(self, line: Line) -> list[Placed | Damage]:
        place = line.number, line.offset_bytes, line.length_bytes
        if line.data is None:
            return [Damage(*place, f"line is longer than {MAX_LINE_BYTES} bytes")]
        if not line.data.strip():
            return []
        try:
            return [Placed(*place, self._decode(line.data))]
        except FormatError as error:
            torn = "" if line.is_whole else "torn line: "
            return [Damage(*place, torn + error.reason)]

    def _decode(self, line: bytes) -> Message:
        message = decode_message(line)
        if not self._is_original:
            return message
        if message.start is not None and message.start.charset is not None:
            charset = find_charset(message.start.charset)
            if charset is not None:
                self._charsets[message.rec] = charset
        charset = self._charsets.get(message.rec)
        return message if charset is None else decode_message(line, charset)
