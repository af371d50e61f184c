"""The upload protocol against a hostile network: stored bytes come out identical, once.

A model of hosts, wire and servers in which requests and answers are lost, repeated, held back
and re-ordered, host and servers are killed at any point, and two servers share one store.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from steno.delivery.protocol import (
    Answer,
    Backoff,
    Durable,
    Elsewhere,
    Failure,
    Send,
    TooLarge,
    Uploads,
    Wait,
)
from steno.errors import UnreachableError

RECS = ("a", "b", "c")
LOST = Failure(UnreachableError("no answer in time"))


@dataclass
class Sent:
    """A request on the wire, with the bytes it carries and who asked."""

    life: int
    send: Send
    data: bytes


@dataclass
class Told:
    """An answer on the wire."""

    life: int
    number: int
    answer: Answer


class Delivery(RuleBasedStateMachine):
    """One host, two servers behind one name with one store, and everything between them."""

    def __init__(self) -> None:
        super().__init__()
        self.random = random.Random(0)
        self.now_us = 0
        self.life = 0
        self.spool: dict[str, bytes] = {}
        self.finished: set[str] = set()
        self.remembered: dict[str, int] = {}
        self.removed: dict[str, bytes] = {}
        self.store: dict[str, bytes] = {}
        self.requests: list[Sent] = []
        self.answers: list[Told] = []
        self.asked: dict[int, Send] = {}
        self.uploads = self.new_uploads()

    def new_uploads(self) -> Uploads:
        """Return the machine of a process that has just started."""
        return Uploads(2, Backoff(self.random.random), connections=2, request_limit_bytes=16384)

    @initialize()
    def begin(self) -> None:
        """Have something to send from the start."""
        self.grow("a", 3000)

    # The host.

    @rule(rec=st.sampled_from(RECS), length=st.sampled_from([1, 100, 5000, 40_000]))
    def grow(self, rec: str, length: int) -> None:
        """A recorder appends lines and syncs them."""
        if rec in self.finished:
            return
        before = self.spool.get(rec, b"")
        line = b"%s %d " % (rec.encode(), len(before)) + self.random.randbytes(length)
        self.spool[rec] = before + line.replace(b"\n", b" ") + b"\n"
        self.offer(rec)

    @rule(rec=st.sampled_from(RECS))
    def finish(self, rec: str) -> None:
        """A recording ends."""
        if rec in self.spool:
            self.finished.add(rec)
            self.offer(rec)

    def offer(self, rec: str) -> None:
        """The uploader looks at the spool."""
        self.uploads.offer(
            rec,
            len(self.spool[rec]),
            is_finished=rec in self.finished,
            delivered_bytes=self.remembered.get(rec, 0),
        )
        self.remove_if_complete(rec)

    def remove_if_complete(self, rec: str) -> None:
        """A recording that was delivered wholly leaves the spool."""
        if self.uploads.standing(rec).is_complete:
            self.removed[rec] = self.spool.pop(rec)
            self.uploads.forget(rec)

    @rule()
    def send(self) -> None:
        """The uploader does what the machine says."""
        action = self.uploads.next(self.now_us)
        if isinstance(action, Send):
            data = self.spool[action.rec][action.offset_bytes : action.end_bytes]
            assert len(data) == action.end_bytes - action.offset_bytes
            self.asked[action.number] = action
            self.requests.append(Sent(self.life, action, data))

    @rule(count=st.integers(1, 6))
    def exchange(self, count: int) -> None:
        """For a while the network is good: what is sent arrives and is answered."""
        for _ in range(count):
            action = self.uploads.next(self.now_us)
            if isinstance(action, Send):
                self.asked[action.number] = action
                data = self.spool[action.rec][action.offset_bytes : action.end_bytes]
                self.take(action.number, self.append(action.rec, action.offset_bytes, data))

    @rule(wait_us=st.sampled_from([1000, 1_000_000, 100_000_000, 4_000_000_000]))
    def pass_time(self, wait_us: int) -> None:
        """Time goes by."""
        self.now_us += wait_us

    @rule(forgets=st.booleans())
    def kill_host(self, forgets: bool) -> None:
        """The uploader is killed; what it remembered may be gone with the power."""
        self.life += 1
        self.asked.clear()
        if forgets:
            self.remembered.clear()
        self.uploads = self.new_uploads()
        for rec in list(self.spool):
            self.offer(rec)

    # The wire: any message at any time, any number of times.

    @precondition(lambda self: self.requests)
    @rule(data=st.data(), repeats=st.booleans(), answers=st.booleans())
    def arrive(self, data: st.DataObject, repeats: bool, answers: bool) -> None:
        """Some request arrives; the server may be killed after writing, before its answer."""
        at = data.draw(st.integers(0, len(self.requests) - 1))
        sent = self.requests[at] if repeats else self.requests.pop(at)
        answer = self.append(sent.send.rec, sent.send.offset_bytes, sent.data)
        if answers:
            self.answers.append(Told(sent.life, sent.send.number, answer))

    @precondition(lambda self: self.requests)
    @rule(data=st.data())
    def lose_request(self, data: st.DataObject) -> None:
        """Some request never arrives."""
        self.requests.pop(data.draw(st.integers(0, len(self.requests) - 1)))

    @precondition(lambda self: self.answers)
    @rule(data=st.data(), repeats=st.booleans())
    def hear(self, data: st.DataObject, repeats: bool) -> None:
        """Some answer comes back."""
        at = data.draw(st.integers(0, len(self.answers) - 1))
        told = self.answers[at] if repeats else self.answers.pop(at)
        if told.life == self.life:
            self.take(told.number, told.answer)

    @precondition(lambda self: self.answers)
    @rule(data=st.data())
    def lose_answer(self, data: st.DataObject) -> None:
        """Some answer never comes back."""
        self.answers.pop(data.draw(st.integers(0, len(self.answers) - 1)))

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def time_out(self, data: st.DataObject) -> None:
        """The host waits no longer; request and answer may still be on their way."""
        self.take(data.draw(st.sampled_from(sorted(self.asked))), LOST)

    @precondition(lambda self: self.asked)
    @rule(data=st.data(), offset=st.sampled_from([-1, 10**9, 2**64]), moved=st.booleans())
    def talk_nonsense(self, data: st.DataObject, offset: int, moved: bool) -> None:
        """Something in between answers with an impossible offset, or refuses the size."""
        number = data.draw(st.sampled_from(sorted(self.asked)))
        answers: list[Answer] = [Durable(offset), Elsewhere(offset), TooLarge()]
        self.take(number, answers[data.draw(st.integers(0, 2))])

    def take(self, number: int, answer: Answer) -> None:
        """The uploader reports an answer, and keeps what it says."""
        send = self.asked.pop(number, None)
        if self.uploads.answered(number, answer, self.now_us):
            assert send is not None
            self.remembered[send.rec] = self.uploads.standing(send.rec).delivered_bytes
            self.remove_if_complete(send.rec)

    # The servers: two, one store.

    def append(self, rec: str, offset_bytes: int, data: bytes) -> Answer:
        """Do what Store.append promises; either server does the same to the same store."""
        stored = self.store.get(rec, b"")
        if offset_bytes > len(stored):
            return Elsewhere(len(stored))
        overlap = stored[offset_bytes : offset_bytes + len(data)]
        assert data.startswith(overlap), "the server was sent other bytes for the same place"
        self.store[rec] = stored + data[len(overlap) :]
        return Durable(len(self.store[rec]))

    @rule(rec=st.sampled_from(RECS), share=st.floats(0, 1))
    def lose_stored_bytes(self, rec: str, share: float) -> None:
        """A server comes back from an older copy of its disk, while the host still has all."""
        if rec in self.spool:
            stored = self.store.get(rec, b"")
            self.store[rec] = stored[: int(len(stored) * share)]
            # What it said before its loss is no longer true, and reaches nobody any more.
            self.answers.clear()

    # What must hold.

    @invariant()
    def stored_is_a_prefix(self) -> None:
        """Whatever happens, the store holds the recording's beginning, byte for byte."""
        for rec, stored in self.store.items():
            whole = self.removed.get(rec) or self.spool[rec]
            assert whole.startswith(stored)

    @invariant()
    def removed_is_stored(self) -> None:
        """What left the host is on the server, wholly."""
        for rec, whole in self.removed.items():
            assert self.store[rec] == whole

    def teardown(self) -> None:
        """Once the network is good again, everything arrives, in a bounded number of steps."""
        self.requests.clear()
        for number in sorted(self.asked):
            self.take(number, LOST)
        for rec in RECS:
            self.finish(rec)
        for _ in range(2000):
            if not self.spool:
                break
            action = self.uploads.next(self.now_us)
            if isinstance(action, Wait):
                assert action.until_us is not None
                self.now_us = max(self.now_us, action.until_us)
                continue
            self.asked[action.number] = action
            data = self.spool[action.rec][action.offset_bytes : action.end_bytes]
            self.take(action.number, self.append(action.rec, action.offset_bytes, data))
        assert not self.spool
        assert self.store == self.removed


Delivery.TestCase.settings = settings(
    max_examples=200, stateful_step_count=60, deadline=None, print_blob=True
)
TestDelivery = Delivery.TestCase
