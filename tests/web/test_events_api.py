"""Audit events and logins of all hosts, asked of a running server: the real session f1."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from audited_session import BOOT_ID, make_recording, make_trail, read_events
from running_server import Running, running_server
from waiting import wait_for

from steno.store.opening import open_store

OWN, OTHER = "f1-alice", "f1-blake"
TRAIL = f"trail-{BOOT_ID}-1"


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory, password_hash: str) -> Iterator[Running]:
    """A server with the trail of three sessions: alice's and blake's are recorded, one is not."""
    with running_server(tmp_path_factory.mktemp("audited"), password_hash) as server:
        server.deliver(OWN, make_recording(OWN, user="alice", login_user="alice"))
        later = {"audit_session": 5, "user": "blake", "login_user": "blake"}
        server.deliver(OTHER, make_recording(OTHER, started_unix_us=1_795_161_731_000_000, **later))
        events = read_events()
        server.deliver(TRAIL, make_trail(TRAIL, events))
        for rec in (OWN, OTHER):
            server.wait_for(rec, lambda summary: not summary.is_live)
        store = open_store(server.config.store_directory)
        wait_for(
            lambda: sum(one.events for one in store.trail_summaries()) >= len(events),
            "the trail is not indexed",
        )
        # Joining sets events' instants right: two answers are alike before it, or after it.
        wait_for(lambda: not store.unjoined_sessions(), "it is not joined")
        store.close()
        yield server


def get(running: Running, name: str, path: str, **parameters: Any) -> Any:  # noqa: ANN401
    """Return what the API answers somebody."""
    answer = running.sign_in(name).get(f"/api/v1{path}", params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_events_lead_to_their_moments(audited: Running) -> None:
    """Each event comes with its recording and the instant in it, without its records."""
    page = get(audited, "audrey", "/events", q="action:wrote file:/etc/passwd")
    assert len(page["items"]) == 2
    for item in page["items"]:
        assert (item["rec"], item["trail"], item["sender"]) == (OWN, TRAIL, "web1")
        assert item["event"]["records"] == []
        at_us = item["event"]["at_unix_us"] - 1_795_161_724_402_132
        assert abs(item["at_us"] - at_us) < 100_000
    assert "/etc/passwd" in page["items"][0]["event"]["text"]


def test_events_outside_of_recordings_are_for_auditors(audited: Running) -> None:
    """Whoever is no auditor sees events of their own recordings only, also one by one."""
    every = get(audited, "audrey", "/events", q="ran:*", limit=500)["items"]
    assert {item["rec"] for item in every} == {OWN, OTHER, None}
    own = get(audited, "alice", "/events", q="ran:*", limit=500)["items"]
    assert [item for item in every if item["rec"] == OWN] == own
    assert get(audited, "bob", "/events", q="ran:*")["items"] == []
    client = audited.sign_in("alice")
    for item in every[:40]:
        path = f"/api/v1/events/{TRAIL}/{item['event']['serial']}"
        answer = client.get(path)
        assert (answer.status_code == 200) == (item["rec"] == OWN)
        if answer.status_code == 200:
            assert answer.json()["event"]["records"]
    for path in (f"/events/{TRAIL}/1", "/events/trail-none/81"):
        assert client.get(f"/api/v1{path}").status_code == 404
    for path in ("/logins", "/logins/failures"):
        assert client.get(f"/api/v1{path}").status_code == 403


def test_pages_of_events_in_both_orders(audited: Running) -> None:
    """All pages together hold each event once, from either end."""
    total = len(read_events())
    for order in ("newest", "oldest"):
        serials: list[int] = []
        instants: list[int] = []
        cursor = None
        while True:
            page = get(audited, "ada", "/events", order=order, limit=150,
                       **({"cursor": cursor} if cursor else {}))  # fmt: skip
            serials += [item["event"]["serial"] for item in page["items"]]
            instants += [item["event"]["at_unix_us"] for item in page["items"]]
            cursor = page["cursor"]
            if cursor is None:
                break
        assert len(serials) == len(set(serials)) == total
        assert instants == sorted(instants, reverse=order == "newest")
    first = 1_795_161_731_000_000
    some = get(audited, "ada", "/events", from_unix_us=first, until_unix_us=first + 100_000)
    assert all(first <= item["event"]["at_unix_us"] < first + 100_000 for item in some["items"])
    assert some["items"]


@pytest.mark.parametrize(
    ("query", "position"), [("service:x", 0), ("ran:x is:live", 6), ("file:/a AND (", 13)]
)
def test_what_is_no_query_for_events(audited: Running, query: str, position: int) -> None:
    """It is refused with the place where it goes wrong."""
    answer = audited.sign_in("ada").get("/api/v1/events", params={"q": query})
    assert answer.status_code == 400
    assert answer.json()["position"] == position


def test_screen_text_and_events_together(audited: Running) -> None:
    """A search for both shows the events and the lines, each with its moment."""
    page = get(audited, "alice", "/search", q="action:wrote file:/etc/passwd temp9")
    kinds = [item["kind"] for item in page["items"]]
    assert set(kinds) == {"event", "line"}
    for item in page["items"]:
        assert item["recording"]["rec"] == OWN
        assert (item["event"] is not None) == (item["kind"] == "event")
        assert item["text"]
        assert item["at_us"] is not None
    assert get(audited, "bob", "/search", q="file:/etc/passwd")["items"] == []
    assert get(audited, "alice", "/search", q="file:/etc/passwd nowhere-on-screen")["items"] == []
    within = get(audited, "alice", f"/recordings/{OWN}/search", q="action:wrote file:/etc/passwd")
    assert [item["kind"] for item in within["items"]] == ["event", "event"]
    listed = get(audited, "audrey", "/recordings", q="ran:useradd")["items"]
    assert [item["rec"] for item in listed] == [OWN]


def test_logins_beside_recordings(audited: Running) -> None:
    """Who logged in, what was recorded of it and what was not, and who was refused."""
    items = get(audited, "audrey", "/logins")["items"]
    told = [(item["user"], item["source"], item["terminal"], item["recordings"]) for item in items]
    assert told == [
        ("blake", "127.0.0.1", "", []),
        ("blake", "127.0.0.1", "", [OTHER]),
        ("avery", "127.0.0.1", "/dev/pts/2", [OWN]),
    ]
    missing = get(audited, "audrey", "/logins", recorded="no", user="b*", host="vm")["items"]
    assert [item["session"]["audit_session"] for item in missing] == [6]
    (failure,) = get(audited, "audrey", "/logins/failures")["items"]
    assert (failure["user"], failure["source"], failure["service"]) == (
        "blake",
        "127.0.0.1",
        "sshd",
    )
    assert failure["count"] == 1


@pytest.mark.parametrize(("path", "how"), [("", "logins"), ("/failures", "failures")])
def test_looking_at_logins_is_logged(audited: Running, path: str, how: str) -> None:
    """Who looked at logins or at failures stands in the log of viewings, with what was filtered."""

    def told() -> list[tuple[str, str, str | None]]:
        items = get(audited, "ada", "/viewings", limit=500)["items"]
        return [(one["user"], one["detail"], one["rec"]) for one in items if one["how"] == how]

    before = told()
    get(audited, "audrey", f"/logins{path}", host="odd & far", user="b*", source="::1")
    assert told() == [("audrey", "user=b*&host=odd%20%26%20far&source=::1", None), *before]
    assert audited.sign_in("alice").get(f"/api/v1/logins{path}").status_code == 403
    assert audited.sign_in("ada").get(f"/api/v1/logins{path}?from_unix_us=x").status_code == 422
    assert len(told()) == len(before) + 1


def test_a_look_at_all_logins_says_when_and_which(audited: Running) -> None:
    """Without a filter the entry says nothing more; with times it has them, as they were asked."""
    get(audited, "ada", "/logins", service="sshd")
    get(audited, "ada", "/logins", recorded="no", from_unix_us=5, until_unix_us=9, limit=2)
    items = get(audited, "ada", "/viewings", limit=500)["items"]
    details = [one["detail"] for one in items if one["how"] == "logins" and one["user"] == "ada"]
    assert details[:2] == ["from_unix_us=5&until_unix_us=9&recorded=no", "service=sshd"]
    get(audited, "ada", "/logins")
    latest = get(audited, "ada", "/viewings", limit=1)["items"][0]
    assert (latest["how"], latest["detail"], latest["requests"]) == ("logins", "", 1)


def test_looking_at_events_is_logged(audited: Running) -> None:
    """A search among events, and a look at one, stand in the log of viewings."""
    get(audited, "ada", "/events", q="file:/very/special")
    get(audited, "ada", f"/events/{TRAIL}/101")
    get(audited, "ada", "/recordings", q="file:/as/special")
    viewings = get(audited, "ada", "/viewings")["items"]
    told = {(viewing["how"], viewing["detail"]) for viewing in viewings}
    assert ("events", "file:/very/special") in told
    assert ("event", f"{TRAIL} 101") in told
    assert ("search", "file:/as/special") in told
