"""A host whose agent is kept alive by the keeper, with steno-shell sessions on it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from counting import LONG_S
from driven import STENO, Driven
from processes import state
from shell_builds import Build
from waiting import wait_for

_POLICY = """
[defaults]
input = "all"
"""


class KeptHost:
    """Starts `steno agent --keeper`; use it as a context manager."""

    def __init__(self, directory: Path, build: Build, *, to: str = "spool") -> None:
        self.spool = directory / "spool"
        self.log = directory / "agent.log"
        self._build = build
        self._config = directory / "agent.toml"
        policy, shells = directory / "policy.toml", directory / "shells"
        policy.write_text(_POLICY)
        shells.write_text("")
        settings = {
            "socket": build.socket,
            "control": directory / "control.sock",
            "user": "root",
            "policy": policy,
            "shells": shells,
            "spool": self.spool,
            "numbers": directory,
            "nested": "record",
        }
        lines = [f'{key} = "{value}"\n' for key, value in settings.items()]
        self._config.write_text("".join([*lines, f'to = ["{to}"]\n']))
        self._keeper: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> KeptHost:
        with self.log.open("wb") as log:
            command = [*STENO, "agent", "--keeper", "--config", str(self._config)]
            self._keeper = subprocess.Popen(command, stdout=log, stderr=log)
        wait_for(lambda: self.starts() == 1, "the agent")
        return self

    def __exit__(self, *_: object) -> None:
        assert self._keeper is not None
        self._keeper.terminate()
        try:
            self._keeper.wait(LONG_S)
        finally:
            self._keeper.kill()

    def starts(self) -> int:
        """Return how often an agent has become ready."""
        return self.log.read_bytes().count(b"the agent is ready")

    def start(self, *arguments: str) -> Driven:
        """Begin a session."""
        return self.run(self._build.name, *arguments)

    def run(self, *words: str) -> Driven:
        """Run a program on a terminal."""
        return Driven(words, environ={"TERM": "xterm"})

    def children_of(self, session: Driven) -> list[int]:
        """Return the processes of a session below the one that was started."""
        path = Path(f"/proc/{session.process.pid}/task/{session.process.pid}/children")
        children = [int(word) for word in path.read_text().split()]
        return [child for child in children if state(child) != "Z"]

    @property
    def agent(self) -> int | None:
        """The agent's process; None while there is none."""
        assert self._keeper is not None
        try:
            path = Path(f"/proc/{self._keeper.pid}/task/{self._keeper.pid}/children")
            children = path.read_text().split()
        except FileNotFoundError:
            return None
        return int(children[0]) if children else None

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Kill the agent, and wait until the next one is there."""
        agent, starts = self.agent, self.starts()
        assert agent is not None
        os.kill(agent, number)
        wait_for(lambda: self.starts() > starts, "the next agent")

    @contextmanager
    def without_agent(self) -> Iterator[None]:
        """Have no agent for a while; afterwards there is one."""
        assert self._keeper is not None
        # What the agent stored, the keeper may not have looked at yet.
        wait_for(self._ring, "the keeper has no ring")
        starts, agent = self.starts(), self.agent
        assert agent is not None
        self._keeper.send_signal(signal.SIGSTOP)
        os.kill(agent, signal.SIGKILL)
        try:
            yield
        finally:
            self._keeper.send_signal(signal.SIGCONT)
        wait_for(lambda: self.starts() > starts, "the next agent")

    def write_ring(self, offset_bytes: int, data: bytes) -> None:
        """Change what the keeper has of the first session's memory."""
        path = self._ring()
        assert path is not None, "the keeper has no ring"
        with path.open("r+b", buffering=0) as ring:
            os.pwrite(ring.fileno(), data, offset_bytes)

    def _ring(self) -> Path | None:
        """Return the first session's memory as the keeper has it."""
        assert self._keeper is not None
        for path in Path(f"/proc/{self._keeper.pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                if os.readlink(path).startswith("/memfd:steno-ring"):
                    return path
        return None

    def recordings(self) -> list[Path]:
        """Return the finished recordings' files."""
        return sorted(self.spool.glob("*.done"))
