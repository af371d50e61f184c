"""Timing files whose data stands in other files: the part that script(1) and sudo share."""

from __future__ import annotations

import re
from collections import deque

import msgspec

from steno.errors import FormatError
from steno.formats.track import MAX_AT_US
from steno.model import Damage, Piece

_SECONDS = re.compile(rb"([0-9]{1,12})(?:[.,]([0-9]{1,30}))?")
_ANNOUNCED_BYTES = 10**15


class Step(msgspec.Struct, frozen=True, gc=False):
    """Something that the timing file tells of.

    Attributes:
        at_us: Its instant.
        stream: The stream whose next bytes it is about, or "" when it is complete in itself.
        length_bytes: How many bytes of the stream.
        line: The timing file's line, from 1.
        piece: What it is, when it is complete in itself.
    """

    at_us: int
    stream: str
    length_bytes: int
    line: int
    piece: Piece | None = None


class Matched(msgspec.Struct, frozen=True, gc=False):
    """A step with its bytes."""

    step: Step
    data: bytes


class Delays:
    """Add up delays exactly, in nanoseconds, as both programs write them."""

    def __init__(self) -> None:
        self._now_ns = 0

    @property
    def at_us(self) -> int:
        """The instant reached."""
        return self._now_ns // 1000

    def add(self, text: bytes) -> int:
        """Add the delay that `text` writes as seconds; return the instant.

        Raises:
            FormatError: It is no number, or leads out of range; nothing was added.
        """
        match = _SECONDS.fullmatch(text)
        if not match:
            raise FormatError(f"{text[:40].decode(errors='replace')!r} is no time in seconds")
        fraction = (match[2] or b"")[:9].ljust(9, b"0")
        now_ns = self._now_ns + int(match[1]) * 10**9 + int(fraction)
        if now_ns > MAX_AT_US * 1000:
            raise FormatError(f"{text[:40].decode()} leads out of range")
        self._now_ns = now_ns
        return self.at_us


def read_length(text: bytes) -> int:
    """Return the number of bytes that `text` announces.

    Raises:
        FormatError: It is no number, or an absurd one.
    """
    if not text.isdigit() or len(text) > 20 or int(text) > _ANNOUNCED_BYTES:
        raise FormatError(f"{text[:40].decode(errors='replace')!r} is no number of bytes")
    return int(text)


class Matcher:
    """Bring steps and their bytes together, whichever comes first. Does no I/O."""

    def __init__(self) -> None:
        self._steps: deque[Step] = deque()
        self._data: dict[str, bytearray] = {}

    def add_step(self, step: Step) -> None:
        """Take in the timing file's next step."""
        self._steps.append(step)

    def add_data(self, stream: str, data: bytes) -> None:
        """Take in more bytes of `stream`."""
        self._data.setdefault(stream, bytearray()).extend(data)

    def take(self) -> list[Matched]:
        """Return the steps that are complete now, in order."""
        matched: list[Matched] = []
        while self._steps:
            step = self._steps[0]
            held = self._data.get(step.stream, b"")
            if step.stream and len(held) < step.length_bytes:
                break
            matched.append(self._match(self._steps.popleft()))
        return matched

    def take_rest(self, known: frozenset[str]) -> tuple[list[Matched], list[Damage]]:
        """Return the steps that are left, each with what there is, and say what is missing.

        Args:
            known: The streams that the recording has.
        """
        matched: list[Matched] = []
        missing: dict[str, tuple[int, int]] = {}
        while self._steps:
            found = self._match(self._steps.popleft())
            matched.append(found)
            lack = found.step.length_bytes - len(found.data)
            if lack:
                line, total = missing.get(found.step.stream, (found.step.line, 0))
                missing[found.step.stream] = (line, total + lack)
        damages = []
        for stream, (line, total) in missing.items():
            what = "is cut short" if stream in known else "is missing"
            reason = f"{stream} {what}: the timing tells of {total} bytes more"
            damages.append(Damage(line, 0, 0, reason))
        return matched, damages

    def rest(self, stream: str) -> bytes:
        """Take and return the bytes of `stream` that no step told of."""
        return bytes(self._data.pop(stream, b""))

    def _match(self, step: Step) -> Matched:
        held = self._data.get(step.stream) if step.stream else None
        if held is None:
            return Matched(step, b"")
        data = bytes(held[: step.length_bytes])
        del held[: step.length_bytes]
        return Matched(step, data)
