"""The system's own su, sudo, login and sshd start `steno-shell`, in a namespace of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from driven import Driven
from login_lab import PASSWORD, STRANGER, UID, USER, LoginLab
from processes import wait_for_program
from shell_server import Behaviour, Relaying, Served, ShellServer

from steno.agent.handshake import Answer

NEEDED = ["unshare", "nsenter", "su", "sudo", "login", "sshd", "ssh", "openssl"]
MISSING = [
    name for name in NEEDED if shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin") is None
]

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(os.getuid() != 0, reason="a namespace with real logins needs root"),
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
]

Log = Callable[..., Driven]
Serve = Callable[[Behaviour], ShellServer]


def as_agent(served: Served) -> None:
    """Answer as the agent does: a terminal where there is one, else run what is asked."""
    is_login = served.request.argv0.startswith(b"-")
    if os.isatty(served.descriptors[0]):
        Relaying(b"/bin/bash", b"-bash" if is_login else b"bash", b"You are recorded.")(served)
    else:
        served.answer(Answer("exec", b"/bin/bash", b"-bash" if is_login else b"bash"))
        while served.read_report() is not None:
            pass


@pytest.fixture(scope="module")
def lab() -> Iterator[LoginLab]:
    """The laboratory, for all tests here."""
    directory = Path(tempfile.mkdtemp(prefix="steno-lab-"))
    lab = LoginLab(directory)
    yield lab
    lab.close()
    shutil.rmtree(directory)


@pytest.fixture
def serve(lab: LoginLab) -> Iterator[Serve]:
    """Start a server of that behaviour in the agent's place."""
    servers: list[ShellServer] = []

    def start(behaviour: Behaviour) -> ShellServer:
        servers.append(ShellServer(lab.socket, behaviour))
        return servers[-1]

    yield start
    for server in servers:
        server.close()
    lab.socket.unlink(missing_ok=True)


@pytest.fixture
def log_in(lab: LoginLab) -> Iterator[Log]:
    """Run a program inside, on a terminal of its own."""
    running: list[Driven] = []
    place = {"HISTFILE": "", "SHELL": "/bin/bash"}

    def start(*command: str) -> Driven:
        running.append(Driven(lab.command(*command), environ=place, directory=lab.home))
        return running[-1]

    yield start
    for driven in running:
        driven.close()


WAYS = {
    "su": (["su", USER], "bash", USER),
    "su -": (["su", "-", USER], "-bash", USER),
    "su -c": (["su", "-", USER, "-c", "exec bash --norc -i"], "bash", USER),
    "sudo -i": (["sudo", "-i", "-u", USER], "-bash", USER),
    "sudo su -": (["sudo", "su", "-", USER], "-bash", USER),
    "login": (["setsid", "-c", "-w", "login", "-f", USER], "-bash", USER),
    "stranger's sudo -i": (["su", STRANGER, "-c", "sudo -i"], "-bash", "root"),
}


@pytest.mark.parametrize("way", WAYS)
def test_sessions_are_recorded(serve: Serve, log_in: Log, way: str) -> None:
    """Shell, job control, window and status are those of an unrecorded login."""
    server = serve(as_agent)
    command, name, user = WAYS[way]
    session = log_in(*command)
    session.expect(b"You are recorded.\r\n")
    session.send(b"PS1='inner> '\r")
    session.expect(b"inner> ", b"inner> ")
    session.send(b"echo $0 $(id -un) $SHELL $(tty | cut -c1-8)\r")
    session.expect(b"%s %s /bin/bash /dev/pts" % (name.encode(), user.encode()))
    session.send(b"sleep 300.75\r")
    wait_for_program(session.process.pid, "sleep", "300.75")
    session.send(b"\x1a")
    session.expect(b"Stopped", b"inner> ")
    session.send(b"kill %1; wait; stty size\r")
    session.expect(b"24 80\r\n")
    session.send(b"exit 7\r")
    assert session.finish() == (0 if way == "login" else 7)
    server.close()
    assert len(server.served) == 1
    assert b"24 80\r\n" in server.served[0].output


@pytest.mark.parametrize("call", [f"su {USER}", f"su - {USER}", f"sudo -i -u {USER}"])
@pytest.mark.parametrize("use_pty", ["use_pty", "!use_pty"])
def test_a_caller_finds_its_terminal_as_it_was(
    serve: Serve, log_in: Log, lab: LoginLab, call: str, use_pty: str
) -> None:
    """A shell that calls su or sudo goes on after the last output, with a usable terminal."""
    if use_pty == "!use_pty" and "sudo" not in call:
        pytest.skip("su knows no such thing")
    lab.write("sudoers", f"Defaults {use_pty}\nALL ALL=(ALL:ALL) NOPASSWD: ALL\n")
    serve(Relaying(b"/bin/bash", b"bash", last_words_s=0.2))
    outer = log_in("bash", "--norc", "-i")
    outer.expect(b"$ ")
    outer.send(b"PS1='outer> '; stty -g > before\r")
    outer.expect(b"outer> ", b"outer> ")
    outer.send(f"{call}\r".encode())
    outer.expect(b"$ ")
    outer.send(b"PS1=; seq 500; exit\r")
    outer.expect(b"\n500\r\n", b"outer> ")
    outer.send(b"stty -g | cmp - before && echo sa''me\r")
    outer.expect(b"same")
    outer.send(b"exit 0\r")
    assert outer.finish() == 0


@pytest.mark.parametrize("call", [f"su {USER}", f"sudo -u {USER} {{program}}"])
def test_suspend_works_under(serve: Serve, log_in: Log, lab: LoginLab, call: str) -> None:
    """`suspend` leads back to the caller, fg into the same shell."""
    serve(Relaying(b"/bin/bash", b"bash"))
    outer = log_in("bash", "--norc", "-i")
    outer.expect(b"$ ")
    outer.send(b"PS1='outer> '\r")
    outer.expect(b"outer> ", b"outer> ")
    outer.send(call.format(program=lab.program).encode() + b"\r")
    outer.expect(b"$ ")
    outer.send(b"PS1='inner> '\r")
    outer.expect(b"inner> ", b"inner> ")
    outer.send(b"mark=kept; suspend\r")
    outer.expect(b"Stopped", b"outer> ")
    outer.send(b"fg\r")
    outer.expect(b"\r\n")
    outer.send(b"echo mark=$mark\r")
    outer.expect(b"mark=kept")
    outer.send(b"exit\r")
    outer.expect(b"outer> ")
    outer.send(b"exit 0\r")
    assert outer.finish() == 0


def test_su_asks_for_the_password_outside(serve: Serve, log_in: Log) -> None:
    """A recorded user who becomes root types the password to su, then gets a session."""
    server = serve(as_agent)
    session = log_in("su", STRANGER, "-c", "su -")
    session.expect(b"Password: ")
    session.send(PASSWORD.encode() + b"\r")
    session.expect(b"You are recorded.\r\n")
    session.send(b"id -un; exit\r")
    session.expect(b"root\r\n")
    session.finish()
    server.close()
    assert PASSWORD.encode() not in server.served[0].typed


def ssh(lab: LoginLab, *words: str, program: str = "ssh", **more: str) -> list[str]:
    """Return an ssh, scp or sftp to the laboratory."""
    return [program, *lab.ssh(**more), *words]


def test_ssh_with_a_terminal(lab: LoginLab, serve: Serve) -> None:
    """An interactive ssh is recorded, its window and status are as without Steno."""
    server = serve(as_agent)
    session = Driven(ssh(lab, "-tt", f"{USER}@lab"), columns=101, rows=37)
    session.expect(b"You are recorded.\r\n")
    session.send(b"stty size; echo $0; ls /proc/$PPID/fd; exit 7\r")
    session.expect(b"37 101\r\n", b"-bash\r\n", b"Permission denied\r\n")
    assert session.finish() == 7
    session.close()
    server.close()
    assert [report.kind for report in server.served[0].reports] == ["started", "ended"]


def test_ssh_shows_the_last_words(lab: LoginLab, serve: Serve) -> None:
    """Sshd reads no more once its child has ended: all output must have been passed on by then."""
    serve(Relaying(b"/bin/bash", b"-bash", delay_s=0.3))
    session = Driven(ssh(lab, "-tt", f"{USER}@lab", "echo last words; exit 7"))
    assert session.finish() == 7
    session.close()
    assert session.seen == b"last words\r\n"


@pytest.mark.parametrize("word", ["exit 9", "kill -TERM $$"])
def test_ssh_with_a_command(lab: LoginLab, serve: Serve, word: str) -> None:
    """Output, errors and status of a command come back as without Steno."""
    server = serve(as_agent)
    command = ssh(lab, f"{USER}@lab", f"cat; echo error >&2; {word}")
    done = subprocess.run(command, input=b"in\x00\xff\n", capture_output=True, timeout=60)
    assert (done.stdout, done.stderr) == (b"in\x00\xff\n", b"error\n")
    assert done.returncode == (9 if word == "exit 9" else 255)
    server.close()
    assert server.served[0].request.arguments[0] == b"-c"


def test_copies_are_exact(lab: LoginLab, serve: Serve, tmp_path: Path) -> None:
    """Scp and sftp move every byte, both ways."""
    serve(as_agent)
    content = os.urandom(3_000_000)
    (tmp_path / "up").write_bytes(content)
    for program, options in (("scp", []), ("scp", ["-O"])):
        target = f"{USER}@lab:{lab.home}/file"
        for source, sink in ((str(tmp_path / "up"), target), (target, str(tmp_path / "down"))):
            done = subprocess.run(
                ssh(lab, *options, source, sink, program=program),
                capture_output=True,
                timeout=60,
            )
            assert (done.returncode, done.stderr) == (0, b"")
        assert (tmp_path / "down").read_bytes() == content
        (tmp_path / "down").unlink()
        (lab.home / "file").unlink()


FORCED = 'ForceCommand exec {program} -l ${{SSH_ORIGINAL_COMMAND:+-c "$SSH_ORIGINAL_COMMAND"}}\n'


def test_a_forced_command_records(lab: LoginLab, serve: Serve) -> None:
    """With ForceCommand, as docs/login-shell.md has it, shells and commands both work."""
    server = serve(as_agent)
    forced = FORCED.format(program=lab.program)
    lab.set_shell("/bin/bash")
    try:
        session = Driven(ssh(lab, "-tt", f"{USER}@lab", configuration=forced))
        session.expect(b"You are recorded.\r\n")
        session.send(b"shopt -q login_shell && echo lo''gin; exit 3\r")
        session.expect(b"login\r\n")
        assert session.finish() == 3
        session.close()
        command = ssh(lab, f"{USER}@lab", "echo 'a  b'; exit 4", configuration=forced)
        done = subprocess.run(command, capture_output=True, timeout=60, stdin=subprocess.DEVNULL)
        assert (done.returncode, done.stdout) == (4, b"a  b\n")
    finally:
        lab.set_shell(str(lab.program))
    server.close()
    assert [served.request.arguments for served in server.served] == [
        (b"-l",),
        (b"-l", b"-c", b"echo 'a  b'; exit 4"),
    ]


def test_ssh_rc_runs_before_the_session(lab: LoginLab, serve: Serve) -> None:
    """~/.ssh/rc is run through the login shell, and does not disturb the session after it."""
    server = serve(as_agent)
    (lab.home / ".ssh").mkdir()
    (lab.home / ".ssh/rc").write_text("echo from rc >&2\n")
    try:
        session = Driven(ssh(lab, "-tt", f"{USER}@lab"))
        session.expect(b"from rc\r\n", b"You are recorded.\r\n")
        session.send(b"exit 2\r")
        assert session.finish() == 2
        session.close()
    finally:
        shutil.rmtree(lab.home / ".ssh")
    server.close()
    assert [bool(served.request.arguments) for served in server.served] == [True, False]


MULTIPLEXERS = {
    "tmux": ("tmux -f /dev/null -L lab", b"[exited]"),
    "screen": ("SCREENDIR=~/.screen screen -c /dev/null", b"[screen is terminating]"),
}


@pytest.mark.parametrize("program", MULTIPLEXERS)
def test_windows_of_a_multiplexer_run_the_real_shell(
    lab: LoginLab, serve: Serve, log_in: Log, program: str
) -> None:
    """Windows of tmux and screen are part of the recorded session, and start no second one."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    command, farewell = MULTIPLEXERS[program]
    server = serve(as_agent)
    session = log_in("su", "-", USER)
    session.expect(b"You are recorded.\r\n")
    session.send(b"mkdir -m 700 -p ~/.screen; " + command.encode() + b"\r")
    session.expect(b"\x1b[?1049h")  # It has taken the terminal, and what was typed before is lost.
    session.send(b"echo in''side $SHELL; exit\r")
    session.expect(b"inside /bin/bash", farewell, b"$ ")
    session.send(b"exit 0\r")
    assert session.finish() == 0
    server.close()
    assert len(server.served) == 1


@pytest.mark.parametrize("word", ["deny", "allow"])
def test_without_the_agent_it_is_logged(lab: LoginLab, log_in: Log, word: str) -> None:
    """Refusals and unrecorded starts stand in the system's log, with uid and reason."""
    lab.write("steno/shell.conf", f"on_failure = {word}\n")
    lab.write("steno/shells", f"{USER}:/bin/dash\n")
    session = log_in("su", USER, "-c", "echo started $SHELL")
    status, said = session.finish(), bytes(session.seen)
    if word == "deny":
        assert status == 1
        assert b"cannot be reached" in said
        lab.wait_logged(f"session of uid {UID} refused: /run/steno/agent.sock: No such file")
    else:
        assert (status, said) == (0, b"started /bin/dash\r\n")
        lab.wait_logged(f"session of uid {UID} starts UNRECORDED: /run/steno/agent.sock")
