"""Asking the agent: what it may answer, and what a stranger on its socket does to the courier."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from steno.delivery.control import AgentControl
from steno.errors import ProtocolError, RefusedError, UnreachableError
from steno.heartbeat import HostOrder

KILL = HostOrder("1", "kill", "r1", "ada")


@contextmanager
def peer(path: Path, *answers: bytes) -> Iterator[list[bytes]]:
    """Answer each line on a socket with the next of these bytes, then hang up."""
    asked: list[bytes] = []
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def run() -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as lines:
            for answer in answers:
                asked.append(lines.readline())
                connection.sendall(answer)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield asked
    listener.close()
    thread.join(60)


def test_no_agent_is_no_failure_for_its_facts_but_for_orders(tmp_path: Path) -> None:
    """Hosts without an agent deliver too; but nothing can be done to a session there."""
    control = AgentControl(tmp_path / "none")
    assert control.facts() is None
    with pytest.raises(UnreachableError, match="no agent runs"):
        control.perform(KILL)


def test_facts_come_from_what_the_agent_says(tmp_path: Path) -> None:
    """Its sessions, number and policy's digest; what goes wrong in one line each."""
    policy = tmp_path / "policy.toml"
    policy.write_bytes(b"rule\n")
    status = (
        b'{"ok":true,"version":"1.2","started_unix_us":5,"number":7,"failures":2,"faults":0,'
        b'"policy":{"file":"%s","is_current":false,"error":"line 3"},"more":[1]}\n'
        % os.fsencode(policy)
    )
    name = b"x" * 600
    sessions = (
        b'{"ok":true,"sessions":[{"rec":"r1","user":"avery","service":"sshd","kind":"terminal",'
        b'"remote":"%s","started_unix_us":3}]}\n' % name
    )
    with peer(tmp_path / "socket", status, sessions):
        facts = AgentControl(tmp_path / "socket", timeout_s=60).facts()
    assert facts is not None
    assert (facts.version, facts.number, facts.started_unix_us) == ("1.2", 7, 5)
    assert facts.policy is not None
    assert facts.policy.startswith("9b") or len(facts.policy) == 64
    assert facts.failures == (
        "policy: line 3",
        "2 sessions could not be recorded since the agent started",
    )
    assert [(one.rec, one.user, len(one.remote or "")) for one in facts.sessions] == [
        ("r1", "avery", 512)
    ]


def test_an_order_that_the_agent_refuses_says_why(tmp_path: Path) -> None:
    """Its reason is the error's text; a message goes out with its text and who sends it."""
    with (
        peer(tmp_path / "socket", b'{"ok":false,"error":"no session r1"}\n') as asked,
        pytest.raises(RefusedError, match="no session r1"),
    ):
        AgentControl(tmp_path / "socket", timeout_s=60).perform(
            HostOrder("1", "message", "r1", "ada", text="Bye \u2603")
        )
    assert asked == [b'{"do":"message","rec":"r1","by":"ada","text":"Bye \xe2\x98\x83"}\n']


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", RefusedError),
        (b"half a line", RefusedError),
        (b"no JSON\n", ProtocolError),
        (b"\xff\xfe\n", ProtocolError),
        (b'{"ok":"perhaps"}\n', ProtocolError),
        (b"[]\n", ProtocolError),
    ],
)
def test_nonsense_on_the_socket_is_one_line(
    tmp_path: Path, answer: bytes, error: type[Exception]
) -> None:
    """Whatever answers there, the courier gets an error that says so."""
    with peer(tmp_path / "socket", answer), pytest.raises(error):
        AgentControl(tmp_path / "socket", timeout_s=60).perform(KILL)


def test_an_agent_that_is_not_ours_to_ask_is_none(tmp_path: Path) -> None:
    """It hangs up on other users: their couriers tell of their spools alone."""
    with peer(tmp_path / "socket", b""):
        assert AgentControl(tmp_path / "socket", timeout_s=60).facts() is None


def test_who_never_answers_is_not_waited_for(tmp_path: Path) -> None:
    """A socket that nobody serves is given up after the time-out."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "socket"))
    listener.listen()
    with pytest.raises(UnreachableError, match="no answer in time"):
        AgentControl(tmp_path / "socket", timeout_s=0.2).facts()
    listener.close()
    with pytest.raises(UnreachableError, match="no agent runs"):
        AgentControl(tmp_path / "socket", timeout_s=60).perform(KILL)
