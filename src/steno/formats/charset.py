"""Terminals that do not speak UTF-8: their bytes to UTF-8 in messages, and exactly back.

Text of a message is text in the terminal's charset when it is encoded in that again; what would not
come out as it was (bytes that mean nothing, second codes of one character) stands in the message
as bytes. docs/formats/steno.md, "Other charsets". Does no I/O.

Only charsets without shift states are known, in which bytes below 128 are ASCII and characters are
encoded one by one; so text may be cut anywhere between characters.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Sequence
from encodings.aliases import aliases

from steno.errors import FormatError, UsageError
from steno.formats.stretches import Stretch, binary_stretch, text_stretch
from steno.model import Input, Output, Piece

_ISO = {f"ISO-8859-{part}": f"iso8859_{part}" for part in range(1, 17) if part != 12}
_IBM = (437, 720, 737, 775, 850, 852, 855, 857, 858, 860, 861, 862, 863, 865, 866, 869, 1125)
_WINDOWS = range(1250, 1259)
CODECS = {
    **_ISO,
    "ISO-8859-1": "latin_1",
    "KOI8-R": "koi8_r",
    "KOI8-U": "koi8_u",
    "KOI8-T": "koi8_t",
    "KZ-1048": "kz1048",
    "PTCP154": "ptcp154",
    "TIS-620": "tis_620",
    "hp-roman8": "hp_roman8",
    "macintosh": "mac_roman",
    **{f"IBM{number}": f"cp{number}" for number in _IBM},
    **{f"windows-{number}": f"cp{number}" for number in _WINDOWS},
    "windows-874": "cp874",
    "EUC-JP": "euc_jp",
    "Shift_JIS": "shift_jis",
    "Windows-31J": "cp932",
    "EUC-KR": "euc_kr",
    "UHC": "cp949",
    "GB2312": "gb2312",
    "GBK": "gbk",
    "GB18030": "gb18030",
    "Big5": "big5",
    "CP950": "cp950",
}
"""Names of charsets (IANA's, where it has one) and of Python's codecs for them."""
_UTF_8 = ("utf_8", "ascii")
_MAX_CHARACTER_BYTES = 8
_PLAIN_OR_NOT = re.compile("(?P<plain>[^\ud800-\udfff]+)|[\ud800-\udfff]+")


def _plain(name: str) -> str:
    """Return what counts in a charset's name."""
    return re.sub("[-_ .:]", "", name.lower())


_NAMES = (
    {
        _plain(alias): codec
        for alias, codec in aliases.items()
        if codec in {*CODECS.values(), *_UTF_8}
    }
    | {_plain(codec): codec for codec in (*CODECS.values(), *_UTF_8)}
    | {_plain(name): codec for name, codec in CODECS.items()}
)
"""What charsets are called, by locales too."""


class Charset:
    """What a terminal speaks.

    Attributes:
        name: In IANA's words.
    """

    def __init__(self, name: str, codec: str) -> None:
        """Use `find_charset`."""
        self.name = name
        self._codec = codec
        self._make_decoder = codecs.getincrementaldecoder(codec)

    def split_stretches(
        self, data: bytes, _marks: str, *, is_final: bool
    ) -> tuple[list[Stretch], bytes]:
        """Encode `data` for a message; return it and the unfinished character at its end.

        With `is_final`, an unfinished character stands as bytes, and nothing is left.
        """
        text, rest = self._decode(data, is_final=is_final)
        known = data[: len(data) - len(rest)]
        if self._is_exact(text, known):
            return ([text_stretch(text)] if text else []), rest
        return _join(self._pick(text, known)), rest

    def to_utf8(self, data: bytes, *, is_final: bool) -> tuple[bytes, bytes]:
        """Return `data` in UTF-8, and the unfinished character at its end."""
        text, rest = self._decode(data, is_final=is_final)
        return text.encode("utf-8", "surrogateescape"), rest

    def encode(self, text: str) -> bytes:
        """Return the bytes of text that a message holds.

        Raises:
            FormatError: The charset has no such character: the message was not made for it.
        """
        try:
            return text.encode(self._codec)
        except UnicodeEncodeError as error:
            bad = text[error.start : error.end]
            raise FormatError(f"{bad!r} is not in the recording's charset {self.name}") from error

    def restore(
        self, pieces: Iterable[Piece], raw: dict[str, list[tuple[int, int]]]
    ) -> list[Piece]:
        """Return `pieces` with the bytes that the terminal had.

        Args:
            pieces: A message's, with UTF-8 in them.
            raw: For `in` and `out`, which bytes stood as bytes in the message: offset and length.
        """
        restored: list[Piece] = []
        at = {"in": 0, "out": 0}
        for piece in pieces:
            if not isinstance(piece, (Input, Output)):
                restored.append(piece)
                continue
            name = "in" if isinstance(piece, Input) else "out"
            data = self._restore(piece.data, at[name], raw[name])
            at[name] += len(piece.data)
            if isinstance(piece, Input):
                restored.append(Input(piece.at_us, data))
            else:
                restored.append(Output(piece.at_us, data, piece.is_stderr))
        return restored

    def _decode(self, data: bytes, *, is_final: bool) -> tuple[str, bytes]:
        """Return text, in which lone surrogates stand for bytes, and the unfinished rest."""
        decoder = self._make_decoder("surrogateescape")
        text = decoder.decode(data, is_final)
        rest = decoder.getstate()[0]
        while is_final and rest:
            # A decoder that finds an unfinished character bad at its first byte keeps the others.
            decoder = self._make_decoder("surrogateescape")
            text += decoder.decode(rest, final=True)
            rest = decoder.getstate()[0]
        return text, rest

    def _restore(self, data: bytes, offset: int, raw: Sequence[tuple[int, int]]) -> bytes:
        parts: list[bytes] = []
        end, done = offset + len(data), offset
        for begin, length in raw:
            low, high = max(begin, offset), min(begin + length, end)
            if low < high:
                parts.append(self.encode(data[done - offset : low - offset].decode()))
                parts.append(data[low - offset : high - offset])
                done = high
        parts.append(self.encode(data[done - offset :].decode()))
        return b"".join(parts)

    def _is_exact(self, text: str, data: bytes) -> bool:
        try:
            return text.encode(self._codec) == data
        except UnicodeEncodeError:
            return False

    def _pick(self, text: str, data: bytes) -> list[tuple[str, bytes]]:
        """Return (text, its bytes) pairs in order; text "" for what must stand as bytes."""
        at = 0
        picked: list[tuple[str, bytes]] = []
        for match in _PLAIN_OR_NOT.finditer(text):
            part = match[0]
            size = 0
            if match.lastgroup == "plain":
                encoded = part.encode(self._codec, "ignore")
                if self._is_exact(part, data[at : at + len(encoded)]):
                    picked.append((part, encoded))
                    at += len(encoded)
                    continue
            for character in part:
                size = self._size_of(character, data, at)
                raw = data[at : at + size]
                picked.append((character if self._is_exact(character, raw) else "", raw))
                at += size
        return picked

    def _size_of(self, character: str, data: bytes, at: int) -> int:
        """Return how many bytes of `data` at `at` were decoded to `character`."""
        if "\udc80" <= character <= "\udcff":
            return 1
        for size in range(1, _MAX_CHARACTER_BYTES + 1):
            if self._make_decoder("surrogateescape").decode(data[at : at + size]):
                return size
        return 1


def find_charset(name: str) -> Charset | None:
    """Return the charset of this name, as `locale charmap` or IANA have it; None for UTF-8.

    Raises:
        UsageError: It is not known, or is one with shift states.
    """
    codec = _NAMES.get(_plain(name))
    if codec is None:
        raise UsageError(f"charset {name!r}: not known; there are UTF-8, {', '.join(CODECS)}")
    if codec in _UTF_8:
        return None
    return Charset(next(known for known, its in CODECS.items() if its == codec), codec)


def name_charset(name: str | None) -> str | None:
    """Return what recordings call the charset of this name; None for UTF-8, the default.

    Raises:
        UsageError: As `find_charset` does.
    """
    charset = find_charset(name) if name is not None else None
    return None if charset is None else charset.name


def _join(picked: Iterable[tuple[str, bytes]]) -> list[Stretch]:
    """Return stretches, neighbours of one kind joined."""
    stretches: list[Stretch] = []
    text, raw = "", b""
    for part, data in picked:
        if part:
            if raw:
                stretches.append(binary_stretch(raw))
                raw = b""
            text += part
        else:
            if text:
                stretches.append(text_stretch(text))
                text = ""
            raw += data
    if text:
        stretches.append(text_stretch(text))
    if raw:
        stretches.append(binary_stretch(raw))
    return stretches
