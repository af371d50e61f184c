"""An agent that hangs, dies, or answers nonsense: the session is as if there were none."""

from __future__ import annotations

import contextlib
import os
import socket
import termios
import threading
import time
import tty
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from driven import Driven
from shell_builds import HASTY_ANSWER_MS, Build, Serve, Start
from shell_server import Behaviour, Relaying, Served, ShellServer, answering
from waiting import wait_for

from steno.agent.handshake import Answer, encode_answer

REFUSED = b"the recorder cannot be reached"
_TRIES = 20
GOOD = encode_answer(Answer("exec", b"/bin/dash", b"dash"))


@pytest.fixture
def meet(hasty: Build) -> Iterator[Callable[[Behaviour], Driven]]:
    """Let the program meet an agent of that behaviour; return how that ended."""
    running: list[tuple[Driven, ShellServer]] = []

    def run(behaviour: Behaviour) -> Driven:
        server = ShellServer(hasty.socket, behaviour)
        driven = Driven(["-steno-shell", "-c", "echo started"], executable=hasty.name)
        running.append((driven, server))
        driven.finish()
        return driven

    yield run
    for driven, server in running:
        driven.close()
        server.close()


def was_refused(driven: Driven) -> bool:
    """Whether no shell was started, and the terminal is as it was before."""
    assert termios.tcgetattr(driven.slave) == driven.before
    return driven.process.returncode == 1 and REFUSED in driven.seen


def sending(packet: bytes, descriptors: Sequence[int] = ()) -> Behaviour:
    """Send these bytes, and see the caller go."""

    def behave(served: Served) -> None:
        with contextlib.suppress(ConnectionError):
            socket.send_fds(served.connection, [packet], list(descriptors))
            served.connection.recv(1)

    return behave


def waiting(served: Served) -> None:
    """Never answer."""
    with contextlib.suppress(ConnectionError):
        served.connection.recv(1)


def test_an_agent_that_never_answers_is_left(meet: Callable[[Behaviour], Driven]) -> None:
    """A hanging agent cannot hang a login for ever."""
    driven = meet(waiting)
    assert was_refused(driven)
    assert b"no answer: Connection timed out" in driven.seen


def test_an_agent_that_hangs_up_is_left(meet: Callable[[Behaviour], Driven]) -> None:
    """A connection that ends without an answer is tried again for a moment, then given up."""
    assert was_refused(meet(lambda served: None))


@pytest.mark.parametrize(
    "packet",
    [
        b"x",
        b"\xff" * 5000,
        b"STENO2" + GOOD[6:],
        *(GOOD[:length] for length in range(1, len(GOOD) - 1, 7)),
        GOOD + b"x",
        GOOD.replace(b"exec", b"sing"),
        GOOD.replace(b"/bin", b"bin/"),
        GOOD + b"shell=/bin/sh\0",
        GOOD + b"status=1000\0",
        GOOD + b"wait=yes\0",
        GOOD + b"=\0",
        GOOD + b"message=" + b"x" * 8193 + b"\0",
        GOOD + b"other=" + b"x" * 16384 + b"\0",
        GOOD.replace(b"/dash", b"/" * 4096),
    ],
)
def test_nonsense_is_no_answer(meet: Callable[[Behaviour], Driven], packet: bytes) -> None:
    """Garbage, half packets and too large ones start nothing."""
    assert was_refused(meet(sending(packet)))


@pytest.mark.parametrize(
    ("action", "count"),
    [("exec", 1), ("terminal", 0), ("terminal", 2), ("pipes", 2), ("pipes", 4), ("pipes", 20)],
)
def test_a_wrong_number_of_descriptors_is_no_answer(
    meet: Callable[[Behaviour], Driven], action: str, count: int
) -> None:
    """An answer must bring what its action needs, no less and no more."""
    master, slave = os.openpty()
    packet = GOOD.replace(b"exec", action.encode())
    assert was_refused(meet(sending(packet, [slave] * count)))
    os.close(master)
    os.close(slave)


def test_a_file_is_no_terminal(meet: Callable[[Behaviour], Driven], tmp_path: Path) -> None:
    """A descriptor that is no terminal does not become one; the old one is not left for it."""
    with (tmp_path / "file").open("w") as file:
        packet = GOOD.replace(b"exec", b"terminal")
        assert was_refused(meet(sending(packet, [file.fileno()])))


def test_a_raw_terminal_is_put_back(hasty_parent: Build) -> None:
    """An agent that fails after it took the terminal leaves no terminal that cannot be used."""

    def take_and_fail(served: Served) -> None:
        tty.setraw(served.descriptors[0])
        sending(b"x")(served)

    # It is waited for however late it takes the terminal: nobody puts back what is taken later.
    server = ShellServer(hasty_parent.socket, take_and_fail)
    driven = Driven(["-steno-shell", "-c", "echo started"], executable=hasty_parent.name)
    driven.finish()
    assert was_refused(driven)
    driven.close()
    server.close()


def test_a_raw_terminal_is_put_back_from_an_agent_that_hangs(
    meet: Callable[[Behaviour], Driven],
) -> None:
    """Nor does one that takes the terminal and then never answers."""
    for _ in range(_TRIES):
        taken_s: list[float] = []

        def take_and_hang(served: Served, taken_s: list[float] = taken_s) -> None:
            tty.setraw(served.descriptors[0])
            taken_s.append(time.monotonic())
            waiting(served)

        began_s = time.monotonic()
        driven = meet(take_and_hang)
        # Nobody puts back what is taken when the caller has lost its patience: another one then.
        if taken_s and taken_s[0] - began_s < HASTY_ANSWER_MS / 1000:
            assert was_refused(driven)
            return
    raise AssertionError("the terminal was always taken too late")


def test_more_callers_than_the_agent_takes_wait(hasty: Build) -> None:
    """A queue that stays full ends in a refusal, not in a login that hangs."""
    hasty.socket.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(str(hasty.socket))
    listener.listen(0)
    first = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    first.connect(str(hasty.socket))
    driven = Driven(["-steno-shell"], executable=hasty.name)
    driven.finish()
    assert was_refused(driven)
    driven.close()
    first.close()
    listener.close()


def test_an_agent_that_is_being_restarted_is_waited_for(
    serve: Serve, start: Start, patient: Build
) -> None:
    """A login that comes in the moment of a restart is served by the agent's successor."""
    patient.socket.unlink(missing_ok=True)
    socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).bind(str(patient.socket))
    session = start("-steno-shell", "-c", "echo started")
    wait_asleep(session.process.pid)
    serve(answering(Answer("exec", b"/bin/dash", b"-dash")))
    assert session.finish() == 0
    assert session.seen == b"started\r\n"


def wait_asleep(pid: int) -> None:
    """Wait until a process pauses between two tries."""
    wait_for(lambda: "nanosleep" in Path(f"/proc/{pid}/wchan").read_text(), "it does not pause")


def test_denial_says_why(serve: Serve, start: Start) -> None:
    """The agent's text reaches the person, its status the caller."""
    serve(answering(Answer("deny", message=b"Not you.\nAsk again.", status=77)))
    session = start("-steno-shell")
    assert session.finish() == 77
    assert session.seen == b"Not you.\r\nAsk again.\r\n"


@pytest.mark.parametrize(
    ("shell", "status", "errno"),
    [("/bin/none", 127, 2), ("/etc/passwd/sh", 127, 20), ("/etc/passwd", 126, 13), ("/", 126, 13)],
)
@pytest.mark.parametrize("action", ["exec", "terminal"])
def test_a_shell_that_cannot_be_run_is_told(
    serve: Serve, start: Start, shell: str, status: int, errno: int, action: str
) -> None:
    """Person and agent learn which shell is missing or not executable; the status is env(1)'s."""
    behaviour: Behaviour = Relaying(shell.encode(), b"-sh")
    if action == "exec":
        behaviour = answering(Answer("exec", shell.encode(), b"-sh"))
    server = serve(behaviour)
    session = start("-steno-shell")
    assert session.finish() == status
    assert b"steno-shell: %s: %s" % (shell.encode(), os.strerror(errno).encode()) in session.seen
    server.close()
    failed = [report for report in server.served[0].reports if report.kind == "failed"]
    assert [report.errno for report in failed] == [errno]
    assert failed[0].text.startswith(shell.encode())


def test_it_does_not_run_itself(serve: Serve, start: Start, patient: Build) -> None:
    """A table that names steno-shell as the real shell ends in a clear line, not in a circle."""
    serve(answering(Answer("exec", patient.name.encode(), b"-sh")))
    session = start("-steno-shell")
    assert session.finish() == 126
    assert b"Too many levels of symbolic links" in session.seen


def test_a_waiting_parent_outlives_a_deaf_agent(hasty_parent: Build) -> None:
    """Without `restored` the parent puts the terminal back itself, and ends as the shell did."""

    def fall_silent(served: Served) -> None:
        inner = os.openpty()
        tty.setraw(served.descriptors[0])
        served.answer(Answer("terminal", b"/bin/dash", b"dash"), [inner[1]])
        os.close(inner[1])
        while served.read_report() is not None:
            pass
        os.close(inner[0])

    server = ShellServer(hasty_parent.socket, fall_silent)
    driven = Driven(["-steno-shell", "-c", "exit 6"], executable=hasty_parent.name)
    assert driven.finish() == 6
    assert termios.tcgetattr(driven.slave) == driven.before
    driven.close()
    server.close()


def test_a_waiting_parent_outlives_the_agent(serve: Serve, start: Start) -> None:
    """An agent that died meanwhile is not waited for at the end."""
    ended = threading.Event()
    inner = os.openpty()

    def die(served: Served) -> None:
        tty.setraw(served.descriptors[0])
        served.answer(Answer("terminal", b"/bin/dash", b"dash"), [inner[1]])
        served.connection.close()
        ended.set()

    serve(die)
    session = start("-steno-shell", "-c", "sleep 0.5; exit 8")
    assert ended.wait(60)
    assert session.finish() == 8
    assert termios.tcgetattr(session.slave) == session.before
    os.close(inner[0])
    os.close(inner[1])


def test_pipes_are_put_in_place(serve: Serve, start: Start) -> None:
    """With `pipes` the shell reads and writes what the agent gave it, and the notice is for 2."""
    into, out, err = os.pipe(), os.pipe(), os.pipe()
    ends = [into[0], out[1], err[1]]
    serve(answering(Answer("pipes", b"/bin/dash", b"dash", b"You are recorded."), ends))
    os.write(into[1], b"typed\n")
    os.close(into[1])
    session = start("steno-shell", "-c", "cat; echo error >&2; exit 4")
    assert session.finish() == 4
    assert session.seen == b"You are recorded.\r\n"
    assert (os.read(out[0], 100), os.read(err[0], 100)) == (b"typed\n", b"error\n")
    for fd in (*ends, out[0], err[0]):
        os.close(fd)


def test_a_parent_waits_for_the_last_bytes_of_pipes(
    serve: Serve, start: Start, patient: Build
) -> None:
    """With `wait`, the caller goes on only after all output has been passed on."""

    def copy_late(served: Served) -> None:
        reader, writer = os.pipe()
        descriptors = [served.descriptors[0], writer, served.descriptors[2]]
        served.answer(Answer("pipes", b"/bin/dash", b"dash", must_wait=True), descriptors)
        os.close(writer)
        while (report := served.read_report()) and report.kind != "ended":
            pass
        time.sleep(0.3)
        os.write(served.descriptors[1], os.read(reader, 1000))
        os.close(reader)
        served.connection.send(b"STENO1\nrestored=\0")

    serve(copy_late)
    script = f"{patient.name} -c 'echo first; exit 3'; echo second $?"
    session = start("dash", "-c", script, executable="/bin/dash")
    assert session.finish() == 0
    assert session.seen == b"first\r\nsecond 3\r\n"
