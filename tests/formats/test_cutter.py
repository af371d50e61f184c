"""Pieces are cut into chained lines, and nothing of them is lost."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import make_start, pieces_in_order

from steno.errors import UsageError
from steno.formats.cutter import Cutter, Identity
from steno.formats.tlog import decode_message
from steno.integrity.chain import verify_lines
from steno.model import End, Input, Note, Output, Piece, Window

IDENTITY = Identity("web01", "r-1", "avery", "xterm", 7, make_start(uid=1501, command=["bash"]))


def cut_all(pieces: list[Piece], limit_bytes: int, cut_after: set[int]) -> list[bytes]:
    """Return the lines for `pieces`, cut also after the pieces numbered in `cut_after`."""
    cutter = Cutter(IDENTITY, limit_bytes=limit_bytes)
    lines: list[bytes] = []
    for i, piece in enumerate(pieces):
        lines += cutter.add(piece)
        if i in cut_after and (line := cutter.cut()):
            lines.append(line)
    end_us = pieces[-1].at_us if pieces else 0
    return lines + cutter.end(End("exit", 3, output_bytes=1), end_us)


def join(pieces: list[Piece], kind: type[Output | Input], *, is_stderr: bool = False) -> bytes:
    """Return all bytes of one stream."""
    return b"".join(
        p.data
        for p in pieces
        if isinstance(p, kind) and (is_stderr == (isinstance(p, Output) and p.is_stderr))
    )


@given(pieces_in_order(), st.sampled_from([256, 300, 16384]), st.sets(st.integers(0, 12)))
def test_no_byte_is_lost(pieces: list[Piece], limit_bytes: int, cuts: set[int]) -> None:
    """Every stream's bytes come back, in order, whatever the limit and the cuts."""
    read = [p for line in cut_all(pieces, limit_bytes, cuts) for p in decode_message(line).pieces]
    assert join(read, Output) == join(pieces, Output)
    assert join(read, Output, is_stderr=True) == join(pieces, Output, is_stderr=True)
    assert join(read, Input) == join(pieces, Input)
    assert [p for p in read if isinstance(p, Note)] == [
        Note(p.at_us // 1000 * 1000, p.kind, p.facts) for p in pieces if isinstance(p, Note)
    ]


@given(st.binary(min_size=1, max_size=5000), st.sampled_from([256, 1000, 16384]))
@example(b"\xff\x00" * 2500, 16384)  # what takes most: bytes and control characters by turns
@example(b"\xff\xff\x1b" * 1500, 4096)
def test_no_message_exceeds_its_limit(data: bytes, limit_bytes: int) -> None:
    """A message's payload stays within the limit, however large a piece is."""
    bare = len(cut_all([], limit_bytes, set())[0])
    for line in cut_all([Window(0, 80, 24), Output(5, data)], limit_bytes, set()):
        assert len(line) <= limit_bytes + bare + 120


@given(pieces_in_order(), st.sampled_from([256, 16384]), st.sets(st.integers(0, 12)))
def test_lines_form_a_complete_chain(pieces: list[Piece], limit_bytes: int, cuts: set[int]) -> None:
    """What the cutter writes verifies from the first line to the end facts."""
    lines = cut_all(pieces, limit_bytes, cuts)
    verdict = verify_lines(lines)
    assert (verdict.state, verdict.lines) == ("complete", len(lines))


def test_positions_never_go_back() -> None:
    """A message's first instant is never before the last of the message before it."""
    cutter = Cutter(IDENTITY)
    lines = cutter.add(Output(1_000, b"\xe2"))
    lines += cutter.add(Input(5_000_000, b"x"))
    line = cutter.cut()
    assert line
    lines += [line, *cutter.end(End("exit", 0), 6_000_000)]
    positions = [decode_message(line).pos_ms for line in lines]
    assert positions == sorted(positions)


def test_a_character_split_over_reads_and_messages_stays_whole() -> None:
    """A character whose bytes come apart is recorded as one character, when it is complete."""
    cutter = Cutter(IDENTITY)
    assert cutter.add(Output(0, b"a\xe2")) == []
    first = cutter.cut()
    assert first
    cutter.add(Output(2_000_000, b"\x82\xacb"))
    second = cutter.cut()
    assert second
    assert b'"out_txt":"a","out_bin":[]' in first
    assert '"out_txt":"€b","out_bin":[]'.encode() in second


def test_every_message_begins_with_the_window() -> None:
    """A player that starts in the middle learns the window from any message with data."""
    lines = cut_all([Window(0, 80, 24), *[Output(i, b"x" * 50) for i in range(50)]], 300, set())
    for line in lines[:-1]:
        assert isinstance(decode_message(line).pieces[0], Window)


def test_start_and_end_facts_stand_in_the_first_and_last_message() -> None:
    """The first message holds the start's facts, the last the end's, and no other does."""
    lines = cut_all([Output(i, b"x" * 50) for i in range(50)], 300, set())
    messages = [decode_message(line) for line in lines]
    assert [m.start is not None for m in messages] == [True] + [False] * (len(messages) - 1)
    assert messages[0].start == IDENTITY.start
    assert messages[-1].end == End("exit", 3, output_bytes=1)
    assert [m.id for m in messages] == list(range(1, len(messages) + 1))


def test_a_cutter_goes_on_where_another_stopped() -> None:
    """After a restart, the next line continues the chain of the lines before it."""
    first = Cutter(IDENTITY)
    first.add(Output(0, b"before"))
    line = first.cut()
    assert line
    second = Cutter(IDENTITY, first_id=first.next_id, prev=first.prev)
    second.add(Note(5_000, "restart"))
    assert verify_lines([line, *second.end(End("exit", 0), 6_000)]).state == "complete"


def test_a_limit_too_small_is_refused() -> None:
    """A limit that could not hold a record is an error at once."""
    with pytest.raises(UsageError):
        Cutter(IDENTITY, limit_bytes=255)


def test_nothing_pending_means_no_line() -> None:
    """Cutting without anything pending writes nothing."""
    cutter = Cutter(IDENTITY)
    assert cutter.cut() is None
    assert cutter.pending_since_us is None
    cutter.add(Output(7_000, b"x"))
    assert cutter.pending_since_us == 7_000
