"""What people are told of hosts, and what they may ask of live sessions."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from running_server import Running, make_lines, running_server
from spoken_host import SpokenHost
from waiting import wait_for

from steno.heartbeat import AuditFacts, OpenSession, SpoolFacts
from steno.store.accounts_file import AccountsFile
from steno.store.hosts import HostRegistry
from steno.store.opening import open_store


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, password_hash: str) -> Iterator[Running]:
    """A server that lets auditors send messages."""
    flags = {"orders.message": "auditor"}
    with running_server(tmp_path_factory.mktemp("server"), password_hash, flags) as server:
        yield server


@pytest.fixture
def hasty(tmp_path: Path, password_hash: str) -> Iterator[Running]:
    """The same, on which an order expires at once."""
    flags = {"orders.message": "auditor", "orders.expire_s": 1}
    with running_server(tmp_path, password_hash, flags) as server:
        yield server


def enrol(running: Running, name: str) -> SpokenHost:
    """Enrol a host with the running server."""
    file = AccountsFile(running.config.accounts_path)
    registry = HostRegistry(file)
    token = registry.enrol(registry.make_code().code, name, None)
    file.close()
    return SpokenHost(running.url, token)


@pytest.fixture(scope="module")
def host(running: Running) -> Iterator[SpokenHost]:
    """Host web1, on which alice's session `live-1` is being recorded."""
    host = begin_session(running)
    yield host
    host.close()


def begin_session(running: Running) -> SpokenHost:
    """Return a host, web1, that has just begun to record alice's session `live-1`."""
    host = enrol(running, "web1")
    lines = make_lines("live-1", "alice", ["hello"], started_unix_us=time.time_ns() // 1000)
    running.deliver("live-1", lines[:-1])
    running.wait_for("live-1", lambda summary: summary.is_live)
    host.beat(OpenSession("live-1", "alice", number=3))
    return host


def test_a_host_shows_what_it_said_last(running: Running, host: SpokenHost) -> None:
    """State, sessions, clock, spool and failures; an unknown host is 404, a user's question 403."""
    spool = SpoolFacts(used_bytes=7, limit_bytes=1 << 30, free_bytes=1 << 34, open=("live-1",))
    session = OpenSession("live-1", "alice", service="sshd", number=3)
    before_us = time.time_ns() // 1000
    by_its_clock_us = before_us - 30_000_000
    audit = AuditFacts(
        "auditd", by_its_clock_us, "trail-1", events=20, kept=10, lost={"gap": 2}, enabled=1
    )
    host.beat(
        session, spool=spool, number=9, failures=("policy: no",), audit=audit, clock_offset_s=-30
    )
    lasted_us = time.time_ns() // 1000 - before_us
    auditor = running.sign_in("audrey")
    found = auditor.get("/api/v1/hosts/web1").json()
    assert (found["state"], found["sessions"], found["open"]) == ("good", 1, 1)
    assert (found["spool_bytes"], found["agent_version"], found["last_number"]) == (7, "0.1.0", 9)
    # Half of a round trip of two milliseconds is taken off; the way there took some of `lasted_us`.
    assert -30_000_000 - lasted_us <= found["clock_offset_us"] <= -30_000_000 + 1000
    assert found["warnings"] == ["clock", "failures"]
    assert found["failures"] == ["policy: no"]
    assert found["audit"]["lost"] == {"gap": 2}
    assert (found["audit"]["trail"], found["audit"]["kept"]) == ("trail-1", 10)
    assert found["open_sessions"][0]["rec"] == "live-1"
    listed = auditor.get("/api/v1/hosts").json()["items"]
    assert {**listed[0], "silence_us": 0} == {name: found[name] for name in listed[0]} | {
        "silence_us": 0
    }
    assert auditor.get("/api/v1/hosts/web9").status_code == 404
    assert running.sign_in("alice").get("/api/v1/hosts/web1").status_code == 403
    assert auditor.get("/api/v1/warnings").json() == {"items": []}


def test_a_host_shows_what_is_not_indexed_any_further(running: Running, host: SpokenHost) -> None:
    """A warning in the list, and on the host's own page what it is and why."""
    host.beat(OpenSession("live-1", "alice", number=3))
    trail = f"trail-{'7' * 32}-1"
    store = open_store(running.config.store_directory)
    try:
        store.append(trail, 0, b"no trail\n", sender="web1")
        wait_for(lambda: store.derived_bytes(trail) >= 9, "the trail is not indexed")
        store.leave_alone(trail, "the index process died at it 4 times", 77)
        found = running.sign_in("audrey").get("/api/v1/hosts/web1").json()
        assert found["warnings"] == ["index"]
        assert found["left_alone"] == [
            {
                "rec": trail,
                "sender": "web1",
                "since_unix_us": 77,
                "reason": "the index process died at it 4 times",
            }
        ]
        store.clear_derived(trail)
        found = running.sign_in("audrey").get("/api/v1/hosts/web1").json()
        assert (found["warnings"], found["left_alone"]) == ([], [])
    finally:
        store.close()


def test_the_configuration_says_who_may_act(running: Running, host: SpokenHost) -> None:
    """Here auditors may send messages and not kill; the recorded person may neither."""
    host.beat(OpenSession("live-1", "alice"))
    auditor, admin, user = (running.sign_in(name) for name in ("audrey", "ada", "alice"))
    path = "/api/v1/recordings/live-1"
    assert auditor.get(f"{path}/orders").json()["may"] == ["message"]
    assert admin.get(f"{path}/orders").json()["may"] == ["kill", "message"]
    assert auditor.post(f"{path}/kill", json={}).status_code == 403
    assert user.post(f"{path}/message", json={"text": "hi"}).status_code == 403
    del admin.headers["X-CSRF-Token"]
    assert admin.post(f"{path}/kill", json={}).status_code == 403
    assert auditor.post(f"{path}/message", json={"text": ""}).status_code == 422
    assert auditor.post(f"{path}/message", json={"text": "x" * 1001}).status_code == 422
    assert auditor.get(f"{path}/orders").json()["items"] == []


def logged(auditor: httpx2.Client) -> list[tuple[str, str, str]]:
    """Return what was done about the session: by whom, what, and with which words."""
    items = auditor.get("/api/v1/viewings", params={"rec": "live-1"}).json()["items"]
    return [(one["user"], one["how"], one["detail"]) for one in reversed(items)]


def test_an_order_is_logged_told_and_settled(running: Running, host: SpokenHost) -> None:
    """A host that asks is told who wants what, and what it says came of it is shown."""
    host.beat(OpenSession("live-1", "alice"))
    auditor = running.sign_in("audrey")
    path = "/api/v1/recordings/live-1"
    given = auditor.post(f"{path}/message", json={"text": "hi", "reason": "noon"})
    assert (given.status_code, given.json()["state"]) == (201, "waiting")
    (told,) = host.orders(30.0).orders
    assert (told.text, told.reason, told.by) == ("hi", "noon", "audrey")
    host.answer(told, "no terminal")
    host.beat(OpenSession("live-1", "alice"))
    assert auditor.get(f"{path}/orders").json()["items"][0]["failure"] == "no terminal"
    assert logged(auditor) == [("audrey", "message", "hi; noon")]


def test_an_order_expires(hasty: Running) -> None:
    """What nobody carries out in time is said to have expired, and was asked for all the same."""
    begin_session(hasty).close()
    auditor = hasty.sign_in("audrey")
    path = "/api/v1/recordings/live-1"
    auditor.post(f"{path}/message", json={"text": "nobody hears this"})

    def state() -> str | None:
        (order,) = auditor.get(f"{path}/orders").json()["items"]
        return order["state"] if order["state"] != "waiting" else None

    assert wait_for(state, "it waits for ever") == "expired"
    assert logged(auditor) == [("audrey", "message", "nobody hears this")]


def test_what_cannot_be_acted_on_is_a_conflict(running: Running) -> None:
    """A session that has ended is not asked for at its host; an unknown one is 404."""
    admin = running.sign_in("ada")
    ended = admin.post("/api/v1/recordings/a1ice-0001/kill", json={})
    assert (ended.status_code, ended.json()["detail"]) == (409, "the session has ended")
    assert admin.post("/api/v1/recordings/none/kill", json={}).status_code == 404


def test_a_host_that_never_spoke_cannot_be_asked(fresh: Running) -> None:
    """A recording may be live by its lines; but nobody there would hear of an order."""
    enrol(fresh, "web1").close()
    lines = make_lines("live-2", "bob", ["x"], started_unix_us=time.time_ns() // 1000)
    fresh.deliver("live-2", lines[:-1])
    fresh.wait_for("live-2", lambda summary: summary.is_live)
    refused = fresh.sign_in("ada").post("/api/v1/recordings/live-2/kill", json={})
    assert (refused.status_code, "unheard" in refused.json()["detail"]) == (409, True)
