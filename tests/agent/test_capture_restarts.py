"""Captured commands whose agent is replaced, or killed, under them."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest
from kept_host import LONG_S, KeptHost
from shell_builds import Build
from waiting import wait_for

from steno.formats.tlog import decode_message
from steno.integrity.chain import verify_lines
from steno.model import End, Message, Note

_POLICY = """
[defaults]
commands = "capture"
input = "all"
capture_bytes = 100000
"""


@pytest.fixture
def host(tmp_path: Path, checked_shell: Build) -> Iterator[KeptHost]:
    """Return a host that captures commands, with a kept agent."""
    kept = KeptHost(tmp_path, checked_shell)
    (tmp_path / "policy.toml").write_text(_POLICY)
    with kept:
        yield kept


def start(checked_shell: Build, command: str) -> subprocess.Popen[bytes]:
    """Run a command through `steno-shell`, as sshd does."""
    return subprocess.Popen(
        [checked_shell.name, "-c", command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PATH": os.environ["PATH"]},
    )


def read_messages(host: KeptHost) -> list[Message]:
    """Return the one recording's messages, once it has ended."""
    wait_for(lambda: len(host.recordings()) == 1, "the recording's end")
    lines = host.recordings()[0].read_bytes().splitlines(keepends=True)
    assert verify_lines(lines).state == "complete"
    return [decode_message(line) for line in lines]


def count_notes(messages: list[Message], kind: str) -> int:
    """Return how many notes there are of a kind."""
    pieces = [piece for message in messages for piece in message.pieces]
    return sum(isinstance(piece, Note) and piece.kind == kind for piece in pieces)


def test_an_agent_that_is_replaced_loses_nothing(host: KeptHost, checked_shell: Build) -> None:
    """Through three restarts of the agent, a command's input and output pass byte for byte."""
    data = random.Random(5).randbytes(6_000_000)
    process = start(checked_shell, "cat; exit 4")
    assert process.stdin is not None
    assert process.stdout is not None
    source, sink = process.stdin, process.stdout
    marks = [threading.Event() for _ in range(3)]

    def feed() -> None:
        step = len(data) // 4
        for number in range(4):
            source.write(data[number * step : (number + 1) * step])
            source.flush()
            if number < 3:
                marks[number].wait(LONG_S)
        source.close()

    feeder = threading.Thread(target=feed)
    feeder.start()
    got = bytearray()
    for number in range(3):
        # Some is read, and much is on its way, when the agent goes.
        while len(got) < len(data) // 4 * number + 200_000:
            got += sink.read1(65536)
        host.kill(signal.SIGTERM)
        marks[number].set()
    got += sink.read()
    feeder.join(LONG_S)
    assert process.wait(LONG_S) == 4
    assert bytes(got) == data
    messages = read_messages(host)
    assert count_notes(messages, "restart") == 3
    end = messages[-1].end
    assert isinstance(end, End)
    assert (end.reason, end.exit_status) == ("exit", 4)
    for name in ("input", "output"):
        total = end.streams[name]
        assert (total.passed_bytes, total.recorded_bytes) == (len(data), 100_000)
        assert total.sha256 is None, "what the agents before digested is not known"


def test_an_idle_command_goes_on(host: KeptHost, checked_shell: Build) -> None:
    """A command that waits for input when the agent is replaced gets it, and its end, later."""
    process = start(checked_shell, "while read line; do echo got $line; done; echo end")
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"one\n")
    process.stdin.flush()
    assert process.stdout.readline() == b"got one\n"
    host.kill(signal.SIGTERM)
    process.stdin.write(b"two\n")
    process.stdin.close()
    assert process.stdout.read() == b"got two\nend\n"
    assert process.wait(LONG_S) == 0
    read_messages(host)


def test_a_killed_agent_ends_the_command_for_all_to_see(
    host: KeptHost, checked_shell: Build, tmp_path: Path
) -> None:
    """Input that is cut short by a crash is not taken for the whole: the command is killed."""
    process = start(checked_shell, f"cat > {tmp_path}/copy; touch {tmp_path}/done")
    assert process.stdin is not None
    process.stdin.write(b"the beginning\n")
    process.stdin.flush()
    copy = tmp_path / "copy"
    wait_for(lambda: copy.exists() and copy.read_bytes() == b"the beginning\n", "the beginning")
    host.kill(signal.SIGKILL)
    assert process.wait(LONG_S) == -signal.SIGKILL
    assert not (tmp_path / "done").exists()
    messages = read_messages(host)
    assert count_notes(messages, "lost") == 1
    end = messages[-1].end
    assert isinstance(end, End)
    assert (end.reason, end.signal) == ("recorder", signal.SIGKILL)
    process.stdin.close()


def test_what_was_written_is_there_when_the_command_is_gone(
    host: KeptHost, checked_shell: Build, tmp_path: Path
) -> None:
    """Who waits for the command, as `su -c` does in a script, finds all its output in its file."""
    for number in range(10):
        target = tmp_path / f"out{number}"
        with target.open("wb") as file:
            ran = subprocess.run(
                [checked_shell.name, "-c", "seq 1 5000; exit 6"],
                stdin=subprocess.DEVNULL,
                stdout=file,
                env={"PATH": os.environ["PATH"]},
                timeout=LONG_S,
                check=False,
            )
        assert target.read_bytes() == b"".join(b"%d\n" % line for line in range(1, 5001))
        assert ran.returncode == 6


def test_a_background_process_does_not_hold_up_who_waits(
    host: KeptHost, checked_shell: Build
) -> None:
    """The command's own end is passed on at once, whoever still holds its output."""
    process = start(checked_shell, "sleep 100 & echo $!; exit 6")
    assert process.stdout is not None
    try:
        assert process.wait(LONG_S) == 6
    finally:
        os.kill(int(process.stdout.readline()), signal.SIGKILL)
    assert process.stdout.read() == b""


def test_what_the_command_closes_is_closed_for_all(host: KeptHost, checked_shell: Build) -> None:
    """A command that goes on without its streams: their other ends see that at once."""
    process = start(checked_shell, "exec <&- >&-; exec sleep 100")
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.read() == b""
    wait_for(lambda: _is_refused(process.stdin), "the input's end")
    assert process.poll() is None
    process.terminate()
    assert process.wait(LONG_S) == -signal.SIGTERM


def _is_refused(stream: IO[bytes] | None) -> bool:
    assert stream is not None
    try:
        os.write(stream.fileno(), b"x")
    except BrokenPipeError:
        return True
    return False
