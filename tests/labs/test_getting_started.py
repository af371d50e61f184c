"""The page docs/getting-started-host.md, from nothing to a recorded login: what it says is true."""

from __future__ import annotations

import re

import pytest
from driven import Driven
from guest import Guest, Lab
from guest_tree import Tree
from packages import ROOT, Packages
from steno_guests import PASSWORD, ssh, wait_for_delivery

pytestmark = pytest.mark.lab

PAGE = ROOT / "docs" / "getting-started-host.md"


def commands() -> list[tuple[str, str]]:
    """Return the page's commands in their order: on which machine, and the line."""
    # A guest's auditd gets nothing from the kernel, whose audit system is the machine's own.
    before = PAGE.read_text().partition("\n## What the system did")[0]
    return re.findall(r"^(steno1|web1)# (.*)$", before, re.M)


def test_every_command_of_the_page_works(lab: Lab, guest_tree: Tree, packages: Packages) -> None:
    """Two bare Debians and the page's own lines lead to a recording that is found and played."""
    guests: dict[str, Guest] = {}
    for host in ("steno1", "web1"):
        guests[host] = guest = lab.boot(host, guest_tree)
        for package in packages.values():
            guest.write(f"/root/{package.name}", package.read_bytes())
    names = "".join(
        f"{guest.address} {host}.example.org {host}\n" for host, guest in guests.items()
    )
    for guest in guests.values():
        guest.run("sh", "-c", "cat >>/etc/hosts", stdin=names.encode())
    server, host = guests["steno1"], guests["web1"]
    host.add_user("pat", password=PASSWORD)
    said: dict[str, str] = {}
    code = ""
    for number, (name, line) in enumerate(commands()):
        if line == "steno ls":
            log_in(server, host)
        said[line] = guests[name].shell(f"cd /root; {line.replace('CODE', code)}")
        if found := re.search(r"[A-Z2-7]{4}(-[A-Z2-7]{4})+\.[A-Z2-7-]+", said[line]):
            code = found[0]
        assert number or "steno-server" in said[line]
    assert len(said) == len(commands()) > 10
    assert "agent" in said["steno agent status"]
    assert "pat" in said["steno ls"]
    assert "hello from web1" in said["steno search 'hello from web1'"]
    [shown] = [text for line, text in said.items() if "steno cat" in line]
    assert "hello from web1" in shown
    assert "https://steno1.example.org:8443/" in [*said.values()][-1]


def log_in(server: Guest, host: Guest) -> None:
    """Do what the page shows of a login."""
    terminal = Driven(ssh(server, "pat", host))
    terminal.expect(b"This session is recorded.", b"$ ", timeout_s=60)
    terminal.send(b"echo hello from web1\n")
    terminal.expect(b"hello from web1\r\n", b"hello from web1\r\n", timeout_s=60)
    terminal.send(b"exit\n")
    assert terminal.finish(60) == 0
    terminal.close()
    wait_for_delivery(host, server, 1)
