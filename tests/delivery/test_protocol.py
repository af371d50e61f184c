"""The upload protocol's state machine: single promises, each by its own small story."""

from __future__ import annotations

import pytest

from steno.delivery.protocol import (
    LASTING_US,
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
from steno.errors import ProtocolError, RefusedError, UnreachableError

DOWN = Failure(UnreachableError("down"))


def make(servers: int = 1, *, random: float = 0.0, **options: int) -> Uploads:
    """Return a state machine whose jitter is known."""
    return Uploads(servers, Backoff(lambda: random, first_us=1000, most_us=8000), **options)


def send_of(uploads: Uploads, now_us: int = 0) -> Send:
    """Return what is to be sent now; there must be something."""
    action = uploads.next(now_us)
    assert isinstance(action, Send)
    return action


def test_a_recording_goes_out_piece_by_piece() -> None:
    """Each request begins where the last answer ended, until all is acknowledged."""
    uploads = make(request_limit_bytes=100)
    uploads.offer("r", 250, is_finished=True)
    ranges = []
    while isinstance(send := uploads.next(0), Send):
        ranges.append((send.offset_bytes, send.end_bytes))
        uploads.answered(send.number, Durable(send.end_bytes), 0)
    assert ranges == [(0, 100), (100, 200), (200, 250)]
    assert uploads.standing("r").is_complete
    assert send == Wait(None)


def test_what_was_delivered_before_is_not_sent_again() -> None:
    """A remembered offset is where a new process goes on."""
    uploads = make()
    uploads.offer("r", 250, is_finished=False, delivered_bytes=200)
    assert send_of(uploads).offset_bytes == 200


def test_a_recording_is_complete_when_the_server_confirms_its_end() -> None:
    """What was said before the end, or is only remembered, must be said again after it."""
    uploads = make()
    uploads.offer("r", 250, is_finished=False, delivered_bytes=250)
    assert uploads.next(0) == Wait(None)
    uploads.offer("r", 250, is_finished=True)
    send = send_of(uploads)
    assert (send.offset_bytes, send.end_bytes) == (250, 250)
    uploads.answered(send.number, Durable(100), 0)
    assert not uploads.standing("r").is_complete
    send = send_of(uploads)
    assert (send.offset_bytes, send.end_bytes) == (100, 250)
    uploads.answered(send.number, Durable(250), 0)
    assert uploads.standing("r").is_complete


def test_one_request_per_recording_and_a_few_over_all() -> None:
    """Recordings share the connections; none has two requests on its way."""
    uploads = make(connections=2, request_limit_bytes=10)
    for rec in ("a", "b", "c"):
        uploads.offer(rec, 100, is_finished=False)
    first, second = send_of(uploads), send_of(uploads)
    assert (first.rec, second.rec) == ("a", "b")
    assert uploads.next(0) == Wait(None)
    uploads.answered(first.number, Durable(10), 0)
    assert send_of(uploads).rec == "c"
    uploads.answered(second.number, Durable(10), 0)
    assert send_of(uploads).rec == "a"


def test_the_servers_offset_counts() -> None:
    """A 409 moves to where the server is, forward or back."""
    uploads = make()
    uploads.offer("r", 250, is_finished=False, delivered_bytes=100)
    uploads.answered(send_of(uploads).number, Elsewhere(40), 0)
    send = send_of(uploads)
    assert send.offset_bytes == 40
    uploads.answered(send.number, Elsewhere(200), 0)
    assert send_of(uploads).offset_bytes == 200


def test_a_server_that_lost_bytes_gets_them_again() -> None:
    """A smaller offset than was acknowledged before makes the same bytes go out once more."""
    uploads = make(request_limit_bytes=100)
    uploads.offer("r", 300, is_finished=False)
    uploads.answered(send_of(uploads).number, Durable(100), 0)
    uploads.answered(send_of(uploads).number, Durable(60), 0)
    assert send_of(uploads).offset_bytes == 60


def test_a_server_that_never_moves_is_not_asked_in_a_loop() -> None:
    """Corrections without progress make the recording wait, with an error to show."""
    uploads = make()
    uploads.offer("r", 100, is_finished=False)
    uploads.answered(send_of(uploads).number, Durable(0), 0)
    uploads.answered(send_of(uploads).number, Durable(0), 0)
    assert uploads.next(0) == Wait(500)
    assert isinstance(uploads.standing("r").error, ProtocolError)
    uploads.answered(send_of(uploads, 500).number, Durable(100), 500)
    assert uploads.standing("r").error is None


@pytest.mark.parametrize("offset_bytes", [-1, 101, 2**70])
def test_an_impossible_offset_is_an_error(offset_bytes: int) -> None:
    """An offset beyond what the host has, or below 0, is believed by nobody."""
    uploads = make()
    uploads.offer("r", 100, is_finished=True, delivered_bytes=50)
    uploads.answered(send_of(uploads).number, Durable(offset_bytes), 0)
    standing = uploads.standing("r")
    assert standing.delivered_bytes == 50
    assert isinstance(standing.error, ProtocolError)
    assert isinstance(uploads.next(0), Wait)


def test_servers_are_tried_in_turn() -> None:
    """After a failure the next server is asked at once; when all failed, the earliest one."""
    uploads = make(2)
    uploads.offer("r", 100, is_finished=False)
    first = send_of(uploads)
    uploads.answered(first.number, DOWN, 0)
    second = send_of(uploads)
    assert (first.server, second.server) == (0, 1)
    uploads.answered(second.number, DOWN, 100)
    assert uploads.next(100) == Wait(500)
    assert send_of(uploads, 500).server == 0


def test_a_server_that_works_is_kept() -> None:
    """There is no going back to the first server while the second takes everything."""
    uploads = make(2, request_limit_bytes=10)
    uploads.offer("r", 100, is_finished=False)
    uploads.answered(send_of(uploads).number, DOWN, 0)
    for at in (10, 20, 30):
        send = send_of(uploads, at * 1_000_000)
        assert send.server == 1
        uploads.answered(send.number, Durable(at), at * 1_000_000)


def test_waits_double_up_to_a_limit_with_jitter() -> None:
    """Each wait is between half and all of 1, 2, 4, 8, 8 ... times the first."""
    for random, share in ((0.0, 0.5), (0.999999, 1.0)):
        waits = [Backoff(lambda: random, 1000, 8000).delay_us(count) for count in range(1, 60)]  # noqa: B023  # called at once
        expected = [min(8000, 1000 * 2**count) * share for count in range(59)]
        assert waits == pytest.approx(expected, abs=2)


def test_a_server_in_trouble_is_probed_by_one_request() -> None:
    """While it is not known to be back, one request tells, and the others wait for it."""
    uploads = make(connections=3)
    for rec in ("a", "b", "c"):
        uploads.offer(rec, 10, is_finished=False)
    uploads.answered(send_of(uploads).number, DOWN, 0)
    probe = send_of(uploads, 1000)
    assert uploads.next(1000) == Wait(None)
    uploads.answered(probe.number, Durable(10), 1000)
    assert isinstance(uploads.next(1000), Send)
    assert isinstance(uploads.next(1000), Send)


def test_the_servers_wish_for_patience_is_respected() -> None:
    """Retry-After puts the next attempt off, if it is longer than our own wait."""
    uploads = make()
    uploads.offer("r", 10, is_finished=False)
    busy = Failure(UnreachableError("busy"), retry_after_us=50_000)
    uploads.answered(send_of(uploads).number, busy, 0)
    assert uploads.next(0) == Wait(50_000)


def test_one_bad_recording_holds_up_no_other() -> None:
    """What concerns a recording alone leaves the server and the other recordings as they were."""
    uploads = make()
    uploads.offer("bad", 10, is_finished=False)
    uploads.offer("good", 10, is_finished=False)
    refused = Failure(RefusedError("not yours"), "recording", is_lasting=True)
    uploads.answered(send_of(uploads).number, refused, 0)
    good = send_of(uploads)
    assert good.rec == "good"
    uploads.answered(good.number, Durable(10), 0)
    assert uploads.next(0) == Wait(LASTING_US)
    assert uploads.standing("bad").is_lasting


def test_too_large_bodies_shrink() -> None:
    """413 halves the body until it fits; at 4 KiB it is an error, and another one each time."""
    uploads = make(request_limit_bytes=10_000)
    uploads.offer("r", 100_000, is_finished=False)
    lengths = []
    for _ in range(3):
        send = send_of(uploads)
        lengths.append(send.end_bytes - send.offset_bytes)
        uploads.answered(send.number, TooLarge(), 0)
    assert lengths == [10_000, 5000, 4096]
    assert isinstance(uploads.next(0), Wait)
    [failure] = uploads.server_failures()
    assert failure is not None
    assert isinstance(failure.error, ProtocolError)
    wait = uploads.next(0)
    assert isinstance(wait, Wait)
    assert wait.until_us is not None
    uploads.answered(send_of(uploads, wait.until_us).number, TooLarge(), wait.until_us)
    assert uploads.least_server_failures() == 2


@pytest.mark.parametrize("answer", [Durable(10), Elsewhere(0), TooLarge(), DOWN])
def test_an_answer_nobody_waits_for_changes_nothing(answer: Answer) -> None:
    """A second answer to one request, and one to a forgotten recording, are ignored."""
    uploads = make()
    uploads.offer("r", 10, is_finished=False)
    send = send_of(uploads)
    assert uploads.answered(send.number, Durable(5), 0)
    before = uploads.standing("r")
    assert not uploads.answered(send.number, answer, 0)
    assert uploads.standing("r") == before
    send = send_of(uploads)
    uploads.forget("r")
    assert not uploads.answered(send.number, answer, 0)
    assert uploads.recs() == []
    assert uploads.next(0) == Wait(None)
