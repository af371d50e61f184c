"""A host without kernel auditing: what its login programs say in the journal becomes logins.

Real sshd, login, su, sudo, logind and journald in a guest, which has no audit system; the packaged
agent records one of the people; the packaged server lists who came, and who did not.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from dataclasses import dataclass
from typing import Any

import pytest
from driven import Driven
from guest import Guest, Lab
from guest_tree import Tree
from packages import Packages, install
from steno_guests import (
    PASSWORD,
    boot_server,
    console,
    enrol,
    name,
    ssh,
    wait_for_delivery,
)
from waiting import wait_for

pytestmark = pytest.mark.lab

FORGED = "10.9.9.9"
# journald looks up who said something a moment later: whoever is to be believed stays until then.
STAY = "#!/bin/sh\nuntil [ -e /run/noted ]; do sleep 0.1; done\n"
NASTY = f"root from {FORGED} port 22 ssh2"


@dataclass
class Place:
    """The guests, and the key that pat logs in with."""

    host: Guest
    server: Guest
    desk: Guest

    def rows(self, *words: str) -> list[dict[str, Any]]:
        """Return what a command of the server's lists."""
        # Nothing found is a status of its own.
        said = self.server.attempt("steno", *words, "--json", "--limit", "500").stdout.decode()
        return [json.loads(line) for line in said.splitlines() if line.startswith("{")]

    def wait_for_failure(self, user: str) -> None:
        """Wait until the server knows that somebody was refused."""
        wait_for(lambda: self.rows("logins", "--failed", "--user", user), f"{user}'s failure", 120)

    def wait_until_noted(self, service: str, user: str) -> None:
        """Wait until the journal has that a session was opened, and by whom."""
        said = re.compile(rf"\({service}:session\): session opened for user {user}\b")
        wait_for(lambda: said.search(self.host.journal()), f"{service}'s word in the journal")

    def let_go(self, service: str, user: str) -> None:
        """End who stays, once its session is in the journal."""
        try:
            self.wait_until_noted(service, user)
        finally:
            self.host.run("touch", "/run/noted")


@pytest.fixture(scope="module")
def place(lab: Lab, guest_tree: Tree, packages: Packages) -> Place:
    """A host that records pat, a server, and a desk; people have come to the host and gone."""
    server = boot_server(lab, guest_tree, packages)
    host = lab.boot("web1", guest_tree)
    desk = lab.boot("desk1", guest_tree)
    name([host, server, desk])
    install(host, packages["steno"])
    for user in ("pat", "opal", "mal"):
        host.add_user(user, password=PASSWORD)
    host.write("/etc/sudoers.d/opal", "opal ALL=(ALL) ALL\n", 0o440)
    host.write("/usr/local/bin/stay", STAY, 0o755)
    host.run("steno", "host", "enable", "--even-root", "pat")
    desk.shell("mkdir -p /root/.ssh; ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519")
    host.write("/home/pat/.ssh/authorized_keys", desk.read("/root/.ssh/id_ed25519.pub"))
    host.run("chown", "-R", "pat:", "/home/pat/.ssh")
    enrol(host, server)
    place = Place(host, server, desk)
    come_and_go(place)
    host.run("systemctl", "enable", "--now", "steno-audit-journal")
    come_later(place)
    return place


def refused(place: Place, user: str, password: str = "wrong") -> None:
    """Try to log in from the desk, once."""
    options = ["-o", "NumberOfPasswordPrompts=1", "-o", "StrictHostKeyChecking=no"]
    options += ["-o", "PubkeyAuthentication=no", "-l", user]
    words = ["sshpass", "-p", password, "ssh", *options, place.host.name, "true"]
    assert place.desk.attempt(*words).returncode != 0


def come_and_go(place: Place) -> None:
    """What happens before anybody takes the journal in."""
    refused(place, "pat")
    refused(place, "pat")
    key = ["ssh", "-o", "StrictHostKeyChecking=no", f"pat@{place.host.name}", "sleep 1; stay"]
    with subprocess.Popen(place.desk.enter(*key), stdin=subprocess.DEVNULL) as session:
        place.let_go("sshd", "pat")
        assert session.wait(60) == 0
    refused(place, "ghost")
    refused(place, NASTY)


def come_later(place: Place) -> None:
    """What happens while it is taken in, and its reader is killed."""
    place.wait_for_failure("ghost")
    terminal = Driven(ssh(place.desk, "opal", place.host, "-tt"))
    terminal.expect(b"opal@web1", b"$ ", timeout_s=60)
    say = f"Accepted password for root from {FORGED} port 22 ssh2"
    for order, answers, opened in (
        (
            f"logger -t sshd '{say}'; logger -t 'sshd[1]' '{say}'; (exec -a sshd logger '{say}')",
            [],
            "",
        ),
        (f'python3 -c \'import syslog as s; s.openlog("sshd"); s.syslog("{say}")\'', [], ""),
        ("su pat -c true", ["wrong"], ""),
        ("su - pat -c stay", [PASSWORD], "su-l"),
        ("sudo -k; sudo true", ["wrong"] * 3, ""),
        ("sudo stay", [PASSWORD], "sudo"),
    ):
        place.host.run("rm", "-f", "/run/noted")
        terminal.send(order.encode() + b"; echo do''ne\n")
        for answer in answers:
            terminal.expect(b"assword", b": ", timeout_s=60)
            terminal.send(answer.encode() + b"\n")
        if opened:
            place.let_go(opened, "pat" if opened == "su-l" else "root")
        terminal.expect(b"done\r\n", b"$ ", timeout_s=60)
    place.host.run("systemctl", "kill", "--signal=KILL", "steno-audit-journal")
    terminal.send(b"exit\n")
    terminal.finish(60)
    terminal.close()
    refused(place, "mal")
    place.host.run("chpasswd", stdin=f"root:{PASSWORD}\n".encode())
    screen = console(place.host)
    for word, answer in ((b"login: ", b"nobody-here"), (b"assword: ", b"wrong")):
        screen.expect(word, timeout_s=60)
        screen.send(answer + b"\n")
    for word, answer in ((b"login: ", b"root"), (b"assword: ", PASSWORD.encode())):
        screen.expect(word, timeout_s=60)
        screen.send(answer + b"\n")
    screen.expect(b"# ", timeout_s=60)
    place.wait_until_noted("login", "root")
    time.sleep(1.5)  # what journald remembers of a process is a second old at most
    screen.send(b"exit\n")
    screen.expect(b"login: ", timeout_s=60)
    screen.close()

    def has_come() -> bool:
        roots = place.rows("logins", "--user", "root")
        return bool(roots) and roots[0]["closed_unix_us"] is not None

    wait_for(has_come, "the last login", 120)
    wait_for_delivery(place.host, place.server, 2)

    def are_joined() -> bool:
        return sorted(len(row["recordings"]) for row in place.rows("logins")) == [0, 1, 1]

    wait_for(are_joined, "logins with their recordings")


def test_logins_are_listed_beside_their_recordings(place: Place) -> None:
    """Each once, by whom, from where: pat's was recorded, root's was not; opal became pat."""
    desk = place.desk.address
    rows = place.rows("logins")
    told = [
        (row["user"], row["service"], row["source"], len(row["recordings"]), row["failures"])
        for row in rows
    ]
    assert told == [
        ("root", "login", "", 0, 0),
        ("opal", "sshd", desk, 1, 0),
        ("pat", "sshd", desk, 1, 2),
    ]
    assert {row["told_by"] for row in rows} == {"journal"}
    assert all(row["session"] and row["closed_unix_us"] for row in rows)
    assert rows[0]["terminal"].startswith("/dev/pts/")
    listed = {one["rec"]: one for one in place.rows("ls")}
    [became] = rows[1]["recordings"]
    assert (listed[became]["user"], listed[became]["service"]) == ("pat", "su")
    [rec] = rows[2]["recordings"]
    assert listed[rec]["user"] == "pat"
    assert listed[rec]["audit_session"] == rows[2]["session"]["audit_session"]


def test_failures_are_listed_once(place: Place) -> None:
    """Two of pat, and one each of names that there are, and are not; su's and sudo's say who."""
    desk = place.desk.address
    told = {
        (row["user"], row["service"], row["source"], row["login_user"]): row["count"]
        for row in place.rows("logins", "--failed")
    }
    assert told == {
        ("pat", "sshd", desk, ""): 2,
        ("ghost", "sshd", desk, ""): 1,
        (NASTY, "sshd", desk, ""): 1,
        ("mal", "sshd", desk, ""): 1,
        ("pat", "su", "", "opal"): 1,
        ("opal", "sudo", "", "opal"): 1,
        ("", "login", "", ""): 1,
    }


def test_what_a_person_writes_forges_nothing(place: Place) -> None:
    """Neither messages in sshd's name nor a name that looks like a message come from that place."""
    assert place.rows("events", f"addr:{FORGED}") == []
    facts = json.loads(place.host.text("cat", "/run/steno/audit.json"))
    assert facts["source"] == "words"
    assert f"from {FORGED}" in place.host.journal("-t", "sshd"), "the journal has them"


def test_events_are_found(place: Place) -> None:
    """The query language finds them by action, result, address and key."""
    desk = place.desk.address
    refusals = place.rows("events", f"action:authenticated result:failure addr:{desk}")
    assert len(refusals) == 5
    keys = place.rows("events", "action:authenticated result:success user:root SHA256")
    assert [one["event"]["method"].split()[0] for one in keys] == ["publickey"]
    assert {one["event"]["source"] for one in refusals + keys} == {"journal"}
    orders = place.rows("events", 'action:"ran with sudo" login:opal')
    assert [one["event"]["objects"][0]["name"] for one in orders] == ["/usr/local/bin/stay"]
    became = [one["event"]["text"] for one in place.rows("events", "action:became login:opal")]
    assert sorted(became) == [
        "opal became pat with su (su's word)",
        "opal became root with sudo (sudo's word)",
    ]


def test_the_host_says_where_it_knows_from(place: Place) -> None:
    """`steno host check` names the source, and what it lacks."""
    said = place.host.attempt("steno", "host", "check", "--json").stdout.decode()
    assert "audit-source" in said
    assert place.rows("logins", "--user", "opal")[0]["told_by"] == "journal"
