"""The token bucket."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from steno.recorder.limit import Action, Limit, TokenBucket

steps = st.lists(st.tuples(st.integers(0, 2_000_000), st.integers(1, 20_000)), max_size=60)


@given(steps, st.integers(1, 50_000), st.integers(1, 50_000))
def test_never_admits_more_than_rate_and_burst(
    steps: list[tuple[int, int]], rate: int, burst: int
) -> None:
    """Over any time, no more is admitted than the rate, one burst and one piece allow."""
    bucket = TokenBucket(Limit(rate, burst, Action.DROP))
    at_us = admitted = 0
    for wait_us, size in steps:
        at_us += wait_us
        if bucket.admit(at_us, size):
            admitted += size
    largest = max((size for _, size in steps), default=0)
    assert admitted <= burst + rate * at_us / 1_000_000 + largest


@given(steps, st.integers(1, 50_000), st.integers(1, 50_000))
def test_waiting_as_told_keeps_the_rate(
    steps: list[tuple[int, int]], rate: int, burst: int
) -> None:
    """Who waits as `charge` says stays within the rate, one burst and one piece."""
    bucket = TokenBucket(Limit(rate, burst, Action.DELAY))
    at_us = charged = 0
    for wait_us, size in steps:
        at_us += wait_us
        assert charged <= burst + rate * at_us / 1_000_000 + 1
        held_us = bucket.charge(at_us, size)
        charged += size
        at_us += held_us
    assert charged <= burst + rate * at_us / 1_000_000 + 1


def test_a_large_piece_passes_a_full_bucket() -> None:
    """A piece larger than the bucket passes once it is full, and what follows pays for it."""
    bucket = TokenBucket(Limit(1000, 100, Action.DROP))
    assert bucket.admit(0, 5000)
    assert not bucket.admit(4_000_000, 1)
    assert bucket.admit(5_100_000, 100)
