"""`steno-shell` started in all the ways that login programs have."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from pathlib import Path

import pytest
from processes import wait_for_end, wait_for_program
from shell_builds import Build, Serve, Start
from shell_server import Relaying, answering
from waiting import wait_for

from steno.agent.handshake import ARGUMENTS_LIMIT_BYTES, Answer, Report

DASH = Relaying(b"/bin/dash", b"-dash", b"You are recorded.")
RUN_DASH = answering(Answer("exec", b"/bin/dash", b"dash"))

CALLERS = {
    # The program leads session and group, as under sshd and login.
    "sshd": "import os,sys; os.execv(sys.argv[1],sys.argv[1:])",
    # Leads session and group itself, the program is one more process in them.
    "su": "import subprocess,sys; sys.exit(subprocess.call(sys.argv[1:]))",
    # Gives the program a group of its own and the terminal's foreground.
    "sudo": "import os,signal,subprocess,sys\n"
    "signal.signal(signal.SIGTTOU,signal.SIG_IGN)\n"
    "def first(): os.tcsetpgrp(0,os.getpid()); signal.signal(signal.SIGTTOU,signal.SIG_DFL)\n"
    "s=subprocess.call(sys.argv[1:],process_group=0,preexec_fn=first)\n"
    "os.tcsetpgrp(0,os.getpgrp()); sys.exit(s)",
    # The program leads a session, but without the terminal, as under su -c.
    "su -c": "import subprocess,sys\n"
    "sys.exit(subprocess.call(sys.argv[1:],start_new_session=True))",
}


@pytest.fixture(params=sorted(CALLERS))
def caller(request: pytest.FixtureRequest) -> list[str]:
    """The words of a program that calls another as su and sudo do, and ends like it."""
    return [sys.executable, "-c", CALLERS[request.param]]


def test_without_a_terminal_it_becomes_the_shell(serve: Serve, start: Start) -> None:
    """Where nothing is to be passed on, nothing of Steno stays: the same process is the shell."""
    server = serve(RUN_DASH)
    session = start("-steno-shell", "-c", "echo $$ $0 $SHELL; exit 7")
    assert session.finish() == 7
    assert session.seen == b"%d dash /bin/dash\r\n" % session.process.pid
    server.close()
    assert server.served[0].reports == []
    assert server.served[0].pid == session.process.pid


def test_with_a_terminal_it_waits_for_the_shell(
    serve: Serve, start: Start, patient: Build, caller: list[str]
) -> None:
    """Whoever calls, the shell leads a session of its own, and its status is passed on."""
    server = serve(DASH)
    session = start(*caller, patient.name, executable=sys.executable)
    session.expect(b"You are recorded.\r\n")
    session.send(b"ps -o pid=,pgid=,sid= -p $$ | tr -s ' ' :; echo pid=$$\r")
    session.send(b"exit 5\r")
    assert session.finish() == 5
    server.close()
    reports = server.served[0].reports
    assert [report.kind for report in reports] == ["started", "ended"]
    assert reports[1] == Report("ended", exit_status=5)
    pid = reports[0].pid
    assert b"%d:%d:%d\r\n" % (pid, pid, pid) in session.seen
    assert b"pid=%d\r\n" % pid in session.seen


def test_the_caller_gets_its_terminal_back_in_order(
    serve: Serve, start: Start, patient: Build, caller: list[str]
) -> None:
    """All output comes before the caller's next word, and the terminal is as it was before."""
    serve(Relaying(b"/bin/dash", b"dash", delay_s=0.2, last_words_s=0.2))
    script = f"stty -g; {shlex.join(caller)} {patient.name} -c 'seq 200'; stty -g"
    session = start("dash", "-c", script, executable="/bin/dash")
    assert session.finish() == 0
    first, *between, last = session.seen.split(b"\r\n")[:-1]
    assert between == [b"%d" % number for number in range(1, 201)]
    assert first == last


def test_job_control_works(
    serve: Serve, start: Start, patient: Build, caller: list[str], tmp_path: Path
) -> None:
    """Ctrl-C ends a program, Ctrl-Z stops it, fg goes on with it, and the shell stays."""
    serve(Relaying(b"/bin/bash", b"bash"))
    place = {"HOME": str(tmp_path), "HISTFILE": ""}
    command = (*caller, patient.name, "--norc", "-i")
    session = start(*command, executable=sys.executable, environ=place)
    session.expect(b"$ ")
    session.send(b"sleep 300.25\r")
    wait_for_program(session.process.pid, "sleep", "300.25")
    session.send(b"\x03")
    session.send(b"echo ended=$?\r")
    session.expect(b"ended=130")
    session.send(b"cat\r")
    wait_for_program(session.process.pid, "cat")
    session.send(b"\x1a")
    session.expect(b"Stopped", b"$ ")
    session.send(b"echo stopped=$?\r")
    session.expect(b"stopped=148")
    session.send(b"fg; echo de''ad=$?\r")
    wait_for_program(session.process.pid, "cat")
    session.send(b"\x04")
    session.expect(b"dead=0")
    session.send(b"exit 3\r")
    assert session.finish() == 3


def test_a_stopped_shell_gives_the_terminal_back(
    serve: Serve, start: Start, patient: Build, tmp_path: Path
) -> None:
    """`suspend` under su stops all of it; the caller's fg goes on in the same shell."""
    server = serve(Relaying(b"/bin/bash", b"bash"))
    place = {"HOME": str(tmp_path), "HISTFILE": ""}
    command = ("bash", "--norc", "-i")
    session = start(*command, executable="/bin/bash", environ=place, directory=tmp_path)
    session.expect(b"$ ")
    session.send(b"stty -g > before; " + patient.program.as_posix().encode() + b" --norc -i\r")
    session.expect(b"$ ")
    session.send(b"PS1='inner> '\r")
    session.expect(b"inner> ", b"inner> ")
    session.send(b"mark=kept; suspend\r")
    session.expect(b"Stopped", b"$ ")
    session.send(b"stty -g | cmp - before && echo sa''me\r")
    session.expect(b"same")
    session.send(b"fg\r")
    session.expect(b"steno-shell")
    session.send(b"echo mark=$mark\r")
    session.expect(b"mark=kept", b"inner> ")
    session.send(b"exit\r")
    session.expect(b"$ ")
    session.send(b"exit 0\r")
    assert session.finish() == 0
    server.close()
    kinds = [report.kind for report in server.served[0].reports]
    assert kinds == ["started", "stopped", "continued", "ended"]


def test_where_nobody_could_go_on_only_the_shell_stops(serve: Serve, start: Start) -> None:
    """A stopped shell under sshd can be continued from outside; nothing is stuck for ever."""
    server = serve(DASH)
    session = start("-steno-shell", "-c", "echo ready; kill -STOP $$; echo on; exit 6")
    session.expect(b"ready")
    reports = server.served[0].reports
    wait_for(lambda: "continued" in [report.kind for report in reports], "it is stuck")
    os.kill(server.served[0].reports[0].pid, signal.SIGCONT)
    session.expect(b"on\r\n")
    assert session.finish() == 6


def test_in_the_background_it_waits(
    serve: Serve, start: Start, patient: Build, tmp_path: Path
) -> None:
    """A session put into the background does not take the terminal from who has it."""
    server = serve(Relaying(b"/bin/dash", b"dash", b"You are recorded."))
    place = {"HOME": str(tmp_path), "HISTFILE": ""}
    session = start("bash", "--norc", "-i", executable="/bin/bash", environ=place)
    session.expect(b"$ ")
    session.send(patient.program.as_posix().encode() + b" &\r")
    session.send_until(b"jobs\r", b"Stopped")
    assert server.served == []
    session.send(b"fg\r")
    session.expect(b"You are recorded.", b"$ ")
    session.send(b"exit 4\r")
    session.expect(b"exit 4\r\n", b"$ ")
    session.send(b"exit $?\r")
    assert session.finish() == 4


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGUSR1, signal.SIGSEGV])
def test_deaths_by_signal_are_passed_on(serve: Serve, start: Start, number: signal.Signals) -> None:
    """Who waits for the program sees the signal that ended the shell."""
    server = serve(DASH)
    session = start("-steno-shell", "-c", f"kill -{number.value} $$")
    assert session.finish() == -number
    server.close()
    assert server.served[0].reports[1] == Report("ended", signal=number)


def test_signals_to_the_parent_reach_the_shell(serve: Serve, start: Start, patient: Build) -> None:
    """What su or an administrator sends to the process that waits is meant for the shell."""
    server = serve(DASH)
    script = "trap 'echo got it; exit 9' TERM; echo ready; while :; do sleep 0.1; done"
    caller = [sys.executable, "-c", CALLERS["su"]]
    session = start(*caller, patient.name, "-c", script, executable=sys.executable)
    session.expect(b"ready")
    os.kill(server.served[0].pid, signal.SIGTERM)
    session.expect(b"got it")
    assert session.finish() == 9


def test_a_killed_parent_is_a_hang_up(serve: Serve, start: Start, patient: Build) -> None:
    """The agent learns that the parent is gone; the shell does not live on unseen."""
    server = serve(DASH)
    caller = "import subprocess,sys; sys.exit(-subprocess.call(sys.argv[1:]))"
    session = start(sys.executable, "-c", caller, patient.name, executable=sys.executable)
    session.expect(b"You are recorded.\r\n")
    os.kill(server.served[0].pid, signal.SIGKILL)
    assert session.finish() == signal.SIGKILL
    server.close()
    assert [report.kind for report in server.served[0].reports] == ["started"]
    shell = server.served[0].reports[0].pid
    wait_for_end(shell)


SIGNALS = "grep -E '^Sig(Blk|Ign)' /proc/self/status"
ODD = "import os,signal,sys\nsignal.signal(signal.SIGHUP,signal.SIG_IGN)\n"
ODD += "signal.signal(signal.SIGCHLD,signal.SIG_IGN)\n"
ODD += "signal.pthread_sigmask(signal.SIG_SETMASK,{signal.SIGUSR1,signal.SIGWINCH})\n"


@pytest.mark.parametrize("prefix", ["", ODD], ids=["usual", "odd"])
@pytest.mark.parametrize("way", ["exec", "terminal"])
def test_signals_are_left_as_they_were(
    serve: Serve, start: Start, patient: Build, prefix: str, way: str
) -> None:
    """The shell starts with the dispositions and the mask that its login program gave."""
    serve(RUN_DASH if way == "exec" else Relaying(b"/bin/dash", b"dash"))
    run = f"{prefix}import os,sys; os.execv(sys.argv[1],sys.argv[1:])"
    expected = start(
        sys.executable, "-c", run, "/bin/dash", "-c", SIGNALS, executable=sys.executable
    )
    expected.finish()
    session = start(
        sys.executable, "-c", run, patient.name, "-c", SIGNALS, executable=sys.executable
    )
    assert session.finish() == 0
    assert session.seen == expected.seen
    assert b"SigBlk" in session.seen


ALL_BYTES = bytes(range(1, 256))


def test_commands_may_hold_any_bytes(serve: Serve, start: Start) -> None:
    """What follows -c reaches shell and agent byte by byte, even what is no text."""
    server = serve(RUN_DASH)
    words = ("-c", 'printf "%s" "$0" | od -An -v -tx1 | tr -d " \\n"', os.fsdecode(ALL_BYTES), "")
    session = start("steno-shell", *words)
    assert session.finish() == 0
    assert bytes(session.seen) == ALL_BYTES.hex().encode()
    server.close()
    assert server.served[0].request.arguments == tuple(map(os.fsencode, words))


def test_long_commands_are_told_in_part(serve: Serve, start: Start) -> None:
    """The shell gets everything; the agent a beginning, and how much is left out."""
    server = serve(RUN_DASH)
    long = "x" * 40000
    session = start("steno-shell", "-c", "echo ${#0} ${#1} ${#2}", long, long, long)
    assert session.finish() == 0
    assert session.seen == b"40000 40000 40000\r\n"
    server.close()
    request = server.served[0].request
    assert request.arguments[2:] == (long.encode(),)
    assert request.omitted_bytes == 80002
    assert sum(map(len, request.arguments)) < ARGUMENTS_LIMIT_BYTES


@pytest.mark.parametrize(
    ("name", "selected"),
    [
        ("steno-shell", None),
        ("-steno-shell", None),
        ("/usr/bin/steno-shell", None),
        ("tlog-rec-session", None),
        ("-tlog-rec-session", None),
        ("steno-shell-shell-bash", b"bash"),
        ("-steno-shell-bash", b"bash"),
        ("steno-shell-bin-zsh", b"/bin/zsh"),
        ("steno-shell-shell-bin-zsh", b"/bin/zsh"),
        ("tlog-rec-session-shell-bin-zsh", b"/bin/zsh"),
        ("-tlog-rec-session-shell-usr-bin-fish", b"/usr/bin/fish"),
        ("/usr/bin/tlog-rec-session-shell-bin-my\\-sh", b"/bin/my-sh"),
        ("steno-shell-", None),
        ("steno-shell-shell-", None),
        ("steno-shellfish", None),
        ("anything-shell-bin-dash", b"/bin/dash"),
        ("", None),
        ("-", None),
    ],
)
def test_names_select_shells(serve: Serve, start: Start, name: str, selected: bytes | None) -> None:
    """A link's name can say which shell; tlog's form of names and the shorter one both work."""
    server = serve(answering(Answer("deny", status=4)))
    assert start(name).finish() == 4
    server.close()
    request = server.served[0].request
    assert (request.argv0, request.selected_shell) == (name.encode(), selected)


def test_of_the_environment_two_variables_are_told(serve: Serve, start: Start) -> None:
    """TERM, and SSSD's for the real shell; the rest goes to the shell as it came, but SHELL."""
    server = serve(answering(Answer("exec", b"/usr/bin/env", b"env")))
    environ = {"TLOG_REC_SESSION_SHELL": "/bin/zsh", "STENO_SOCKET": "/tmp/x", "SHELL": "/bin/none"}
    session = start("steno-shell", environ=environ)
    assert session.finish() == 0
    server.close()
    request = server.served[0].request
    assert (request.term, request.sssd_shell) == (b"xterm-256color", b"/bin/zsh")
    seen = dict(line.split(b"=", 1) for line in bytes(session.seen).splitlines() if b"=" in line)
    assert seen[b"SHELL"] == b"/usr/bin/env"
    assert seen[b"STENO_SOCKET"] == b"/tmp/x"


def test_every_terminal_is_replaced(serve: Serve, start: Start) -> None:
    """Output to another terminal than the session's own is no way around the recording."""
    server = serve(DASH)
    master, slave = os.openpty()
    session = start("-steno-shell", "-c", "echo out; echo err >&2", stderr=slave)
    assert session.finish() == 0
    server.close()
    os.close(master)
    os.close(slave)
    assert server.served[0].output == b"You are recorded.\r\nout\r\nerr\r\n"


def test_what_is_no_terminal_stays(serve: Serve, start: Start) -> None:
    """A pipe or file in the place of standard error stays where the caller put it."""
    server = serve(DASH)
    reader, writer = os.pipe()
    session = start("-steno-shell", "-c", "echo out; echo err >&2", stderr=writer)
    os.close(writer)
    assert session.finish() == 0
    assert os.read(reader, 100) == b"err\n"
    os.close(reader)
    server.close()
    assert server.served[0].output == b"You are recorded.\r\nout\r\n"


def test_closed_descriptors_are_filled(serve: Serve, start: Start, patient: Build) -> None:
    """A caller that closed standard input gets a session that reads nothing from there."""
    serve(RUN_DASH)
    session = start(
        "dash", "-c", f"exec {patient.name} -c 'cat; echo read' <&-", executable="/bin/dash"
    )
    assert session.finish() == 0
    assert session.seen == b"read\r\n"


def test_settings_of_the_terminal_are_kept(serve: Serve, start: Start, patient: Build) -> None:
    """The new terminal has the outer one's settings and size."""
    serve(Relaying(b"/bin/dash", b"dash"))
    script = f"stty erase ^B -echoctl; stty -g; {patient.name} -c 'stty -g; stty size'"
    session = start("dash", "-c", script, executable="/bin/dash", columns=91, rows=33)
    assert session.finish() == 0
    outer, inner, size = session.seen.splitlines()
    assert inner == outer
    assert size == b"33 91"
