"""Hypothesis strategies for pieces and recordings."""

from __future__ import annotations

from hypothesis import strategies as st

from steno.model import Input, Note, Output, Piece, Start, Window

texts = st.text(max_size=40).filter(lambda text: text.isprintable() or "\x1b" in text)
chunks = st.one_of(
    texts.map(str.encode),
    st.binary(max_size=40),
    st.sampled_from([b"\x1b[31m", b"\x7f\x00\r\n", "é€😀".encode(), b"\xe2\x82", b"\xf0\x9f"]),
).filter(bool)


@st.composite
def pieces_in_order(draw: st.DrawFn, *, with_notes: bool = True) -> list[Piece]:
    """Draw pieces whose instants never go back."""
    at_us = 0
    pieces: list[Piece] = []
    for _ in range(draw(st.integers(0, 12))):
        at_us += draw(st.sampled_from([0, 1, 999, 1000, 1001, 70_000, 5_000_000]))
        kind = draw(st.integers(0, 4 if with_notes else 3))
        if kind == 0:
            pieces.append(Input(at_us, draw(chunks)))
        elif kind == 1:
            size = draw(st.integers(1, 65535)), draw(st.integers(1, 65535))
            pieces.append(Window(at_us, *size))
        elif kind in (2, 3):
            pieces.append(Output(at_us, draw(chunks), kind == 3))
        else:
            facts = draw(st.dictionaries(st.sampled_from(["a_bytes", "b_ms"]), st.integers(0, 9)))
            pieces.append(Note(at_us, draw(st.sampled_from(["drop", "unseen"])), facts))
    return pieces


def make_start(**facts: object) -> Start:
    """Return a start's facts with those given."""
    base: dict[str, object] = {
        "user": "avery",
        "host": "web01",
        "started_unix_us": 1_790_000_000_123_456,
        "recorder": "steno test",
    }
    return Start(**(base | facts))  # type: ignore[arg-type]  # the names are Start's own
