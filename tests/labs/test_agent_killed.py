"""The agent under systemd: killed, restarted and upgraded while people work."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from counting import COUNTING, Person, check_recording
from driven import Driven
from guest import Guest, Lab
from guest_tree import Tree
from packages import Packages, install, with_version
from steno_guests import PASSWORD
from waiting import wait_for

pytestmark = pytest.mark.lab

_POLICY = '[defaults]\ninput = "all"\nnotice = ""\n'
_SSH = ["sshpass", "-p", PASSWORD, "ssh", "-tt", "-o", "StrictHostKeyChecking=no"]
_SSH += ["-o", "LogLevel=ERROR", "pat@localhost"]


@pytest.fixture(scope="module")
def host(lab: Lab, guest_tree: Tree, packages: Packages) -> Guest:
    """A host on which pat is recorded."""
    guest = lab.boot("kept1", guest_tree)
    install(guest, packages["steno"])
    guest.add_user("pat", password=PASSWORD)
    guest.write("/etc/steno/policy.toml", _POLICY)
    guest.run("steno", "host", "enable", "pat")
    guest.write("/home/pat/counting", COUNTING, 0o755)
    return guest


def _agent(host: Guest) -> str:
    return host.text("systemctl", "show", "--property=MainPID", "--value", "steno-agent")


def _status(host: Guest) -> dict[str, object]:
    status: dict[str, object] = json.loads(host.text("steno", "agent", "status", "--json"))
    return status


def _again(host: Guest, blow: Callable[[], object]) -> Callable[[], None]:
    """Return what strikes the agent and waits until the next one has taken the sessions up.

    One that is struck while it starts leaves no note: there would be fewer than blows.
    """

    def strike() -> None:
        before = _agent(host)
        blow()
        wait_for(lambda: _agent(host) not in (before, "0"), "the next agent")
        host.wait_until("systemctl", "is-active", "--quiet", "steno-agent", what="its readiness")

    return strike


def _kill(host: Guest) -> None:
    host.run("systemctl", "kill", "--signal=KILL", "--kill-who=main", "steno-agent")


def _try(host: Guest, blow: Callable[[], object], times: int) -> None:
    """Work over ssh while the agent is struck; compare what was shown with what was recorded."""
    before = set(host.text("ls", "/var/lib/steno/spool").split())
    session = Driven(host.enter(*_SSH, "bash ./counting"))
    person = Person(session)
    person.disturb(_again(host, blow), times)
    person.quit(session)

    def finished() -> set[str]:
        names = set(host.text("ls", "/var/lib/steno/spool").split()) - before
        return {name for name in names if name.endswith(".done")}

    wait_for(finished, "the recording")
    [name] = finished()
    recording = host.read(f"/var/lib/steno/spool/{name}")
    check_recording(recording, person, bytes(person.seen), times)
    session.close()


def test_sessions_survive_kills(host: Guest) -> None:
    """Kill -9, again and again: systemd's descriptor store has what the next agent needs."""
    _try(host, lambda: _kill(host), 30)
    wait_for(lambda: _status(host)["sessions"] == 0, "a session stays")
    show = ["systemctl", "show", "--property=NFileDescriptorStore", "--value", "steno-agent"]
    wait_for(lambda: host.text(*show) == "0", "a descriptor stays in the store")


def test_sessions_survive_restarts(host: Guest) -> None:
    """Systemctl restart leaves sessions as they are."""
    _try(host, lambda: host.run("systemctl", "restart", "steno-agent"), 5)


def test_sessions_survive_an_upgrade(host: Guest, packages: Packages, tmp_path: Path) -> None:
    """Another version of the package goes on with the sessions of the one before."""
    newer = with_version(packages["steno"], "99.0", tmp_path)
    _try(host, lambda: install(host, newer), 1)
    assert host.text("dpkg-query", "-W", "-f", "${Version}", "steno") == "99.0"
