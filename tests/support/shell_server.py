"""A small server for `steno-shell`: answers as a test says, and relays a terminal's session.

It speaks through `steno.agent.handshake`, so that the C program and the codec are tried together.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import termios
import threading
import time
import tty
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from steno.agent.handshake import (
    REQUEST_LIMIT_BYTES,
    RESTORED,
    TAKEN,
    Answer,
    Report,
    Request,
    decode_report,
    decode_request,
    encode_answer,
)

Behaviour = Callable[["Served"], None]


@dataclass
class Served:
    """One connection: what was asked, with which descriptors, and what was reported."""

    connection: socket.socket
    pid: int
    request: Request
    descriptors: list[int]
    reports: list[Report] = field(default_factory=list)
    output: bytearray = field(default_factory=bytearray)
    typed: bytearray = field(default_factory=bytearray)
    is_closed: bool = False
    facts: dict[str, str] = field(default_factory=dict)

    def answer(self, answer: Answer, descriptors: Sequence[int] = ()) -> None:
        """Send an answer and its descriptors."""
        socket.send_fds(self.connection, [encode_answer(answer)], list(descriptors))

    def read_report(self) -> Report | None:
        """Return the next report, None at the end of the connection."""
        packet = self.connection.recv(65536)
        if not packet:
            self.is_closed = True
            return None
        self.reports.append(decode_report(packet))
        return self.reports[-1]

    def close(self) -> None:
        """Give everything back."""
        self.connection.close()
        for fd in self.descriptors:
            with contextlib.suppress(OSError):
                os.close(fd)
        self.descriptors.clear()


class ShellServer:
    """Listens at `path`, and does for each caller what `behaviour` says, in a thread of its own."""

    def __init__(self, path: Path, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.served: list[Served] = []
        self.failures: list[BaseException] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        aside = path.with_name(".new")  # who calls again and again meets it only when it listens
        self._listener.bind(str(aside))
        self._listener.listen(64)
        aside.chmod(0o666)
        aside.rename(path)
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def close(self) -> None:
        """Stop listening and wait for what runs; a behaviour's failure is raised here."""
        if self._listener.fileno() < 0:
            return
        self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listener.close()
        for thread in self._threads:
            thread.join(60)
        if self.failures:
            raise self.failures[0]

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        pid = int.from_bytes(credentials[:4], "little")
        packet, descriptors, _, _ = socket.recv_fds(connection, REQUEST_LIMIT_BYTES + 1, 8)
        served = Served(connection, pid, decode_request(packet), descriptors)
        self.served.append(served)
        try:
            self.behaviour(served)
        except BaseException as error:  # noqa: BLE001  # raised in the test's thread
            self.failures.append(error)
        finally:
            served.close()


def answering(answer: Answer, descriptors: Sequence[int] = ()) -> Behaviour:
    """Answer so, and read reports until the connection ends."""

    def behave(served: Served) -> None:
        served.answer(answer, descriptors)
        while served.read_report() is not None:
            pass

    return behave


@dataclass
class Relaying:
    """Behaviour: a terminal of its own for the session, relayed as the agent does it.

    `delay_s` is how long the server takes to pass on each piece of output; `last_words_s`, how long
    before it restores the terminal when the shell has ended.
    """

    shell: bytes
    argv0: bytes
    message: bytes = b""
    delay_s: float = 0.0
    last_words_s: float = 0.0

    def __call__(self, served: Served) -> None:
        """Serve one session to its end."""
        outer = served.descriptors[0]
        master, slave = os.openpty()
        before = termios.tcgetattr(outer)
        termios.tcsetattr(slave, termios.TCSANOW, before)
        termios.tcsetwinsize(slave, termios.tcgetwinsize(outer))
        tty.setraw(outer, termios.TCSANOW)
        answer = Answer("terminal", self.shell, self.argv0, self.message)
        try:
            served.answer(answer, [slave])
            os.close(slave)
            self._relay(served, outer, master, before)
            time.sleep(self.last_words_s)
            _drain(served, outer, master)
            _set(outer, before)
            if served.reports:
                with contextlib.suppress(BrokenPipeError):
                    served.connection.send(RESTORED)
            while not served.is_closed and served.read_report() is not None:
                pass
        finally:
            os.close(master)

    def _relay(self, served: Served, outer: int, master: int, before: list[Any]) -> None:
        while True:
            sources = [outer, master, *([] if served.is_closed else [served.connection])]
            ready = select.select(sources, [], [], 60)[0]
            assert ready, "a session that does nothing for a minute"
            if served.connection in ready:
                report = served.read_report()
                if report is None and served.reports:
                    return
                if report and report.kind == "ended":
                    return
                if report and report.kind == "stopped":
                    _set(outer, before)
                    served.connection.send(RESTORED)
                    report = served.read_report()
                    assert report is not None
                    assert report.kind == "continued"
                    tty.setraw(outer, termios.TCSANOW)
                    served.connection.send(TAKEN)
            if outer in ready and not _pass_on(outer, master, served.typed):
                return
            time.sleep(self.delay_s if master in ready else 0)
            if master in ready and not _pass_on(master, outer, served.output):
                return


def _pass_on(source: int, sink: int, seen: bytearray) -> bool:
    try:
        data = os.read(source, 65536)
    except OSError:
        return False
    seen += data
    with contextlib.suppress(OSError):
        os.write(sink, data)
    return bool(data)


def _drain(served: Served, outer: int, master: int) -> None:
    while select.select([master], [], [], 0)[0] and _pass_on(master, outer, served.output):
        pass


def _set(outer: int, settings: list[object]) -> None:
    with contextlib.suppress(termios.error):
        termios.tcsetattr(outer, termios.TCSANOW, settings)  # type: ignore[arg-type]
