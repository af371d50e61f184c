"""`steno audit follow` as a process: its signals, its end, its death."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from waiting import wait_for

from steno.audit.event import Event
from steno.audit.trail import Lost, Placed, TrailDecoder, TrailEnd, TrailItem
from steno.delivery.audit_state import read_audit_state
from steno.delivery.spool import Spool
from steno.heartbeat import AuditFacts
from steno.integrity.chain import verify_stream
from steno.structs import decode_json

ZOO = Path(__file__).parents[2] / "data" / "audit" / "f2" / "plugin-string-zoo.log"
LINES = ZOO.read_bytes().splitlines(keepends=True)


class Host:
    """A place where a plugin runs, started and fed as auditd's dispatcher does it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.spool = directory / "spool"
        (directory / "agent.toml").write_text('[log]\nstyle = "text"\n')
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        words = [
            *("audit", "follow", "--spool", str(self.spool), "--user", "root"),
            *("--control", str(self.directory / "control.sock")),
            *("--config", str(self.directory / "agent.toml")),
            *("--policy", str(self.directory / "policy.toml")),
        ]
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "steno.cli", *words], stdin=subprocess.PIPE, stderr=log
            )

    def feed(self, data: bytes) -> None:
        """Write what the dispatcher would."""
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def end(self, number: int | None = None) -> int:
        """End it by a signal, or by the end of its input; return its exit status."""
        assert self.process is not None
        assert self.process.stdin is not None
        if number is not None:
            self.process.send_signal(number)
        else:
            self.process.stdin.close()
        status = self.process.wait(60)
        self.process.stdin.close()
        self.process = None
        return status

    def items(self) -> list[TrailItem]:
        """Return what the spool's trails say, which all verify."""
        found: list[TrailItem] = []
        spool = Spool(self.spool)
        for entry in spool.entries():
            reader = spool.open(entry.rec)
            data = reader.read(0, reader.available()[0])
            reader.close()
            assert verify_stream([data]).state in ("complete", "so_far")
            placed = TrailDecoder().feed(data)
            found += [one.item for one in placed if isinstance(one, Placed)]
        return found

    def serials(self) -> list[int]:
        """Return the numbers of all events, sorted."""
        return sorted(item.serial for item in self.items() if isinstance(item, Event))

    def state(self) -> AuditFacts | None:
        """Return what it says of itself."""
        return read_audit_state(self.directory / "audit.json")


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """A host whose plugin ends with the test."""
    host = Host(tmp_path)
    yield host
    if host.process is not None:
        host.process.kill()
        host.end()


def test_the_end_of_input_ends_the_trail(host: Host) -> None:
    """When auditd closes the pipe, all is written, the trail says so, and the exit status is 0."""
    host.start()
    host.feed(ZOO.read_bytes())
    assert host.end() == 0
    assert host.serials() == list(range(744, 890))
    last = host.items()[-1]
    assert isinstance(last, TrailEnd)
    assert last.why == "stopped"
    state = host.state()
    assert state is not None
    assert (state.events, state.kept, state.lost, state.level) == (146, 146, {}, "session")


def test_sigterm_ends_it_though_the_pipe_stays_open(host: Host) -> None:
    """What was written before the signal is in the trail, which is ended."""
    host.start()
    host.feed(LINES[0])
    wait_for(lambda: host.state() is not None, "it runs")
    host.feed(b"".join(LINES[1:]))
    assert host.end(signal.SIGTERM) == 0
    assert host.serials() == list(range(744, 890))
    assert isinstance(host.items()[-1], TrailEnd)


def test_sighup_reads_the_policy_again(host: Host) -> None:
    """A policy that keeps nothing holds from the signal on; one with a mistake changes nothing."""
    host.start()
    whole = ZOO.read_bytes().split(b"type=EOE")
    first = b"type=EOE".join(whole[:20]) + b"type=EOE" + whole[20].partition(b"\n")[0] + b"\n"
    host.feed(first)
    wait_for(lambda: len(host.serials()) > 5, "events are kept")
    policy = host.directory / "policy.toml"
    policy.write_text('[defaults]\naudit = "no"\n')
    assert host.process is not None
    host.process.send_signal(signal.SIGHUP)
    policy.write_text('[defaults]\naudit = "none"\n')
    host.process.send_signal(signal.SIGHUP)
    wait_for(lambda: bool((state := host.state()) and state.level == "none"), "the policy is read")
    before = host.serials()
    host.feed(ZOO.read_bytes()[len(first) :])
    assert host.end() == 0
    assert len(host.serials()) <= len(before) + 1
    state = host.state()
    assert state is not None
    assert state.events >= 140


def test_a_killed_one_is_gone_on_from(host: Host) -> None:
    """However often it is killed: what was in the trail stays, and the next says what it missed."""
    events: dict[bytes, bytes] = {}
    for line in LINES:
        key = line.partition(b"msg=audit(")[2].partition(b")")[0]
        events[key] = events.get(key, b"") + line
    fed = [*events.values()]
    kept = 0
    for turn in range(3):
        host.start()
        # Two events are missed each time.
        host.feed(b"".join(fed[turn * 12 + 2 : turn * 12 + 12]))
        kept += 10
        wait_for(lambda expected=kept: len(host.serials()) == expected, "events are kept")  # type: ignore[misc]
        assert host.end(signal.SIGKILL) == -signal.SIGKILL
    host.start()
    assert host.end() == 0
    assert len(Spool(host.spool).entries()) == 1
    lost = [item for item in host.items() if isinstance(item, Lost)]
    assert [(one.why, one.from_serial, one.to_serial) for one in lost] == [
        ("away", 744 + 12, 744 + 13),
        ("away", 744 + 24, 744 + 25),
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_root_is_given_up(host: Host) -> None:
    """Started by root it becomes its user, with no capability, and can gain none."""
    host.directory.chmod(0o755)
    for parent in host.directory.parents[:3]:
        parent.chmod(parent.stat().st_mode | 0o011)
    os.chown(host.directory, 65534, 65534)
    host.start = lambda: _start_as_nobody(host)  # type: ignore[method-assign]
    host.start()
    host.feed(b"".join(LINES))
    wait_for(lambda: len(host.serials()) > 100, "events are kept")
    assert host.process is not None
    facts = _read_status(host.process.pid)
    assert facts["Uid"].split() == ["65534"] * 4
    assert facts["Gid"].split()[0] == "65534"
    assert int(facts["CapPrm"], 16) == int(facts["CapEff"], 16) == 0
    assert facts["NoNewPrivs"] == "1"
    children = Path(f"/proc/{host.process.pid}/task/{host.process.pid}/children").read_text()
    [child] = children.split()
    # It gives its rights up by itself, beside its parent.
    wait_for(
        lambda: int(_read_status(int(child))["CapPrm"], 16) == 1 << 30, "the child has other rights"
    )
    assert _read_status(int(child))["Uid"].split() == ["65534"] * 4
    assert host.end() == 0
    wait_for(lambda: not Path(f"/proc/{child}").exists(), "the child is gone")


def _read_status(pid: int) -> dict[str, str]:
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in status if ":\t" in line)


def _start_as_nobody(host: Host) -> None:
    text = "[log]\nstyle = 'text'\n"
    (host.directory / "agent.toml").write_text(text)
    words = [
        *("audit", "follow", "--spool", str(host.spool), "--user", "nobody"),
        *("--control", str(host.directory / "control.sock")),
        *("--config", str(host.directory / "agent.toml")),
    ]
    with (host.directory / "log").open("ab") as log:
        host.process = subprocess.Popen(
            [sys.executable, "-m", "steno.cli", *words], stdin=subprocess.PIPE, stderr=log
        )


def test_the_state_can_be_read_by_others(host: Host) -> None:
    """What it says of itself is JSON that heartbeats carry, readable for all."""
    host.start()
    wait_for(lambda: host.state() is not None, "it says something")
    path = host.directory / "audit.json"
    assert path.stat().st_mode & 0o777 == 0o644
    assert decode_json(path.read_bytes(), AuditFacts).source == "auditd"
    assert host.end() == 0


def test_it_waits_for_its_spool(host: Host) -> None:
    """Where the spool cannot be used it goes on reading, and keeps what comes once it can."""
    host.spool.write_text("in the way")
    host.start()
    host.feed(b"".join(LINES[:40]))
    wait_for(lambda: bool((state := host.state()) and state.lost), "losses are told")
    host.spool.unlink()
    whole = b"".join(LINES[40:])
    host.feed(whole)
    assert host.end() == 0
    kept = host.serials()
    assert kept
    assert kept[-1] == 889
    lost = [item for item in host.items() if isinstance(item, Lost)]
    assert {one.why for one in lost} == {"unwritable"}
    assert sum(one.count for one in lost) + len(kept) == 146
