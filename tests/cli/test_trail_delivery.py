"""An audit trail goes from a host's spool to a server as recordings do, and is verified there."""

from __future__ import annotations

import json
import time
from pathlib import Path

from live_server import LiveServer, run_steno
from recorded_lines import fill_spool

from steno.audit.event import Event
from steno.delivery.credentials import load
from steno.delivery.spool import Spool
from steno.delivery.trail_recovery import read_boot_id
from steno.delivery.trails import TrailOrigin, TrailWriter


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
