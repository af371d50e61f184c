"""The module in C that escapes text, against Python's own codecs."""

from __future__ import annotations

import json
from codecs import utf_8_decode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from steno.formats._escape import escape

_TEXT = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from('\x00\x1b\r\n"\\\x7fßあ😀')
)
_BYTES = st.one_of(
    st.binary(max_size=40), st.lists(_TEXT.map(str.encode) | st.binary(max_size=3)).map(b"".join)
)


def reference(data: bytes) -> tuple[bytes, int, int] | None:
    """Do the same in three steps."""
    try:
        text, used = utf_8_decode(data, "strict", False)
    except UnicodeDecodeError:
        return None
    inside = json.dumps(text, ensure_ascii=False)[1:-1].replace("\x7f", "\\u007f")
    return inside.encode(), len(text), used


@given(_BYTES)
@example(b"")
@example(b"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\xed\x9f\xbf\xee\x80\x80")
@example(b"12345678\xe3\x81")
def test_escapes_as_the_codecs_do(data: bytes) -> None:
    """Whatever the bytes, the result is what decoding, escaping and encoding them gives."""
    assert escape(data) == reference(data)


@given(_TEXT, st.integers(0, 9))
def test_specials_at_any_place(text: str, before: int) -> None:
    """Text comes back from JSON wherever its special characters stand in a word."""
    escaped = escape(b"x" * before + text.encode())
    assert escaped is not None
    assert json.loads(b'"' + escaped[0] + b'"') == "x" * before + text


@pytest.mark.parametrize(
    "data",
    [
        b"\xc0\x80",
        b"\xc1\xbf",
        b"\xe0\x9f\xbf",
        b"\xed\xa0\x80",
        b"\xf0\x8f\xbf\xbf",
        b"\xf4\x90\x80\x80",
    ],
)
def test_refuses_what_is_not_utf_8(data: bytes) -> None:
    """Overlong forms, surrogates and what lies beyond Unicode are no text, even cut short."""
    assert escape(data) is None
    assert escape(data[:2]) is None


def test_refuses_what_is_no_bytes() -> None:
    """Anything but bytes is a programming error, named as such."""
    with pytest.raises(TypeError):
        escape("text")  # type: ignore[arg-type]
