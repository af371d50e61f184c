"""A turn takes so many bytes, or so much time, and no more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from steno.server.feeding import UnderivableError, feed_turn
from steno.store.opening import open_store
from steno.store.protocol import Store

SIZE_BYTES = 300_000


class Derived:
    """Counts what it is fed; each piece takes a second, and some cannot be taken."""

    def __init__(self, next_bytes: int = 0, bad_from: int = SIZE_BYTES) -> None:
        self.next_bytes = next_bytes
        self.now_s = 0.0
        self._bad_from = bad_from

    def feed(self, data: bytes) -> None:
        """Take bytes."""
        if self.next_bytes + len(data) > self._bad_from:
            raise ZeroDivisionError("nobody foresaw it")
        self.next_bytes += len(data)
        self.now_s += 1


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store with one recording."""
    store = open_store(tmp_path / "store")
    store.append("rec-1", 0, b"x" * SIZE_BYTES, sender=None)
    yield store
    store.close()


def feed(store: Store, derived: Derived, turn_bytes: int, turn_s: float) -> int:
    """Feed a turn of all that is there."""
    return feed_turn(
        store,
        "rec-1",
        derived,
        end_bytes=SIZE_BYTES,
        turn_bytes=turn_bytes,
        turn_s=turn_s,
        monotonic_s=lambda: derived.now_s,
    )


def test_turns_come_to_the_end(store: Store) -> None:
    """Turns take their share from where the one before ended, until nothing is left."""
    derived = Derived()
    taken = [feed(store, derived, 130_000, 100.0) for _ in range(4)]
    assert taken == [130_000, 130_000, 40_000, 0]
    assert derived.next_bytes == SIZE_BYTES


def test_a_turn_ends_when_its_time_is_up(store: Store) -> None:
    """Whatever is slow gets the time of a turn, and goes on in the next."""
    derived = Derived(next_bytes=1000)
    taken = feed(store, derived, SIZE_BYTES, 1.0)
    assert 0 < taken < SIZE_BYTES - 1000
    assert derived.next_bytes == 1000 + taken


def test_what_fails_because_of_the_bytes_is_told_apart(store: Store) -> None:
    """An error in deriving says what it was; the store's own errors stay what they are."""
    with pytest.raises(UnderivableError, match="ZeroDivisionError: nobody foresaw it"):
        feed(store, Derived(bad_from=0), SIZE_BYTES, 100.0)
