"""Orders: who asked for what, and what came of it."""

from __future__ import annotations

import pytest

from steno.errors import NotFoundError
from steno.heartbeat import OrderResult
from steno.store.accounts import Signed
from steno.store.accounts_file import AccountsFile
from steno.store.orders import NewOrder, Orders

ADA = Signed("ada", "admin", "session", "session 1")
MESSAGE = NewOrder("web1", "r1", "message", "Log out <now>", "noon")


class Clock:
    """A clock that the test sets."""

    now_us = 1_760_000_000_000_000

    def __call__(self) -> int:
        """Read it."""
        return self.now_us


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture
def orders(accounts_file: AccountsFile, clock: Clock) -> Orders:
    """Orders that expire after 30 seconds."""
    return Orders(accounts_file, expire_us=30_000_000, now_unix_us=clock)


def test_an_order_is_kept_with_who_gave_it(orders: Orders, clock: Clock) -> None:
    """Who, from where, what, why and when; it waits for its host."""
    order = orders.add(ADA, MESSAGE, "192.0.2.1")
    assert (order.user, order.address, order.through) == ("ada", "192.0.2.1", "session")
    assert (order.do, order.text, order.reason) == ("message", "Log out <now>", "noon")
    assert (order.made_unix_us, order.state) == (clock.now_us, "waiting")
    assert orders.of_recording("r1") == [order]
    assert orders.of_recording("r2") == []
    with pytest.raises(NotFoundError):
        orders.find(order.id + 1)


def test_only_its_host_is_told_until_it_answers(orders: Orders, clock: Clock) -> None:
    """An order is repeated, with the time that is left, until its result has come."""
    order = orders.add(ADA, MESSAGE, "")
    assert orders.waiting_hosts() == {"web1"}
    assert orders.tell("web2") == ()
    clock.now_us += 10_000_000
    first = orders.tell("web1")
    assert [(one.id, one.by, one.text, one.left_s) for one in first] == [
        (str(order.id), "ada", "Log out <now>", 20.0)
    ]
    clock.now_us += 1_000_000
    assert [one.left_s for one in orders.tell("web1")] == [19.0]
    assert orders.find(order.id).told_unix_us == order.made_unix_us + 10_000_000
    assert orders.finish("web2", [OrderResult(str(order.id), "done")]) == []
    settled = orders.finish("web1", [OrderResult(str(order.id), "failed", "no session r1")])
    assert [(one.state, one.failure) for one in settled] == [("failed", "no session r1")]
    assert orders.finish("web1", [OrderResult(str(order.id), "done")]) == []
    assert orders.find(order.id).state == "failed"
    assert orders.tell("web1") == ()
    assert orders.waiting_hosts() == set()


def test_an_order_expires_and_a_late_answer_still_counts(orders: Orders, clock: Clock) -> None:
    """After its time it is told to nobody; what was done all the same is said."""
    told, untold = orders.add(ADA, MESSAGE, ""), orders.add(ADA, MESSAGE, "")
    orders.tell("web1")
    clock.now_us += 30_000_000
    assert orders.tell("web1") == ()
    assert orders.waiting_hosts() == set()
    assert {orders.find(one.id).state for one in (told, untold)} == {"expired"}
    orders.finish("web1", [OrderResult(str(told.id), "done")])
    assert orders.find(told.id).state == "done"


def test_nobody_answers_an_order_that_nobody_was_told(orders: Orders) -> None:
    """Made-up numbers and nonsense settle nothing."""
    order = orders.add(ADA, MESSAGE, "")
    nonsense = ["", "x", "-1", "1" * 30, "٣", str(order.id + 7), str(order.id)]
    assert orders.finish("web1", [OrderResult(id_, "done") for id_ in nonsense]) == []
    assert orders.find(order.id).state == "waiting"


def test_listeners_hear_of_new_orders(
    orders: Orders, accounts_file: AccountsFile, clock: Clock
) -> None:
    """At once in the process that gives one; another process finds it by looking."""
    told: list[str] = []
    orders.subscribe(told.append)
    other = Orders(accounts_file, now_unix_us=clock)
    other.add(ADA, MESSAGE, "")
    assert told == []
    assert orders.waiting_hosts() == {"web1"}
    orders.add(ADA, NewOrder("web2", "r2", "kill"), "")
    assert told == ["web2"]
