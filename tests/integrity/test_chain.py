"""A change to a recording is noticed, and named by line and byte."""

from __future__ import annotations

from pathlib import Path

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from steno.audit.trail import Lost, TrailEncoder, TrailEnd, TrailHead
from steno.formats.cutter import Cutter, Identity
from steno.integrity.chain import ChainState, ChainVerifier, verify_lines
from steno.model import End, Output, Start, digest_of_line
from steno.structs import decode_json

IDENTITY = Identity("web01", "r-1", "avery", "xterm", 7, Start("avery", "web01", 1, "steno test"))


def make_lines(count: int, rec: str = "r-1") -> list[bytes]:
    """Return a recording of `count` lines."""
    cutter = Cutter(Identity("web01", rec, "avery", "xterm", 7, IDENTITY.start))
    lines = []
    for i in range(count - 1):
        cutter.add(Output(i * 1000, b"line %d\r\n" % i))
        line = cutter.cut()
        assert line
        lines.append(line)
    return lines + cutter.end(End("exit", 0), count * 1000)


def test_a_whole_recording_is_complete() -> None:
    """An untouched recording with its end verifies to the last line."""
    verdict = verify_lines(make_lines(5))
    assert (verdict.state, verdict.lines, verdict.broken_line) == ("complete", 5, None)


def test_a_recording_without_its_end_is_verified_so_far() -> None:
    """A live or cut off recording is good up to here, and no more is claimed."""
    assert verify_lines(make_lines(5)[:3]).state == "so_far"
    assert verify_lines([]).state == "so_far"


@given(st.integers(0, 4), st.data())
def test_any_flipped_bit_is_noticed(index: int, data: st.DataObject) -> None:
    """One flipped bit in any line but the last breaks the chain there, or at the next line."""
    lines = make_lines(6)
    at = data.draw(st.integers(0, len(lines[index]) - 1))
    flipped = bytearray(lines[index])
    flipped[at] ^= 1 << data.draw(st.integers(0, 7))
    verdict = verify_lines([*lines[:index], bytes(flipped), *lines[index + 1 :]])
    assert verdict.state in ("broken", "unchained")
    if verdict.state == "broken":
        assert verdict.broken_line in (index + 1, index + 2)


@given(st.permutations(range(6)))
def test_any_other_order_is_noticed(order: list[int]) -> None:
    """Lines in another order than written never verify."""
    lines = make_lines(6)
    verdict = verify_lines([lines[i] for i in order])
    assert (verdict.state == "complete") == (order == sorted(order))


@given(st.integers(0, 4))
def test_a_missing_line_is_noticed(index: int) -> None:
    """Leaving a line out breaks the chain where it stood, by line and byte."""
    lines = make_lines(6)
    verdict = verify_lines([*lines[:index], *lines[index + 1 :]])
    assert verdict.state == "broken"
    assert verdict.broken_line == index + 1
    assert verdict.broken_offset_bytes == sum(map(len, lines[:index]))
    assert verdict.lines == index


def test_foreign_extra_and_torn_lines_are_noticed() -> None:
    """A line of another recording, one after the end, a torn one: each is named."""
    lines, foreign = make_lines(3), make_lines(3, rec="r-2")
    assert "belongs to" in (verify_lines([lines[0], foreign[1]]).reason or "")
    assert "after the recording's end" in (verify_lines([*lines, lines[2]]).reason or "")
    assert "torn" in (verify_lines([lines[0], lines[1][:-1]]).reason or "")
    assert "not a message" in (verify_lines([lines[0], b"{}\n"]).reason or "")


def test_stock_recordings_are_unchained(tlog_recordings: Path) -> None:
    """Stock recordings have no chain, and none is claimed."""
    lines = (tlog_recordings / "02-vim-edit.log").read_bytes().splitlines(keepends=True)
    assert verify_lines(lines).state == "unchained"


def test_stripping_the_chain_from_later_lines_is_noticed(tlog_recordings: Path) -> None:
    """A chained recording cannot go on with unchained lines."""
    stock = (tlog_recordings / "02-vim-edit.log").read_bytes().splitlines(keepends=True)
    assert verify_lines([*make_lines(4)[:2], stock[2]]).state == "broken"


def test_what_is_known_from_before_must_still_be_so() -> None:
    """Lines cut off at the end, and a chain made anew, are noticed by who knew the old one."""
    lines = make_lines(6)
    known = verify_lines(lines[:5])
    assert verify_lines(lines, known).state == "complete"
    cut = verify_lines(lines[:3], known)
    assert (cut.state, cut.lines, cut.broken_line) == ("broken", 3, 4)
    assert cut.broken_offset_bytes == len(b"".join(lines[:3]))
    assert "2 lines that came in are missing" in (cut.reason or "")
    cutter = Cutter(IDENTITY)
    forged = []
    for i in range(5):
        cutter.add(Output(i * 1000, b"forged %d\r\n" % i))
        line = cutter.cut()
        assert line
        forged.append(line)
    assert verify_lines(forged).state == "so_far"
    anew = verify_lines(forged, known)
    assert (anew.state, anew.lines, anew.head, anew.broken_line) == ("broken", 0, None, 1)
    assert "not those that came in" in (anew.reason or "")


def test_the_first_fault_stays_the_verdict() -> None:
    """An altered line is named even where the rest is cut off too."""
    lines = make_lines(6)
    known = verify_lines(lines)
    altered = [lines[0], lines[1].replace(b"line 1", b"line 9"), *lines[2:4]]
    verdict = verify_lines(altered, known)
    assert (verdict.broken_line, verdict.reason) == (
        3,
        "the line before it is not the one that was written",
    )


def make_trail() -> list[bytes]:
    """Return the lines of an audit trail."""
    encoder = TrailEncoder()
    head = TrailHead("trail-1", "web1", "0" * 32, 1, "steno")
    items = [head, Lost(2, 1, "gap", 7, 7), Lost(3, 2, "behind"), TrailEnd(4, "stopped")]
    return [encoder.encode(item) for item in items]


def test_a_trail_is_a_chain_too() -> None:
    """An audit trail is verified like a recording: whole, so far, altered, cut out of, added to."""
    lines = make_trail()
    assert verify_lines(lines).state == "complete"
    assert verify_lines(lines).head == digest_of_line(lines[-1])
    assert verify_lines(lines[:3]).state == "so_far"
    for number in range(3):
        altered = lines[number].replace(b"{", b"{ ", 1)
        verdict = verify_lines([*lines[:number], altered, *lines[number + 1 :]])
        assert (verdict.state, verdict.broken_line) == ("broken", number + 2)
        verdict = verify_lines([*lines[:number], *lines[number + 1 :]])
        assert verdict.state == "broken"
    assert verify_lines([*lines, lines[1]]).state == "broken"
    assert verify_lines([*lines[:3], make_lines(1)[0]]).state == "broken"
    assert verify_lines([*lines[:2], lines[0]]).state == "broken"


@given(st.integers(0, 4))
def test_a_trails_verifier_goes_on_where_another_stood(cut: int) -> None:
    """What a verifier knows of a trail can be kept, and another one come to the same verdict."""
    lines = make_trail()
    first = ChainVerifier()
    for line in lines[:cut]:
        first.feed(line)
    second = ChainVerifier(decode_json(msgspec.json.encode(first.state()), ChainState))
    for line in lines[cut:]:
        second.feed(line)
    assert second.verification() == verify_lines(lines)
