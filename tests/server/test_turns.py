"""Whose turn it is."""

from __future__ import annotations

import threading

from steno.server.turns import Turns


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now_s


def test_turns_go_round() -> None:
    """Each waits once, first come first served; who comes again goes to the end."""
    turns = Turns(Clock())
    for rec in ("a", "b", "a", "c"):
        turns.add(rec)
    assert len(turns) == 3
    assert turns.next(0) == "a"
    turns.add("a")
    assert [turns.next(0) for _ in range(4)] == ["b", "c", "a", None]


def test_what_is_due_later_comes_later() -> None:
    """A timer puts a recording into the queue when its time has come; the last word counts."""
    clock = Clock()
    turns = Turns(clock)
    turns.add_later("a", 5)
    turns.add_later("b", 3)
    turns.add_later("a", 10)
    assert turns.next(0) is None
    clock.now_s = 6
    assert [turns.next(0) for _ in range(2)] == ["b", None]
    clock.now_s = 10
    assert turns.next(0) == "a"
    turns.add_later("a", 1)
    turns.forget_timers()
    clock.now_s = 20
    assert turns.next(0) is None


def test_closing_wakes_who_waits() -> None:
    """The thread that waits for a turn ends when the queue is closed."""
    turns = Turns(Clock())
    found: list[str | None] = []
    thread = threading.Thread(target=lambda: found.append(turns.next(1e6)))
    thread.start()
    turns.close()
    thread.join(60)
    assert found == [None]
