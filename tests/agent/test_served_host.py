"""A host with a real agent and a real courier, and what its server knows of it and can tell it."""

from __future__ import annotations

import json
import signal
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from agent_host import AgentHost
from driven import STENO
from live_server import LiveServer, run_steno
from waiting import wait_for

BASH = "PS1='$ ' bash --norc --noprofile -i"


class Fleet:
    """A server, one host that is enrolled with it, and an administrator's program.

    Attributes:
        host: The host with its agent, which runs.
        server: The server, which runs.
        courier: `steno deliver --follow`; None while it does not run.
        api: A client with an administrator's token.
    """

    def __init__(self, host: AgentHost, directory: Path) -> None:
        self.host = host
        self.directory = directory
        self.server = LiveServer(directory)
        toml = "[hosts]\nsilent_after_s = 20\n"
        (self.server.directory / "server.toml").write_text(toml)
        self.server.start()
        host.start()
        self.server.enrol("web1", directory / "web1")
        place = ("--directory", self.server.directory)
        run_steno("user", "add", "ada", "--role", "admin", "--no-password", *place)
        token = run_steno("token", "add", "ada", *place).stdout.strip()
        (directory / "token").write_text(token)
        context = ssl.create_default_context(cafile=self.server.directory / "ca" / "ca.pem")
        self.api = httpx2.Client(
            base_url=f"{self.server.url}/api/v1",
            headers={"Authorization": f"Bearer {token}"},
            verify=context,
            trust_env=False,
            timeout=60,
        )
        self.courier: subprocess.Popen[bytes] | None = None

    def start_courier(self) -> None:
        """Start to deliver, to tell and to take orders."""
        log = (self.directory / "courier.log").open("ab")
        places = ["--spool", str(self.host.spool), "--host-directory", str(self.directory / "web1")]
        places += ["--agent-socket", str(self.host.control_socket)]
        self.courier = subprocess.Popen([*STENO, "deliver", "--follow", *places], stderr=log)
        log.close()

    def end_courier(self, number: int = signal.SIGTERM) -> None:
        """End it, in good order or not."""
        assert self.courier is not None
        self.courier.send_signal(number)
        self.courier.wait(60)
        self.courier = None

    def get(self, path: str) -> dict[str, Any]:
        """Return what the API answers."""
        answer = self.api.get(path)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command that asks the server."""
        ca = self.server.directory / "ca" / "ca.pem"
        where = ("--server", self.server.url, "--token-file", self.directory / "token", "--ca", ca)
        return run_steno(*words, *where)

    def live(self) -> dict[str, Any]:
        """Return the recording that is being made, once the server knows of it."""

        def find() -> dict[str, Any] | None:
            items = self.get("/recordings?q=is:live")["items"]
            return items[0] if items else None

        found: dict[str, Any] = wait_for(find, "no recording is live")
        return found

    def close(self) -> None:
        """End everything but the host."""
        if self.courier is not None:
            self.end_courier(signal.SIGKILL)
        self.api.close()
        self.server.close()


@pytest.fixture
def fleet(host: AgentHost, tmp_path: Path) -> Iterator[Fleet]:
    """A server and a host whose agent runs."""
    fleet = Fleet(host, tmp_path)
    yield fleet
    fleet.close()


def watch_live(fleet: Fleet, rec: str, mark: str, seen: threading.Event) -> threading.Thread:
    """Follow a recording, as a browser does, until `mark` comes."""

    def run() -> None:
        with fleet.api.stream("GET", f"/recordings/{rec}/live") as events:
            for line in events.iter_lines():
                if mark in line:
                    seen.set()
                    return

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def test_a_session_is_seen_told_and_ended_from_the_server(fleet: Fleet) -> None:
    """The host page knows it, a watcher sees it live, a message reaches it, kill ends it."""
    session = fleet.host.shell("-steno-shell", "-c", BASH)
    session.expect(b"$ ")
    before_us = time.time_ns() // 1000
    fleet.start_courier()
    recording = fleet.live()
    rec = recording["rec"]
    host = wait_for(
        lambda: (found := fleet.get("/hosts/web1"))["open_sessions"] and found,
        "the host tells no session",
    )
    assert (host["state"], host["sessions"], host["agent_version"]) == ("good", 1, host["version"])
    (one,) = host["open_sessions"]
    assert (one["rec"], one["user"]) == (rec, recording["user"])
    assert host["last_number"] == recording["number"]
    assert abs(host["clock_offset_us"]) < time.time_ns() // 1000 - before_us
    assert json.loads(fleet.run("hosts", "--json").stdout)["state"] == "good"
    assert rec in fleet.run("hosts", "web1").stdout

    seen = threading.Event()
    watch_live(fleet, rec, "seen-while-live-42", seen)
    # Not as it is typed, but as it comes out.
    session.send(b"echo seen-while-live-$((6*7))\n")
    session.expect(b"seen-while-live-42")
    assert seen.wait(60)
    assert fleet.get(f"/recordings/{rec}")["is_live"]

    told = fleet.run("message", rec[:20], "The host goes down at noon.", "--reason", "plan 9")
    assert (told.returncode, told.stderr) == (0, "")
    session.expect(b"The host goes down at noon.")
    killed = fleet.run("kill", rec, "--json", "--yes")
    assert json.loads(killed.stdout)["state"] == "done"
    session.finish(60)
    ended = wait_for(
        lambda: (found := fleet.get(f"/recordings/{rec}"))["end"] and found, "it has no end"
    )
    assert not ended["is_live"]
    assert (ended["notes"]["message"], ended["notes"]["kill"]) == (1, 1)
    orders = fleet.get(f"/recordings/{rec}/orders")["items"]
    assert [(one["do"], one["user"], one["reason"], one["state"]) for one in orders] == [
        ("kill", "ada", "", "done"),
        ("message", "ada", "plan 9", "done"),
    ]
    hows = {one["how"] for one in fleet.get(f"/viewings?rec={rec}")["items"]}
    assert {"kill", "message", "live"} <= hows
    again = fleet.run("kill", rec, "--yes")
    assert again.returncode == 12
    assert "the session has ended" in again.stderr


@pytest.mark.lab
def test_a_host_that_falls_silent_is_warned_of(fleet: Fleet) -> None:
    """Its courier killed, with a session open: API, metrics and log say so, until it is back."""
    session = fleet.host.shell("-steno-shell", "-c", BASH)
    session.expect(b"$ ")
    fleet.start_courier()
    rec = fleet.live()["rec"]
    wait_for(lambda: fleet.get("/hosts/web1")["sessions"], "the host tells no session")
    fleet.end_courier(signal.SIGKILL)
    (warning,) = wait_for(lambda: fleet.get("/warnings")["items"], "nobody warns")
    assert (warning["kind"], warning["host"], warning["open"]) == ("silent", "web1", 1)
    assert fleet.get("/hosts")["items"][0]["state"] == "silent"
    refused = fleet.api.post(f"/recordings/{rec}/kill", json={})
    assert (refused.status_code, "silent" in refused.json()["detail"]) == (409, True)

    def metrics() -> str:
        return fleet.api.get(f"{fleet.server.url}/metrics").text

    wait_for(lambda: 'steno_hosts{state="silent"} 1' in metrics(), "no metric says so")
    log = fleet.directory / "server.log"
    wait_for(lambda: '"event": "host silent", "host": "web1"' in log.read_text(), "no log line")
    fleet.start_courier()
    wait_for(lambda: not fleet.get("/warnings")["items"], "the warning stays")
    wait_for(lambda: "host not silent any more" in log.read_text(), "no log line of its return")


@pytest.mark.lab
def test_recordings_that_never_came_are_named(fleet: Fleet) -> None:
    """What somebody took out of the spool before it was delivered is missing, by its number."""
    for number in range(3):
        done = fleet.host.shell("-steno-shell", "-c", f"echo {number}")
        assert done.finish(60) == 0
    fleet.host.recordings(3)
    (second,) = [
        path
        for path in fleet.host.spool.glob("*.done")
        if json.loads(path.read_bytes().split(b"\n")[0])["steno"]["start"]["number"] == 2
    ]
    second.unlink()
    fleet.start_courier()
    wait_for(lambda: fleet.get("/hosts/web1")["recordings"] == 2, "they do not come")
    host = wait_for(
        lambda: (found := fleet.get("/hosts/web1"))["missing_numbers"] and found,
        "nothing is missed",
        timeout_s=110,
    )
    assert host["missing_numbers"] == [[2, 2]]
    assert host["warnings"] == ["missing"]
    assert time.time_ns() // 1000 > host["heard_unix_us"]


def test_a_courier_that_ends_in_good_order_has_left(fleet: Fleet) -> None:
    """Nothing being recorded, nobody is warned; its host is said to have stopped."""
    fleet.start_courier()
    wait_for(lambda: fleet.get("/hosts/web1")["state"] == "good", "no heartbeat comes")
    assert fleet.get("/hosts/web1")["sessions"] == 0
    fleet.end_courier()
    wait_for(lambda: fleet.get("/hosts/web1")["state"] == "left", "nobody said goodbye")
