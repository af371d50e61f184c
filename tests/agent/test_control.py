"""Looking after the agent: its control socket, its commands, its numbers, its signals."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from agent_host import LONG_S, AgentHost
from driven import STENO
from ports import HeldPort
from waiting import wait_for

from steno.agent.configuration import AgentConfig
from steno.agent.sockets import listen
from steno.delivery.control import AgentControl


def run(host: AgentHost, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `steno agent` beside the agent."""
    command = [*STENO, "agent", *words, "--config", str(host.configuration)]
    return subprocess.run(command, capture_output=True, text=True, timeout=LONG_S, check=False)


def test_sessions_are_listed(host: AgentHost) -> None:
    """Who works on the host stands in the list, for people and for programs."""
    host.start()
    assert "no sessions" in run(host, "sessions").stdout
    session = host.shell("-steno-shell", "-c", "read x")
    (live,) = wait_for(host.sessions, "no session")
    (listed,) = json.loads(run(host, "sessions", "--json").stdout)
    assert {**listed, "bytes": 0} == {**live, "bytes": 0}
    assert live["kind"] == "terminal"
    shown = run(host, "sessions").stdout
    assert live["user"] in shown
    assert live["terminal"] in shown.replace("\n", "")
    session.send(b"\n")
    session.finish()
    wait_for(lambda: not host.sessions(), "the session stays")
    status = json.loads(run(host, "status", "--json").stdout)
    assert (status["sessions"], status["sessions_total"], status["number"]) == (0, 1, 1)
    assert "1 in all" in run(host, "status").stdout


@pytest.mark.parametrize("way", ["control", "signal"])
def test_a_reload_takes_effect_and_loses_nothing(host: AgentHost, way: str) -> None:
    """After a reload new sessions go by the new files, and those that live go on."""
    host.start()
    first = host.shell("-steno-shell", "-c", "echo here; read x; echo got $x")
    first.expect(b"here")
    host.configure('[log]\nlevel = "debug"\n', policy='[defaults]\nlabels = ["new"]\n')
    if way == "control":
        assert "read again" in run(host, "reload").stdout
    else:
        assert host.process is not None
        host.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "were read again" in host.log.read_text(), "no reload")
    second = host.shell("-steno-shell", "-c", "exit 0")
    second.finish()
    first.send(b"it\n")
    first.expect(b"got it")
    first.finish()
    before, after = host.recordings(2)
    assert (before.start.labels, after.start.labels) == ([], ["new"])


def test_a_wrong_file_is_refused_and_the_old_one_stays(host: AgentHost) -> None:
    """A reload of a wrong configuration or policy names file and key, and changes nothing."""
    host.start(policy='[defaults]\nlabels = ["good"]\n')
    host.configure("[limits]\nsessoins = 7\n", policy='[defaults]\nlabels = ["good"]\n')
    refused = run(host, "reload")
    assert refused.returncode != 0
    assert "sessoins" in refused.stderr
    assert str(host.configuration) in refused.stderr
    host.configure(policy="[defaults]\nlatency = 7\n")
    answer = host.ask("reload")
    assert not answer["ok"]
    assert "latency" in answer["error"]
    status = host.ask("status")
    assert status["policy"]["is_current"] is False
    assert "latency" in status["policy"]["error"]
    session = host.shell("-steno-shell", "-c", "exit 0")
    session.finish()
    assert host.recordings()[0].start.labels == ["good"]


def test_a_place_that_cannot_be_written_is_told_before_anybody_logs_in(host: AgentHost) -> None:
    """At the start, in the status and to the server; a reload to such a place is refused."""
    log = host.directory / "logs" / "steno.log"
    to = f'to = ["spool", "file:{log}"]\n'
    host.start(to)
    why = f"{log}: no such directory"
    assert why in host.log.read_text()
    assert host.ask("status")["unwritable"] == [why]
    assert f"recordings cannot be written: {why}" in run(host, "status").stdout
    control = AgentControl(host.control_socket)
    facts = control.facts()
    assert facts is not None
    assert f"recordings cannot be written: {why}" in facts.failures
    assert control.unwritable() == [why]
    log.parent.mkdir()
    host.shell("-steno-shell", "-c", "exit 0").finish()
    assert host.ask("status")["unwritable"] == []
    assert log.read_bytes().count(b"\n") >= 1
    host.configure(to.replace("steno.log", "more/steno.log"))
    refused = run(host, "reload")
    assert refused.returncode != 0
    assert "more/steno.log: no such directory" in refused.stderr
    host.shell("-steno-shell", "-c", "exit 0").finish()
    assert len(host.recordings(2)) == 2


def test_a_pipe_among_the_places_is_left_alone(host: AgentHost) -> None:
    """Opened and closed at the start, its reader would see the end before there is a session."""
    pipe = host.directory / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        host.start(f'to = ["file:{pipe}"]\n')
        assert host.ask("status")["unwritable"] == []
        events = select.poll()
        events.register(reader, select.POLLIN)
        assert events.poll(0) == []
    finally:
        os.close(reader)


def test_an_unknown_key_keeps_the_agent_from_starting(host: AgentHost) -> None:
    """The line names the file and the key."""
    host.configure("[limits]\nsessoins = 7\n")
    refused = run(host)
    assert refused.returncode == 3
    assert refused.stderr.strip() == (
        f"steno: {host.configuration}: limits.sessoins: there is no such key"
    )


def test_a_second_agent_refuses(host: AgentHost) -> None:
    """Two agents on one host: the second says so in one line, and the first goes on."""
    host.start()
    refused = run(host)
    assert refused.returncode == 14
    assert len(refused.stderr.strip().splitlines()) == 1
    assert "another agent" in refused.stderr
    host.configure(f'socket = "{host.directory}/other.sock"\ncontrol = "{host.directory}/o.sock"\n')
    refused = run(host)
    assert refused.returncode == 14
    assert f"another agent, process {host.process.pid if host.process else 0}," in refused.stderr
    host.configure()
    assert host.ask("status")["ok"]


def test_a_socket_that_a_killed_agent_left_is_taken(host: AgentHost) -> None:
    """After kill -9 the next agent starts at the same paths."""
    host.start()
    assert host.process is not None
    host.process.kill()
    host.process.wait()
    host.start()
    session = host.shell("-steno-shell", "-c", "exit 4")
    assert session.finish() == 4


def test_the_end_ends_recordings_properly(host: AgentHost) -> None:
    """Without anybody to keep them, sessions are hung up at SIGTERM and their recordings closed."""
    host.start()
    session = host.shell("-steno-shell", "-c", "echo here; sleep 60")
    session.expect(b"here")
    assert host.stop() == 0
    (recorded,) = host.recordings()
    assert recorded.end.reason == "recorder"
    assert b"here" in recorded.output()
    assert session.finish() == -signal.SIGHUP


def fetch(url: str) -> str:
    """Return what is at `url`."""
    with urllib.request.urlopen(url, timeout=LONG_S) as answer:
        text: str = answer.read().decode()
        return text


@pytest.fixture
def port() -> Iterator[int]:
    """A port for the agent."""
    with HeldPort() as held:
        yield held.number


def test_prometheus_finds_the_numbers_everywhere(host: AgentHost, port: int) -> None:
    """A port, a Unix socket and a file tell the same, and every metric is documented."""
    places = {"listen": f"127.0.0.1:{port}", "socket": f"{host.directory}/numbers.sock"}
    places["textfile"] = f"{host.directory}/steno.prom"
    text = "".join(f'{key} = "{place}"\n' for key, place in places.items())
    host.start(f"[metrics]\n{text}")
    session = host.shell("-steno-shell", "-c", "echo here")
    session.finish()
    host.recordings()
    shown = fetch(f"http://127.0.0.1:{port}/metrics")
    assert 'steno_agent_sessions_total{kind="terminal"} 1' in shown
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(places["socket"])
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    wait_for(Path(places["textfile"]).exists, "the file is not written")
    names = {line.split()[2] for line in shown.splitlines() if line.startswith("# TYPE")}
    for name in names:
        assert name.encode() in answer
        assert name in Path(places["textfile"]).read_text()
    page = (Path(__file__).parents[2] / "docs/agent.md").read_text()
    assert [name for name in names if name not in page] == []


def test_every_key_is_documented() -> None:
    """docs/agent.md names each key of the configuration."""
    page = (Path(__file__).parents[2] / "docs/agent.md").read_text()
    names = []
    for field in msgspec.structs.fields(AgentConfig):
        if isinstance(field.default, msgspec.Struct):
            names += [f"{field.name}.{inner}" for inner in field.default.__struct_fields__]
        else:
            names.append(field.name)
    assert [name for name in names if f"`{name}`" not in page] == []
    assert len(names) > 20


class Manager:
    """A service manager's socket, and what was said to it; it is always heard, as systemd does."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._said: list[str] = []
        self._next = 0
        self._hearing = threading.Thread(target=self._hear, daemon=True)
        self._hearing.start()

    def _hear(self) -> None:
        while packet := self._socket.recv(65536):
            self._said.append(packet.decode())

    def wait_for(self, word: str) -> str:
        """Return the next message that has a line that begins so."""

        def find() -> str | None:
            while self._next < len(self._said):
                text = self._said[self._next]
                self._next += 1
                if any(line.startswith(word) for line in text.splitlines()):
                    return text
            return None

        return wait_for(find, lambda: f"no {word} in {self._said}")

    def close(self) -> None:
        """Hear no more."""
        self._socket.shutdown(socket.SHUT_RD)
        self._hearing.join()
        self._socket.close()


@pytest.fixture
def manager(host: AgentHost) -> Iterator[Manager]:
    """The service manager of a host."""
    made = Manager(host.directory / "notify")
    yield made
    made.close()


def test_a_service_manager_is_kept_informed(host: AgentHost, manager: Manager) -> None:
    """READY when sessions are taken, signs of life, RELOADING and READY around a reload."""
    host.configure()
    listener = listen(str(host.build.socket), socket.SOCK_SEQPACKET, 0o666)
    code = (
        "import os,sys;os.dup2(int(sys.argv[1]),3);os.set_inheritable(3,True);"
        "os.environ.update(LISTEN_PID=str(os.getpid()),LISTEN_FDS='1',LISTEN_FDNAMES='agent',"
        "WATCHDOG_USEC='300000',WATCHDOG_PID=str(os.getpid()));"
        "os.execv(sys.executable,[sys.executable,'-m','steno.cli','agent','--config',sys.argv[2]])"
    )
    host.process = subprocess.Popen(
        [sys.executable, "-c", code, str(listener.fileno()), str(host.configuration)],
        pass_fds=[listener.fileno()],
        env={**os.environ, "NOTIFY_SOCKET": str(manager.path)},
        stderr=host.log.open("ab"),
    )
    listener.close()
    assert "STATUS=0 sessions" in manager.wait_for("READY=1")
    session = host.shell("-steno-shell", "-c", "exit 6")
    assert session.finish() == 6
    for _ in range(3):
        manager.wait_for("WATCHDOG=1")
    host.process.send_signal(signal.SIGHUP)
    assert "MONOTONIC_USEC=" in manager.wait_for("RELOADING=1")
    manager.wait_for("READY=1")
    host.process.send_signal(signal.SIGTERM)
    manager.wait_for("STOPPING=1")
    assert host.process.wait(LONG_S) == 0
    assert host.build.socket.exists()
