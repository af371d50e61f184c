"""The stand-ins do what tlog's programs do, both run with the same words and files."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from driven import Driven, Recorded
from processes import wait_for_program
from tlog_programs import BOTH, STAND_IN, TLOG, Programs, needs_both

pytestmark = [pytest.mark.real, needs_both]

ANSWERING = """
import os, signal, subprocess
def tell(*_): os.write(1, b"size %d\\n" % os.get_terminal_size(0).columns)
subprocess.run(["stty", "-echo"])
signal.signal(signal.SIGWINCH, tell)
os.write(1, b"ready>")
while data := os.read(0, 100): os.write(1, data)
"""
FILE = '{"latency": 4, /* c */ "log": {"input": true}, // d\n "limit": {"action": "drop",}}'


@pytest.mark.parametrize(
    ("name", "file", "environ", "words"),
    [
        ("tlog-rec", "{}", {}, ["--lat=5", "-w", "syslog", "cat", "-v", "--latency=6"]),
        ("tlog-rec", FILE, {}, ["--log-output=Off", "--log-input", "-ox"]),
        ("tlog-rec", FILE, {"TLOG_REC_CONF_FILE": "FILE", "TLOG_REC_CONF_TEXT": '{"payload": 32}'},
         ["--limit-burst", "0"]),
        ("tlog-rec", "{}", {"TLOG_REC_CONF_TEXT": '{"latency": 0}'}, []),
        ("tlog-rec", "{}", {"TLOG_REC_CONF_FILE": "/nonexistent"}, []),
        ("tlog-rec", '{"latency": 4', {}, []),
        ("tlog-rec", '{"speed": 4}', {}, []),
        ("tlog-rec", "{}", {}, ["--log-window=0"]),
        ("tlog-rec-session", '{"shell": "/bin/zsh", "writer": "file"}',
         {"TLOG_REC_SESSION_SHELL": "/bin/dash"}, ["-c", "-l", "echo hi", "me"]),
        ("tlog-rec-session", "{}", {}, ["--payload=100"]),
        ("tlog-play", '{"lax": true, "es": {"query": "rec:1"}}', {},
         ["-s", "2.5", "-fp", "-g", "end", "-M", "A=1", "-MOR", "-S3", "-N", "x"]),
        ("tlog-play", "{}", {}, ["--speed=-1"]),
    ],
)  # fmt: skip
def test_both_are_configured_the_same(
    programs: Programs,
    tmp_path: Path,
    name: str,
    file: str,
    environ: dict[str, str],
    words: list[str],
) -> None:
    """Both say the same configuration, from the same files, variables and options, or refuse it."""
    programs.configure(name, file)
    (tmp_path / "more").write_text('{"file": {"path": "/more"}, "limit": {"rate": 7}}')
    environ = {key: value.replace("FILE", str(tmp_path / "more")) for key, value in environ.items()}
    found = []
    for kind in BOTH:
        # tlog's -f takes what follows for its value, so that letters can't be joined there.
        said = [part for word in words for part in (["-f", "-p"] if word == "-fp" else [word])]
        ran = programs.run(kind, name, "--configuration", *said, environ=environ)
        text = ran.stdout.decode()
        found.append((ran.returncode, json.loads(text[text.index("{") :]) if "{" in text else None))
        assert (ran.returncode == 0) == (not ran.stderr), ran.stderr
    # tlog has no empty section for what only options can say.
    assert found[0] == found[1]


def record_on_terminal(
    programs: Programs, kind: str, path: Path, use: Callable[[Driven], None], *words: str
) -> tuple[Recorded, int]:
    """Record a shell by tlog-rec on a terminal that `use` works at; return what was recorded."""
    command = [sys.executable, "-c", ANSWERING]
    driven = Driven(programs.command(kind, "tlog-rec", "-o", str(path), *words, *command))
    try:
        driven.expect(b"ready>")
        use(driven)
        status = driven.finish()
    finally:
        driven.close()
    return Recorded(path), status


def use_terminal(driven: Driven) -> None:
    """Type texts of all kinds, resize the window, end the input."""
    texts = (b"plain", b"\xc3\xa4\xe2\x82\xac", b"\xff\x80bad", b"\x1b[1m")
    for number, text in enumerate(texts, 1):
        driven.send(text + b"\r")
        driven.expect(text + b"\r\n")
        driven.resize(80 + number, 30)
        driven.expect(b"size %d\r\n" % (80 + number))
    driven.send(b"last\r")
    driven.expect(b"last\r\n")
    driven.send(b"\x04")


@pytest.mark.parametrize("words", [(), ("--log-input", "--payload=40"), ("--log-output=no",)])
def test_both_record_the_same_pieces(
    programs: Programs, tmp_path: Path, words: tuple[str, ...]
) -> None:
    """What was shown, typed and resized is the same in both recordings, bytes and order."""
    kept = {}
    for kind in BOTH:
        path = tmp_path / f"{kind}.log"
        recorded, status = record_on_terminal(programs, kind, path, use_terminal, *words)
        assert status == 0
        kept[kind] = (recorded.output(), recorded.input(), recorded.windows())
    assert kept[STAND_IN] == kept[TLOG]
    assert b"\xff\x80bad" in kept[TLOG][0] or "--log-output=no" in words


@pytest.mark.parametrize(
    ("name", "words", "status"),
    [
        ("tlog-rec", ["-o", "LOG", "sh", "-c", "exit 3"], 3),
        ("tlog-rec", ["-o", "LOG", "sh", "-c", "kill -9 $$"], 137),
        ("tlog-rec", ["-o", "LOG", "/nonexistent"], 127),
        ("tlog-rec", ["-o", "LOG", "/etc/passwd"], 127),
        ("tlog-rec", ["true"], 1),
        ("tlog-rec", ["-o", "/nonexistent/x", "true"], 1),
        ("tlog-rec", ["--bogus"], 1),
        ("tlog-rec-session", ["-c", "exit 4"], 4),
        ("tlog-rec-session", ["-c"], 1),
        ("tlog-rec-session", ["/nonexistent"], 127),
        ("tlog-play", ["-i", "/nonexistent"], 1),
        ("tlog-play", ["-i", "LOG", "-g", "soon"], 1),
        ("tlog-play", ["-r", "journal"], 1),
        ("tlog-play", ["-r", "journal", "-M", "bad"], 1),
        ("tlog-play", ["-r", "es", "--es-baseurl=http://127.0.0.1:1/x", "--es-query=x"], 1),
        ("tlog-play", ["what"], 1),
    ],
)
def test_both_exit_with_the_same_status(
    programs: Programs, tmp_path: Path, name: str, words: list[str], status: int
) -> None:
    """The status is the command's, 128 and the signal, 127 or 1, as with tlog."""
    log = tmp_path / "x.log"
    conf = {"writer": "file", "file": {"path": str(log)}, "notice": ""}
    programs.configure("tlog-rec-session", json.dumps(conf))
    for kind in BOTH:
        log.unlink(missing_ok=True)
        said = [word.replace("LOG", str(log)) for word in words]
        assert programs.run(kind, name, *said).returncode == status, kind


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_both_end_by_the_signal_that_ends_them(
    programs: Programs, tmp_path: Path, number: signal.Signals
) -> None:
    """A recorder that a signal ends ends by it, its recording complete."""
    for kind in BOTH:
        path = tmp_path / f"{kind}.log"
        driven = Driven(programs.command(kind, "tlog-rec", "-o", str(path), "sh", "-c",
                                         "echo begun; sleep 60"))  # fmt: skip
        try:
            driven.expect(b"begun\r\n")
            driven.process.send_signal(number)
            assert driven.finish() == -number
        finally:
            driven.close()
        assert Recorded(path).output().startswith(b"begun\r\n")


def test_names_select_shells(programs: Programs, tmp_path: Path) -> None:
    """A link's name selects the shell, which gets its path for SHELL."""
    log = tmp_path / "x.log"
    conf = {"writer": "file", "file": {"path": str(log)}, "notice": "told\n"}
    programs.configure("tlog-rec-session", json.dumps(conf))
    name = "tlog-rec-session-shell-bin-dash"
    for kind in BOTH:
        programs.link(kind, "tlog-rec-session", name)
        command = [programs.linked(kind, name), "-c", "readlink /proc/$$/exe; echo $SHELL $0", "me"]
        driven = Driven(programs.wrap(command))
        try:
            driven.expect(b"told", b"/dash\r\n/bin/dash me\r\n")
            assert driven.finish() == 0
        finally:
            driven.close()


def test_the_semaphore_says_that_recording_runs(programs: Programs, tmp_path: Path) -> None:
    """READY stands in the file when the command runs."""
    for kind in BOTH:
        file = tmp_path / f"{kind}.ready"
        script = f"while ! grep -q READY {file}; do sleep 0.05; done; cat {file}"
        log = str(tmp_path / f"{kind}.log")
        ran = programs.run(kind, "tlog-rec", f"--semaphore={file}", "-o", log, "sh", "-c", script)
        assert (ran.returncode, ran.stdout) == (0, b"READY")


def test_both_are_login_shells_on_a_terminal(programs: Programs, tmp_path: Path) -> None:
    """`-l` gives a login shell with job control, a notice before it, and all of it recorded."""
    home = tmp_path / "home"
    home.mkdir()
    (home / ".bash_profile").write_text("PS1='at> '; echo profile\n")
    kept = {}
    for kind in BOTH:
        path = tmp_path / f"{kind}.log"
        conf = {"writer": "file", "file": {"path": str(path)}, "notice": "NOTICE\n"}
        programs.configure("tlog-rec-session", json.dumps(conf))
        command = programs.command(kind, "tlog-rec-session", "-l")
        driven = Driven(command, environ={"HOME": str(home), "HISTFILE": "/dev/null"})
        try:
            driven.expect(b"NOTICE", b"profile", b"at> ")
            driven.send(b"echo $0 $SHELL; sh -c 'echo up; exec sleep 60'\r")
            driven.expect(b"-bash /bin/bash\r\n", b"up\r\n")
            driven.send(b"\x1a")
            driven.expect(b"Stopped", b"at> ")
            driven.send(b"fg\r")
            driven.expect(b"sleep 60'\r\n")
            # The shell says so before it hands the terminal over: a key might come too soon. And
            # one too many would take a letter of the next line with it.
            wait_for_program(driven.process.pid, "sleep", "60")
            driven.send(b"\x03")
            driven.expect(b"at> ")
            driven.send(b"exit 6\r")
            assert driven.finish() == 6
        finally:
            driven.close()
        kept[kind] = Recorded(path).output()
        assert b"NOTICE" not in kept[kind]
        assert kept[kind] in driven.seen.replace(b"NOTICE\r\n", b"")
    assert kept[STAND_IN].startswith(kept[TLOG][: kept[TLOG].index(b"Stopped")])
