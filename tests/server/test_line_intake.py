"""Lines are taken in whole, however their bytes were cut, and each is accounted for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from steno.errors import FormatError
from steno.model import Damage
from steno.server.line_intake import LineIntake

LIMIT_BYTES = 8
LINES = st.lists(st.binary(max_size=12).map(lambda data: data.replace(b"\n", b"\0")), max_size=6)


def stand(intake: LineIntake) -> tuple[object, ...]:
    """Return all that an intake tells."""
    return intake.lines, intake.upto_bytes, intake.next_bytes, intake.chain.state()


@given(LINES, st.binary(max_size=12), st.lists(st.integers(0, 80), max_size=5))
def test_lines_come_alike_for_every_cut(lines: list[bytes], rest: bytes, cuts: list[int]) -> None:
    """The same lines, damages and places come out, in whatever pieces the bytes come."""
    data = b"".join(line + b"\n" for line in lines) + rest.replace(b"\n", b"\0")
    whole, pieces = LineIntake(limit_bytes=LIMIT_BYTES), LineIntake(limit_bytes=LIMIT_BYTES)
    expected = [*whole.feed(data), *whole.finish()]
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    found = [
        line
        for start, end in zip(edges, [*edges[1:], len(data)], strict=True)
        for line in pieces.feed(data[start:end])
    ]
    assert [*found, *pieces.finish()] == expected
    assert pieces.take_damages() == whole.take_damages()
    assert stand(pieces) == stand(whole)
    assert whole.upto_bytes == whole.next_bytes == len(data)


def test_a_line_is_in_hand_until_the_next_is_asked_for() -> None:
    """What is wrong with a line is noted at its own place, and it counts when it is done with."""
    intake = LineIntake()
    places = []
    for line in intake.feed(b"one\ntwo\nthr"):
        places.append((line, intake.lines, intake.upto_bytes))
        intake.add_damage(len(line), "bad")
    assert places == [(b"one\n", 1, 0), (b"two\n", 2, 4)]
    assert intake.take_damages() == [Damage(1, 0, 4, "bad"), Damage(2, 4, 4, "bad")]
    assert intake.take_damages() == []
    assert (intake.lines, intake.upto_bytes, intake.next_bytes) == (2, 8, 11)


def test_a_line_that_is_too_long_is_damage_and_costs_no_other() -> None:
    """It breaks the chain where it stands; the lines around it come."""
    intake = LineIntake(limit_bytes=LIMIT_BYTES)
    assert list(intake.feed(b"one\n123456789\ntwo\n")) == [b"one\n", b"two\n"]
    assert intake.take_damages() == [Damage(2, 4, 10, "line is longer than 8 bytes")]
    assert (intake.lines, intake.upto_bytes) == (3, 18)
    assert intake.chain.verification().state == "broken"


def test_a_torn_line_is_said_to_be_torn() -> None:
    """A last line without its newline comes as it is, and what is wrong with it says so."""
    intake = LineIntake()
    assert list(intake.feed(b"one\ntw")) == [b"one\n"]
    assert not intake.is_torn
    for line in intake.finish():
        intake.add_unreadable(line, FormatError("not a message"))
    assert intake.is_torn
    assert intake.take_damages() == [Damage(2, 4, 2, "torn line: not a message")]
    ended = LineIntake()
    assert list(ended.feed(b"one\n")) + list(ended.finish()) == [b"one\n"]
    assert not ended.is_torn


def test_an_intake_goes_on_where_another_stood() -> None:
    """Numbers, places and the chain go on as if there had been one intake."""
    whole, first = LineIntake(), LineIntake()
    data = b'{"prev":null,"trail":{"id":"trail-1"}}\n{"prev":"x"}\nmore\n'
    lines = list(whole.feed(data))
    cut = len(lines[0])
    assert list(first.feed(data[:cut])) == lines[:1]
    second = LineIntake(lines=first.lines, upto_bytes=first.upto_bytes, chain=first.chain.state())
    assert list(second.feed(data[second.next_bytes :])) == lines[1:]
    assert stand(second) == stand(whole)
