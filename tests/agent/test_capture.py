"""Commands without a terminal, relayed through pipes and recorded."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from steno.agent.capture import CaptureSession
from steno.agent.exits import watch_process
from steno.agent.loop import Loop
from steno.agent.parts import Parts
from steno.agent.pipes import Streams, open_pipes
from steno.agent.resume import encode_kept
from steno.agent.ring import Ring
from steno.agent.session import Descriptors, LiveSession, SessionFacts
from steno.agent.strangers import let_go
from steno.delivery.writers.file import FileWriter
from steno.formats.cutter import Identity
from steno.formats.tlog import Decoder, Placed
from steno.integrity.chain import verify_lines
from steno.model import End, Input, Note, Output, Start
from steno.recorder.clock import RecordingClock
from steno.recorder.session import InputMode, Session, Settings

_PATIENCE_S = 60.0


class Recorded:
    """What a recording's file holds."""

    def __init__(self, path: Path) -> None:
        decoder = Decoder()
        items = decoder.feed(path.read_bytes()) + decoder.finish()
        self.pieces = []
        self.end: End | None = None
        for item in items:
            assert isinstance(item, Placed)
            self.pieces += item.message.pieces
            self.end = item.message.end or self.end
        pieces = self.pieces
        outputs = [piece for piece in pieces if isinstance(piece, Output)]
        self.output = b"".join(piece.data for piece in outputs if not piece.is_stderr)
        self.error = b"".join(piece.data for piece in outputs if piece.is_stderr)
        self.input = b"".join(piece.data for piece in pieces if isinstance(piece, Input))
        self.notes = [piece for piece in pieces if isinstance(piece, Note)]


class Captured:
    """A shell command under a CaptureSession that runs in a loop of its own.

    Takes over the three descriptors of the session, as the agent does.
    """

    def __init__(
        self,
        path: Path,
        command: str,
        streams: Streams,
        *,
        input_mode: InputMode = InputMode.ALL,
        capture_bytes: int = 1 << 20,
    ) -> None:
        self.path = path
        settings = Settings(input=input_mode)
        start = Start(
            user="avery", host="web1", started_unix_us=1_700_000_000_000_000, recorder="t"
        )
        identity = Identity("web1", "a-b-c", "avery", "", 7, start)
        clock, session = RecordingClock(), Session(identity, settings)
        writer = FileWriter(path)
        writer.write(session.begin(0, None))
        is_input = input_mode is not InputMode.NONE
        pipes = open_pipes(streams, os.getuid(), relays_input=is_input)
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", command],
            stdin=pipes.inner[0],
            stdout=pipes.inner[1],
            stderr=pipes.inner[2],
        )
        let_go({*pipes.inner})
        self.loop = Loop(threads=1)
        self.is_finished = False
        facts = SessionFacts(
            "capture", identity, settings, 0, (), self.process.pid, capture_bytes=capture_bytes
        )
        ring = Ring.create(b"", encode_kept(session.state()), is_terminal=False)
        fds = Descriptors(leader=watch_process(self.process.pid))
        parts = Parts(self, facts, fds, session, clock, [writer], ring)
        self.session = CaptureSession(parts, pipes.ways)
        self._reaper = threading.Thread(target=self.process.wait)
        self._reaper.start()
        self.session.start()
        self._runner = threading.Thread(target=self.loop.run)
        self._runner.start()

    def finish(self, _session: LiveSession, work: Callable[[], None]) -> None:
        """Do what makes the recording safe, and stop."""
        work()
        self.is_finished = True
        self.loop.stop()

    def keep(self, session: LiveSession) -> None:
        """Keep nothing."""

    def release(self, session: LiveSession, words: Iterable[str]) -> None:
        """Release nothing."""

    def release_terminals(self, session: LiveSession) -> None:
        """Release nothing."""

    def admit(self, size_bytes: int) -> int | None:
        """Admit all."""
        return 0

    def count_dropped(self, size_bytes: int) -> None:
        """Count nothing: nothing is dropped."""

    def report_failure(self, session: LiveSession, why: str) -> None:
        """Destinations do not fail here."""
        raise AssertionError(why)

    def wait(self) -> Recorded:
        """Return what was recorded when the recording has ended."""
        self._runner.join(_PATIENCE_S)
        assert not self._runner.is_alive(), "the recording did not end"
        return Recorded(self.path)

    def close(self) -> None:
        """End everything."""
        if self.process.poll() is None:
            self.process.kill()
        self._reaper.join()
        self.loop.post(self.session.end)
        self.loop.post(self.loop.stop)
        self._runner.join()
        self.loop.close()


class Capturing:
    """Starts commands under capture, and plays the one at the other end of their streams."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "recording"
        self._captured: list[Captured] = []

    def run(
        self,
        command: str,
        streams: Streams,
        input_mode: InputMode = InputMode.ALL,
        capture_bytes: int = 1 << 20,
    ) -> Captured:
        """Start a command; the streams are taken over."""
        captured = Captured(
            self.path, command, streams, input_mode=input_mode, capture_bytes=capture_bytes
        )
        self._captured.append(captured)
        return captured

    def close(self) -> None:
        """End what still runs."""
        for captured in self._captured:
            captured.close()


@pytest.fixture
def capturing(tmp_path: Path) -> Iterator[Capturing]:
    """Return what starts commands; nothing of them is left afterwards."""
    capturing = Capturing(tmp_path)
    yield capturing
    capturing.close()


def _null() -> int:
    return os.open(os.devnull, os.O_RDWR)


def _read_all(fd: int) -> bytes:
    with os.fdopen(fd, "rb") as file:
        return file.read()


def _write_until_refused(fd: int) -> None:
    while True:
        os.write(fd, bytes(1000))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_streams_pass_byte_for_byte_and_are_recorded(capturing: Capturing) -> None:
    """What the command reads and writes is what was sent and what arrives, and is recorded so."""
    data = random.Random(1).randbytes(300_000)
    in_reader, in_writer = os.pipe()
    out_reader, out_writer = os.pipe()
    err_reader, err_writer = os.pipe()
    captured = capturing.run(
        "cat; printf oops >&2; exit 3", (in_reader, out_writer, err_writer), capture_bytes=1 << 20
    )
    got: dict[str, bytes] = {}
    readers = [
        threading.Thread(target=lambda: got.update(out=_read_all(out_reader))),
        threading.Thread(target=lambda: got.update(err=_read_all(err_reader))),
    ]
    for reader in readers:
        reader.start()
    with os.fdopen(in_writer, "wb") as file:
        file.write(data)
    for reader in readers:
        reader.join()
    recorded = captured.wait()
    assert got == {"out": data, "err": b"oops"}
    assert (recorded.output, recorded.error, recorded.input) == (data, b"oops", data)
    end = recorded.end
    assert end is not None
    assert (end.reason, end.exit_status) == ("exit", 3)
    totals = end.streams
    assert {name: total.passed_bytes for name, total in totals.items()} == {
        "output": len(data),
        "error": 4,
        "input": len(data),
    }
    assert totals["output"].sha256 == totals["input"].sha256 == _digest(data)
    assert totals["error"].sha256 == _digest(b"oops")
    assert end.output_bytes == len(data) + 4
    verification = verify_lines(capturing.path.read_bytes().splitlines(keepends=True))
    assert verification.state == "complete"


def test_records_to_a_limit_and_counts_the_rest(capturing: Capturing) -> None:
    """Beyond the limit bytes pass, are counted and digested, and a note says where it was."""
    out_reader, out_writer = os.pipe()
    captured = capturing.run(
        "head -c 1000000 /dev/zero",
        (_null(), out_writer, _null()),
        capture_bytes=1000,
    )
    assert _read_all(out_reader) == bytes(1_000_000)
    recorded = captured.wait()
    assert recorded.output == bytes(1000)
    assert [(note.kind, note.facts) for note in recorded.notes] == [
        ("limit", {"stream": "output", "recorded_bytes": 1000})
    ]
    assert recorded.end is not None
    total = recorded.end.streams["output"]
    assert (total.passed_bytes, total.recorded_bytes) == (1_000_000, 1000)
    assert total.sha256 == _digest(bytes(1_000_000))


def test_input_is_the_sessions_own_unless_it_is_recorded(capturing: Capturing) -> None:
    """Without recording of input the command reads the session's own, and no byte more."""
    reader, writer = os.pipe()
    out_reader, out_writer = os.pipe()
    os.write(writer, b"one\ntwo\n")
    mine = os.dup(reader)
    captured = capturing.run(
        "read line; echo got $line", (reader, out_writer, _null()), InputMode.NONE
    )
    assert _read_all(out_reader) == b"got one\n"
    recorded = captured.wait()
    assert os.read(mine, 100) == b"two\n"
    assert recorded.input == b""
    assert recorded.end is not None
    assert "input" not in recorded.end.streams
    os.close(mine)
    os.close(writer)


def test_a_reader_that_goes_away_ends_the_writer(capturing: Capturing) -> None:
    """When nobody reads the output any more the command gets SIGPIPE, as without a recorder."""
    out_reader, out_writer = os.pipe()
    captured = capturing.run("exec yes", (_null(), out_writer, _null()), InputMode.NONE, 100)
    assert os.read(out_reader, 2) == b"y\n"
    os.close(out_reader)
    recorded = captured.wait()
    assert recorded.end is not None
    assert (recorded.end.reason, recorded.end.signal) == ("signal", signal.SIGPIPE)


def test_a_command_that_stops_reading_ends_who_sends(capturing: Capturing) -> None:
    """When the command closes its input, whoever writes to it gets EPIPE."""
    in_reader, in_writer = os.pipe()
    out_reader, out_writer = os.pipe()
    captured = capturing.run(
        "exec <&-; echo closed; read x </dev/null; exec sleep 60", (in_reader, out_writer, _null())
    )
    assert os.read(out_reader, 10) == b"closed\n"
    with pytest.raises(BrokenPipeError):
        _write_until_refused(in_writer)
    os.close(in_writer)
    os.close(out_reader)
    captured.process.kill()
    captured.wait()


def test_output_that_the_command_closes_ends_for_its_reader(capturing: Capturing) -> None:
    """A command that closes its output goes on, and its reader sees the end at once."""
    out_reader, out_writer = os.pipe()
    err_reader, err_writer = os.pipe()
    in_reader, in_writer = os.pipe()
    captured = capturing.run(
        "exec >&-; read line; echo $line >&2", (in_reader, out_writer, err_writer)
    )
    assert _read_all(out_reader) == b""
    os.write(in_writer, b"still here\n")
    assert _read_all(err_reader) == b"still here\n"
    assert captured.wait().error == b"still here\n"
    os.close(in_writer)


def test_goes_on_for_a_background_process(capturing: Capturing) -> None:
    """What a process writes that outlives the command still arrives, as sshd has it."""
    out_reader, out_writer = os.pipe()
    in_reader, in_writer = os.pipe()
    captured = capturing.run(
        "exec 3<&0; (read line <&3; echo late $line) & exit 5", (in_reader, out_writer, _null())
    )
    captured.process.wait()
    os.write(in_writer, b"but there\n")
    assert _read_all(out_reader) == b"late but there\n"
    recorded = captured.wait()
    assert recorded.output == b"late but there\n"
    assert recorded.end is not None
    assert (recorded.end.reason, recorded.end.exit_status) == ("exit", 5)
    os.close(in_writer)


def test_does_not_wait_for_a_background_process_that_nobody_hears(capturing: Capturing) -> None:
    """When the reader has gone, the end of the command ends the recording, whoever is left."""
    out_reader, out_writer = os.pipe()
    captured = capturing.run("sleep 1000 & echo $!; exit 0", (_null(), out_writer, _null()))
    pid = int(os.read(out_reader, 20))
    try:
        captured.process.wait()
        os.close(out_reader)
        # Standard error is /dev/null, which always has somebody who reads it.
        os.kill(pid, 0)
        assert not captured.is_finished
    finally:
        os.kill(pid, signal.SIGKILL)
    assert captured.wait().end is not None


def test_output_and_error_to_one_place_keep_their_order(
    capturing: Capturing, tmp_path: Path
) -> None:
    """With 2>&1 outside, what the command writes to both comes in the order of its writes."""
    target = tmp_path / "both"
    file = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    command = "i=0; while [ $i -lt 200 ]; do echo o$i; echo e$i >&2; i=$((i+1)); done"
    recorded = capturing.run(command, (_null(), file, os.dup(file))).wait()
    expected = "".join(f"o{i}\ne{i}\n" for i in range(200)).encode()
    assert target.read_bytes() == expected
    assert recorded.output == expected
    assert recorded.end is not None
    assert sorted(recorded.end.streams) == ["input", "output"]


def test_files_are_read_and_written(capturing: Capturing, tmp_path: Path) -> None:
    """Redirections from and to files work: epoll does not know those."""
    source, target = tmp_path / "source", tmp_path / "target"
    data = random.Random(2).randbytes(500_000)
    source.write_bytes(data)
    streams = (
        os.open(source, os.O_RDONLY),
        os.open(target, os.O_WRONLY | os.O_CREAT),
        os.open(tmp_path / "error", os.O_WRONLY | os.O_CREAT),
    )
    recorded = capturing.run("cat", streams).wait()
    assert target.read_bytes() == data
    assert recorded.input == recorded.output == data


def test_sockets_are_half_closed(capturing: Capturing) -> None:
    """On a socket, its peer's end of input reaches the command, and the answer comes back."""
    ours, theirs = socket.socketpair()
    captured = capturing.run("cat; echo end", (theirs.fileno(), os.dup(theirs.fileno()), _null()))
    theirs.detach()
    ours.sendall(b"question\n")
    ours.shutdown(socket.SHUT_WR)
    with ours, ours.makefile("rb") as file:
        assert file.read() == b"question\nend\n"
    assert captured.wait().output == b"question\nend\n"


def test_a_reader_that_waits_makes_the_command_wait(capturing: Capturing) -> None:
    """While nobody takes the output, the command is not read: memory stays bounded."""
    out_reader, out_writer = os.pipe()
    captured = capturing.run(
        "head -c 3000000 /dev/zero; echo done >&2", (_null(), out_writer, _null()), InputMode.NONE
    )
    deadline_s = time.monotonic() + 2.0
    passed = -1
    while time.monotonic() < deadline_s and passed != captured.session.passed_bytes:
        passed = captured.session.passed_bytes
        time.sleep(0.3)
    assert captured.process.poll() is None
    assert passed < 300_000
    assert len(_read_all(out_reader)) == 3_000_000
    assert captured.wait().end is not None


def test_the_sessions_own_descriptors_stay_as_they_are(capturing: Capturing) -> None:
    """O_NONBLOCK is never set on what other processes share."""
    in_reader, in_writer = os.pipe()
    out_reader, out_writer = os.pipe()
    shared = os.dup(in_reader), os.dup(out_writer)
    captured = capturing.run("read line; echo $line", (in_reader, out_writer, _null()))
    assert os.get_blocking(shared[0])
    assert os.get_blocking(shared[1])
    os.write(in_writer, b"x\n")
    os.close(in_writer)
    os.close(shared[0])
    captured.wait()
    os.close(shared[1])
    assert _read_all(out_reader) == b"x\n"


def test_a_killed_command_is_told_so(capturing: Capturing) -> None:
    """`kill` hangs the command up, and the recording says who did so."""
    out_reader, out_writer = os.pipe()
    captured = capturing.run("echo on; exec sleep 1000", (_null(), out_writer, _null()))
    assert os.read(out_reader, 10) == b"on\n"
    captured.loop.post(lambda: captured.session.kill("auditor"))
    recorded = captured.wait()
    assert [(note.kind, note.facts) for note in recorded.notes] == [("kill", {"by": "auditor"})]
    assert recorded.end is not None
    assert (recorded.end.reason, recorded.end.signal) == ("hangup", signal.SIGHUP)
    os.close(out_reader)


def test_a_full_disk_behind_the_output_is_told(capturing: Capturing) -> None:
    """When the place of the output takes no more, the command is stopped and a note says why."""
    full = os.open("/dev/full", os.O_WRONLY)
    recorded = capturing.run("exec yes", (_null(), full, _null()), InputMode.NONE, 100).wait()
    assert recorded.end is not None
    assert recorded.end.signal == signal.SIGPIPE
    assert ("lost", {"what": "standard output: No space left on device"}) in [
        (note.kind, note.facts) for note in recorded.notes
    ]


def test_pipes_can_be_opened_by_name(capturing: Capturing) -> None:
    """/dev/stderr works in the command's scripts."""
    err_reader, err_writer = os.pipe()
    captured = capturing.run("echo x >/dev/stderr", (_null(), _null(), err_writer))
    assert _read_all(err_reader) == b"x\n"
    captured.wait()


def test_without_descriptors_nothing_stays_open() -> None:
    """Where the system has no descriptors left, that is said, and what was open is closed."""
    program = """
import os, resource, sys
from steno.agent.pipes import open_pipes
from steno.errors import TerminalError
reader, writer = os.pipe()
error = os.dup(2)
streams = os.open("/dev/null", os.O_RDONLY), writer, os.open("/dev/null", os.O_WRONLY)
count = len(os.listdir("/proc/self/fd"))
resource.setrlimit(resource.RLIMIT_NOFILE, (count + 1, count + 1))
try:
    open_pipes(streams, os.getuid(), relays_input=True)
except TerminalError as failure:
    print(failure)
print(len(os.listdir("/proc/self/fd")) - count)
"""
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert answer.stdout == "no pipes for the command: Too many open files\n-3\n"
