"""From audit stamps to a recording's instants, also when somebody sets the clock."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from steno.audit.session.clocks import KIND, Calendar
from steno.model import Note

START_US = 1_760_000_000_000_000
SECOND_US = 1_000_000
HOUR_US = 3600 * SECOND_US
TICK_US = 10_000


def moved(at_us: int, unix_us: int, from_us: int) -> Note:
    """The recorder's note that the calendar has moved."""
    facts = {"unix_us": unix_us, "coarse_unix_us": unix_us, "from_ms": from_us // 1000}
    return Note(at_us, KIND, facts)


def test_without_a_step_stamps_count_from_the_start() -> None:
    """A stamp's instant is its distance from the start; before it, it is negative."""
    calendar = Calendar(START_US)
    assert calendar.place([START_US - 5, START_US, START_US + 7]) == [-5, 0, 7]
    assert calendar.unix_us(7) == START_US + 7
    assert calendar.span_unix_us(9) == (START_US, START_US + 9)


def test_a_step_forward_moves_what_comes_after_it() -> None:
    """Stamps after the clock was put an hour on are seconds, not hours, into the recording."""
    step = moved(11 * SECOND_US, START_US + HOUR_US + 11 * SECOND_US, 10 * SECOND_US)
    calendar = Calendar(START_US, [step])
    stamps = [
        START_US + 5 * SECOND_US,
        START_US + HOUR_US + 12 * SECOND_US,
        START_US + HOUR_US + 13 * SECOND_US,
    ]
    assert calendar.place(stamps) == [5 * SECOND_US, 12 * SECOND_US, 13 * SECOND_US]
    assert calendar.unix_us(5 * SECOND_US) == stamps[0]
    assert calendar.unix_us(12 * SECOND_US) == stamps[1]


def test_after_a_step_back_the_order_of_events_tells_equal_stamps_apart() -> None:
    """The clock goes back ten seconds: the same stamps come twice, at two instants."""
    step = moved(20 * SECOND_US, START_US + 10 * SECOND_US, 19 * SECOND_US)
    calendar = Calendar(START_US, [step])
    seconds = [2, 12, 15, 18, 12, 15, 18]
    placed = calendar.place([START_US + second * SECOND_US for second in seconds])
    assert [at_us // SECOND_US for at_us in placed] == [2, 12, 15, 18, 22, 25, 28]


def test_notes_of_other_kinds_and_damaged_ones_are_passed_over() -> None:
    """Only notes that say what the calendar was count."""
    notes = [Note(5, "restart"), Note(6, KIND), Note(7, KIND, {"unix_us": "x"})]
    assert Calendar(START_US, notes).stretches == Calendar(START_US).stretches


@given(
    st.lists(st.integers(0, 50), min_size=1, max_size=30).map(sorted),
    st.dictionaries(st.integers(1, 49), st.integers(1, 3600), max_size=3),
)
def test_events_are_placed_where_they_were_to_a_tick(
    seconds: list[int], forward: dict[int, int]
) -> None:
    """However often the clock is put forward, an event comes out where it was, if no step is near.

    A step is known to the second: the recorder looks when it cuts a message.
    """
    notes: list[Note] = []
    total_us = 0
    for at, by in sorted(forward.items()):
        total_us += by * SECOND_US
        noted_us = at * SECOND_US + SECOND_US // 2
        notes.append(moved(noted_us, START_US + noted_us + total_us, at * SECOND_US - SECOND_US))
    instants = [second * SECOND_US + SECOND_US // 4 * 3 for second in seconds]
    stamps: list[int] = []
    for one in instants:
        gone_us = sum(by for at, by in forward.items() if at * SECOND_US <= one) * SECOND_US
        stamps.append((START_US + one + gone_us) // TICK_US * TICK_US)
    near = {*forward} | {at - 1 for at in forward}
    placed = Calendar(START_US, notes).place(stamps)
    for one, at_us, second in zip(instants, placed, seconds, strict=True):
        if second not in near:
            assert abs(one - at_us) <= TICK_US
