"""Verify a recording's or a trail's chain: every line names the digest of the line before it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from steno.model import Verification, digest_of_line
from steno.structs import json_decoder


class _Link(msgspec.Struct, frozen=True):
    prev: str | None = None
    end: dict[str, object] | None = None


class _Trail(msgspec.Struct, frozen=True):
    id: str


class _Line(msgspec.Struct, frozen=True):
    id: int | None = None
    rec: str = ""
    steno: _Link | None = None
    # A trail's lines (docs/formats/trail.md) are nothing but links.
    prev: str | None = None
    trail: _Trail | None = None
    end: dict[str, object] | None = None


_decode_line = json_decoder(_Line)


class ChainState(msgspec.Struct, frozen=True):
    """Where a ChainVerifier stands, to be kept and given to another one later."""

    lines: int = 0
    good: int = 0
    offset_bytes: int = 0
    head: str | None = None
    rec: str | None = None
    is_chained: bool | None = None
    has_end: bool = False
    broken: tuple[int, int, str] | None = None
    is_trail: bool = False


class ChainVerifier:
    """Take one recording's or trail's lines in order; say how far they are what was written.

    A recording without any `steno` member (stock tlog's) is `unchained`: nothing can be said.
    After the first bad line the verdict stays.
    """

    def __init__(self, state: ChainState | None = None) -> None:
        """Begin before the first line, or go on from where another verifier stood."""
        state = state or ChainState()
        self._lines = state.lines
        self._good = state.good
        self._offset_bytes = state.offset_bytes
        self._head = state.head
        self._rec = state.rec
        self._is_chained = state.is_chained
        self._has_end = state.has_end
        self._broken = state.broken
        self._is_trail = state.is_trail

    def state(self) -> ChainState:
        """Return where this verifier stands."""
        return ChainState(
            lines=self._lines,
            good=self._good,
            offset_bytes=self._offset_bytes,
            head=self._head,
            rec=self._rec,
            is_chained=self._is_chained,
            has_end=self._has_end,
            broken=self._broken,
            is_trail=self._is_trail,
        )

    def feed(self, line: bytes) -> None:
        """Take the next line, with its newline."""
        self._lines += 1
        if self._broken is None:
            reason = self._find_fault(line)
            if reason is None:
                self._good += 1
                self._head = digest_of_line(line)
            else:
                self._broken = self._lines, self._offset_bytes, reason
        self._offset_bytes += len(line)

    def verification(self) -> Verification:
        """Return the verdict on the lines so far."""
        if self._broken is not None:
            number, offset_bytes, reason = self._broken
            return Verification("broken", self._good, self._head, number, offset_bytes, reason)
        if not self._is_chained:
            return Verification("unchained" if self._lines else "so_far", self._good, self._head)
        return Verification("complete" if self._has_end else "so_far", self._good, self._head)

    def feed_all(self, lines: Iterable[bytes], known: Verification | None = None) -> None:
        """Take all of a recording's lines, from the first on; they must agree with `known`.

        Lines that were all written anew, or cut off at the end, are a chain in themselves: only
        who remembers the old one's length and head notices. More lines may have come since then.
        """
        for line in lines:
            self.feed(line)
            if known is not None and self._lines == known.lines:
                self._compare(known)
        if known is not None and self._lines < known.lines:
            self._compare(known)

    def break_off(self, reason: str) -> None:
        """Take note that the next line cannot be had; changes nothing about a broken chain."""
        if self._broken is None:
            self._broken = self._good + 1, self._offset_bytes, reason

    def _compare(self, known: Verification) -> None:
        gone = known.lines - self._good
        if gone > 0:
            self.break_off(f"{gone} {'line' if gone == 1 else 'lines'} that came in are missing")
        elif self._head != known.head and self._broken is None:
            self._broken = 1, 0, f"lines 1 to {self._good} are not those that came in"
            self._good, self._head = 0, None

    def _find_fault(self, line: bytes) -> str | None:
        if not line.endswith(b"\n"):
            return "the line is torn: its newline is missing"
        try:
            # Members that are of no interest here are not decoded, and must be text as well.
            line.decode()
            message = _decode_line(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return f"not a message: {error}"
        if self._is_chained is None:
            self._is_trail = message.trail is not None
            self._is_chained = self._is_trail or message.steno is not None
            self._rec = message.trail.id if message.trail is not None else message.rec
        return self._find_trail_break(message) if self._is_trail else self._find_break(message)

    def _find_trail_break(self, line: _Line) -> str | None:
        if line.id is not None:
            return "a message among an audit trail's lines"
        if line.trail is not None and self._good:
            return f"the beginning of trail {line.trail.id}"
        if self._has_end:
            return "a line after the trail's end"
        if line.prev != self._head:
            return "the line before it is not the one that was written"
        self._has_end = line.end is not None
        return None

    def _find_break(self, message: _Line) -> str | None:
        if message.id is None:
            return "not a message: it has no `id`"
        if message.rec != self._rec:
            return f"the line belongs to recording {message.rec}"
        if not self._is_chained:
            return "a chained line among unchained ones" if message.steno else None
        if message.steno is None:
            return "the line has no chain member"
        if self._has_end:
            return "a line after the recording's end"
        if message.id != self._good + 1:
            return f"message {message.id} stands where {self._good + 1} belongs"
        if message.steno.prev != self._head:
            return "the line before it is not the one that was written"
        self._has_end = message.steno.end is not None
        return None


def verify_lines(lines: Iterable[bytes], known: Verification | None = None) -> Verification:
    """Return the verdict on one recording's lines, in order, newlines included.

    Args:
        lines: The lines.
        known: An earlier verdict on them, with which they must agree; more may have come since.
    """
    verifier = ChainVerifier()
    verifier.feed_all(lines, known)
    return verifier.verification()


def verify_stream(pieces: Iterable[bytes], known: Verification | None = None) -> Verification:
    """Return the verdict on one recording whose bytes come in pieces, however cut.

    `known` is an earlier verdict on it; see `verify_lines`.
    """
    return verify_lines(join_lines(pieces), known)


def join_lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines that `pieces` hold, newlines included; a torn last one comes without."""
    rest = bytearray()
    for piece in pieces:
        start = 0
        while (end := piece.find(b"\n", start)) >= 0:
            rest += piece[start : end + 1]
            yield bytes(rest)
            rest.clear()
            start = end + 1
        rest += piece[start:]
    if rest:
        yield bytes(rest)
