"""Server-sent events: following a recording, following the list, and when that ends."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from running_server import Running, make_lines, running_server

from steno.store import viewings
from steno.web import streams

CHANGES = "/api/v1/changes"


def make_live_lines(rec: str, texts: list[str]) -> list[bytes]:
    """Return the lines of a recording of alice's that began just now."""
    return make_lines(rec, "alice", texts, started_unix_us=time.time_ns() // 1000)


class Events:
    """Reads a stream's events in a thread; `heartbeats` counts the comments between them."""

    def __init__(self, answer: httpx2.Response) -> None:
        self.found: list[tuple[str, Any, str | None]] = []
        self.heartbeats = 0
        self.has_ended = threading.Event()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, args=(answer,), daemon=True)
        self._thread.start()

    def _read(self, answer: httpx2.Response) -> None:
        event: dict[str, str] = {}
        try:
            for line in answer.iter_lines():
                with self._changed:
                    if line.startswith(":"):
                        self.heartbeats += 1
                    elif line:
                        name, _, value = line.partition(": ")
                        event[name] = value
                    elif event:
                        data = json.loads(event["data"])
                        self.found.append((event["event"], data, event.get("id")))
                        event = {}
                    self._changed.notify_all()
        except httpx2.HTTPError:
            pass
        finally:
            self.has_ended.set()

    def wait(self, is_there: Any) -> None:  # noqa: ANN401  # a predicate without arguments
        """Wait until `is_there()`."""
        with self._changed:
            assert self._changed.wait_for(is_there, 60), (self.found, self.heartbeats)

    def output(self) -> str:
        """Return all output so far."""
        pieces = [data["events"] for name, data, _ in self.found if name == "pieces"]
        return "".join(text for events in pieces for _, code, text in events if code == "o")


@contextmanager
def follow(
    client: httpx2.Client, path: str, headers: dict[str, str] | None = None
) -> Iterator[Events]:
    """Open a stream and read it in the background."""
    with client.stream("GET", path, headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        connection = answer.extensions["network_stream"].get_extra_info("socket")
        yield Events(answer)
        # Closing alone does not end a connection that a thread is reading from.
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def quick_heartbeats(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make heartbeats come often, so that what they check is seen soon."""
    monkeypatch.setattr(streams, "HEARTBEAT_S", 0.1)


def test_a_growing_recording_is_followed_to_its_end(fresh: Running) -> None:
    """What is there comes at once, what is added comes then, and the end says how it ended."""
    lines = make_live_lines("growing", ["one", "two", "three"])
    fresh.deliver("growing", lines[:1])
    fresh.wait_for("growing", lambda summary: summary.is_live)
    with follow(fresh.sign_in("alice"), "/api/v1/recordings/growing/live") as events:
        events.wait(lambda: "one" in events.output())
        fresh.deliver("growing", lines[1:2])
        events.wait(lambda: "two" in events.output())
        fresh.deliver("growing", lines[2:])
        assert events.has_ended.wait(60)
    assert events.output() == "one\r\ntwo\r\nthree\r\n"
    name, data, _ = events.found[-1]
    assert (name, data["reason"], data["exit_status"]) == ("end", "exit", 0)


def test_a_torn_line_waits_for_its_rest(fresh: Running) -> None:
    """Half a line shows nothing and breaks nothing; its rest completes it."""
    lines = make_live_lines("halves", ["one", "two"])
    fresh.deliver("halves", [lines[0]])
    fresh.wait_for("halves", lambda summary: summary.is_live)
    with follow(fresh.sign_in("alice"), "/api/v1/recordings/halves/live") as events:
        events.wait(lambda: "one" in events.output())
        fresh.deliver("halves", [lines[1][:30]])
        fresh.deliver("halves", [lines[1][30:], *lines[2:]])
        assert events.has_ended.wait(60)
    assert events.output() == "one\r\ntwo\r\n"


def test_a_broken_connection_goes_on_where_it_was(fresh: Running) -> None:
    """With the id of the last event that came, no piece is missing and none comes twice."""
    lines = make_live_lines("resumed", ["one", "two", "three"])
    fresh.deliver("resumed", lines[:2])
    fresh.wait_for("resumed", lambda summary: summary.is_live)
    client, path = fresh.sign_in("alice"), "/api/v1/recordings/resumed/live"
    with follow(client, path) as events:
        events.wait(lambda: "two" in events.output())
    last_id = events.found[-1][2]
    assert last_id is not None
    fresh.deliver("resumed", lines[2:])
    with follow(client, path, {"Last-Event-ID": last_id}) as rest:
        assert rest.has_ended.wait(60)
    assert rest.output() == "three\r\n"
    refused = client.get(path, headers={"Last-Event-ID": "made up"})
    assert refused.status_code == 422


def test_following_can_begin_at_an_instant(fresh: Running) -> None:
    """Only what came at or after `from_us` is sent."""
    path = "/api/v1/recordings/a1ice-0001/live"
    with follow(fresh.sign_in("alice"), f"{path}?from_us=2000000") as events:
        assert events.has_ended.wait(60)
    assert events.output() == "error: no quills\r\n<script>alert(1)</script>\r\n"


def test_following_is_logged_as_a_viewing(fresh: Running) -> None:
    """Who followed a recording live is in the log."""
    with follow(fresh.sign_in("audrey"), "/api/v1/recordings/a1ice-0001/live") as events:
        assert events.has_ended.wait(60)
    items = fresh.sign_in("ada").get("/api/v1/viewings").json()["items"]
    assert [(item["user"], item["how"]) for item in items] == [("audrey", "live")]


def test_changes_reach_those_who_may_see_them(fresh: Running) -> None:
    """A new recording reaches an auditor's list and its user's, and nobody else's."""
    with (
        follow(fresh.sign_in("audrey"), CHANGES) as all_events,
        follow(fresh.sign_in("bob"), CHANGES) as bobs,
    ):
        all_events.wait(lambda: all_events.heartbeats)
        bobs.wait(lambda: bobs.heartbeats)
        fresh.deliver("new-alice", make_lines("new-alice", "alice", ["x"]))
        all_events.wait(lambda: any(data["rec"] == "new-alice" for _, data, _ in all_events.found))
        fresh.deliver("new-bob", make_lines("new-bob", "bob", ["x"]))
        bobs.wait(lambda: any(data["rec"] == "new-bob" for _, data, _ in bobs.found))
        # The index process may have told of what was there before just now.
        assert {data["rec"] for _, data, _ in bobs.found} <= {"b0b-0001", "new-bob"}


def test_a_quiet_stream_sends_heartbeats(fresh: Running, quick_heartbeats: None) -> None:
    """Comments keep the connection open while nothing happens."""
    with follow(fresh.sign_in("audrey"), CHANGES) as events:
        events.wait(lambda: events.heartbeats >= 3)


def test_signing_out_ends_the_sessions_streams_and_no_others(fresh: Running) -> None:
    """After DELETE /session the session's streams end at once; another session's go on."""
    client, other = fresh.sign_in("audrey"), fresh.sign_in("audrey")
    with follow(client, CHANGES) as ended, follow(other, CHANGES) as going:
        ended.wait(lambda: ended.heartbeats)
        going.wait(lambda: going.heartbeats)
        assert client.delete("/api/v1/session").status_code == 204
        assert ended.has_ended.wait(60)
        assert not going.has_ended.is_set()


@pytest.mark.usefixtures("quick_heartbeats")
def test_a_session_that_another_process_ended_loses_its_streams(fresh: Running) -> None:
    """Removing a user on the command line ends their streams with the next heartbeat."""
    with follow(fresh.sign_in("bob"), CHANGES) as events:
        events.wait(lambda: events.heartbeats)
        fresh.accounts().remove_user("bob")
        assert events.has_ended.wait(60)


def test_a_busy_stream_ends_with_its_session_too(
    fresh: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much there is to send, somebody who was removed gets no more of it."""
    # Longer than another process's news take to come, so that the stream has no quiet moment.
    monkeypatch.setattr(streams, "HEARTBEAT_S", 1.5)
    lines = make_live_lines("busy", [f"line {number}" for number in range(3000)])
    fresh.deliver("busy", lines[:1])
    fresh.wait_for("busy", lambda summary: summary.is_live)
    with follow(fresh.sign_in("alice"), "/api/v1/recordings/busy/live") as events:
        events.wait(lambda: "line 0" in events.output())
        fresh.accounts().remove_user("alice")
        for line in lines[1:]:
            fresh.deliver("busy", [line])
            time.sleep(0.03)
            if events.has_ended.is_set():
                break
        else:
            pytest.fail("the stream went on")


@pytest.mark.usefixtures("quick_heartbeats")
def test_the_log_says_how_long_somebody_watched(
    fresh: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A viewing of a live recording lasts as long as its stream, not only a moment."""
    monkeypatch.setattr(viewings, "_STEP_US", 100_000)
    lines = make_live_lines("watched", ["one", "two"])
    fresh.deliver("watched", lines[:1])
    fresh.wait_for("watched", lambda summary: summary.is_live)
    auditor = fresh.sign_in("audrey")
    watched_us = 0
    with follow(auditor, "/api/v1/recordings/watched/live") as events:
        # On a busy machine heartbeats come late, and then several within one step of the log.
        for heartbeats in range(6, 200, 6):
            events.wait(lambda wanted=heartbeats: events.heartbeats >= wanted)
            (entry,) = auditor.get("/api/v1/viewings").json()["items"]
            watched_us = entry["last_unix_us"] - entry["first_unix_us"]
            if watched_us >= 300_000:
                break
    assert entry["how"] == "live"
    assert watched_us >= 300_000


def test_open_streams_are_limited_per_user_and_freed(tmp_path: Path, password_hash: str) -> None:
    """One stream too many is refused with 429; when one ends, another may open."""
    with running_server(tmp_path, password_hash, {"limits.streams_per_user": 2}) as running:
        client = running.sign_in("audrey")
        with follow(client, CHANGES), follow(client, CHANGES):
            refused = client.get(CHANGES)
            assert refused.status_code == 429
            assert refused.headers["retry-after"]
            with follow(running.sign_in("ada"), CHANGES):
                pass
        for _ in range(1000):
            with client.stream("GET", CHANGES) as answer:
                if answer.status_code == 200:
                    break
            time.sleep(0.05)
        else:
            pytest.fail("streams that ended still count")


def test_stopping_the_server_ends_the_streams(tmp_path: Path, password_hash: str) -> None:
    """A stop does not wait for viewers to go away."""
    with (
        running_server(tmp_path, password_hash) as running,
        follow(running.sign_in("audrey"), CHANGES) as events,
    ):
        events.wait(lambda: events.heartbeats)
        running.stop()
        assert events.has_ended.wait(60)


def test_head_of_a_stream_answers_at_once(running: Running) -> None:
    """HEAD gives the headers and ends."""
    answer = running.sign_in("audrey").head(CHANGES)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
