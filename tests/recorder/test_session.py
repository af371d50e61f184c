"""The session's logic: what comes in, which lines come out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.formats.cutter import Identity
from steno.formats.tlog import decode_message
from steno.integrity.chain import verify_lines
from steno.model import Input, Message, Note, Output, Start
from steno.recorder.echo import Echo
from steno.recorder.limit import Action, Limit
from steno.recorder.session import InputMode, Session, Settings

SECOND = 1_000_000
IDENTITY = Identity(
    "host", "rec", "user", "xterm", 7, Start("user", "host", 1_700_000_000 * SECOND, "steno test")
)


def decode(lines: list[bytes]) -> list[Message]:
    """Decode a whole recording, after checking its chain."""
    assert verify_lines(lines).state == "complete"
    return [decode_message(line) for line in lines]


def output(messages: list[Message]) -> bytes:
    """Return all output."""
    return b"".join(p.data for m in messages for p in m.pieces if isinstance(p, Output))


def notes(messages: list[Message], kind: str) -> list[Note]:
    """Return the notes of one kind."""
    found = [p for m in messages for p in m.pieces if isinstance(p, Note)]
    return [note for note in found if note.kind == kind]


def test_cuts_after_the_latency() -> None:
    """What passed waits for the latency, not longer; with nothing waiting nothing is due."""
    session = Session(IDENTITY, Settings(latency_us=SECOND))
    assert session.due_us is None
    assert session.take_output(5000, b"hello") == []
    assert session.due_us == 5000 + SECOND
    assert session.tick(SECOND) == []
    (line,) = session.tick(5000 + SECOND)
    assert output([decode_message(line)]) == b"hello"
    assert session.due_us is None


@given(st.lists(st.tuples(st.integers(0, 3 * SECOND), st.binary(min_size=1, max_size=5000))))
def test_drops_are_told(pieces: list[tuple[int, bytes]]) -> None:
    """Beyond a limit with `drop`, kept and dropped bytes add up, and the order is kept."""
    limit = Limit(1000, 4000, Action.DROP)
    session = Session(IDENTITY, Settings(limit=limit))
    lines: list[bytes] = []
    at_us = 0
    for wait_us, data in pieces:
        at_us += wait_us
        lines += session.tick(at_us) + session.take_output(at_us, data)
    messages = decode(lines + session.end(at_us, "exit", exit_status=0))
    dropped = sum(note.facts["output_bytes"] for note in notes(messages, "drop"))
    end = messages[-1].end
    assert end is not None
    assert len(output(messages)) + dropped == end.output_bytes == sum(len(d) for _, d in pieces)


def test_a_drop_is_told_while_it_lasts() -> None:
    """A live viewer learns of dropped bytes within the latency, although nothing else comes."""
    session = Session(IDENTITY, Settings(limit=Limit(1, 10, Action.DROP)))
    assert session.take_output(0, b"x" * 10) == []
    session.take_output(1000, b"y" * 10)
    (line,) = session.tick(SECOND)
    (note,) = notes([decode_message(line)], "drop")
    assert note.facts == {"output_bytes": 10, "from_ms": 1, "until_ms": 1}


@pytest.mark.parametrize("action", [Action.DROP, Action.DELAY])
def test_a_limit_may_count_messages(action: Action) -> None:
    """What is written, escapes and all, keeps to the rate; a flood of controls is six times it."""
    limit = Limit(1000, 5000, action, counts_messages=True)
    session = Session(IDENTITY, Settings(limit=limit, payload_bytes=1000))
    lines = session.begin(0, None)
    at_us = 0
    for _ in range(1000):
        at_us = max(at_us + 20_000, session.held_until_us)
        lines += session.tick(at_us) + session.take_output(at_us, b"\x01" * 50)
        assert sum(map(len, lines)) < 5000 + at_us * 1000 / SECOND + 3000
    assert sum(map(len, lines)) > at_us * 1000 / SECOND / 2
    messages = decode(lines + session.end(at_us, "exit", exit_status=0))
    assert notes(messages, action.value)


def test_delays_hold_the_source() -> None:
    """Beyond a limit with `delay` nothing is dropped; the source is to wait, and that is noted."""
    session = Session(IDENTITY, Settings(limit=Limit(1000, 1000, Action.DELAY)))
    lines = session.take_output(0, b"x" * 1000)
    assert session.held_until_us == 0
    lines += session.take_output(10, b"y" * 500)
    assert 400_000 < session.held_until_us - 10 <= 500_001
    messages = decode(lines + session.end(SECOND, "exit", exit_status=0))
    assert output(messages) == b"x" * 1000 + b"y" * 500
    (note,) = notes(messages, "delay")
    assert note.facts["held_us"] == session.held_until_us - 10


@pytest.mark.parametrize(
    ("limit", "expected_held_us"),
    [(Limit(), 200_000), (Limit(1000, 1000, Action.DELAY), 500_001), (Limit(1, 9**9), 200_000)],
)
def test_somebody_elses_limit_is_noted(limit: Limit, expected_held_us: int) -> None:
    """Held by a limit of its own and by another, output waits for the longer, counted once."""
    session = Session(IDENTITY, Settings(limit=limit))
    lines = session.take_output(0, b"x" * 1500, held_us=200_000)
    assert session.held_until_us == expected_held_us
    # More came before the source learned of it.
    lines += session.take_output(100_000, b"y", held_us=101_000)
    messages = decode(lines + session.end(SECOND, "exit", exit_status=0))
    (note,) = notes(messages, "delay")
    assert note.facts["held_us"] == session.held_until_us >= 201_000
    assert note.facts["output_bytes"] == 1501


def test_input_by_mode() -> None:
    """Input is left out, or kept but for what was hidden, or kept whole, as the mode says."""
    kept = {}
    for mode in InputMode:
        session = Session(IDENTITY, Settings(input=mode))
        session.take_input(0, b"ls\r")
        session.take_input(10, b"secret\r", Echo.HIDDEN)
        session.take_input(20, b"exit\r")
        messages = decode(session.end(30, "exit", exit_status=0))
        kept[mode] = b"".join(p.data for m in messages for p in m.pieces if isinstance(p, Input))
        assert bool(notes(messages, "unseen")) == (mode is InputMode.SEEN)
        end = messages[-1].end
        assert end is not None
        assert end.input_bytes == 15
    assert kept[InputMode.NONE] == b""
    assert kept[InputMode.SEEN] == b"ls\rexit\r"
    assert kept[InputMode.ALL] == b"ls\rsecret\rexit\r"


def test_output_and_windows_can_be_left_out() -> None:
    """What is not to be recorded is not; bytes are counted all the same."""
    session = Session(IDENTITY, Settings(output=False, window=False))
    session.take_output(0, b"seen")
    session.take_window(0, 80, 24)
    (message,) = decode(session.end(5, "exit", exit_status=0))
    assert message.pieces == ()
    assert message.end is not None
    assert message.end.output_bytes == 4


@given(st.lists(st.binary(min_size=1, max_size=9000), max_size=20), st.integers(256, 20_000))
def test_any_output_survives(pieces: list[bytes], limit_bytes: int) -> None:
    """Whatever bytes pass, however cut, come out of the recording as they went in."""
    session = Session(IDENTITY, Settings(payload_bytes=limit_bytes))
    lines = [line for n, data in enumerate(pieces) for line in session.take_output(n * 1000, data)]
    lines += session.end(len(pieces) * 1000, "exit", exit_status=0)
    assert output(decode(lines)) == b"".join(pieces)


def test_input_that_a_program_draws() -> None:
    """Keys that a line editor shows are kept, once they are shown; a password isn't, in time."""
    session = Session(IDENTITY, Settings(input=InputMode.SEEN))
    lines = session.take_input(0, b"l", Echo.DRAWN) + session.take_output(1000, b"l")
    lines += session.take_input(2000, b"s", Echo.DRAWN) + session.take_output(3000, b"\x1b[1ms")
    lines += session.take_input(4000, b"\r", Echo.DRAWN)
    lines += session.take_output(5000, b"\r\nPassword: ")
    for number, key in enumerate(b"hunter2\r"):
        lines += session.take_input(6000 + number, bytes([key]), Echo.DRAWN)
    lines += session.take_output(8000, b"\r\nhello, run the unity 2 test\r\n")
    lines += session.take_input(9000, b"x", Echo.DRAWN) + session.take_output(9500, b"x")
    assert session.due_us is not None
    for _ in range(3):
        lines += session.tick(session.due_us or 0)
    messages = decode(lines + session.end(3 * SECOND, "exit", exit_status=0))
    kept = b"".join(p.data for m in messages for p in m.pieces if isinstance(p, Input))
    assert kept == b"ls\rx"
    assert sum(note.facts["input_bytes"] for note in notes(messages, "unseen")) == 8


def test_what_others_drop_is_counted_and_told() -> None:
    """Bytes that the host had no room for stand in a note and in the end's counts."""
    session = Session(IDENTITY, Settings())
    session.take_dropped(5000, 100, 7)
    session.take_dropped(9000, 20)
    lines = session.take_note(Note(9500, "message", {"text": "soon down", "by": "anna"}))
    messages = decode(lines + session.end(SECOND, "exit", exit_status=0))
    (dropped,) = notes(messages, "drop")
    assert dropped.facts == {"output_bytes": 120, "input_bytes": 7, "from_ms": 5, "until_ms": 9}
    assert notes(messages, "message")[0].facts["text"] == "soon down"
    assert messages[-1].end is not None
    assert (messages[-1].end.output_bytes, messages[-1].end.input_bytes) == (120, 7)


def test_a_month_is_not_too_long() -> None:
    """Instants of a session that lasts for weeks come out of its recording as they went in."""
    session = Session(IDENTITY, Settings())
    day_us = 86_400 * SECOND
    lines = session.begin(0, (80, 24))
    for day in range(1, 32):
        lines += session.take_output(day * day_us, b"%d\n" % day)
        lines += session.tick(day * day_us + SECOND)
    messages = decode(lines + session.end(32 * day_us, "hangup"))
    pieces = [p for m in messages for p in m.pieces if isinstance(p, Output)]
    assert [piece.at_us // day_us for piece in pieces] == [*range(1, 32)]
    assert messages[-1].pos_ms == 32 * day_us // 1000
