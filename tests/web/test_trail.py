"""A recording's commands and audit events, asked of a running server: the real session f1."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from audited_session import BOOT_ID, make_recording, make_trail, read_events, read_truth
from running_server import Running, running_server

from steno.store.opening import open_store

REC = "f1-0001"
UNAUDITED = "f1-0002"
TRAIL = f"trail-{BOOT_ID}-1"


def wait_for_events(running: Running, count: int) -> None:
    """Wait until so many events are in the index."""

    store = open_store(running.config.store_directory)
    try:
        stop_s = time.monotonic() + 60
        while sum(one.events for one in store.trail_summaries()) < count:
            assert time.monotonic() < stop_s, "the trail was not indexed in time"
            time.sleep(0.05)
    finally:
        store.close()


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory, password_hash: str) -> Iterator[Running]:
    """A server with avery's recording, one without audit, and the host's trail."""
    with running_server(tmp_path_factory.mktemp("audited"), password_hash) as server:
        server.deliver(REC, make_recording(REC))
        server.deliver(UNAUDITED, make_recording(UNAUDITED, audit_session=77))
        events = read_events()
        server.deliver(TRAIL, make_trail(TRAIL, events))
        for rec in (REC, UNAUDITED):
            server.wait_for(rec, lambda summary: not summary.is_live)
        wait_for_events(server, len(events))
        yield server


@pytest.fixture(scope="module")
def auditor(audited: Running) -> httpx2.Client:
    """Somebody who sees all recordings."""
    return audited.sign_in("audrey")


def get(client: httpx2.Client, path: str, **query: object) -> Any:
    """Return an endpoint's JSON."""
    answer = client.get(f"/api/v1/recordings/{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_x(auditor):
    c = get(auditor, f"{REC}/commands")
    depth = {None: -1}
    for i in c["items"]:
        d = depth[i["number"]] = depth[i["parent"]] + 1
        print(i["number"], i["at_us"] / 1e6, "  " * d, i["kind"], i["origin"], repr(i["text"][:60]), i["end_us"], i["ended"], i["exit_status"], i["is_background"], i["pipeline"])
    print(get(auditor, f"{UNAUDITED}/commands"))
    print(c["counts"])
    p = get(auditor, f"{REC}/events", limit=5)
    print(p)
    assert 0
