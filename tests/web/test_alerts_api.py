"""Alerts over the API: raised by what hosts deliver, seen by auditors, acknowledged for good."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from running_server import STARTED_UNIX_US, Running, make_lines, running_server
from spoken_host import SpokenHost

from steno.audit.event import Event, Process, Thing, Who
from steno.audit.trail import TrailEncoder, TrailHead, make_trail_id
from steno.formats.cutter import Cutter, Identity
from steno.heartbeat import OpenSession
from steno.model import End, Output, Start, Window
from steno.store.accounts_file import AccountsFile
from steno.store.hosts import HostRegistry
from steno.store.opening import open_store

BOOT_ID = "0123456789abcdef0123456789abcdef"
TRAIL = make_trail_id(BOOT_ID, "a1")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, password_hash: str) -> Iterator[Running]:
    """A server with Steno's own rules, on which there is nothing to alert about yet."""
    with running_server(tmp_path_factory.mktemp("server"), password_hash) as server:
        yield server


def wait(
    running: Running, is_there: Callable[[list[dict[str, Any]]], bool]
) -> list[dict[str, Any]]:
    """Wait until the list of alerts is as a test waits for; return it."""
    client = running.sign_in("audrey")
    for _ in range(1200):
        items: list[dict[str, Any]] = client.get("/api/v1/alerts").json()["items"]
        if is_there(items):
            return items
        time.sleep(0.05)
    raise AssertionError(f"not in time; there are {items}")


def session_lines(rec: str, boot_id: str = BOOT_ID, later_us: int = 0) -> list[bytes]:
    """Return a recording of ten seconds that knows its audit session."""
    start = Start(
        user="root", login_user="avery", host="web1", started_unix_us=STARTED_UNIX_US + later_us,
        recorder="steno test", boot_id=boot_id, audit_session=4, columns=80, rows=24,
    )  # fmt: skip
    cutter = Cutter(
        Identity(host="web1", rec=rec, user="root", term="xterm", session=4, start=start)
    )
    lines = list(cutter.add(Window(0, 80, 24)))
    lines += cutter.add(Output(9_000_000, b"done\r\n"))
    return [*lines, *cutter.end(End("exit", exit_status=0), 10_000_000)]


def trail_lines() -> list[bytes]:
    """Return a trail in which avery writes sudo's rules three seconds into that session."""
    encoder = TrailEncoder()
    event = Event(
        77,
        STARTED_UNIX_US + 3_000_000,
        "wrote",
        "success",
        audit_session=4,
        who=Who(login_uid=1501, login_user="avery", uid=0, user="root"),
        process=Process(pid=9, program="/usr/bin/tee"),
        objects=[Thing("file", "/etc/sudoers")],
        text="avery as root wrote /etc/sudoers with tee",
    )
    head = TrailHead(TRAIL, "web1", BOOT_ID, STARTED_UNIX_US, "steno test")
    return [encoder.encode(head), encoder.encode(event)]


def deliver_trail(running: Running, lines: list[bytes]) -> None:
    """Deliver a trail, as another process would."""
    store = open_store(running.config.store_directory)
    try:
        store.append(TRAIL, store.durable_bytes(TRAIL), b"".join(lines), sender="web1")
    finally:
        store.close()


@pytest.fixture(scope="module")
def raised(running: Running) -> list[dict[str, Any]]:
    """Two alerts: one of an event, one of a line on a screen."""
    running.deliver("with-audit", session_lines("with-audit"))
    running.wait_for("with-audit", lambda summary: summary.end is not None)
    deliver_trail(running, trail_lines())
    running.deliver("typed", make_lines("typed", "bob", ["$ ls", "$ history -c", "$ exit"]))
    return wait(running, lambda items: len(items) >= 2)


def of_rule(alerts: list[dict[str, Any]], rule: str) -> dict[str, Any]:
    """Return the only alert of a rule."""
    (found,) = [alert for alert in alerts if alert["rule"] == rule]
    return found


def test_an_event_leads_to_its_moment_in_the_recording(raised: list[dict[str, Any]]) -> None:
    """What happened in a session that was recorded says where it can be seen."""
    alert = of_rule(raised, "sudoers-written")
    assert (alert["rec"], alert["at_us"]) == ("with-audit", 3_000_000)
    assert (alert["severity"], alert["host"], alert["login_user"]) == ("high", "web1", "avery")
    assert (alert["trail"], alert["serial"], alert["count"]) == (TRAIL, 77, 1)
    assert alert["text"] == "avery as root wrote /etc/sudoers with tee"
    assert alert["acknowledged_by"] is None


def test_other_boots_sessions_of_the_same_number_hide_nothing(
    running: Running, raised: list[dict[str, Any]]
) -> None:
    """Sessions are numbered anew at each boot: however many bear the number, it is found."""
    for number in range(60):
        lines = session_lines(f"boot-{number}", f"{number:032x}", later_us=1_000_000)
        running.deliver(f"boot-{number}", lines)
    running.wait_for("boot-59", lambda summary: summary.end is not None)
    items = running.sign_in("audrey").get("/api/v1/alerts").json()["items"]
    assert of_rule(items, "sudoers-written")["rec"] == "with-audit"


def test_a_line_leads_to_its_moment_too(raised: list[dict[str, Any]]) -> None:
    """With the text that stood there."""
    alert = of_rule(raised, "history-cleared-by-hand")
    assert (alert["rec"], alert["user"]) == ("typed", "bob")
    assert "history -c" in alert["text"]
    assert 1_000_000 <= alert["at_us"] <= 3_000_000


def test_a_recording_lists_its_own(running: Running, raised: list[dict[str, Any]]) -> None:
    """Those of its session and of its screen, no others."""
    client = running.sign_in("audrey")
    items = client.get("/api/v1/recordings/with-audit/alerts").json()["items"]
    assert items == [of_rule(raised, "sudoers-written")]
    (one,) = client.get("/api/v1/recordings/typed/alerts").json()["items"]
    assert one["rule"] == "history-cleared-by-hand"
    assert client.get("/api/v1/recordings/nothing/alerts").status_code == 404


def test_lists_can_be_narrowed(running: Running, raised: list[dict[str, Any]]) -> None:
    """By severity, rule, host, state and time; a wrong cursor is refused."""
    client = running.sign_in("audrey")

    def rules(**parameters: str) -> list[str]:
        found = client.get("/api/v1/alerts", params=parameters)
        assert found.status_code == 200, found.text
        return sorted(alert["rule"] for alert in found.json()["items"])

    assert rules() == sorted(alert["rule"] for alert in raised)
    assert rules(least="high") == ["sudoers-written"]
    assert rules(rule="history-cleared-by-hand") == ["history-cleared-by-hand"]
    assert rules(host="nowhere") == rules(state="acknowledged") == []
    first = client.get("/api/v1/alerts", params={"limit": 1}).json()
    second = client.get("/api/v1/alerts", params={"limit": 1, "cursor": first["cursor"]}).json()
    assert first["items"] != second["items"]
    assert second["cursor"] is None
    assert first["open"] == {"low": 0, "medium": 1, "high": 1, "critical": 0}
    assert client.get("/api/v1/alerts", params={"cursor": "x"}).status_code == 422


def test_only_auditors_see_alerts(running: Running, raised: list[dict[str, Any]]) -> None:
    """The recorded person does not learn what was noticed, nor can acknowledge it."""
    client = running.sign_in("bob")
    assert client.get("/api/v1/alerts").status_code == 403
    assert client.get("/api/v1/recordings/typed/alerts").status_code == 403
    number = of_rule(raised, "history-cleared-by-hand")["id"]
    assert client.post(f"/api/v1/alerts/{number}/acknowledge", json={}).status_code == 403


def acknowledge(client: httpx2.Client, number: int, comment: str) -> dict[str, Any]:
    """Acknowledge an alert; return what the server says of it."""
    answer = client.post(f"/api/v1/alerts/{number}/acknowledge", json={"comment": comment})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_an_acknowledgement_stays_the_first_ones(
    running: Running, raised: list[dict[str, Any]]
) -> None:
    """Who, when and the comment are kept; nobody can write over them."""
    number = of_rule(raised, "sudoers-written")["id"]
    seen = acknowledge(running.sign_in("audrey"), number, "planned")
    assert (seen["acknowledged_by"], seen["comment"]) == ("audrey", "planned")
    assert (seen["rec"], seen["at_us"]) == ("with-audit", 3_000_000)
    assert acknowledge(running.sign_in("ada"), number, "no") == seen
    client = running.sign_in("ada")
    assert client.post("/api/v1/alerts/999/acknowledge", json={}).status_code == 404
    assert client.get("/api/v1/alerts").json()["open"]["high"] == 0


def test_a_restart_raises_nothing_again(tmp_path: Path, password_hash: str) -> None:
    """What a server knew when it was stopped it knows afterwards; what came meanwhile it finds."""
    with running_server(tmp_path, password_hash) as running:
        deliver_trail(running, trail_lines())
        before = wait(running, lambda items: len(items) == 1)
    other = make_lines("later", "bob", ["$ history -c"])
    store = open_store(running.config.store_directory)
    store.append("later", 0, b"".join(other), sender="web1")
    store.close()
    again = Running(running.config)
    again.start()
    try:
        found = wait(again, lambda items: len(items) >= 2)
    finally:
        again.stop()
    assert [alert["rule"] for alert in found] == ["history-cleared-by-hand", "sudoers-written"]
    assert found[1] == before[0]


def test_a_host_that_falls_silent_raises_an_alert(tmp_path: Path, password_hash: str) -> None:
    """Where sessions were being recorded: that may be somebody who stopped the recorder."""
    with running_server(tmp_path, password_hash, {"hosts.silent_after_s": 1}) as running:
        file = AccountsFile(running.config.accounts_path)
        registry = HostRegistry(file)
        token = registry.enrol(registry.make_code().code, "web9", None)
        file.close()
        host = SpokenHost(running.url, token)
        host.beat(OpenSession("open-1", "alice", number=3))
        host.close()
        (alert,) = wait(running, lambda items: len(items) == 1)
    assert (alert["rule"], alert["host"], alert["severity"]) == ("host-silent", "web9", "critical")
    assert "recordings that were open: 1" in alert["text"]
