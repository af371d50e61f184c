"""The cutter's short way for output."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from steno.formats.cutter import Cutter, Identity
from steno.model import End, Input, Output, Start, Window

IDENTITY = Identity("host", "rec", "user", "xterm", 7, Start("user", "host", 10**15, "steno test"))
text = st.text(st.characters(codec="utf-8"), max_size=200).map(str.encode)
data = st.one_of(text, st.binary(max_size=200), text.map(lambda one: one[:-1]))
pieces = st.lists(
    st.one_of(
        st.builds(Output, st.integers(0, 5000), data, st.booleans()),
        st.builds(Output, st.integers(0, 5000), data),
        st.builds(Input, st.integers(0, 5000), data),
        st.builds(Window, st.integers(0, 5000), st.integers(1, 200), st.integers(1, 90)),
    ),
    max_size=25,
)


@given(pieces, st.integers(256, 1500))
def test_gives_the_same_lines(given_pieces: list[Output | Input | Window], limit: int) -> None:
    """Whatever comes, in whatever mixture, `add_output` gives byte for byte what `add` gives."""
    long_way, short_way = (Cutter(IDENTITY, limit_bytes=limit) for _ in range(2))
    expected: list[bytes] = []
    lines: list[bytes] = []
    for piece in sorted(given_pieces, key=lambda piece: piece.at_us):
        expected += long_way.add(piece)
        if isinstance(piece, Output) and not piece.is_stderr:
            lines += short_way.add_output(piece.at_us, piece.data)
        else:
            lines += short_way.add(piece)
    assert lines + short_way.end(End("exit"), 6000) == expected + long_way.end(End("exit"), 6000)
