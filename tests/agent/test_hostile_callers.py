"""The agent's socket is open to everybody: whoever misuses it hurts only themselves."""

from __future__ import annotations

import contextlib
import os
import socket
import termios
from collections.abc import Iterator

import pytest
from agent_host import LONG_S, AgentHost
from waiting import wait_for

from steno.agent.handshake import MAGIC, Request, encode_request

REQUEST = encode_request(Request(b"-steno-shell"))


@contextlib.contextmanager
def terminal() -> Iterator[tuple[int, int]]:
    """Yield a terminal's two sides."""
    master, slave = os.openpty()
    try:
        yield master, slave
    finally:
        os.close(slave)
        os.close(master)


@pytest.mark.parametrize(
    ("packet", "count"),
    [
        (b"", 3),
        (b"nonsense", 3),
        (MAGIC, 3),
        (MAGIC + b"argv0=x", 3),
        (REQUEST[:-5], 3),
        (REQUEST + b"=\0", 3),
        (REQUEST, 0),
        (REQUEST, 2),
        (REQUEST, 4),
        (REQUEST, 16),
        (REQUEST, 200),
        (b"x" * 120_000, 3),
    ],
)
def test_nonsense_is_refused(common_host: AgentHost, packet: bytes, count: int) -> None:
    """A wrong packet or number of descriptors ends the connection; nothing leaks."""
    host = common_host
    host.assert_works()
    wait_for(lambda: not host.sessions(), "a session stays")
    before = host.descriptors()
    caller = host.caller()
    with open(os.devnull) as null:
        try:
            caller.send(packet, [null.fileno()] * count)
        except OSError:
            caller.close()  # the kernel takes no such packet
            return
        answer, handed = caller.answer()
    assert (answer, handed) == (None, [])
    caller.close()
    wait_for(lambda: host.descriptors() <= before, "descriptors leak")
    host.assert_works()


def test_who_never_reads_holds_nobody_up(common_host: AgentHost) -> None:
    """A caller that takes neither its answer nor what its terminal shows stops only itself."""
    host = common_host
    with terminal() as (_master, slave):
        caller = host.caller()
        caller.ask([slave, slave, slave])
        wait_for(host.sessions, "no session")
        host.assert_works()
        wait_for(lambda: len(host.sessions()) == 1, "it is not the only session left")
        caller.close()
    wait_for(lambda: not host.sessions(), "the session outlives its terminal")


def test_a_terminal_is_used_only_as_far_as_the_caller_may(common_host: AgentHost) -> None:
    """Who may only write a terminal does not get the agent to read it."""
    host = common_host
    with terminal() as (_master, slave):
        writer = os.open(os.ttyname(slave), os.O_WRONLY | os.O_NOCTTY)
        caller = host.caller()
        caller.ask([writer, writer, writer])
        answer, _ = caller.answer()
        assert answer is not None
        assert answer.action == "deny"
        assert b"may not be read and written" in answer.message
        assert termios.tcgetattr(slave)[3] & termios.ICANON
        os.close(writer)
        caller.close()


def test_a_terminal_counts_by_its_own_name_only(common_host: AgentHost) -> None:
    """A descriptor that only leads to a terminal, as a master does, is not followed."""
    host = common_host
    with terminal() as (master, _slave):
        caller = host.caller()
        caller.ask([master, master, master])
        answer, _ = caller.answer()
        assert answer is not None
        assert answer.action == "deny"
        assert b"not there by its own name" in answer.message
        caller.close()
    host.assert_works()


def test_a_caller_that_is_gone_is_forgotten(common_host: AgentHost) -> None:
    """A process that asks and dies leaves nothing behind."""
    host = common_host
    host.assert_works()
    before = host.descriptors()
    for _ in range(5):
        with terminal() as (_master, slave):
            child = os.fork()
            if not child:
                caller = host.caller()
                caller.ask([slave, slave, slave])
                os._exit(0)
            os.waitpid(child, 0)
    wait_for(lambda: not host.sessions() and host.ask("status")["starting"] == 0, "sessions stay")
    wait_for(lambda: host.descriptors() <= before, "descriptors leak")
    host.assert_works()


def test_another_user_may_not_use_the_control_socket(common_host: AgentHost) -> None:
    """Only root and the agent's user get an answer."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    host = common_host
    host.directory.chmod(0o755)
    host.control_socket.chmod(0o666)
    child = os.fork()
    if not child:
        os.setuid(65534)
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(host.control_socket))
            with contextlib.suppress(OSError):
                connection.sendall(b'{"do":"status"}\n')
            try:
                data = connection.recv(100)
            except ConnectionResetError:
                data = b""
        os._exit(1 if data else 0)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"nonsense\n",
        b"[]\n",
        b'{"do": "explode"}\n',
        b'{"do": "kill", "rec": 7}\n',
        b'{"do": "kill", "rec": "\xff"}\n',
        b'{"do": "status", "more": 1}\n',
        b'{"do": "kill", "rec": "none"}\n',
        b'{"do": "message", "rec": "none", "text": "' + b"x" * 5000 + b'"}\n',
    ],
)
def test_wrong_orders_are_refused_with_a_reason(common_host: AgentHost, line: bytes) -> None:
    """Every wrong line gets an answer that says what is wrong, and the next one is served."""
    host = common_host
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(LONG_S)
        connection.connect(str(host.control_socket))
        connection.sendall(line + b'{"do":"status"}\n')
        answers = connection.makefile("rb")
        first, second = answers.readline(), answers.readline()
    assert b'"ok":false' in first
    assert b'"error":"' in first
    assert b'"ok":true' in second
