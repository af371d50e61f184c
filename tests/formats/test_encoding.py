"""The module in C that encodes a stream's bytes, against Python's own codecs."""

from __future__ import annotations

import json
import re
from codecs import utf_8_decode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from steno.formats._encoding import encode

_TEXT = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from('\x00\x1b\r\n"\\\x7fßあ😀')
)
_INVALID = st.sampled_from(
    [b"\xc0\x80", b"\xe0\x9f\xbf", b"\xed\xa0\x80", b"\xf0\x8f\xbf\xbf", b"\xf4\x90\x80", b"\xff"]
)
_BYTES = st.lists(st.one_of(_TEXT.map(str.encode), st.binary(max_size=40), _INVALID)).map(b"".join)


def reference(
    data: bytes, marks: str, is_final: bool
) -> tuple[bytes, bytes, int, tuple[int, int], str, tuple[int, int]]:
    """Do the same with Python's codecs, run by run."""
    text, used = utf_8_decode(data, "surrogateescape", is_final)
    if re.fullmatch(b"\xed[\xa0-\xbf]", data[used:]):
        # The beginning of a surrogate, which can become no character: only CPython waits for more.
        text, used = utf_8_decode(data, "surrogateescape", True)
    inside, binary = "", b""
    runs: list[tuple[int, int]] = []
    for match in re.finditer("([^\udc80-\udcff]+)|[\udc80-\udcff]+", text):
        if match[1]:
            inside += json.dumps(match[0], ensure_ascii=False)[1:-1].replace("\x7f", "\\u007f")
            runs.append((len(match[0]), 0))
        else:
            bad = match[0].encode("utf-8", "surrogateescape")
            replaced = bad.decode("utf-8", "replace")
            inside, binary = inside + replaced, binary + bad
            runs.append((len(replaced), len(bad)))
    middle = "".join(
        f"{marks[1]}{characters}/{size}" if size else f"{marks[0]}{characters}"
        for characters, size in runs[1:-1]
    )
    first = runs[0] if runs else (0, 0)
    numbers = ",".join(map(str, binary)).encode()
    return inside.encode(), numbers, used, first, middle, runs[-1] if len(runs) > 1 else (0, 0)


@given(_BYTES, st.sampled_from(["<[", ">]"]), st.booleans())
@example(b"", ">]", True)
@example(b"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\xed\x9f\xbf\xee\x80\x80", ">]", False)
@example(b"12345678\xe3\x81", ">]", False)
@example(b"12345678\xed\xa0", ">]", False)
@example(b"12345678\xe3\x81", ">]", True)
@example(b"\xff" * 3000 + b"x" * 1200 + b"\xff", ">]", True)
def test_encodes_as_the_codecs_do(data: bytes, marks: str, is_final: bool) -> None:
    """Whatever the bytes, the result is what decoding, splitting and escaping them gives."""
    assert encode(data, marks, is_final) == reference(data, marks, is_final)


@given(_TEXT, st.integers(0, 9))
def test_specials_at_any_place(text: str, before: int) -> None:
    """Text comes back from JSON wherever its special characters stand in a word."""
    escaped = encode(b"x" * before + text.encode(), ">]", True)[0]
    assert json.loads(b'"' + escaped + b'"') == "x" * before + text


@given(_BYTES, st.integers(0, 130), _BYTES, st.integers(100, 300), st.booleans())
@example(b"\xf0\x9f\x98\x80", 62, b"\xe3\x81", 200, True)
@example(b'"\x1b', 63, b"\x7f\\", 128, False)
def test_blocks_are_encoded_as_the_codecs_do(
    special: bytes, before: int, end: bytes, after: int, is_final: bool
) -> None:
    """In long data, too, it does not matter where anything stands."""
    data = b"x" * before + special + "ö\r\n".encode() * (after // 4) + b"y" * after + end
    assert encode(data, ">]", is_final) == reference(data, ">]", is_final)


def test_random_bytes_fit() -> None:
    """The worst mixtures of text and bytes stay within the room that is made for them."""
    for data in (b"a\xff" * 5000, b"\x1b" * 9999, b"\xff" * 9999, b"\x1b\xff" * 5000):
        assert encode(data, ">]", True) == reference(data, ">]", True)


@pytest.mark.parametrize("arguments", [("text", ">]", True), (b"", ">", True), (b"", ">]")])
def test_refuses_other_arguments(arguments: tuple[object, ...]) -> None:
    """Anything but bytes and two marks is a programming error, named as such."""
    with pytest.raises((TypeError, ValueError)):
        encode(*arguments)  # type: ignore[arg-type]
