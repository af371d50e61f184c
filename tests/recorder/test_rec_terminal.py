"""`steno rec` on a real terminal."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from driven import STENO, Driven, Recorded
from processes import Terminal, descendants, state, wait_for_program
from waiting import wait_for

from steno.integrity.chain import verify_lines
from steno.recorder.clock import COARSE, STEP_US
from steno.recorder.echo import PATIENCE_US
from steno.recorder.facts import audited_pid

Start = Callable[..., Driven]
Typing = Callable[[bytes, Callable[[Driven], None]], Recorded]
BASH = ["bash", "--norc", "--noprofile"]
_TRIES = 20


@pytest.fixture
def rec(tmp_path: Path) -> Iterator[Start]:
    """Start `steno rec` with options and a command; it records to rec.log and counts apart."""
    running: list[Driven] = []

    def start(*arguments: str, command: list[str] | None = None, **more: object) -> Driven:
        base = [*STENO, "rec", "-q", "--spool", str(tmp_path / "state/spool")]
        full = [*base, "--file", str(tmp_path / "rec.log"), *arguments, "--", *(command or BASH)]
        driven = Driven(full, **more)  # type: ignore[arg-type]  # handed through
        running.append(driven)
        return driven

    yield start
    for driven in running:
        driven.close()


def recorded(tmp_path: Path) -> Recorded:
    """Decode what was recorded, after checking that its chain is whole."""
    path = tmp_path / "rec.log"
    assert verify_lines(path.read_bytes().splitlines(keepends=True)).state == "complete"
    return Recorded(path)


def type_line(shell: Driven, line: bytes) -> bool:
    """Type a line; return whether it was shown so soon that it must be taken for seen."""
    began_s = time.monotonic()
    shell.send(line + b"\r")
    shell.expect(line)
    return time.monotonic() - began_s < PATIENCE_US / 1e6


def inside(run: Driven) -> Terminal:
    """Return the terminal that the recorded program has."""
    (program, *_) = descendants(run.process.pid)
    return Terminal(program)


def test_records_what_the_terminal_showed(rec: Start, tmp_path: Path) -> None:
    """The recording's output is, byte for byte, what reached the terminal; the status is passed."""
    shell = rec()
    shell.expect(b"$ ")
    shell.send(b"echo h\xc3\xa9llo; printf 'a\\xffb\\n'; seq 2000\r")
    shell.expect(b"\n2000\r\n", b"$ ")
    shell.send(b"exit 7\r")
    assert shell.finish() == 7
    kept = recorded(tmp_path)
    assert kept.output() == bytes(shell.seen)
    assert (kept.end.reason, kept.end.exit_status) == ("exit", 7)
    assert kept.end.output_bytes == len(shell.seen)
    assert kept.end.input_bytes > 0
    assert kept.input() == b""
    assert termios.tcgetattr(shell.slave) == shell.before


def test_start_facts(rec: Start, tmp_path: Path) -> None:
    """The first message says who is recorded, where, what, and under which number."""
    for number in (1, 2):
        before_us = time.time_ns() // 1000
        run = rec("--label", "blue", command=["true"], columns=100, rows=30)
        name = os.ttyname(run.slave)
        assert run.finish() == 0
        start = recorded(tmp_path).start
        (tmp_path / "rec.log").unlink()
        assert start.number == number
    assert (start.uid, start.terminal) == (os.getuid(), name)
    assert start.pid == audited_pid(run.process.pid)
    assert (start.columns, start.rows) == (100, 30)
    assert start.command == ["true"]
    assert start.labels == ["blue"]
    assert start.service == "rec"
    assert start.records == ["output", "window"]
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", "")
    assert start.boot_id == boot_id
    assert before_us <= start.started_unix_us <= time.time_ns() // 1000
    assert start.coarse_unix_us is not None
    tick_us = time.clock_getres(COARSE) * 1e6
    assert 0 <= start.started_unix_us - start.coarse_unix_us <= tick_us + STEP_US


def test_window_changes(rec: Start, tmp_path: Path) -> None:
    """A burst of resizes reaches the program, and the last one is recorded."""
    shell = rec()
    shell.expect(b"$ ")
    for step in range(30):
        shell.resize(60 + step, 20 + step)
    shell.resize(133, 44)
    wait_for(lambda: inside(shell).size == (133, 44), "the window's last size does not come in")
    shell.send(b"stty size\r")
    shell.expect(b"44 133")
    shell.send(b"exit\r")
    assert shell.finish() == 0
    windows = recorded(tmp_path).windows()
    assert windows[0] == (80, 24)
    assert windows[-1] == (133, 44)


def test_job_control(rec: Start, tmp_path: Path) -> None:
    """Ctrl-Z stops what runs inside, fg continues it, Ctrl-C ends it; the shell goes on."""
    shell = rec()
    shell.expect(b"$ ")
    shell.send(b"sleep 100\r")
    wait_for_program(shell.process.pid, "sleep", "100")
    shell.send(b"\x1a")
    shell.expect(b"Stopped", b"sleep 100", b"$ ")
    shell.send(b"jobs; fg\r")
    shell.expect(b"sleep 100", b"sleep 100")
    wait_for_program(shell.process.pid, "sleep", "100")
    shell.send(b"\x03")
    shell.expect(b"^C", b"$ ")
    shell.send(b"echo st=$?\r")
    shell.expect(b"st=130")
    shell.send(b"exit\r")
    assert shell.finish() == 0
    assert recorded(tmp_path).output() == bytes(shell.seen)


def test_recorder_under_job_control(tmp_path: Path) -> None:
    """Told to stop, the recorder gives the terminal back as it was; fg goes on recording."""
    outer = Driven(BASH)
    try:
        command = " ".join([*STENO, "rec", "-q", "--spool", f"{tmp_path}/s/spool", "--file"])
        outer.expect(b"$ ")
        outer.send(f"{command} {tmp_path}/rec.log -- sh -c 'echo pid=$$; cat'\r".encode())
        outer.expect(b"pid=", b"pid=", b"\n")
        wait_for_program(outer.process.pid, "cat")
        (recorder, *_) = descendants(outer.process.pid)
        os.kill(recorder, signal.SIGTSTP)
        outer.expect(b"Stopped")
        outer.send(b"stty -a | grep -o ' icanon'\r")
        outer.expect(b" icanon\r\n")
        outer.send(b"fg\r")
        outer.expect(b"cat'")
        wait_for(lambda: not termios.tcgetattr(outer.slave)[3] & termios.ICANON, "it goes not on")
        outer.send(b"again\r")
        outer.expect(b"again\r\nagain")
        outer.send(b"\x04")
        outer.expect(b"$ ")
        outer.send(b"exit\r")
        outer.finish()
    finally:
        outer.close()
    assert b"again\r\nagain" in recorded(tmp_path).output()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_dies_as_the_program_did(rec: Start, tmp_path: Path, number: signal.Signals) -> None:
    """A program that a signal ended: recorded so, and ours ends by the same signal."""
    run = rec(command=["sh", "-c", f"echo before; kill -{number.name[3:]} $$"])
    assert run.finish() == -number
    kept = recorded(tmp_path)
    assert (kept.end.reason, kept.end.signal) == ("signal", number)
    assert kept.output() == b"before\r\n"
    assert termios.tcgetattr(run.slave) == run.before


def test_hang_up(rec: Start, tmp_path: Path) -> None:
    """A vanished terminal: the program gets SIGHUP, its farewell is recorded, the reason too."""
    command = ["bash", "-c", "trap 'echo farewell; exit' HUP; echo ready; read"]
    run = rec(command=command)
    run.expect(b"ready")
    wait_for_program(run.process.pid, *command)  # bash may miss a signal as it begins to read
    run.hang_up()
    assert run.process.wait(60) == -signal.SIGHUP
    kept = recorded(tmp_path)
    assert kept.end.reason == "hangup"
    assert kept.output() == b"ready\r\nfarewell\r\n"


def test_hang_up_of_the_deaf(rec: Start, tmp_path: Path) -> None:
    """A program that ignores the hang-up doesn't keep the recording from ending."""
    run = rec(command=["bash", "-c", "trap '' HUP; echo ready; exec sleep 300"])
    run.expect(b"ready")
    (deaf,) = descendants(run.process.pid)
    run.hang_up()
    assert run.process.wait(60) == -signal.SIGHUP
    assert state(deaf) != "Z"
    os.kill(deaf, signal.SIGKILL)
    assert recorded(tmp_path).end.reason == "hangup"


def test_told_to_end(rec: Start, tmp_path: Path) -> None:
    """SIGTERM to the recorder ends even an interactive shell; the terminal is restored."""
    shell = rec()
    shell.expect(b"$ ")
    shell.process.send_signal(signal.SIGTERM)
    assert shell.finish() == -signal.SIGTERM
    assert recorded(tmp_path).end.reason == "recorder"
    assert termios.tcgetattr(shell.slave) == shell.before


@pytest.fixture
def typing(rec: Start, tmp_path: Path) -> Typing:
    """Type a line and secrets at a shell whose input is recorded; return the recording.

    What a busy machine shows a second later counts as unseen: then all is done again.
    """

    def run(line: bytes, type_secret: Callable[[Driven], None]) -> Recorded:
        for _ in range(_TRIES):
            shell = rec("--input")
            shell.expect(b"$ ")
            is_in_time = type_line(shell, line)
            terminal = inside(shell)
            wait_for(lambda terminal=terminal: terminal.hides_input, "the secret would be shown")
            type_secret(shell)
            shell.expect(b"got=7")
            is_in_time &= type_line(shell, b"exit")
            assert shell.finish() == 0
            kept = recorded(tmp_path)
            if is_in_time:
                return kept
            (tmp_path / "rec.log").unlink()
        raise AssertionError("no line was shown within a second")

    return run


def test_input_is_recorded_on_demand(typing: Typing, tmp_path: Path) -> None:
    """With --input what is typed is recorded, but a password isn't: a note tells of its bytes."""
    line = b"read -s secret; echo got=${#secret}"
    kept = typing(line, lambda shell: shell.send(b"hunter2\r"))
    assert kept.input() == line + b"\rexit\r"
    assert b"hunter2" not in (tmp_path / "rec.log").read_bytes()
    notes = kept.notes("unseen")
    assert sum(note.facts["input_bytes"] for note in notes) == 8
    assert all(note.facts["from_ms"] <= note.facts["until_ms"] for note in notes)
    assert kept.start.records == ["output", "input", "window"]


def test_single_keys_that_are_not_shown(typing: Typing) -> None:
    """A program that reads single keys and doesn't show them: they are not recorded either."""

    def type_keys(shell: Driven) -> None:
        for key in b"hunter2":
            shell.send(bytes([key]))
            time.sleep(0.02)

    line = b"read -s -n 7 pin; echo got=${#pin}"
    kept = typing(line, type_keys)
    assert kept.input() == line + b"\rexit\r"
    assert sum(note.facts["input_bytes"] for note in kept.notes("unseen")) == 7


def test_input_all(rec: Start, tmp_path: Path) -> None:
    """With --input-all even what is typed unseen is recorded."""
    shell = rec("--input-all")
    shell.expect(b"$ ")
    shell.send(b"read -s secret; echo got=${#secret}\r")
    wait_for(lambda: inside(shell).hides_input, "the password would be shown")
    shell.send(b"hunter2\r")
    shell.expect(b"got=7")
    shell.send(b"exit\r")
    assert shell.finish() == 0
    assert b"hunter2\r" in recorded(tmp_path).input()
    assert not recorded(tmp_path).notes("unseen")


def test_characters_split_over_reads(rec: Start, tmp_path: Path) -> None:
    """A character whose bytes come one by one is recorded whole."""
    script = 'for b in e2 82 ac; do printf "\\x$b"; sleep 0.1; done'
    run = rec("--latency", "0.05", command=["bash", "-c", script])
    assert run.finish() == 0
    kept = recorded(tmp_path)
    assert kept.output() == "€".encode()
    assert b'"out_bin":[]' in (tmp_path / "rec.log").read_bytes()


def test_background_child_does_not_hang_it(rec: Start, tmp_path: Path) -> None:
    """A background process that keeps the terminal open doesn't keep the recorder."""
    run = rec(command=["bash", "-c", "trap '' HUP; sleep 300 & echo $!"])
    assert run.finish() == 0
    child = int(run.seen)
    assert state(child) != "Z", "it was not open any more"
    os.kill(child, signal.SIGKILL)
    assert recorded(tmp_path).output() == b"%d\r\n" % child


def test_nothing_is_lost_at_the_end(rec: Start, tmp_path: Path) -> None:
    """What the program wrote just before it ended arrives whole, however slowly it is read."""
    run = rec(command=["seq", "60000"])
    time.sleep(2)
    assert run.finish() == 0
    expected = "".join(f"{n}\r\n" for n in range(1, 60001)).encode()
    assert bytes(run.seen) == expected
    assert recorded(tmp_path).output() == expected


def test_a_terminal_of_somebody_else(rec: Start, tmp_path: Path) -> None:
    """After su, the terminal is another user's: it cannot be opened again, but works."""
    script = "echo ready; read line; seq 30000; stty size"
    run = rec(command=["sh", "-c", script], is_foreign=True)
    run.expect(b"ready")
    run.send(b"go\r")
    time.sleep(1)
    run.expect(b"\n30000\r\n", b"24 80")
    assert run.finish() == 0
    assert recorded(tmp_path).output() == bytes(run.seen)
    assert termios.tcgetattr(run.slave) == run.before


def test_big_paste(rec: Start, tmp_path: Path) -> None:
    """A paste larger than all buffers comes through whole, while its reader sleeps first."""
    size = 300_000
    run = rec(
        command=["bash", "-c", f"stty raw -echo; echo go; sleep 1; head -c {size} | sha256sum"]
    )
    run.expect(b"go")
    os.set_blocking(run.master, False)
    data = bytes(65 + n % 26 for n in range(size))
    sent = 0
    while sent < size:
        try:
            sent += os.write(run.master, data[sent : sent + 4096])
        except BlockingIOError:
            time.sleep(0.01)
    os.set_blocking(run.master, True)
    assert run.finish() == 0
    expected = subprocess.run(["sha256sum"], input=data, capture_output=True, check=True).stdout
    assert expected.split()[0] in run.seen


@pytest.mark.real
@pytest.mark.skipif(shutil.which("vim.tiny") is None, reason="Debian package vim-tiny is missing")
def test_full_screen_program(rec: Start, tmp_path: Path) -> None:
    """An editor works as ever, and its screen is recorded byte for byte."""
    run = rec(command=["vim.tiny", "-u", "NONE", str(tmp_path / "text")])
    run.expect(b"text")
    run.send(b"ihello w\xc3\xb6rld\x1b")
    run.expect(b"hello")
    run.send(b":wq\r")
    assert run.finish() == 0
    assert (tmp_path / "text").read_text() == "hello wörld\n"
    assert recorded(tmp_path).output() == bytes(run.seen)


@pytest.mark.real
@pytest.mark.skipif(shutil.which("tlog-play") is None, reason="Debian package tlog is missing")
def test_stock_tlog_plays_it(rec: Start, tmp_path: Path) -> None:
    """tlog-play shows what the terminal showed."""
    shell = rec()
    shell.expect(b"$ ")
    shell.send(b"printf 'gr\\303\\274n \\377\\n'; ls /\r")
    shell.expect(b"usr", b"$ ")
    shell.send(b"exit\r")
    assert shell.finish() == 0
    player = Driven(["tlog-play", "-r", "file", f"--file-path={tmp_path / 'rec.log'}"])
    try:
        assert player.finish() == 0
        assert bytes(shell.seen) in bytes(player.seen)
    finally:
        player.close()


def test_error_stream_apart(rec: Start, tmp_path: Path) -> None:
    """Standard error that is no terminal is passed on apart, and recorded as such."""
    reader, writer = os.pipe()
    run = rec(command=["sh", "-c", "echo out; echo err >&2; tty <&2 || true"], stderr=writer)
    os.close(writer)
    assert run.finish() == 0
    with os.fdopen(reader, "rb") as pipe:
        assert pipe.read().startswith(b"err\n")
    kept = recorded(tmp_path)
    assert kept.output(is_stderr=False) == bytes(run.seen)
    assert kept.output(is_stderr=True).startswith(b"err\n")
