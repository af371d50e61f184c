"""The loop calls back, in order, and one bad callback hurts only its owner."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from steno.agent.loop import GONE, READABLE, Loop, now_us


@pytest.fixture
def loop() -> Iterator[Loop]:
    """A loop, closed afterwards."""
    made = Loop(threads=1)
    yield made
    made.close()


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe's reading and writing ends."""
    reader, writer = os.pipe()
    yield reader, writer
    for fd in (reader, writer):
        with contextlib.suppress(OSError):
            os.close(fd)


def test_timers_are_called_in_order(loop: Loop) -> None:
    """By instant, and those of one instant as they were set; a cancelled one never."""
    called: list[str] = []
    at_us = now_us()
    loop.call_at(at_us + 2000, lambda: called.append("later"))
    loop.call_at(at_us, lambda: called.append("first"))
    loop.call_at(at_us, lambda: called.append("second"))
    loop.call_at(at_us, lambda: called.append("never")).cancel()
    loop.call_at(at_us + 3000, loop.stop)
    loop.run()
    assert called == ["first", "second", "later"]


def test_descriptors_are_served_until_ignored(loop: Loop, pipe: tuple[int, int]) -> None:
    """A readable descriptor calls back each turn; the end is told without being asked for."""
    reader, writer = pipe
    seen: list[int] = []

    def take(events: int) -> None:
        seen.append(events)
        os.read(reader, 1)
        if len(seen) == 2:
            loop.watch(reader, 0, finish)
            os.close(writer)

    def finish(events: int) -> None:
        seen.append(events)
        loop.ignore(reader)
        loop.stop()

    loop.watch(reader, READABLE, take)
    os.write(writer, b"xy")
    loop.run()
    assert seen[:2] == [READABLE, READABLE]
    assert seen[2] & GONE


def test_one_ignored_in_the_same_turn_is_not_called(loop: Loop) -> None:
    """What a callback ignores is not called any more, though it had something, too."""
    pipes = [os.pipe(), os.pipe()]
    called: list[int] = []

    def take(mine: int, other: int) -> None:
        called.append(mine)
        loop.ignore(other)
        os.read(mine, 1)

    for number, (reader, writer) in enumerate(pipes):
        other = pipes[1 - number][0]
        loop.watch(reader, READABLE, lambda _events, r=reader, o=other: take(r, o))  # type: ignore[misc]
        os.write(writer, b"x")
    loop.turn()
    assert len(called) == 1
    for fds in pipes:
        for fd in fds:
            loop.ignore(fd)
            os.close(fd)


def test_work_is_done_beside_the_loop(loop: Loop) -> None:
    """Its outcome, a value or an error, arrives in the loop's thread."""
    outcomes: list[object] = []
    workers: list[object] = []
    takers: list[object] = []

    def fail() -> int:
        raise ValueError("no")

    def work() -> int:
        workers.append(threading.current_thread())
        return 7

    def take(outcome: Future[int]) -> None:
        outcomes.append(outcome.exception() or outcome.result())
        takers.append(threading.current_thread())
        if len(outcomes) == 2:
            loop.stop()

    loop.submit(work, take)
    loop.submit(fail, take, is_slow=True)
    loop.run()
    assert 7 in outcomes
    assert any(isinstance(outcome, ValueError) for outcome in outcomes)
    (worker,) = workers
    assert worker is not threading.current_thread()
    assert takers == [threading.current_thread()] * 2


def test_a_fault_ends_its_owner_only(
    loop: Loop, pipe: tuple[int, int], caplog: pytest.LogCaptureFixture
) -> None:
    """An error in a callback is logged and counted, its owner told once, and the rest goes on."""
    reader, writer = pipe
    told: list[str] = []

    def fail(_events: int = 0) -> None:
        raise ValueError("what nobody thought of")

    loop.watch(reader, READABLE, fail, lambda: told.append("descriptor"))
    os.write(writer, b"x")
    loop.call_in(0, fail, lambda: told.append("timer"))
    while len(told) < 2:
        loop.turn()
    assert sorted(told) == ["descriptor", "timer"]
    assert loop.faults == 2
    assert "what nobody thought of" in caplog.text


def test_floods_wait_for_keys(loop: Loop) -> None:
    """Marked descriptors are served in turns, a few at a time, and after all others."""
    pipes = [os.pipe() for _ in range(6)]
    called: list[int] = []
    for number, (reader, writer) in enumerate(pipes):
        loop.watch(reader, READABLE, lambda _events, n=number: called.append(n))  # type: ignore[misc]
        loop.mark_flood(reader, is_flood=number < 5)
        os.write(writer, b"x")
    loop.turn()
    assert called[0] == 5
    assert len(called) == 3
    for _ in range(4):
        loop.turn()
    assert {called.count(number) for number in range(5)} == {2}
    for reader, writer in pipes:
        loop.ignore(reader)
        loop.mark_flood(reader, is_flood=False)
        os.close(reader)
        os.close(writer)


def test_what_is_posted_to_a_closed_loop_is_not_called() -> None:
    """A thread that outlives the loop does nothing to it, nor to what has its descriptors now."""
    loop, called = Loop(threads=1), []
    loop.close()
    others = [os.eventfd(0, os.EFD_NONBLOCK) for _ in range(8)]
    thread = threading.Thread(target=loop.post, args=[lambda: called.append("late")])
    thread.start()
    thread.join()
    for fd in others:
        with pytest.raises(BlockingIOError):
            os.eventfd_read(fd)
        os.close(fd)
    assert called == []
