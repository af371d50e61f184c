"""Recorded escape codes draw, and reach nothing beyond the screen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.cli.playing.sanitizer import Sanitizer

HARMLESS = [
    b"plain \xe2\x82\xac text\r\n\t\x07\x08",
    b"\x1b[1;31mred\x1b[0m",
    b"\x1b[2J\x1b[10;20H\x1b[K",
    b"\x1b[?1049h\x1b[?25l\x1b[?7h",
    b"\x1b(0lqk\x1b(B\x1b7\x1b8\x1bM",
    b"\x1b[3;20r\x1b[38;2;1;2;3m",
]
HARMFUL = [
    (b"\x1b]0;title\x07", b""),
    (b"\x1b]52;c;ZXZpbA==\x1b\\", b""),
    (b"\x1b]8;;http://evil/\x1b\\link\x1b]8;;\x1b\\", b"link"),
    (b"\x1bP$qm\x1b\\", b""),
    (b"\x1b_Gf=100;AAAA\x1b\\", b""),
    (b"\x1b^private\x1b\\", b""),
    (b"\x1b[c\x1b[>c\x1b[0c\x1b[=c", b""),
    (b"\x1b[5n\x1b[6n\x1b[?6n", b""),
    (b"\x1b[21t\x1b[8;100;100t", b""),
    (b"\x1b[?1000h\x1b[?1006h\x1b[?2004h\x1b[?1004h", b""),
    (b"\x1b[?25;1003h", b"\x1b[?25h"),
    (b"\x1b[>1u\x1b[=5u\x1b[?u", b""),
    (b"\x1b[>q", b""),
    (b"\x1b[?2026$p", b""),
    (b"\x1bZ\x05", b""),
    (b"\xc2\x9b6n", b"6n"),
    (b"\xc2\x90q data", b"q data"),
]


@pytest.mark.parametrize("data", HARMLESS)
def test_what_draws_is_let_through(data: bytes) -> None:
    """Text, colours, movements and drawing modes pass unchanged."""
    assert Sanitizer().feed(data) == data


@pytest.mark.parametrize(("data", "kept"), HARMFUL)
def test_what_reaches_beyond_the_screen_is_left_out(data: bytes, kept: bytes) -> None:
    """Titles, clipboard, links, queries, mouse and strings do not pass."""
    assert Sanitizer().feed(b"a" + data + b"b") == b"a" + kept + b"b"


@given(
    st.lists(st.sampled_from([*HARMLESS, *[data for data, _ in HARMFUL]]), max_size=8),
    st.data(),
)
def test_any_cut_gives_the_same(parts: list[bytes], data: st.DataObject) -> None:
    """A sequence cut in two is judged as a whole."""
    stream = b"".join(parts)
    whole = Sanitizer().feed(stream)
    sanitizer = Sanitizer()
    cut, at = b"", 0
    while at < len(stream):
        size = data.draw(st.integers(1, 6))
        cut += sanitizer.feed(stream[at : at + size])
        at += size
    assert cut == whole


@given(st.binary(max_size=300))
def test_nothing_that_asks_for_an_answer_ever_passes(data: bytes) -> None:
    """Whatever the bytes, no query, string or enquiry is among what passes."""
    kept = Sanitizer().feed(data)
    for start in (b"\x1b]", b"\x1bP", b"\x1b_", b"\x1b^", b"\x1bX", b"\x05", b"\x1b[c", b"\x1b[6n"):
        assert start not in kept


def test_a_full_reset_becomes_a_soft_one() -> None:
    """A full reset would undo what the player set up on its terminal."""
    assert Sanitizer().feed(b"\x1bc") == b"\x1b[!p\x1b[2J\x1b[H"
