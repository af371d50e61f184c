"""Terminals with other charsets: UTF-8 in the messages, the original exactly recoverable."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steno.errors import FormatError, UsageError
from steno.formats.charset import CODECS, find_charset
from steno.formats.cutter import Cutter, Identity
from steno.formats.tlog import Decoder, Placed, decode_message
from steno.integrity.chain import verify_lines
from steno.model import End, Input, Output, Piece, Start

WORDS = {
    "ISO-8859-1": "Grüße, façade",
    "ISO-8859-2": "Zażółć gęślą jaźń",
    "ISO-8859-5": "Привет, мир",
    "ISO-8859-7": "Καλημέρα",
    "ISO-8859-8": "שלום",
    "ISO-8859-15": "5 € für Œuvre",
    "KOI8-R": "Привет, мир ─│┌",
    "KOI8-U": "Привіт, світе",
    "windows-1251": "Привет — мир",
    "IBM866": "Привет ░▒▓",
    "TIS-620": "สวัสดี",
    "EUC-JP": "日本語のテキスト、ﾊﾝｶｸ",
    "Shift_JIS": "日本語のテキスト、ﾊﾝｶｸ",
    "Windows-31J": "①②日本語㈱",
    "EUC-KR": "안녕하세요",
    "UHC": "안녕하세요 똠방각하",
    "GB2312": "你好, 世界",
    "GBK": "你好, 世界 鎔",
    "GB18030": "你好, 世界 😀 é",
    "Big5": "你好, 世界",
}


def _start(charset: str | None) -> Start:
    return Start("avery", "web1", 1_700_000_000_000_000, "t", charset=charset)


def _cut(charset: str | None, pieces: list[Piece], limit_bytes: int = 16384) -> list[bytes]:
    cutter = Cutter(
        Identity("web1", "r", "avery", "xterm", 7, _start(charset)), limit_bytes=limit_bytes
    )
    lines = [cutter.begin(0)]
    for piece in pieces:
        lines += cutter.add(piece)
    return lines + cutter.end(End("exit"), 10_000_000)


def _read(lines: list[bytes], *, is_original: bool) -> dict[str, bytes]:
    """Return what `in`, `out` and `err` hold."""
    streams = {"in": b"", "out": b"", "err": b""}
    decoder = Decoder(is_original=is_original)
    for item in decoder.feed(b"".join(lines)) + decoder.finish():
        assert isinstance(item, Placed)
        for piece in item.message.pieces:
            if isinstance(piece, Input):
                streams["in"] += piece.data
            elif isinstance(piece, Output):
                streams["err" if piece.is_stderr else "out"] += piece.data
    return streams


def _slice(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[low:high] for low, high in itertools.pairwise(edges)]


@pytest.mark.parametrize("name", WORDS)
def test_messages_hold_utf8_and_give_the_original_back(name: str) -> None:
    """Text in a terminal's charset can be read in the messages, and recovered byte for byte."""
    text = f"\x1b[1m{WORDS[name]}\x1b[0m\r\n"
    data = text.encode(CODECS[name])
    for size in (1, 2, 3, len(data)):
        pieces: list[Piece] = [
            Output(at * 1000, data[at : at + size]) for at in range(0, len(data), size)
        ]
        lines = _cut(name, pieces)
        assert _read(lines, is_original=False)["out"] == text.encode()
        assert _read(lines, is_original=True)["out"] == data
        assert verify_lines(lines).state == "complete"


def test_a_message_is_plain_tlog_that_others_can_read() -> None:
    """The text members hold the characters, the start names the charset."""
    lines = _cut("KOI8-R", [Output(0, "Привет".encode("koi8_r"))])
    first, last = (json.loads(line) for line in (lines[0], lines[-1]))
    assert first["steno"]["start"]["charset"] == "KOI8-R"
    assert last["out_txt"] == "Привет"
    assert last["timing"] == ">6"
    assert last["out_bin"] == []


def test_what_means_nothing_stands_as_bytes() -> None:
    """Bytes that the charset does not have are kept as they are, as tlog keeps them."""
    lines = _cut("ISO-8859-3", [Output(0, b"a\xa5\xc3b")])
    last = json.loads(lines[-1])
    assert last["out_txt"] == "a\ufffd\ufffdb"
    assert last["out_bin"] == [0xA5, 0xC3]


def test_bytes_that_look_like_utf8_are_not_taken_for_it() -> None:
    """Two bytes that the charset does not have, but UTF-8 has, come back as they were."""
    data = b"\xc3\xa5"
    lines = _cut("ISO-8859-3", [Output(0, data)])
    assert _read(lines, is_original=True)["out"] == data


def test_second_codes_of_a_character_come_back_as_they_were() -> None:
    """Where the charset has two codes for a character, that which was sent is kept."""
    data = b"\xed\x40-\xfa\x5c"  # both U+7E8A in Microsoft's Japanese charset
    assert data.decode("cp932") == "纊-纊"
    lines = _cut("Windows-31J", [Output(0, data)])
    assert _read(lines, is_original=True)["out"] == data


_PIECES = st.lists(
    st.tuples(st.sampled_from(["in", "out", "err"]), st.binary(max_size=40)), max_size=12
)


@pytest.mark.parametrize("name", CODECS)
@settings(max_examples=15)
@given(pieces=_PIECES, limit_bytes=st.sampled_from([256, 300, 16384]))
def test_any_bytes_come_back_exactly(
    name: str, pieces: list[tuple[str, bytes]], limit_bytes: int
) -> None:
    """Whatever bytes come, in whatever pieces and messages, the original is recovered exactly."""
    sent = {"in": b"", "out": b"", "err": b""}
    given_: list[Piece] = []
    for at_us, (stream, data) in enumerate(pieces):
        sent[stream] += data
        given_.append(
            Input(at_us, data) if stream == "in" else Output(at_us, data, stream == "err")
        )
    lines = _cut(name, given_, limit_bytes)
    assert _read(lines, is_original=True) == sent


@pytest.mark.parametrize("name", ["KOI8-R", "EUC-JP", "EUC-KR", "Shift_JIS", "GB18030", "Big5"])
@given(data=st.data())
def test_cuts_change_nothing(name: str, data: st.DataObject) -> None:
    """The same bytes give the same text and the same invalid bytes however they are cut."""
    text = st.text(max_size=20).map(lambda one: one.encode(CODECS[name], "ignore"))
    bytes_ = data.draw(st.lists(text | st.binary(max_size=6), max_size=6).map(b"".join))
    cuts = data.draw(st.lists(st.integers(0, 200), max_size=5))
    whole = _cut(name, [Output(0, bytes_)])
    pieces = [Output(0, part) for part in _slice(bytes_, cuts)]
    cut = _cut(name, [*pieces])
    assert _read(whole, is_original=False) == _read(cut, is_original=False)
    assert _read(cut, is_original=True)["out"] == bytes_


@pytest.mark.parametrize("name", CODECS)
def test_charsets_are_stateless_and_contain_ascii(name: str) -> None:
    """What the recovery rests on holds: ASCII is itself, characters are encoded one by one."""
    codec = CODECS[name]
    ascii_ = bytes(range(128))
    assert ascii_.decode(codec).encode() == ascii_
    characters = [
        char
        for char in map(chr, range(0xA0, 0x10000))
        if not 0xD800 <= ord(char) <= 0xDFFF and char.encode(codec, "ignore")
    ]
    together = "".join(characters).encode(codec)
    assert together == b"".join(char.encode(codec) for char in characters)


def test_large_pieces_are_cut_between_characters() -> None:
    """A flood in a multi-byte charset is cut into messages, each with whole characters."""
    data = ("日本語" * 20_000).encode("euc_jp")
    lines = _cut("EUC-JP", [Output(0, data)], 1024)
    assert all(len(line) < 2500 for line in lines)
    assert all('"out_bin":[]' in line.decode() for line in lines)
    assert _read(lines, is_original=True)["out"] == data


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("UTF-8", None),
        ("utf8", None),
        ("ANSI_X3.4-1968", None),
        ("iso88591", "ISO-8859-1"),
        ("ISO-8859-15", "ISO-8859-15"),
        ("latin1", "ISO-8859-1"),
        ("CP1251", "windows-1251"),
        ("eucJP", "EUC-JP"),
        ("SJIS", "Shift_JIS"),
        ("gb18030", "GB18030"),
        ("koi8-r", "KOI8-R"),
        ("RK1048", "KZ-1048"),
        ("CP949", "UHC"),
    ],
)
def test_charsets_go_by_the_names_that_locales_use(name: str, expected: str | None) -> None:
    """`locale charmap`'s words and IANA's are understood."""
    charset = find_charset(name)
    assert (charset.name if charset else None) == expected


@pytest.mark.parametrize(
    "name", ["ISO-2022-JP", "hz", "UTF-16", "UTF-7", "cp037", "klingon", "", "\0"]
)
def test_other_charsets_are_refused(name: str) -> None:
    """Charsets with shift states, those that do not contain ASCII and unknown ones are refused."""
    with pytest.raises(UsageError, match="not known; there are UTF-8, ISO-8859-1"):
        find_charset(name)


def test_a_message_of_another_charset_is_refused() -> None:
    """Text that the charset does not have was not made for it: that is an error, not a guess."""
    line = _cut(None, [Output(0, "日".encode())])[-1]
    with pytest.raises(FormatError, match="not in the recording's charset KOI8-R"):
        decode_message(line, find_charset("KOI8-R"))
