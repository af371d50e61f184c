"""An audit trail goes from a host's spool to a server as recordings do, and is verified there."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

from live_server import LiveServer, run_steno
from recorded_lines import fill_spool

from steno.audit.event import Event
from steno.audit.trail import TrailEncoder, decode_line
from steno.delivery.credentials import load
from steno.delivery.spool import Spool
from steno.delivery.trail_recovery import read_boot_id
from steno.delivery.trails import TrailOrigin, TrailWriter
from steno.server.indexer import Indexer
from steno.store.opening import open_store


def make_event(serial: int) -> Event:
    """Return some event."""
    return Event(serial, 1_760_000_000_000_000 + serial * 1000, "ran", text=f"event {serial}")


def test_a_trail_is_delivered_kept_and_verified(tmp_path: Path) -> None:
    """Byte for byte in the store while it grows and when it ended; in no list of recordings."""
    with LiveServer(tmp_path / "live") as server:
        host = server.enrol("web1", tmp_path / "host")
        spool = Spool(tmp_path / "spool")
        fill_spool(tmp_path / "spool", ["a-recording"])
        writer = TrailWriter(spool, TrailOrigin("web1", read_boot_id(), "steno test"))
        writer.append([make_event(serial) for serial in range(200)])
        trail = str(writer.trail)
        deliver = ("deliver", "--spool", spool.directory, "--host-directory", host)
        done = run_steno(*deliver)
        assert done.stdout.startswith("delivered 1 recording ("), done.stderr
        assert server.stored()[trail] == ("web1", spool.path(trail, ".open").read_bytes())
        writer.append([make_event(serial) for serial in range(200, 300)])
        writer.end("stopped")
        written = spool.path(trail, ".done").read_bytes()
        done = run_steno(*deliver)
        assert done.stdout.startswith("delivered 0 recordings and 1 audit trail ("), done.stderr
        assert server.stored()[trail] == ("web1", written)
        store = ("--store", server.directory)
        _await_listed("a-recording", store)
        _check_readers(trail, store)
        made = run_steno(
            "user", "add", "audrey", "--role", "auditor", "--no-password", *_directory(server)
        )
        assert made.returncode == 0, made.stderr
        token = tmp_path / "token"
        token.write_text(
            run_steno("token", "add", "audrey", "--label", "t", *_directory(server)).stdout
        )
        ca = tmp_path / "ca.pem"
        ca.write_bytes(load(host).ca or b"")
        _check_readers(trail, ("--server", server.url, "--token-file", token, "--ca", ca))


def _directory(server: LiveServer) -> tuple[str, Path]:
    return "--directory", server.directory


def _await_listed(rec: str, place: tuple[str | Path, ...]) -> None:
    until_s = time.monotonic() + 60
    while rec not in run_steno("ls", "--json", *place).stdout:
        assert time.monotonic() < until_s
        time.sleep(0.05)


def _check_readers(trail: str, place: tuple[str | Path, ...]) -> None:
    """The trail is verified by its id, by its id's beginning, and among all; it is not listed."""
    for target in (trail, trail[:-3]):
        done = run_steno("verify", "--json", target, *place)
        assert done.returncode == 0, done.stderr
        verdict = json.loads(done.stdout)
        assert (verdict["rec"], verdict["verification"]["state"]) == (trail, "complete")
        assert verdict["verification"]["lines"] == 302
    done = run_steno("verify", "--json", *place)
    found = {verdict["rec"] for verdict in map(json.loads, done.stdout.splitlines())}
    assert found == {trail, "a-recording"}
    listed = run_steno("ls", "--json", *place)
    assert listed.returncode == 0, listed.stderr
    assert trail not in listed.stdout
    assert "a-recording" in listed.stdout
    assert run_steno("verify", "trail-none", *place).returncode == 5


def test_a_trails_file_is_verified(tmp_path: Path) -> None:
    """A trail in a file verifies, and a changed one is named as broken, by its line."""
    spool = Spool(tmp_path / "spool")
    writer = TrailWriter(spool, TrailOrigin("web1", read_boot_id(), "steno test"))
    writer.append([make_event(1), make_event(2)])
    writer.end("stopped")
    file = spool.path(str(writer.trail), ".done")
    done = run_steno("verify", file)
    assert done.returncode == 0, done.stderr
    assert str(writer.trail) in done.stdout
    file.write_bytes(file.read_bytes().replace(b"event 1", b"event 7"))
    done = run_steno("verify", file)
    assert done.returncode == 8
    assert "line 3" in done.stderr


def _fill_store(directory: Path) -> list[str]:
    """Put three trails that follow each other into a store, indexed; return their ids in order."""
    spool = Spool(directory / "spool")
    trails = []
    store = open_store(directory / "store")
    for first in (1, 10, 20):
        writer = TrailWriter(spool, TrailOrigin("web1", read_boot_id(), "steno test"))
        writer.append([make_event(first), make_event(first + 1)])
        trails.append(str(writer.trail))
        writer.end("stopped")
        data = spool.path(trails[-1], ".done").read_bytes()
        store.append(trails[-1], 0, data, sender="web1")
    Indexer(store).drain([*store.trails()])
    store.close()
    return trails


def _verify(directory: Path) -> dict[str, dict[str, Any]]:
    done = run_steno("verify", "--json", "--store", directory)
    verdicts = map(json.loads, done.stdout.splitlines())
    return {verdict["rec"]: verdict for verdict in verdicts}


def _replace(directory: Path, trail: str, data: bytes) -> None:
    """Put other bytes in a trail's place, as somebody in the store could; the index stays."""
    [place] = (directory / "store" / "recordings").glob(f"*/{trail}")
    shutil.rmtree(place)
    store = open_store(directory / "store")
    if data:
        store.append(trail, 0, data, sender="web1")
    store.close()


def test_whole_trails_cannot_change_or_vanish_unseen(tmp_path: Path) -> None:
    """A chain made anew differs from what the index and the next trail remember of it."""
    trails = _fill_store(tmp_path)
    found = _verify(tmp_path)
    assert [found[trail]["verification"]["state"] for trail in trails] == ["complete"] * 3
    assert all(found[trail]["note"] is None for trail in trails)
    spool = Spool(tmp_path / "spool")
    lines = spool.path(trails[1], ".done").read_bytes().splitlines(keepends=True)
    encoder = TrailEncoder()
    forged = b"".join(
        encoder.encode(item)
        for item in (decode_line(line)[1] for line in lines)
        if not (isinstance(item, Event) and item.serial == 11)
    )
    _replace(tmp_path, trails[1], forged)
    assert _verify(tmp_path)[trails[1]]["verification"]["state"] == "broken"
    # Somebody who makes the index anew as well is told by the trail that follows.
    assert run_steno("server", "reindex", "--store", tmp_path / "store").returncode == 0
    verdict = _verify(tmp_path)[trails[1]]["verification"]
    assert verdict["state"] == "broken"
    assert trails[2] in verdict["reason"]
    _replace(tmp_path, trails[1], b"")
    found = _verify(tmp_path)
    assert "its lines are gone" in found[trails[1]]["error"]
    assert trails[1] in found[trails[2]]["note"]
    assert run_steno("verify", "--store", tmp_path).returncode == 9
    # Without an index that remembers it, the next one still does.
    for file in (tmp_path / "store").glob("index.sqlite*"):
        file.unlink()
    assert run_steno("server", "reindex", "--store", tmp_path / "store").returncode == 0
    found = _verify(tmp_path)
    assert trails[1] not in found
    assert trails[1] in found[trails[2]]["note"]


def test_the_last_trail_cannot_vanish_unseen(tmp_path: Path) -> None:
    """A trail that no other follows is missed by the index, here and over a server."""
    trails = _fill_store(tmp_path)
    shutil.rmtree(next((tmp_path / "store" / "recordings").glob(f"*/{trails[2]}")))
    assert "its lines are gone" in _verify(tmp_path)[trails[2]]["error"]
    done = run_steno("verify", trails[2], "--store", tmp_path)
    assert done.returncode == 9
    assert done.stderr.count("\n") == 1
