"""Denials that say the same, found by a search: one hit for many."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from refused_sessions import read_events, read_lines
from running_server import Running, running_server
from trails import make_trail
from waiting import wait_for

from steno.store.opening import open_store


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, password_hash: str) -> Iterator[Running]:
    """A server with a real recording in which `ps` ran three times, and its events."""
    with running_server(tmp_path_factory.mktemp("server"), password_hash) as server:
        rec, lines = next(iter(read_lines().items()))
        server.deliver(rec, lines)
        events = read_events()
        trail, trail_lines = make_trail(*events, boot_id=rec.rpartition("-")[2], host="web1")
        server.deliver(trail, trail_lines)
        server.wait_for(rec, lambda summary: not summary.is_live)
        store = open_store(server.config.store_directory)
        # Between two parts of the trail nothing waits to be joined, either.
        wait_for(
            lambda: sum(one.events for one in store.trail_summaries()) == len(events),
            "the trail is not indexed",
        )
        wait_for(lambda: not store.unjoined_sessions(), "it is not joined")
        store.close()
        yield server


def test_a_search_tells_denials_that_say_the_same_as_one(running: Running) -> None:
    """Each run of ps is one hit that counts; all hits together stand for every event once."""
    auditor = running.sign_in("audrey")
    rec = next(iter(read_lines()))

    def ask(path: str, **query: str | int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            parameters = query if cursor is None else query | {"cursor": cursor}
            page = auditor.get(f"/api/v1/{path}", params=parameters).json()
            assert len(page["items"]) <= 30
            found += page["items"]
            cursor = page["cursor"]
            if cursor is None:
                return found

    for path in ("search", f"recordings/{rec}/search"):
        single = ask(path, q="result:failure", limit=30)
        bunched = ask(path, q="result:failure", limit=30, bunched="true")
        stood_for = [
            serial
            for hit in bunched
            for serial in (
                hit["event"]["bunch"]["serials"]
                if hit["event"]["bunch"]
                else [hit["event"]["event"]["serial"]]
            )
        ]
        assert sorted(stood_for) == sorted(hit["event"]["event"]["serial"] for hit in single)
        assert len(stood_for) > 430
        assert len(bunched) < 50
        told = [hit for hit in bunched if hit["event"]["bunch"]]
        assert all(hit["text"] == hit["event"]["bunch"]["text"] for hit in told)
        assert any("/proc/*/environ with ps: permission denied (" in hit["text"] for hit in told)
