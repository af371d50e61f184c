"""The whole way: people log in to a host for real, and a server has what their terminals showed.

The network between host and server is cut, slow, lossy and mended meanwhile, the server loses its
power, the agent is killed: nothing is lost, nothing is there twice.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from dataclasses import dataclass, field

import pytest
from driven import Driven
from guest import Guest, Lab, Wire
from guest_tree import Tree
from packages import Packages, install
from steno_guests import (
    PASSWORD,
    boot_server,
    console,
    enrol,
    name,
    output,
    recordings,
    ssh,
    wait_for_delivery,
)
from waiting import wait_for

pytestmark = pytest.mark.lab

SHELLS = {"pat": "/bin/bash", "dan": "/bin/dash", "zoe": "/bin/zsh", "fay": "/usr/bin/fish"}
SHELLS |= {"tom": "/bin/tcsh"}
# What stands around a session on the terminal of who called it, and is none of it.
AFTERWARDS = re.compile(rb"(Connection to web1 closed\.\r?\n)?")


@dataclass
class Place:
    """The guests, the cable, and what was seen of the sessions that have to be recorded."""

    host: Guest
    server: Guest
    desk: Guest
    wire: Wire
    seen: dict[str, bytes] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many recordings there have to be."""
        return len(self.seen) + len(self.commands)


@pytest.fixture(scope="module")
def place(lab: Lab, guest_tree: Tree, packages: Packages) -> Place:
    """A host with users of all shells, a server behind a cable, a desk to log in from."""
    lab.add_bridge("far")
    wire = lab.connect("lan", "far")
    server = boot_server(lab, guest_tree, packages, bridge="far")
    host = lab.boot("web1", guest_tree)
    desk = lab.boot("desk1", guest_tree)
    name([host, server, desk])
    install(host, packages["steno"])
    for user, shell in SHELLS.items():
        host.add_user(user, shell=shell, password=PASSWORD)
        # Without it zsh asks new users questions.
        host.run("touch", f"/home/{user}/.zshrc")
    host.add_user("opal", password=PASSWORD)
    host.write("/etc/sudoers.d/opal", "opal ALL=(ALL) NOPASSWD: ALL\n", 0o440)
    host.run("steno", "host", "enable", "--even-root", "root", *SHELLS)
    enrol(host, server)
    return Place(host, server, desk, wire)


def work(terminal: Driven, prompt: bytes, mark: str) -> None:
    """Do what people do: look around, let a lot scroll by, use other letters, resize."""
    terminal.expect(prompt, timeout_s=60)
    terminal.send(b"printf '%s-%s\\n' mark " + mark.encode() + b"\n")
    terminal.expect(b"mark-" + mark.encode() + b"\r\n", timeout_s=60)
    terminal.send("printf '%s%s\\n' 'größe ' '文字'\n".encode())
    terminal.expect("größe 文字\r\n".encode(), timeout_s=60)
    terminal.resize(100, 30)
    terminal.send(b"seq 3000; printf '%s%s\\n' do ne\n")
    terminal.expect(b"\n3000\r\n", b"done\r\n", timeout_s=60)


def leave(place: Place, terminal: Driven, mark: str, *, status: int = 0) -> None:
    """End a session that was worked in, and keep what was seen of it."""
    terminal.send(b"exit\n")
    ended = terminal.finish(60)
    place.seen[mark] = bytes(terminal.seen)
    terminal.close()
    assert ended == status, place.seen[mark]


PROMPTS = {"bash": b"$ ", "dash": b"$ ", "zsh": b"% ", "fish": b"> ", "tcsh": b"> "}


def log_in(place: Place, user: str, mark: str | None = None) -> None:
    """Log in over ssh, work, and leave."""
    mark = mark or f"ssh-{user}"
    shell = SHELLS[user].rpartition("/")[2]
    terminal = Driven(ssh(place.desk, user, place.host, "-tt"))
    work(terminal, PROMPTS[shell], mark)
    leave(place, terminal, mark)


def test_every_shell_over_ssh_while_the_network_is_cut(place: Place) -> None:
    """People log in with any shell, and do not notice that no server is reached."""
    place.wire.cut()
    for user in SHELLS:
        log_in(place, user)
    waiting = f"{len(SHELLS)} recordings waiting"
    wait_for(lambda: waiting in place.host.text("steno", "agent", "status"), waiting)


@pytest.mark.parametrize(
    ("mark", "words"),
    [
        ("su", ["su", "pat"]),
        ("su-login", ["su", "-", "pat"]),
        ("sudo-i", ["sudo", "-iu", "pat"]),
        ("sudo-root", ["sudo", "-i"]),
        ("sudo-su", ["sudo", "su", "-", "pat"]),
    ],
)
def test_su_and_sudo_on_a_slow_network(place: Place, mark: str, words: list[str]) -> None:
    """Who becomes somebody recorded is recorded from there on, and is back in their shell after."""
    place.wire.mend(delay_ms=150, loss_percent=3, bytes_per_s=60_000)
    terminal = Driven(ssh(place.desk, "opal", place.host, "-tt"))
    terminal.expect(b"opal@web1", b"$ ", timeout_s=60)
    terminal.send(" ".join(words).encode() + b"\n")
    if words[0] == "su":
        terminal.expect(b"Password: ", timeout_s=60)
        terminal.send(PASSWORD.encode() + b"\n")
    terminal.expect(b"This session is recorded.", timeout_s=60)
    work(terminal, b"# " if mark == "sudo-root" else b"$ ", mark)
    terminal.send(b"exit 5\n")
    terminal.expect(b"opal@web1", b"$ ", timeout_s=60)
    terminal.send(b"echo it was $?; stty -a | grep -o ' echo '\n")
    terminal.expect(b"it was 5", b" echo ", timeout_s=60)
    leave(place, terminal, mark)


def test_a_login_at_the_console(place: Place) -> None:
    """Who logs in where the machine stands is recorded like anybody."""
    terminal = console(place.host)
    terminal.expect(b"login: ", timeout_s=60)
    terminal.send(b"pat\n")
    terminal.expect(b"Password: ", timeout_s=60)
    terminal.send(PASSWORD.encode() + b"\n")
    work(terminal, b"$ ", "console")
    terminal.send(b"exit\n")
    terminal.expect(b"login: ", timeout_s=60)
    place.seen["console"] = bytes(terminal.seen)
    terminal.close()


def run(place: Place, words: list[str], stdin: bytes = b"") -> bytes:
    """Run a command at the desk that has to succeed; return its output."""
    done = subprocess.run(words, input=stdin, capture_output=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_commands_and_files_pass_untouched(place: Place) -> None:
    """Commands, scp, sftp, rsync and git work as ever, byte for byte, and each is noted."""
    place.wire.mend()
    host, desk = place.host, place.desk
    data = hashlib.shake_256(b"file").digest(3_000_000)
    desk.write("/root/file", data)
    assert run(place, ssh(desk, "pat", host, "cat"), data) == data
    place.commands.append("command")
    failing = subprocess.run(ssh(desk, "pat", host, "exit 3"), capture_output=True, check=False)
    assert (failing.returncode, failing.stdout, failing.stderr) == (3, b"", b"")
    place.commands.append("command")
    run(place, ssh(desk, "pat", host, "/root/file", "pat@web1:by-sftp", program="scp"))
    run(place, ssh(desk, "pat", host, "-O", "/root/file", "pat@web1:by-scp", program="scp"))
    rsync = (
        "rsync -e 'sshpass -p secret ssh -o StrictHostKeyChecking=no' /root/file pat@web1:by-rsync"
    )
    desk.shell(rsync)
    place.commands += ["sftp", "scp", "rsync"]
    for by in ("sftp", "scp", "rsync"):
        assert host.read(f"/home/pat/by-{by}") == data
    host.shell("su -s /bin/sh pat -c 'git init -q --bare ~/project.git'")
    clone = (
        "GIT_SSH_COMMAND='sshpass -p secret ssh' git clone -q pat@web1:project.git /root/project"
    )
    desk.shell(f"{clone} 2>&1")
    place.commands.append("git")


def test_sessions_outlive_the_agent_and_the_servers_power(place: Place) -> None:
    """A session goes on when the agent is killed and when the server's power fails."""
    terminal = Driven(ssh(place.desk, "pat", place.host, "-tt"))
    work(terminal, b"$ ", "before")
    place.server.cut_power()
    for mark in ("killed", "upgraded"):
        if mark == "killed":
            place.host.run("systemctl", "kill", "-s", "KILL", "steno-agent")
        else:
            place.host.run("systemctl", "restart", "steno-agent")
        terminal.send(b"\n")
        work(terminal, b"$ ", mark)
    place.server.start()
    leave(place, terminal, "before")


def test_a_host_whose_power_fails(place: Place) -> None:
    """What was shown until a second before is kept, and the host records again when it is back."""
    terminal = Driven(ssh(place.desk, "pat", place.host, "-tt"))
    work(terminal, b"$ ", "powerless")

    def is_kept() -> bool:
        newest = [one["rec"] for one in recordings(place.server)][-1:]
        return any(b"mark-powerless" in output(place.server, rec) for rec in newest)

    wait_for(is_kept, "what was shown")
    # The next prompt may be kept, too: it must have been seen before nothing more can come.
    terminal.expect(b"$ ", timeout_s=60)
    place.host.cut_power()
    place.seen["powerless"] = bytes(terminal.seen)
    terminal.close()
    place.host.start()
    log_in(place, "dan", mark="powered")


def test_many_at_once_while_everything_breaks(place: Place) -> None:
    """Ten people work at the same time; the network comes and goes, the agent is killed twice."""
    marks = [f"many{number}" for number in range(10)]
    terminals = [Driven(ssh(place.desk, "dan", place.host, "-tt")) for _ in marks]
    for terminal in terminals:
        terminal.expect(b"This session is recorded.", b"$ ", timeout_s=120)
    for round_, disturb in enumerate([place.wire.cut, place.wire.mend] * 3):
        disturb()
        if round_ in (1, 4):
            place.host.run("systemctl", "kill", "-s", "KILL", "steno-agent")
        for mark, terminal in zip(marks, terminals, strict=True):
            terminal.send(b"seq 500; printf '%%s-%%s\\n' mark %s.%d\n" % (mark.encode(), round_))
        for mark, terminal in zip(marks, terminals, strict=True):
            terminal.expect(b"mark-%s.%d\r\n" % (mark.encode(), round_), timeout_s=120)
    place.wire.mend(delay_ms=50, loss_percent=2)
    for mark, terminal in zip(marks, terminals, strict=True):
        leave(place, terminal, mark)


def test_the_server_has_it_all_once(place: Place) -> None:
    """Each session is there once, whole, in order, and holds what its terminal showed."""
    found = wait_for_delivery(place.host, place.server, place.count)
    assert [one["number"] for one in found] == [*range(1, place.count + 1)]
    assert {one["chain"]["state"] for one in found} == {"complete"}
    assert {one["host"] for one in found} == {"web1"}
    assert place.server.attempt("steno", "verify").returncode == 0
    shown = {one["rec"]: output(place.server, one["rec"]) for one in found if one["terminal"]}
    for mark, seen in place.seen.items():
        sign = re.compile(rb"mark-%s(\.0)?\r\n" % mark.encode())
        [recorded] = [data for data in shown.values() if sign.search(data)]
        before, _, after = seen.partition(recorded)
        assert recorded in seen, mark
        assert b"mark" not in before, mark
        goes_on = mark.startswith("su") or mark in ("console", "powerless")
        assert goes_on or AFTERWARDS.fullmatch(after), after
    assert [one["end"]["reason"] for one in found].count("recorder") == 1
    kinds = [one["command"] for one in found if not one["terminal"]]
    assert len(kinds) == len(place.commands), kinds
    ended = [one["end"] for one in found if not one["terminal"]]
    assert sorted(end["exit_status"] for end in ended) == [0] * (len(ended) - 1) + [3]


def ask(place: Place, *words: str) -> str:
    """Run a command that asks the server over HTTPS with a token, at the server itself."""
    if place.server.attempt("test", "-e", "/root/token").returncode:
        place.server.run("steno", "user", "add", "ada", "--role", "admin", "--no-password")
        place.server.shell("umask 77; steno token add ada >/root/token")
    url = ["--server", f"https://{place.server.address}:8443", "--token-file", "/root/token"]
    return place.server.text(*words, *url, "--ca", "/var/lib/steno-server/ca/ca.pem")


def test_the_server_knows_how_the_host_is(place: Place) -> None:
    """The host's heartbeats tell of its agent and its sessions; nothing is to be warned of."""
    terminal = Driven(ssh(place.desk, "dan", place.host, "-tt"))
    terminal.expect(b"This session is recorded.", b"$ ", timeout_s=60)

    def told() -> dict[str, object]:
        [one] = [json.loads(line) for line in ask(place, "steno", "hosts", "--json").splitlines()]
        is_good = one["state"] == "good" and not one["warnings"]
        return one if is_good and one["sessions"] == 1 else {}

    known = wait_for(told, "a heartbeat that tells of the session", 120)
    assert known["name"] == "web1"
    assert not known["missing"]
    terminal.send(b"exit\n")
    terminal.finish(60)
    place.seen["known"] = bytes(terminal.seen)
    terminal.close()
    wait_for_delivery(place.host, place.server, place.count)


def test_an_administrator_ends_a_session_from_afar(place: Place) -> None:
    """`steno message` and `steno kill` on the server reach the person's terminal, and end it."""
    terminal = Driven(ssh(place.desk, "dan", place.host, "-tt"))
    terminal.expect(b"This session is recorded.", b"$ ", timeout_s=60)

    def live() -> str:
        found = [one for one in recordings(place.server) if one["is_live"]]
        return str(found[-1]["rec"]) if found else ""

    rec = wait_for(live, "the live recording")
    ask(place, "steno", "message", rec, "please log out")
    terminal.expect(b"please log out", timeout_s=60)
    ask(place, "steno", "kill", rec)
    terminal.expect(b"this session is ended by", timeout_s=60)
    assert terminal.finish(60) != 0
    place.seen["ended"] = bytes(terminal.seen)
    terminal.close()
    ended = wait_for_delivery(place.host, place.server, place.count)[-1]
    assert ended["rec"] == rec
    assert ended["end"]["reason"] == "hangup"
    assert {"message", "kill"} <= set(ended["notes"])


def test_nothing_is_left_open(place: Place) -> None:
    """At the end no session, no process of Steno's login shell and no warning is left."""
    host = place.host
    wait_for(lambda: host.text("steno", "agent", "sessions", "--json") == "[]", "a session is left")
    gone = ["sh", "-c", "! pgrep -x steno-shell"]
    host.wait_until(*gone, what="the end of all login shells")
    assert place.host.text("systemctl", "is-system-running") == "running"
    assert "Traceback" not in place.host.journal() + place.server.journal()
