"""The log of who viewed what."""

from __future__ import annotations

import pytest
from running_server import Running

REC = "a1ice-0001"


def viewings(running: Running, rec: str | None = None) -> list[dict[str, object]]:
    """Return what the log holds, newest first."""
    parameters = {"rec": rec} if rec else {}
    answer = running.sign_in("ada").get("/api/v1/viewings", params=parameters)
    items: list[dict[str, object]] = answer.json()["items"]
    return items


@pytest.mark.parametrize(
    ("path", "how", "detail"),
    [
        ("segments", "segments", ""),
        ("segments/0", "segments", ""),
        ("lines", "lines", ""),
        ("text", "text", ""),
        ("commands", "commands", ""),
        ("search?q=hedgehog", "search", "hedgehog"),
    ],
)
def test_every_look_says_who_what_how_and_from_where(
    fresh: Running, path: str, how: str, detail: str
) -> None:
    """One request leaves one entry with user, recording, kind, detail, address and session."""
    assert fresh.sign_in("audrey").get(f"/api/v1/recordings/{REC}/{path}").status_code == 200
    (entry,) = viewings(fresh, REC)
    expected = {
        "user": "audrey",
        "rec": REC,
        "how": how,
        "detail": detail,
        "address": "127.0.0.1",
        "through": "session",
        "requests": 1,
    }
    assert {name: entry[name] for name in expected} == expected


def test_a_player_that_fetches_much_makes_one_entry(fresh: Running) -> None:
    """Requests of one kind in a row are one viewing, another person's are another."""
    for name in ("audrey", "alice"):
        client = fresh.sign_in(name)
        for _ in range(5):
            client.get(f"/api/v1/recordings/{REC}/segments/0")
    assert [entry["user"] for entry in viewings(fresh, REC)] == ["alice", "audrey"]


def test_a_search_over_all_is_logged_with_its_query(fresh: Running) -> None:
    """What someone searched for is in the log, without a recording."""
    fresh.sign_in("audrey").get("/api/v1/search", params={"q": "quills user:alice"})
    (entry,) = viewings(fresh)
    assert (entry["rec"], entry["how"], entry["detail"]) == (None, "search", "quills user:alice")


def test_a_list_of_what_shows_a_word_is_logged_as_a_search(fresh: Running) -> None:
    """Asking which recordings showed something is a look at them; asking for facts is none."""
    client = fresh.sign_in("audrey")
    for query in ("user:alice -is:live", "NOT (user:bob OR quills)"):
        assert client.get("/api/v1/recordings", params={"q": query}).status_code == 200
    (entry,) = viewings(fresh)
    assert (entry["rec"], entry["how"]) == (None, "search")
    assert entry["detail"] == "NOT (user:bob OR quills)"


def test_facts_alone_are_no_viewing(fresh: Running) -> None:
    """The list, a recording's facts and its verification show nothing that was recorded."""
    client = fresh.sign_in("audrey")
    for path in ("", f"/{REC}", f"/{REC}/verification", f"/{REC}/activity", f"/{REC}/notes"):
        assert client.get(f"/api/v1/recordings{path}").status_code == 200
    assert viewings(fresh) == []


def test_a_refused_look_shows_nothing_and_is_none(fresh: Running) -> None:
    """What a user may not see is not logged as seen."""
    assert fresh.sign_in("bob").get(f"/api/v1/recordings/{REC}/text").status_code == 404
    assert viewings(fresh) == []


def test_a_prefix_is_logged_as_the_whole_id(fresh: Running) -> None:
    """The log names recordings by their whole ids, however they were asked for."""
    fresh.sign_in("bob").get("/api/v1/recordings/b0b/text")
    assert [entry["rec"] for entry in viewings(fresh)] == ["b0b-0001"]


def test_the_log_pages_from_newest_to_oldest(fresh: Running) -> None:
    """Following the cursor gives every entry once; a made-up cursor is refused."""
    client = fresh.sign_in("audrey")
    for rec in ("a1ice-0001", "a1ice-0002", "b0b-0001"):
        client.get(f"/api/v1/recordings/{rec}/text")
    admin, seen, cursor = fresh.sign_in("ada"), [], None
    while True:
        parameters = {"limit": "1", **({"cursor": cursor} if cursor else {})}
        page = admin.get("/api/v1/viewings", params=parameters).json()
        seen += [item["rec"] for item in page["items"]]
        cursor = page["cursor"]
        if cursor is None:
            break
    assert seen == ["b0b-0001", "a1ice-0002", "a1ice-0001"]
    assert admin.get("/api/v1/viewings", params={"cursor": "x"}).status_code == 422


def test_the_log_outlives_the_user(fresh: Running) -> None:
    """Removing a user does not remove what they viewed."""
    fresh.sign_in("bob").get("/api/v1/recordings/b0b-0001/text")
    fresh.accounts().remove_user("bob")
    assert [entry["user"] for entry in viewings(fresh)] == ["bob"]
