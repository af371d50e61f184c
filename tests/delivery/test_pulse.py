"""When a host tells how it is, and what it does with orders."""

from __future__ import annotations

from steno.delivery.protocol import Backoff
from steno.delivery.pulse import TOO_LATE, Ask, Beat, Pause, Perform, Pulse
from steno.heartbeat import Answer, HostOrder, OrderResult

SECOND_US = 1_000_000
QUICK = Backoff(lambda: 0.0, first_us=2 * SECOND_US)


def order(id_: str = "1", left_s: float = 30.0) -> HostOrder:
    """Return an order to end a session."""
    return HostOrder(id_, "kill", "r", "ada", left_s=left_s)


def beat(pulse: Pulse, now_us: int, *orders: HostOrder) -> Beat:
    """Let the heartbeat that is due be answered within 10 ms; return it."""
    action = pulse.next(now_us)
    assert isinstance(action, Beat)
    pulse.beaten(action, Answer(0, orders), now_us, now_us + 10_000)
    return action


def test_between_heartbeats_it_asks_for_orders() -> None:
    """Each question waits at most until the next heartbeat is due, 15 s after the last began."""
    pulse = Pulse(1, QUICK)
    assert beat(pulse, 0) == Beat(0, (), None)
    assert pulse.next(10_000) == Ask(0, 15 * SECOND_US - 10_000)
    pulse.answered(0, Answer(0), 14_900_000)
    assert pulse.next(14_900_000) == Pause(15 * SECOND_US)
    assert beat(pulse, 15 * SECOND_US) == Beat(0, (), 10_000)


def test_an_order_is_done_once_and_its_result_told_at_once() -> None:
    """Being told an order again, also after its result, is no reason to do it again."""
    pulse = Pulse(1, QUICK)
    beat(pulse, 0)
    pulse.answered(0, Answer(0, (order(), order())), SECOND_US)
    assert pulse.next(SECOND_US) == Perform(order())
    result = OrderResult("1", "done")
    pulse.performed(result)
    told = beat(pulse, SECOND_US, order())
    assert told.results == (result,)
    assert isinstance(pulse.next(2 * SECOND_US), Ask)


def test_a_result_is_told_until_the_server_has_it() -> None:
    """A heartbeat that came to nothing is sent again with the same results."""
    pulse = Pulse(1, QUICK)
    beat(pulse, 0, order())
    pulse.next(SECOND_US)
    pulse.performed(OrderResult("1", "failed", "no session r"))
    first = pulse.next(SECOND_US)
    pulse.failed(0, SECOND_US)
    assert pulse.next(SECOND_US) == Pause(2 * SECOND_US)
    assert beat(pulse, 3 * SECOND_US) == first
    assert isinstance(pulse.next(4 * SECOND_US), Ask)


def test_a_late_order_is_not_done() -> None:
    """When its time is over before its turn comes, that is its result."""
    pulse = Pulse(1, QUICK)
    beat(pulse, 0, order("1", 1.0), order("2", 5.0))
    assert pulse.next(2 * SECOND_US) == Perform(order("2", 5.0))
    assert beat(pulse, 2 * SECOND_US).results == (OrderResult("1", "failed", TOO_LATE),)


def test_a_server_that_fails_is_left_alone_and_the_next_tried() -> None:
    """The next server is tried at once; when all fail, there is a pause."""
    pulse = Pulse(2, QUICK)
    beat(pulse, 0)
    assert isinstance(pulse.next(SECOND_US), Ask)
    pulse.failed(0, SECOND_US)
    other = pulse.next(SECOND_US)
    assert isinstance(other, Ask)
    assert other.server == 1
    pulse.failed(1, SECOND_US)
    assert pulse.next(SECOND_US) == Pause(2 * SECOND_US)
    again = pulse.next(2 * SECOND_US)
    assert isinstance(again, Beat)
    assert again.server == 0


def test_however_often_it_fails_it_is_tried_every_15_seconds() -> None:
    """A host that can be heard again is heard again soon."""
    pulse = Pulse(1, QUICK)
    now_us = 0
    for _ in range(50):
        assert isinstance(pulse.next(now_us), Beat)
        pulse.failed(0, now_us)
        pause = pulse.next(now_us)
        assert isinstance(pause, Pause)
        assert pause.until_us - now_us <= 15 * SECOND_US
        now_us = pause.until_us
