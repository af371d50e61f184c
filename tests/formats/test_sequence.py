"""Messages that are missing, doubled or late are noticed."""

from __future__ import annotations

from steno.formats.sequence import Sequencer
from steno.model import Message, Note, Output, Piece, Window


def make_message(number: int, *pieces: Piece) -> Message:
    """Return message `number` of a recording, at `number` seconds."""
    return Message("2.3", "h", "r", "u", "xterm", 1, number, number * 1000, None, pieces)


def test_missing_messages_become_a_gap() -> None:
    """A jump in the messages' numbers is a note that says which are missing."""
    sequencer = Sequencer()
    assert sequencer.feed(make_message(1, Output(1, b"a"))) == [Output(1, b"a")]
    found = sequencer.feed(make_message(4, Output(4, b"d")))
    assert found == [Note(4_000_000, "gap", {"first_id": 2, "last_id": 3}), Output(4, b"d")]


def test_a_missing_beginning_is_a_gap() -> None:
    """A recording whose first messages are missing says so."""
    (note,) = Sequencer().feed(make_message(3))
    assert note == Note(3_000_000, "gap", {"first_id": 1, "last_id": 2})


def test_repeated_messages_are_left_out() -> None:
    """What came already is not played again, and that is said."""
    sequencer = Sequencer()
    said = []
    for number in (1, 2, 2, 1):
        sequencer.feed(make_message(number, Output(number, b"x")))
        said.append((sequencer.is_left_out, sequencer.disorder))
    assert said == [
        (False, None),
        (False, None),
        (True, "message 2 comes again, after 2: left out"),
        (True, "message 1 comes again, after 2: left out"),
    ]
    assert sequencer.feed(make_message(3, Output(3, b"c"))) == [Output(3, b"c")]
    assert sequencer.disorder is None


def test_late_messages_are_played_where_they_stand_once() -> None:
    """What comes after its successors is shown then, not lost; time does not go back."""
    sequencer = Sequencer()
    sequencer.feed(make_message(1, Output(1, b"a")))
    sequencer.feed(make_message(5, Output(5, b"e")))
    kept = Sequencer(last_id=sequencer.last_id, gaps=sequencer.gaps)
    assert sequencer.feed(make_message(3, Output(3, b"c"))) == [Output(5, b"c")]
    assert (sequencer.disorder, sequencer.is_left_out) == ("message 3 comes late, after 5", False)
    assert sequencer.gaps == [(2, 2), (4, 4)]
    assert sequencer.feed(make_message(3, Output(3, b"c"))) == []
    assert kept.feed(make_message(4, Output(4, b"d"))) == [Output(4, b"d")]
    midway = Sequencer(is_midway=True)
    assert midway.feed(make_message(5, Output(5, b"e"))) == [Output(5, b"e")]
    assert midway.feed(make_message(4, Output(4, b"d"))) == []


def test_repeated_windows_are_dropped() -> None:
    """The window that each message repeats is given only when it changes."""
    sequencer = Sequencer()
    sizes = [(80, 24), (80, 24), (90, 24), (80, 24)]
    found = [
        piece
        for number, size in enumerate(sizes, 1)
        for piece in sequencer.feed(make_message(number, Window(number, *size)))
    ]
    assert found == [Window(1, 80, 24), Window(3, 90, 24), Window(4, 80, 24)]
