"""Bytes of a stream as a tlog message holds them: encoded, and still to be put into a message.

Source: tlog, doc/log_format.md; see payload for the members that these go into.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from steno.formats._encoding import encode

_REPLACEMENT = "\ufffd".encode()


class Stretch(msgspec.Struct, frozen=True, gc=False):
    """Bytes of one direction, encoded: runs of text and runs of bytes that are no text, in turns.

    Attributes:
        text: What stands in the text member, as the inside of a JSON string.
        binary: What stands in the binary member, as the inside of a JSON array.
        length_bytes: How many bytes of the stream this is.
        first: The first run's characters, and how many bytes of the binary member they stand for:
            0 for text.
        middle: The timing records of the runs between the first and the last.
        last: The same as `first` of the last run; no characters when there is only one run.
    """

    text: bytes
    binary: bytes
    length_bytes: int
    first: tuple[int, int]
    middle: str = ""
    last: tuple[int, int] = (0, 0)

    def size_bytes(self) -> int:
        """Return how much this adds to a message, its timing records included (at most)."""
        return len(self.text) + len(self.binary) + len(self.middle) + 32


def escape_text(text: str) -> bytes:
    """Return the inside of a JSON string for `text`, escaped as tlog does (DEL too).

    `text` holds no surrogates.
    """
    return encode(text.encode(), "  ", True)[0]


def split_stretches(data: bytes, marks: str, *, is_final: bool) -> tuple[list[Stretch], bytes]:
    """Encode `data`; return it, and the unfinished character at its end, if any.

    With `is_final`, an unfinished character counts as invalid, and nothing is left. `marks` are
    those of the direction's runs of text and of bytes, as in payload.Stream.
    """
    text, binary, used, first, middle, last = encode(data, marks, is_final)
    if not used:
        return [], data
    return [Stretch(text, binary, used, first, middle, last)], data[used:]


class Filled(NamedTuple):
    """Output that came in a row, encoded, as far as it fills messages; see cutter.Room.

    Attributes:
        first: What fills the message that is being made: stretches, each with its instant, in us.
        whole: Messages behind that: when each begins, in ms, its timing without a window, and the
            insides of its text and binary members.
    """

    first: list[tuple[int, Stretch]]
    whole: list[tuple[int, bytes, bytes, bytes]]


class Row(NamedTuple):
    """Output that came in a row, encoded, behind what filled messages.

    Attributes:
        rest: What goes into the message that is being made: stretches, each with its instant, in
            us.
        unfinished: The beginning of a character, behind that.
        length_bytes: How many bytes came, those that filled messages included.
    """

    rest: list[tuple[int, Stretch]]
    unfinished: bytes
    length_bytes: int


def text_stretch(text: str) -> Stretch:
    """Return `text` as a stretch of one run."""
    return Stretch(escape_text(text), b"", len(text.encode()), (len(text), 0))


def binary_stretch(data: bytes) -> Stretch:
    """Return `data` as a stretch of one run that is no text."""
    characters = len(data.decode("utf-8", "replace"))
    numbers = ",".join(map(str, data)).encode()
    return Stretch(_REPLACEMENT * characters, numbers, len(data), (characters, len(data)))
