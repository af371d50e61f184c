"""Guests with Steno's packages: a host, a server, and somebody who logs in from elsewhere."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from typing import Any

from driven import Driven
from guest import SUPPORT, Guest, Lab
from guest_tree import Tree
from packages import Packages, install
from waiting import wait_for

PASSWORD = "secret"

SERVER = """
directory = "/var/lib/steno-server"
listen = "0.0.0.0:8443"
"""


def boot_server(lab: Lab, tree: Tree, packages: Packages, *, bridge: str = "lan") -> Guest:
    """Boot a guest `steno1` on which the packaged server runs."""
    server = lab.boot("steno1", tree, bridge=bridge)
    install(server, packages["steno"], packages["steno-server"])
    server.run("steno", "server", "init", "steno1", server.address)
    server.write("/etc/steno/server.toml", SERVER)
    server.run("systemctl", "enable", "--now", "steno-server")
    return server


def enrol(host: Guest, server: Guest) -> None:
    """Enrol a host, and begin to deliver."""
    code = json.loads(server.text("steno", "host", "code", "--json"))["code"]
    host.run("steno", "host", "enrol", f"https://{server.address}:8443", code)
    host.run("systemctl", "start", "steno-deliver")


def name(guests: Iterable[Guest]) -> None:
    """Let guests know each other by name."""
    everybody = list(guests)
    lines = "".join(f"{guest.address} {guest.name}\n" for guest in everybody)
    for guest in everybody:
        guest.run("sh", "-c", "cat >>/etc/hosts", stdin=lines.encode())


def ssh(desk: Guest, user: str, host: Guest, *words: str, program: str = "ssh") -> list[str]:
    """Return what runs ssh at `desk`, with a password; `words` go behind its options."""
    options = ["-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR"]
    target = [f"{user}@{host.name}"] if program == "ssh" else []
    before = [word for word in words if word.startswith("-")] if program == "ssh" else []
    after = [word for word in words if word not in before]
    login = ["sshpass", "-p", PASSWORD, program, *options]
    return desk.enter(*login, *before, *target, *after)


def console(host: Guest) -> Driven:
    """Return a console of a guest, at which a getty asks for a name."""
    program = (SUPPORT / "guest_console.py").read_bytes()
    host.write("/run/console.py", program)
    return Driven(host.enter("python3", "/run/console.py"))


def recordings(server: Guest) -> list[dict[str, Any]]:
    """Return what the server lists, the oldest first."""
    said = server.text("steno", "ls", "--json", "--limit", "10000", "--sort", "started")
    return [json.loads(line) for line in said.splitlines() if line.startswith("{")]


def wait_for_delivery(host: Guest, server: Guest, count: int) -> list[dict[str, Any]]:
    """Wait until the server has so many recordings, all of them ended; return them."""

    def arrived() -> bool:
        status = json.loads(host.text("steno", "agent", "status", "--json"))
        if status["sessions"] or status["spool"]["recordings"]:
            return False
        found = recordings(server)
        return len(found) >= count and not any(found_one["is_live"] for found_one in found)

    wait_for(arrived, f"{count} recordings", 300)
    return recordings(server)


def output(server: Guest, rec: str) -> bytes:
    """Return the bytes that a recording holds of its terminal."""
    return server.run("steno", "cat", "--raw", rec).stdout


def quoted(*words: str) -> str:
    """Return words as one line of shell."""
    return shlex.join(words)
