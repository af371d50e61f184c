"""Where `steno rec` records to: several places at once, and what happens when one fails."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from driven import STENO, Driven, Recorded
from live_server import LiveServer
from processes import descendants
from waiting import wait_for

from steno.delivery.spool import Spool
from steno.formats.tlog import decode_message
from steno.integrity.chain import verify_lines


def command(tmp_path: Path, *options: str) -> list[str]:
    """Return the beginning of a command line that counts apart."""
    return [*STENO, "rec", "--spool", f"{tmp_path}/state/spool", *options]


@pytest.fixture
def syslog(tmp_path: Path) -> Iterator[socket.socket]:
    """A syslog socket of ours, at log."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(tmp_path / "log"))
        server.settimeout(60)
        yield server


@contextmanager
def receiving(syslog: socket.socket) -> Iterator[list[bytes]]:
    """Take what comes meanwhile: the kernel keeps ten messages, and more would be waited for."""
    taken: list[bytes] = []

    def receive() -> None:
        while (datagram := syslog.recv(1 << 20)) != b"DONE":
            taken.append(datagram)

    thread = threading.Thread(target=receive)
    thread.start()
    try:
        yield taken
    finally:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"DONE", syslog.getsockname())
        thread.join(60)


def limit_files() -> None:
    """Let no file grow beyond 100 KB, as on a full disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


def test_all_places_get_the_same(syslog: socket.socket, tmp_path: Path) -> None:
    """Two files and syslog hold the same lines; with syslog messages are small."""
    options = ["--to", f"file:{tmp_path}/a", "--file", f"{tmp_path}/b", "--to", "syslog"]
    options += ["--syslog-socket", f"{tmp_path}/log", "--syslog-facility", "local3"]
    with receiving(syslog) as received:
        run = subprocess.run(
            [*command(tmp_path, *options), "--", "seq", "3000"], capture_output=True
        )
    assert run.returncode == 0
    lines = (tmp_path / "a").read_bytes().splitlines(keepends=True)
    assert (tmp_path / "b").read_bytes() == b"".join(lines)
    assert len(lines) > 5
    for line, datagram in zip(lines, received, strict=True):
        assert datagram.startswith(b"<158>1 ")
        assert datagram.endswith(line[:-1])
    assert Recorded(tmp_path / "a").output() == run.stdout


def test_one_fails_the_others_go_on(syslog: socket.socket, tmp_path: Path) -> None:
    """When the disk is full, that is said at once; the command and syslog get everything."""
    options = ["--file", f"{tmp_path}/a", "--to", "syslog", "--syslog-socket", f"{tmp_path}/log"]
    with receiving(syslog) as received:
        run = subprocess.run(
            [*command(tmp_path, *options), "--", "seq", "60000"],
            capture_output=True,
            preexec_fn=limit_files,
        )
    assert run.returncode == 10
    assert run.stderr.decode() == (
        f"steno: file {tmp_path}/a: File too large; no longer recorded there\n"
    )
    assert run.stdout == "".join(f"{n}\n" for n in range(1, 60_001)).encode()
    whole = [datagram.split(b" - - ", 1)[1] + b"\n" for datagram in received]
    assert verify_lines(whole).state == "complete"
    kept = (tmp_path / "a").read_bytes()
    assert kept
    assert b"".join(whole).startswith(kept)
    assert verify_lines(kept.splitlines(keepends=True)).state == "so_far"


def test_the_commands_failure_comes_first(tmp_path: Path) -> None:
    """A command that failed keeps its status, although the recording failed as well."""
    run = subprocess.run(
        [*command(tmp_path, "--file", f"{tmp_path}/a"), "--", "sh", "-c", "seq 60000; exit 3"],
        capture_output=True,
        preexec_fn=limit_files,
    )
    assert run.returncode == 3


def test_stop_when_the_last_place_fails(tmp_path: Path) -> None:
    """With --on-failure stop the session ends when it is no longer recorded anywhere."""
    options = ["--file", f"{tmp_path}/a", "--on-failure", "stop"]
    script = f"seq 60000; sleep 300; touch {tmp_path}/over"
    run = subprocess.run(
        [*command(tmp_path, *options), "--", "sh", "-c", script],
        capture_output=True,
        preexec_fn=limit_files,
        timeout=100,
    )
    assert run.returncode == 10
    assert not (tmp_path / "over").exists()


def test_a_failure_is_shown_on_the_terminal(tmp_path: Path) -> None:
    """Somebody at a terminal reads that the recording failed when it does, and again at the end."""
    words = "stty -echo; seq 60000; read line; echo over"
    full = [*command(tmp_path, "--file", f"{tmp_path}/a"), "--", "sh", "-c", words]
    script = "import resource, os, sys, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
    script += "resource.setrlimit(resource.RLIMIT_FSIZE, (100000, 100000));"
    script += "os.execv(sys.argv[1], sys.argv[1:])"
    run = Driven([STENO[0], "-c", script, *full])
    try:
        # Where in the output it stands is up to chance: that is passed on while it is recorded.
        run.expect(b"\r\nsteno: file ", b"no longer recorded there\r\n")
        run.send(b"\r")
        assert run.finish() == 10
        assert b"not complete in file" in run.seen
        shown = re.sub(rb"\r\nsteno: file [^\r]* recorded there\r\n", b"", bytes(run.seen))
        assert b"\n60000\r\nover\r\n" in shown
    finally:
        run.close()


@pytest.mark.slow
def test_a_daemon_that_takes_nothing_is_given_up(syslog: socket.socket, tmp_path: Path) -> None:
    """A syslog daemon that hangs holds a session back for some seconds, not for ever."""
    options = ["--file", f"{tmp_path}/a", "--to", "syslog", "--syslog-socket", f"{tmp_path}/log"]
    run = subprocess.run(
        [*command(tmp_path, *options), "--", "seq", "400000"], capture_output=True, timeout=100
    )
    assert run.returncode == 11
    assert b"syslog does not take what is sent" in run.stderr
    assert Recorded(tmp_path / "a").output() == run.stdout
    assert run.stdout.endswith(b"\n400000\n")


@pytest.mark.parametrize(("action", "rate"), [("drop", 1), ("delay", 10_000)])
def test_limits(tmp_path: Path, action: str, rate: int) -> None:
    """A limit slows the command down, or leaves bytes out and counts them; `pass` ignores it."""
    options = ["--file", f"{tmp_path}/a", "--limit-rate", str(rate), "--limit-burst", "10000"]
    began = time.monotonic()
    run = subprocess.run(
        [*command(tmp_path, *options, "--limit-action", action), "--", "seq", "9000"],
        capture_output=True,
    )
    taken_s = time.monotonic() - began
    kept = Recorded(tmp_path / "a")
    notes = kept.notes(action)
    assert run.stdout == "".join(f"{n}\n" for n in range(1, 9001)).encode()
    assert notes
    if action == "delay":
        assert kept.output() == run.stdout
        assert taken_s > (len(run.stdout) - 10_000 - 4096) / rate
        assert sum(note.facts["held_us"] for note in notes) > 500_000
    else:
        dropped = sum(note.facts["output_bytes"] for note in notes)
        assert len(kept.output()) + dropped == len(run.stdout)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server for the tests of this module."""
    with LiveServer(tmp_path_factory.mktemp("live")) as server:
        yield server


def test_a_session_is_delivered_while_it_lasts(server: LiveServer, tmp_path: Path) -> None:
    """What a session shows is at the server within seconds, before it ends; then all of it."""
    host = server.enrol("rec1", tmp_path / "host")
    options = ["--to", "server", "--host-directory", str(host), "--file", f"{tmp_path}/a"]
    script = "echo one; read line; echo two"
    run = Driven([*command(tmp_path, *options), "--", "bash", "-c", script])
    try:
        run.expect(b"one\r\n")
        wait_for(
            lambda: any(b'"out_txt":"one' in data for _, data in server.stored().values()),
            "it does not come",
        )
        run.send(b"\r")
        assert run.finish() == 0
    finally:
        run.close()
    kept = (tmp_path / "a").read_bytes()
    rec = json.loads(kept.splitlines()[0])["rec"]
    assert server.stored()[rec] == ("rec1", kept)


def test_an_unreachable_server_loses_nothing(server: LiveServer, tmp_path: Path) -> None:
    """Without its server the session is recorded all the same, and waits in the spool; told so."""
    host = server.enrol("rec2", tmp_path / "host")
    options = ["--to", "server", "--host-directory", str(host), "--server", "https://127.0.0.1:9"]
    run = subprocess.run(
        [*command(tmp_path, *options), "--", "echo", "hi"], capture_output=True, text=True
    )
    assert (run.returncode, run.stdout) == (0, "hi\n")
    assert "127.0.0.1:9" in run.stderr
    assert f"the recording waits in {tmp_path}/state/spool\n" in run.stderr
    spool = Spool(tmp_path / "state/spool")
    (entry,) = spool.entries()
    assert entry.is_finished
    reader = spool.open(entry.rec)
    data = reader.read(0, entry.size_bytes)
    reader.close()
    assert verify_lines(data.splitlines(keepends=True)).state == "complete"


def test_a_full_spool_is_told(server: LiveServer, tmp_path: Path) -> None:
    """A spool that the disk has no room for is an error like any other place's."""
    host = server.enrol("rec3", tmp_path / "host")
    run = subprocess.run(
        [*command(tmp_path, "--to", "server", "--host-directory", str(host)), "--", "seq", "60000"],
        capture_output=True,
        preexec_fn=limit_files,
    )
    assert run.returncode == 10
    assert b"File too large" in run.stderr
    assert run.stdout.endswith(b"\n60000\n")


def test_a_recorder_killed_at_once_leaves_that_it_began(tmp_path: Path) -> None:
    """What a session is about is written before the program runs, which may kill the recorder."""
    program = ["sh", "-c", "kill -9 $PPID"]
    file = f"{tmp_path}/rec.log"
    subprocess.run([*command(tmp_path, "--file", file), "--", *program], timeout=60, check=False)
    [line] = (tmp_path / "rec.log").read_bytes().splitlines()
    start = decode_message(line).start
    assert start is not None
    assert start.command == program


def test_a_kill_loses_little(tmp_path: Path) -> None:
    """After kill -9 of the recorder, what passed up to the latency before is in the file."""
    run = subprocess.Popen(
        [*command(tmp_path, "--latency", "0.2", "--file", f"{tmp_path}/a"), "--", "sh", "-c",
         "echo one; exec sleep 300"],
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert run.stdout is not None
    assert run.stdout.readline() == b"one\n"
    # Nothing else passes that would make it cut a message.
    wait_for(lambda: Recorded(tmp_path / "a").output() == b"one\n", "it is not written")
    (child,) = descendants(run.pid)
    run.kill()
    run.wait()
    run.stdout.close()
    os.kill(child, signal.SIGKILL)
    kept = (tmp_path / "a").read_bytes().splitlines(keepends=True)
    assert verify_lines(kept).state == "so_far"
    assert Recorded(tmp_path / "a").output() == b"one\n"
