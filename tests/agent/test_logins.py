"""Logins that start no shell: the hook's program, its packets, and what comes of them."""

from __future__ import annotations

import os
import socket
import subprocess
import sysconfig
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shell_builds import NATIVE

from steno.agent.handshake import LOGIN, MAGIC, LoginNote, decode_login
from steno.agent.logins import LIMIT_LOGINS, Login, Logins
from steno.errors import ProtocolError

SHIPPED = Path(sysconfig.get_path("scripts")) / "steno-note-login"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The hook's program, built to look for an agent at a path of the test's, and that path."""
    directory = tmp_path_factory.mktemp("note")
    path, place = directory / "note-login", directory / "agent.sock"
    subprocess.run(
        [
            *("gcc", "-D_GNU_SOURCE", f'-DSTENO_SOCKET="{place}"'),
            *("-o", str(path), str(NATIVE / "note-login.c")),
        ],
        check=True,
    )
    return path, place


def run(path: Path, **variables: str) -> int:
    """Run the program as pam_exec does: with PAM's variables alone."""
    return subprocess.run([str(path)], env=variables, timeout=60, check=False).returncode


def test_the_hook_tells_what_pam_says(program: tuple[Path, Path]) -> None:
    """One packet: the login, whose, by what, from where, and the kernel's audit ids."""
    path, place = program
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(place))
        listener.listen(1)
        before_us = time.time_ns() // 1000
        told = run(
            path,
            PAM_TYPE="close_session",
            PAM_USER="ann",
            PAM_SERVICE="sshd",
            PAM_RHOST="2001:db8::1",
            PAM_TTY="ssh",
            LANG="C",
        )
        assert told == 0
        connection, _ = listener.accept()
        with connection:
            note = decode_login(connection.recv(9000))
            assert connection.recv(1) == b""
    place.unlink()
    ids = []
    for name in ("sessionid", "loginuid"):
        text = Path(f"/proc/self/{name}").read_text()
        ids.append(None if text == "4294967295" else int(text))
    at_us = note.at_unix_us
    assert note == LoginNote(False, "ann", "sshd", "2001:db8::1", "ssh", *ids, at_us)
    assert at_us is not None
    assert before_us <= at_us <= time.time_ns() // 1000


def test_no_login_depends_on_the_agent(program: tuple[Path, Path]) -> None:
    """Without an agent, with one that never accepts, and called wrongly, it waits for nothing."""
    path, place = program
    variables = {"PAM_TYPE": "open_session", "PAM_USER": "ann"}
    assert run(path, **variables) == 0
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(place))
        listener.listen(0)
        assert [run(path, **variables) for _ in range(5)] == [0] * 5
    place.unlink()
    assert run(path) == 0
    assert run(path, PAM_TYPE="auth", PAM_USER="ann") == 0
    assert run(path, PAM_TYPE="open_session", PAM_USER="a" * 100_000) == 0


def test_the_program_is_installed() -> None:
    """The package brings it, and it succeeds when it is called by nobody's PAM."""
    assert os.access(SHIPPED, os.X_OK)
    assert run(SHIPPED) == 0


@pytest.mark.parametrize(
    "fields",
    [
        b"",
        b"login=open\0",
        b"login=begin\0user=ann\0",
        b"login=open\0user=\0",
        b"user=ann\0",
        b"login=open\0user=ann",
        b"login=open\0user=ann\0user=ben\0",
        b"login=open\0user=ann\0audit_session=x\0",
        b"login=open\0user=ann\0audit_session=4294967295\0",
    ],
)
def test_packets_that_are_no_notes_are_refused(fields: bytes) -> None:
    """What is missing, twice or wrong makes the packet worthless."""
    with pytest.raises(ProtocolError):
        decode_login(MAGIC + fields)


@given(st.binary() | st.lists(st.binary()).map(b"\0".join))
def test_any_bytes_are_a_note_or_refused(data: bytes) -> None:
    """Whatever comes, it is understood or refused, and texts can stand in a recording."""
    for packet in (data, MAGIC + data, LOGIN + b"open\0user=" + data + b"\0"):
        try:
            note = decode_login(packet)
        except ProtocolError:
            continue
        assert note.user.encode()


def note(audit_session: int | None, *, is_open: bool) -> LoginNote:
    """Return what is told of ann's login."""
    return LoginNote(is_open, "ann", "sshd", audit_session=audit_session)


def test_a_login_without_a_shell_is_told_at_its_end() -> None:
    """It has its beginning and end; one within which a shell was asked for is nothing new."""
    logins = Logins()
    assert logins.take_note(note(1, is_open=True), 100) is None
    assert logins.take_note(note(2, is_open=True), 200) is None
    logins.see_shell(2)
    assert logins.take_note(note(2, is_open=False), 300) is None
    assert logins.take_note(note(1, is_open=False), 400) == Login(note(1, is_open=False), 100, 400)
    assert len(logins) == 0


def test_a_login_has_the_instants_of_its_notes() -> None:
    """However late an agent takes a note, what it says counts, unless the clock was set since."""
    logins = Logins()
    for said, taken, counts in ((100, 900, 100), (950, 900, 900), (0, 10**9, 10**9)):
        opened = replace(note(1, is_open=True), at_unix_us=said)
        logins.take_note(opened, taken)
        ended = logins.take_note(note(1, is_open=False), taken)
        assert ended is not None
        assert ended.began_unix_us == counts


def test_what_began_before_the_agent_is_counted_too() -> None:
    """An end without a beginning is told, unless a shell was seen meanwhile."""
    logins = Logins()
    logins.see_shell(1)
    logins.see_shell(None)
    assert logins.take_note(note(1, is_open=False), 5) is None
    assert logins.take_note(note(3, is_open=False), 6) == Login(note(3, is_open=False), None, 6)


def test_logins_without_an_audit_session_say_nothing() -> None:
    """Where nothing tells one login from another, none is made up."""
    logins = Logins()
    assert logins.take_note(note(None, is_open=True), 1) is None
    assert logins.take_note(note(None, is_open=False), 2) is None


def test_memory_is_bounded() -> None:
    """Logins whose end is never told do not fill the memory."""
    logins = Logins()
    for number in range(LIMIT_LOGINS + 5):
        logins.take_note(note(number, is_open=True), number)
    assert len(logins) == LIMIT_LOGINS
