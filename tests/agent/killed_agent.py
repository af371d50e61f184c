"""An agent that is killed between any two of its stores: in a test, by an exception."""

from __future__ import annotations

import os
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from waiting import wait_for

from steno.agent import ring as ring_module
from steno.agent import ring_lane
from steno.agent.resume import encode_kept
from steno.agent.ring import Ring
from steno.agent.ring_layout import Way
from steno.agent.session import SessionFacts
from steno.agent.survivors import take_up
from steno.delivery import resuming, spool_file
from steno.delivery.spool import Spool
from steno.delivery.spool_file import DONE, SpoolFile
from steno.delivery.spool_limits import SpoolLimits
from steno.formats.cutter import Identity
from steno.model import Start
from steno.recorder.clock import RecordingClock
from steno.recorder.facts import read_line
from steno.recorder.session import InputMode, Session, Settings

REC = "1-2-3"
SETTINGS = Settings(latency_us=0, payload_bytes=2048, input=InputMode.ALL)
_STORING = ("readv", "write", "sendfile", "lseek", "ftruncate")


class Killed(BaseException):
    """The agent is no more."""


class Fuse:
    """Lets so many stores happen, then kills; None: never."""

    def __init__(self, stores: int | None) -> None:
        self.stores = stores

    def spend(self) -> None:
        """Count a store that is about to happen."""
        if self.stores is not None:
            self.stores -= 1
            if self.stores < 0:
                raise Killed


class _FusedMemory:
    """Memory whose stores are counted; one of many bytes may end in its middle."""

    def __init__(self, memory: memoryview, fuse: Fuse) -> None:
        self._memory = memory
        self._fuse = fuse

    def __getitem__(self, key: slice | int) -> memoryview | int:
        return self._memory[key]

    def __setitem__(self, key: slice | int, value: bytes | int) -> None:
        self._fuse.spend()
        if isinstance(key, int) or isinstance(value, int):
            self._memory[key] = value
            return
        if len(value) > 1:
            half = len(value) // 2
            self._memory[key.start : key.start + half] = value[:half]
            self._fuse.spend()
        self._memory[key] = value

    def release(self) -> None:
        self._memory.release()


class _FusedSystem:
    """The module os, its storing calls counted."""

    def __init__(self, fuse: Fuse) -> None:
        self._fuse = fuse

    def __getattr__(self, name: str) -> object:
        call = getattr(os, name)
        if name not in _STORING:
            return call

        def counted(*arguments: Any) -> object:  # noqa: ANN401  # as os has them
            self._fuse.spend()
            if name == "write" and len(arguments[1]) > 1 and not os.isatty(arguments[0]):
                return call(arguments[0], arguments[1][: len(arguments[1]) // 2])
            return call(*arguments)

        return counted


@contextmanager
def fused(fuse: Fuse) -> Iterator[None]:
    """Count the storing calls of everything that the agent stores with."""
    modules = (ring_module, ring_lane, spool_file, resuming)
    for module in modules:
        module.os = _FusedSystem(fuse)  # type: ignore[attr-defined]
    try:
        yield
    finally:
        for module in modules:
            module.os = os  # type: ignore[attr-defined]


def fuse_ring(ring: Ring, fuse: Fuse) -> None:
    """Count the ring's stores."""
    for name in ("_bytes", "_words", "_records"):
        setattr(ring, name, _FusedMemory(getattr(ring, name), fuse))


class Sides:
    """The two terminals of a session, and who sits at their other ends."""

    def __init__(self) -> None:
        self.person, self.outer = os.openpty()
        self.master, self.program = os.openpty()
        for fd in (self.person, self.outer, self.master, self.program):
            os.set_blocking(fd, False)
        tty.setraw(self.outer)
        tty.setraw(self.program)
        self.shown = b""
        self.received = b""

    def look(self, size_bytes: int) -> int:
        """Let the person see some of what came; return how many bytes."""
        data = _read(self.person, size_bytes)
        self.shown += data
        return len(data)

    def receive(self, size_bytes: int) -> int:
        """Let the program take some of what was typed; return how many bytes."""
        data = _read(self.program, size_bytes)
        self.received += data
        return len(data)

    def close(self) -> None:
        """Hang up."""
        for fd in (self.person, self.outer, self.master, self.program):
            os.close(fd)


def _read(fd: int, size_bytes: int) -> bytes:
    try:
        return os.read(fd, size_bytes)
    except BlockingIOError:
        return b""


class Agent:
    """The least that an agent does: reads, keeps, passes on, records."""

    def __init__(self, directory: Path, sides: Sides, settings: Settings = SETTINGS) -> None:
        """Begin a session."""
        self.sides = sides
        self.spool = Spool(directory, SpoolLimits(free_bytes=0))
        self.clock = RecordingClock()
        start = Start(
            user="avery",
            host="h",
            started_unix_us=self.clock.started_unix_us,
            recorder="steno",
            boot_id=(read_line("/proc/sys/kernel/random/boot_id") or "").replace("-", ""),
        )
        identity = Identity("h", REC, "avery", "xterm", 7, start)
        facts = SessionFacts("terminal", identity, settings, self.clock.base_ns, ("spool",), 1)
        self.session = Session(identity, settings)
        self.file: SpoolFile = self.spool.begin(REC)
        for line in self.session.begin(self.clock.at_us(), (80, 24)):
            self.file.append(line)
        state = encode_kept(self.session.state())
        self.ring = Ring.create(msgspec.json.encode(facts), state, is_terminal=True)
        kept = self.ring.descriptors | {"spool": self.file.fileno()}
        kept |= {"outer": sides.outer, "master": sides.master}
        self.kept = {word: os.dup(fd) for word, fd in kept.items()}

    def take_up(self, fuse: Fuse) -> None:
        """Be the next agent, with nothing but what was kept."""
        with fused(fuse):
            descriptors = {word: os.dup(fd) for word, fd in self.kept.items()}
            survivor = take_up(self.spool, descriptors)
            for fd in survivor.descriptors.values():
                os.close(fd)
            self.session, self.ring = survivor.session, survivor.ring
            self.clock, self.file = survivor.clock, survivor.file
            fuse_ring(self.ring, fuse)
            self._append(survivor.lines)
            self.ring.checkpoint(encode_kept(self.session.state()))

    def turn(self) -> None:
        """Serve both sides once."""
        at_us = self.clock.at_us()
        data = self.ring.read(Way.OUTPUT, self.sides.master, lambda: at_us)
        self.ring.pass_on(Way.OUTPUT, self.sides.outer)
        if data:
            self._append(self.session.take_output(at_us, data))
        data = self.ring.read(Way.INPUT, self.sides.outer, lambda: at_us)
        self.ring.pass_on(Way.INPUT, self.sides.master)
        if data:
            self._append(self.session.take_input(at_us, data))
        if self.ring.is_pressed:
            self._append(self.session.cut(at_us))
            self.ring.checkpoint(encode_kept(self.session.state()))

    def settle(self, shown: bytes, received: bytes) -> None:
        """Serve both sides until so much has arrived, and for some turns more."""

        def has_arrived() -> bool:
            self.turn()
            self.sides.look(65536)
            self.sides.receive(65536)
            lengths = len(self.sides.shown), len(self.sides.received)
            return lengths[0] >= len(shown) and lengths[1] >= len(received)

        wait_for(has_arrived, lambda: f"not all arrives: {self.sides.shown!r} of {shown!r}")
        for _ in range(3):  # in which nothing may come a second time
            has_arrived()

    def tick(self) -> None:
        """Put what is pending into lines."""
        at_us = self.clock.at_us()
        self.ring.put_tick(at_us)
        self._append(self.session.tick(at_us))
        if not self.session.is_pending:
            self.ring.checkpoint(encode_kept(self.session.state()))

    def resize(self, columns: int, rows: int) -> None:
        """Record another size of the window."""
        at_us = self.clock.at_us()
        self.ring.put_window(at_us, columns, rows)
        self._append(self.session.take_window(at_us, columns, rows))

    def end(self) -> bytes:
        """End the recording; return it."""
        self._append(self.session.end(self.clock.at_us(), "exit", exit_status=0))
        self.file.finish()
        self.ring.close()
        for fd in self.kept.values():
            os.close(fd)
        return self.spool.path(REC, DONE).read_bytes()

    def _append(self, lines: list[bytes]) -> None:
        for line in lines:
            self.file.append(line)
