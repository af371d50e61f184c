"""`steno rec` without a terminal: pipes, files, nothing at all."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from driven import STENO, Recorded
from processes import descendants, state
from waiting import wait_for


class Piped(subprocess.Popen[bytes]):
    """A program that a failed test does not wait for."""

    def __exit__(self, kind: type[BaseException] | None, *more: object) -> None:
        if kind is not None:
            self.kill()
        super().__exit__(kind, *more)  # type: ignore[arg-type]  # handed through


@pytest.fixture
def base(tmp_path: Path) -> list[str]:
    """The command line of a recorder that writes to rec.log and counts apart."""
    spool = str(tmp_path / "state/spool")
    return [*STENO, "rec", "--spool", spool, "--file", str(tmp_path / "rec.log")]


def is_asleep(run: Piped) -> bool:
    """Return whether the recorder and its program both wait."""
    pids = [run.pid, *descendants(run.pid)]
    return len(pids) == 2 and all(state(pid) == "S" for pid in pids)


def test_streams_pass_apart(base: list[str], tmp_path: Path) -> None:
    """Output and errors come out byte for byte, each on its own stream, and are recorded so."""
    script = "echo out; echo err >&2; head -c 100000 /dev/urandom; exit 4"
    run = subprocess.run([*base, "--", "sh", "-c", script], capture_output=True, check=False)
    kept = Recorded(tmp_path / "rec.log")
    assert run.returncode == 4
    assert run.stderr == b"err\n"
    assert run.stdout.startswith(b"out\n")
    assert len(run.stdout) == 100_004
    assert kept.output(is_stderr=False) == run.stdout
    assert kept.output(is_stderr=True) == b"err\n"
    assert kept.end.exit_status == 4
    assert kept.messages[0].term == ""
    assert kept.start.terminal is None


def test_input_is_left_to_the_program(base: list[str], tmp_path: Path) -> None:
    """Without --input the program reads our standard input itself: none of it is swallowed."""
    script = 'while read -r line; do "$@" sh -c "echo got $line"; done'
    run = subprocess.run(
        ["sh", "-c", script, "sh", *base, "-q", "--"], input=b"1\n2\n3\n", capture_output=True
    )
    assert run.stdout == b"got 1\ngot 2\ngot 3\n"


def test_input_is_recorded(base: list[str], tmp_path: Path) -> None:
    """With --input what comes in passes through whole, its end too, and is recorded."""
    data = os.urandom(400_000)
    run = subprocess.run([*base, "--input", "--", "cat"], input=data, capture_output=True)
    kept = Recorded(tmp_path / "rec.log")
    assert run.stdout == data
    assert kept.input() == data
    assert kept.output() == data
    assert kept.end.input_bytes == kept.end.output_bytes == len(data)


def test_ends_with_the_command(base: list[str], tmp_path: Path) -> None:
    """The recorder ends when the command ends, although its input stays open and silent."""
    for more in ([], ["--input"]):
        with Piped(
            [*base, *more, "--", "echo", "hi"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as run:
            assert run.stdout is not None
            assert run.stdout.read() == b"hi\n"
            assert run.wait(60) == 0


def test_nothing_to_read(base: list[str]) -> None:
    """From /dev/null, as with `ssh -n`, the command finds its end at once."""
    for more in ([], ["--input"]):
        run = subprocess.run(
            [*base, *more, "--", "wc", "-c"], stdin=subprocess.DEVNULL, capture_output=True
        )
        assert run.stdout == b"0\n"


def test_closed_standard_streams(base: list[str], tmp_path: Path) -> None:
    """With all standard streams closed the command still runs and is recorded."""
    command = " ".join([*base, "-q", "--", "echo", "hi"])
    run = subprocess.run(["sh", "-c", f"exec {command} <&- >&- 2>&-"], check=False)
    assert run.returncode == 0
    assert Recorded(tmp_path / "rec.log").output() == b"hi\n"


def test_reader_that_stops(base: list[str], tmp_path: Path) -> None:
    """When our reader goes away, the program gets SIGPIPE, as it would without us."""
    with Piped([*base, "--", "yes"], stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        assert os.read(run.stdout.fileno(), 2) == b"y\n"
        run.stdout.close()
        assert run.wait(60) == -signal.SIGPIPE
    end = Recorded(tmp_path / "rec.log").end
    assert (end.reason, end.signal) == ("signal", signal.SIGPIPE)


def end(run: Piped) -> float:
    """Wait for a program's end; return the computing time that it took, its children included."""
    _, status, usage = os.wait4(run.pid, 0)
    run.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime


def test_reader_that_stops_a_deaf_program(base: list[str]) -> None:
    """A program that goes on after its reader has gone costs no computing time."""
    with Piped([*base, "-q", "--", "true"]) as run:
        usual_s = end(run)
    script = "trap '' PIPE; for i in 1 2 3 4 5 6; do echo x; sleep 0.3; done; exit 9"
    with Piped(
        [*base, "-q", "--", "bash", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as run:
        assert run.stdout is not None
        os.read(run.stdout.fileno(), 2)
        run.stdout.close()
        taken_s = end(run)
    assert run.returncode == 9
    assert taken_s < usual_s + 0.9, "half of the time that it goes on"


def test_output_that_ends_early(base: list[str], tmp_path: Path) -> None:
    """A program that closes its output is seen to do so, although it goes on."""
    script = f"echo x; exec >&-; while [ ! -e {tmp_path}/seen ]; do sleep 0.1; done; exit 6"
    with Piped([*base, "--", "sh", "-c", script], stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        assert run.stdout.read() == b"x\n"
        assert run.poll() is None
        (tmp_path / "seen").touch()
        assert run.wait(60) == 6


def test_slow_reader_gets_all(base: list[str], tmp_path: Path) -> None:
    """A slow reader holds the program back; it gets every byte in the end."""
    with Piped([*base, "--", "seq", "200000"], stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        wait_for(lambda: is_asleep(run), "nothing holds it back")
        assert run.poll() is None
        data = run.stdout.read()
        assert run.wait(60) == 0
    assert data == "".join(f"{n}\n" for n in range(1, 200_001)).encode()
    assert Recorded(tmp_path / "rec.log").output() == data


def test_output_to_a_file(base: list[str], tmp_path: Path) -> None:
    """Output redirected to a file, appending, is complete there."""
    target = tmp_path / "out"
    target.write_bytes(b"before\n")
    with target.open("ab") as file:
        subprocess.run([*base, "--", "seq", "50000"], stdout=file, check=True)
    expected = b"before\n" + "".join(f"{n}\n" for n in range(1, 50_001)).encode()
    assert target.read_bytes() == expected


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGINT])
def test_signals_are_passed_on(base: list[str], tmp_path: Path, number: signal.Signals) -> None:
    """A signal sent to the recorder reaches the program, which decides."""
    name = number.name[3:]
    script = f"trap 'echo caught {name}; exit 5' {name}; echo ready; while :; do sleep 0.1; done"
    with Piped(
        [*base, "--", "bash", "-c", script], stdout=subprocess.PIPE, start_new_session=True
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"ready\n"
        run.send_signal(number)
        assert run.stdout.read() == f"caught {name}\n".encode()
        assert run.wait(60) == 5
    assert Recorded(tmp_path / "rec.log").end.exit_status == 5


def test_program_that_cannot_be_run(base: list[str], tmp_path: Path) -> None:
    """A program that is missing or no program: one line, 127 or 126, and no recording."""
    plain = tmp_path / "plain"
    plain.write_text("no program")
    cases = [
        ("/no/such/program", 127, "no such program"),
        ("no-such-program", 127, "no such program"),
        (str(plain), 126, "not executable"),
        (str(tmp_path), 126, "a directory"),
    ]
    for program, status, text in cases:
        run = subprocess.run([*base, "--", program], capture_output=True, text=True, check=False)
        assert run.returncode == status
        assert run.stderr == f"steno: {program}: {text}\n"
        assert not (tmp_path / "rec.log").exists()


def test_program_of_unknown_format(base: list[str], tmp_path: Path) -> None:
    """An executable file that the system cannot execute: one line and 126."""
    bad = tmp_path / "bad"
    bad.write_bytes(b"\x7fELF is not enough")
    bad.chmod(0o755)
    run = subprocess.run([*base, "--", str(bad)], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr.count("\n")) == (126, 1)
    assert Recorded(tmp_path / "rec.log").end.reason == "recorder"


def test_default_destination(tmp_path: Path) -> None:
    """Told nothing else, it records to a file in this directory that the recording's id names."""
    directory = tmp_path / "here"
    directory.mkdir()
    command = [*STENO, "rec", "--spool", f"{tmp_path}/s/spool", "--host-directory", f"{tmp_path}/h"]
    subprocess.run([*command, "--", "true"], cwd=directory, check=True)
    (path,) = directory.iterdir()
    assert path.name == Recorded(path).messages[0].rec + ".log"
    assert path.stat().st_mode & 0o777 == 0o600


def test_bad_options(base: list[str], tmp_path: Path) -> None:
    """Options that make no sense: one line that says what, exit code 2, nothing run."""
    cases = [
        (["--to", "moon"], 2, "--to moon: no such place"),
        (["--to", "file:"], 2, "needs a path"),
        (["--to", "syslog", "--to", "syslog"], 2, "given twice"),
        (["--latency", "0"], 2, "--latency"),
        (["--limit-action", "explode"], 2, "--limit-action"),
        (["--file", f"{tmp_path}/no/dir/x"], 5, "no such directory"),
        (["--to", "syslog", "--syslog-socket", f"{tmp_path}/none"], 11, "No such file"),
        (["--to", "server", "--host-directory", f"{tmp_path}/none"], 3, "not enrolled"),
    ]
    for options, status, text in cases:
        run = subprocess.run(
            [*base, *options, "--", "touch", str(tmp_path / "ran")], capture_output=True, text=True
        )
        assert run.returncode == status, run.stderr
        assert text in run.stderr
        assert not (tmp_path / "ran").exists()
