"""A real agent for tests, and sessions that reach it through the real `steno-shell`."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

from driven import STENO, Driven, Recorded
from shell_builds import Build
from waiting import wait_for

from steno.agent.handshake import Answer, Request, decode_answer, encode_request

LONG_S = 60.0


class AgentHost:
    """A host in a directory: an agent, its files, and sessions.

    Attributes:
        directory: Where its files are.
        process: The agent.
    """

    def __init__(self, directory: Path, build: Build) -> None:
        self.directory = directory
        self.build = build
        self.process: subprocess.Popen[bytes] | None = None
        self._sessions: list[Driven] = []
        self._seen: set[str] = set()
        self.configuration = directory / "agent.toml"
        self.policy = directory / "policy.toml"
        self.spool = directory / "spool"
        self.log = directory / "agent.log"
        self.control_socket = directory / "control.sock"
        self.shells = directory / "shells"

    def descriptors(self) -> int:
        """Return how many descriptors the agent has open."""
        assert self.process is not None
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def assert_works(self) -> None:
        """Fail unless sessions still work."""
        session = self.shell("-steno-shell", "-c", "echo fine")
        assert session.finish(LONG_S) == 0
        assert b"fine" in bytes(session.seen)

    def configure(self, text: str = "", policy: str = "") -> None:
        """Write the configuration, `text` being added to it, and the policy."""
        places = {
            "socket": self.build.socket,
            "control": self.control_socket,
            "policy": self.policy,
            "shells": self.shells,
            "spool": self.spool,
            "numbers": self.directory,
        }
        given = text.partition("[")[0]
        lines = [f'{key} = "{path}"\n' for key, path in places.items() if f"{key} =" not in given]
        if "user =" not in given:
            lines.append('user = "root"\n')
        self.configuration.write_text("".join(lines) + text)
        self.policy.write_text(policy)

    def start(
        self,
        text: str = "",
        policy: str = "",
        *,
        prefix: tuple[str, ...] = (),
        options: tuple[str, ...] = (),
    ) -> subprocess.Popen[bytes]:
        """Start the agent; return when it answers."""
        self.configure(text, policy)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*prefix, *STENO, "agent", "--config", str(self.configuration), *options],
                stdout=log,
                stderr=log,
                env={key: value for key, value in os.environ.items() if key != "NOTIFY_SOCKET"},
            )
        wait_for(self._answers, lambda: f"the agent does not answer: {self.log.read_text()}")
        return self.process

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        try:
            return bool(self.ask("status")["ok"])
        except OSError:
            return False

    def ask(self, do: str, **members: object) -> dict[str, Any]:
        """Ask the agent through its control socket."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(LONG_S)
            connection.connect(str(self.control_socket))
            connection.sendall(json.dumps({"do": do, **members}).encode() + b"\n")
            answer: dict[str, Any] = json.loads(connection.makefile("rb").readline())
            return answer

    def sessions(self) -> list[dict[str, Any]]:
        """Return the sessions that live."""
        found: list[dict[str, Any]] = self.ask("sessions")["sessions"]
        return found

    def shell(self, *words: str, **more: object) -> Driven:
        """Start `steno-shell` on a terminal of its own."""
        more.setdefault("executable", self.build.name)
        self._sessions.append(Driven(words or ("-steno-shell",), **more))  # type: ignore[arg-type]  # handed through
        return self._sessions[-1]

    def recordings(self, count: int = 1) -> list[Recorded]:
        """Return recordings that finished since the last call, once there are so many; in order."""

        def find() -> list[Path]:
            paths = [path for path in self.spool.glob("*.done") if path.name not in self._seen]
            return paths if len(paths) >= count else []

        paths = wait_for(find, lambda: f"there are not {count} recordings: {self.log.read_text()}")
        self._seen |= {path.name for path in paths}
        return sorted(map(Recorded, paths), key=lambda one: one.start.started_unix_us)

    def caller(self) -> Caller:
        """Connect as any program might."""
        return Caller(self.build.socket)

    def stop(self) -> int:
        """End the agent as its service manager does; return its status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(LONG_S)

    def settle(self) -> None:
        """End all sessions and forget their recordings; the agent stays."""
        for session in self._sessions:
            session.close()
        self._sessions.clear()
        wait_for(lambda: not list(self.spool.glob("*.open")), "a recording stays open")
        self._seen |= {path.name for path in self.spool.glob("*.done")}

    def close(self) -> None:
        """End everything."""
        for session in self._sessions:
            session.close()
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class Caller:
    """A program that connects to the agent's socket, for good or bad."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(LONG_S)
        self.socket.connect(str(path))

    def send(self, packet: bytes, descriptors: list[int]) -> None:
        """Send a packet with descriptors."""
        socket.send_fds(self.socket, [packet], descriptors)

    def ask(self, descriptors: list[int], *arguments: bytes) -> None:
        """Ask for a session as `steno-shell` does."""
        request = Request(b"-steno-shell", arguments, term=b"xterm")
        self.send(encode_request(request), descriptors)

    def answer(self) -> tuple[Answer | None, list[int]]:
        """Return the answer and its descriptors; None when the agent closed the connection."""
        try:
            packet, descriptors, _, _ = socket.recv_fds(self.socket, 65536, 8)
        except ConnectionResetError:
            return None, []
        return (decode_answer(packet) if packet else None), descriptors

    def close(self) -> None:
        """Close the connection."""
        self.socket.close()
