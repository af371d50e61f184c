"""The player's clock gives each piece out when it is due, and never one too many."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from steno.cli.playing.playback import MAX_SPEED, MIN_SPEED, Playback, Timeline
from steno.model import Input, Note, Output, Window


def make_timeline(*instants_us: int) -> Timeline:
    """Return a timeline with one output at each instant, which is its text."""
    timeline = Timeline()
    timeline.add([Output(at_us, str(at_us).encode()) for at_us in instants_us])
    return timeline


def test_pieces_are_given_out_when_they_are_due() -> None:
    """At speed 1 a piece comes when as much time has passed as in the recording, not before."""
    playback = Playback(make_timeline(0, 1000, 5000), 100, idle_limit_us=None)
    assert [p.at_us for p in playback.take_due(100)] == [0]
    assert playback.wait_us(100) == 1000
    assert playback.take_due(1099) == []
    assert [p.at_us for p in playback.take_due(1100)] == [1000]
    assert [p.at_us for p in playback.take_due(9999)] == [5000]
    assert playback.is_at_end
    assert playback.wait_us(9999) is None


def test_speed_divides_the_waits() -> None:
    """Twice as fast means half the wait, from the moment the speed is changed."""
    playback = Playback(make_timeline(0, 8000), 0, idle_limit_us=None)
    playback.take_due(0)
    playback.set_speed(2, 4000)
    assert playback.position_us(4000) == 4000
    assert playback.wait_us(4000) == 2000
    playback.set_speed(1000, 4000)
    assert playback.speed == MAX_SPEED
    playback.set_speed(0, 4000)
    assert playback.speed == MIN_SPEED


def test_long_pauses_are_shortened_to_the_limit() -> None:
    """A pause longer than the idle limit takes the limit; shorter ones are left."""
    playback = Playback(make_timeline(0, 3000, 1_000_000), 0, idle_limit_us=5000)
    playback.take_due(0)
    assert playback.wait_us(0) == 3000
    playback.take_due(3000)
    assert playback.wait_us(3000) == 5000
    assert [p.at_us for p in playback.take_due(8000)] == [1_000_000]


def test_a_pause_stops_the_clock() -> None:
    """While paused nothing is due, and going on takes up the wait where it was."""
    playback = Playback(make_timeline(0, 1000), 0, idle_limit_us=None)
    playback.take_due(0)
    playback.toggle(400)
    assert playback.take_due(50_000) == []
    assert playback.position_us(50_000) == 400
    playback.toggle(50_000)
    assert playback.wait_us(50_000) == 600


def test_a_step_gives_the_next_output_and_pauses() -> None:
    """Stepping shows one output at a time, with the windows before it."""
    timeline = Timeline()
    timeline.add([Window(0, 80, 24), Output(5000, b"a"), Input(6000, b"x"), Output(9000, b"b")])
    playback = Playback(timeline, 0, idle_limit_us=None)
    assert playback.step(0) == [Window(0, 80, 24), Output(5000, b"a")]
    assert playback.step(0) == [Output(9000, b"b")]
    assert playback.step(0) == []
    assert not playback.is_playing


@given(st.lists(st.integers(0, 50), min_size=1, max_size=20), st.integers(-5, 60))
def test_seeking_stands_after_everything_up_to_the_instant(instants: list[int], at_us: int) -> None:
    """After a seek, exactly the later pieces are still to come."""
    instants.sort()
    playback = Playback(make_timeline(*instants), 0, idle_limit_us=None)
    playback.seek(at_us, 0)
    rest = [p.at_us for p in playback.take_due(10**9)]
    assert rest == [instant for instant in instants if instant > max(at_us, 0)]


@given(
    st.lists(st.integers(0, 10_000), min_size=1, max_size=20),
    st.lists(st.integers(1, 700), min_size=1, max_size=30),
    st.sampled_from([0.5, 1.0, 4.0]),
)
def test_lateness_does_not_add_up(instants: list[int], steps: list[int], speed: float) -> None:
    """However irregularly the clock is asked, every piece has come by its time, in order."""
    instants.sort()
    playback = Playback(make_timeline(*instants), 0, idle_limit_us=None)
    playback.set_speed(speed, 0)
    seen: list[int] = []
    now_us = 0
    for step_us in steps:
        now_us += step_us
        seen += [p.at_us for p in playback.take_due(now_us)]
        missing = [at for at in instants[len(seen) :] if at / speed + len(instants) < now_us]
        assert not missing
    assert seen == instants[: len(seen)]


def test_following_gives_out_what_comes_at_once() -> None:
    """A live recording is shown as it comes, without its pauses."""
    timeline = make_timeline(0, 1000)
    playback = Playback(timeline, 0, idle_limit_us=None)
    playback.follow(0)
    assert playback.take_due(0) == []
    timeline.add([Output(90_000, b"new")])
    assert playback.wait_us(1) == 0
    assert playback.take_due(1) == [Output(90_000, b"new")]


def test_notes_are_found_by_their_instants() -> None:
    """A note is told once, when the position passes its instant."""
    timeline = Timeline()
    gap = Note(5_000, "gap", {"first_id": 3, "last_id": 4})
    drop = Note(9_000, "drop", {"output_bytes": 7})
    timeline.add([Output(1_000, b"a"), gap, Output(9_000, b"b"), drop])
    assert timeline.notes_between(-1, 4_999) == []
    assert timeline.notes_between(4_999, 5_000) == [gap]
    assert timeline.notes_between(5_000, 20_000) == [drop]
