"""The keeper process: what an agent stored comes back to the next one."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from waiting import wait_for

from steno.agent import keeper
from steno.agent.keep import NoKeep, StoreKeep, open_keep
from steno.errors import UnreachableError

_PROGRAM = Path(__file__).with_name("kept_program.py")
_LONG_S = 60.0


class _Kept:
    """A keeper, and what its program writes."""

    def __init__(self, directory: Path) -> None:
        self.address = directory / "keeper.sock"
        self.log = directory / "log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        program = [sys.executable, str(_PROGRAM), str(self.log), *arguments]
        command = [sys.executable, "-I", "-S", keeper.__file__, str(self.address), *program]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE)
        return self.process

    def lines(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []

    def say(self) -> str:
        return f"its program has written {self.lines()}"


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[_Kept]:
    """A keeper that is stopped afterwards."""
    made = _Kept(tmp_path)
    yield made
    if made.process is not None:
        made.process.terminate()
        made.process.wait(_LONG_S)


def test_a_killed_agent_gets_back_what_it_stored(kept: _Kept) -> None:
    """Descriptors and what is in them survive, those that were removed do not."""
    kept.start("3", "stay")
    wait_for(lambda: len(kept.lines()) == 4, kept.say)
    again = "[(0, ['master', 'ring'])] False"
    assert kept.lines() == ["1 [] False", f"2 {again}", f"3 {again}", f"4 {again}"]


def test_what_was_removed_just_before_death_is_gone(kept: _Kept) -> None:
    """A message that was sent before the kill counts, though it is read after."""
    kept.start("0", "remove")
    wait_for(lambda: len(kept.lines()) >= 2, kept.say)
    assert kept.lines()[:2] == ["1 [] False", "1 [] False"]


def test_an_agent_that_never_gets_ready_ends_its_keeper(kept: _Kept) -> None:
    """A mistake in the configuration ends in the agent's exit status, not in a loop."""
    assert kept.start("0", "fail").wait(_LONG_S) == 7
    assert not kept.address.exists()


def test_stopping_the_keeper_stops_the_agent(kept: _Kept) -> None:
    """SIGTERM to the keeper ends the agent, and the keeper after it."""
    process = kept.start("0", "stay")
    wait_for(lambda: len(kept.lines()) == 1, kept.say)
    process.terminate()
    assert process.wait(_LONG_S) == 128 + signal.SIGTERM


def test_a_second_keeper_refuses(kept: _Kept) -> None:
    """The socket of a keeper that lives is not taken from it; one that was left behind is."""
    first = kept.start("0", "stay")
    wait_for(lambda: len(kept.lines()) == 1, kept.say)
    second = kept.start("0", "stay")
    assert second.wait(_LONG_S) == 1
    assert second.stderr is not None
    assert b"keeper.sock: Address already in use" in second.stderr.read()
    orphan = _child_of(first)
    first.kill()
    first.wait(_LONG_S)
    os.kill(orphan, signal.SIGKILL)
    kept.start("0", "stay")
    wait_for(lambda: len(kept.lines()) == 2, kept.say)


def test_strangers_messages_are_not_believed(kept: _Kept) -> None:
    """Only the agent may store or remove."""
    kept.start("0", "stay")
    wait_for(lambda: len(kept.lines()) == 1, kept.say)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger:
        stranger.connect(str(kept.address))
        stranger.send(b"FDSTOREREMOVE=1\nFDNAME=0R")
        socket.send_fds(stranger, [b"FDSTORE=1\nFDNAME=9R"], [0])
    agent = _child_of(kept.process)
    os.kill(agent, signal.SIGKILL)
    wait_for(lambda: len(kept.lines()) == 2, kept.say)
    assert kept.lines()[1] == "2 [(0, ['master', 'ring'])] False"


def _child_of(process: subprocess.Popen[bytes] | None) -> int:
    assert process is not None
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return int(children[0])


def test_without_a_service_manager_nothing_is_kept() -> None:
    """Variables meant for another process are not believed, and taken out for the children."""
    environ = {"LISTEN_PID": "1", "LISTEN_FDS": "3", "LISTEN_FDNAMES": "0R:0S:1R"}
    keep = open_keep(environ)
    assert isinstance(keep, NoKeep)
    assert environ == {}


def test_changed_descriptors_take_the_place_of_others(tmp_path: Path) -> None:
    """Storing again sends only what is new, and removes what it replaces first."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        keep = StoreKeep(str(tmp_path / "notify"), [])
        pipes = [os.pipe() for _ in range(3)]
        keep.store("a", {"ring": pipes[0][0], "leader": pipes[1][0]})
        keep.store("a", {"ring": pipes[0][0], "leader": pipes[2][0]})
        keep.remove("a")
        keep.store("b", {"spool": pipes[0][0]})
        manager.setblocking(False)
        said = [manager.recv(4096).decode().split("\n")[:2] for _ in range(7)]
        for pair in pipes:
            os.close(pair[0])
            os.close(pair[1])
    stored, removed = "FDSTORE=1", "FDSTOREREMOVE=1"
    assert said == [
        [stored, "FDNAME=0R"],
        [stored, "FDNAME=0L"],
        [removed, "FDNAME=0L"],
        [stored, "FDNAME=0L"],
        [removed, "FDNAME=0R"],
        [removed, "FDNAME=0L"],
        [stored, "FDNAME=0S"],
    ]


def test_more_names_than_the_next_agent_could_be_given_are_refused(tmp_path: Path) -> None:
    """What would make the restart fail is not stored: the session is recorded, but not kept."""
    null = os.open(os.devnull, os.O_RDONLY)
    inherited = [(null, f"{number}R") for number in range(1_000_000, 1_013_400)]
    keep = StoreKeep(str(tmp_path / "nobody"), inherited)
    with pytest.raises(UnreachableError, match="too many sessions"):
        keep.store("a", {"ring": null})
    os.close(null)


def test_a_manager_that_is_gone_is_told_of(tmp_path: Path) -> None:
    """Without anybody at the socket, storing fails with one line."""
    keep = StoreKeep(str(tmp_path / "nobody"), [])
    with pytest.raises(UnreachableError, match="nobody"):
        keep.notify("READY=1")
