"""All of Steno on one machine, as ./run starts it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from cli_recordings import Steno
from waiting import wait_for

from steno.cli.local import DEFAULT_LISTEN


def local(tmp_path: Path, *arguments: str) -> list[str]:
    """Return the command line of `steno local` with a directory of its own."""
    base = [sys.executable, "-m", "steno.cli", "local", "--directory", str(tmp_path / "srv")]
    return [*base, "--listen", "127.0.0.1:0", *arguments]


def test_a_command_is_recorded_delivered_found_and_verified(steno: Steno, tmp_path: Path) -> None:
    """What a newcomer does first works, and a second run keeps what the first recorded."""
    script = "echo hello; sleep 0.2; exit 3"
    for _ in range(2):
        ran = subprocess.run(
            local(tmp_path, "--once", "--", "sh", "-c", script),
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert ran.returncode == 3, ran.stderr
        assert ran.stdout.startswith("hello\n")
        assert "exit 3" in ran.stdout
    rows = steno("ls", "--json", "--store", tmp_path / "srv").stdout.splitlines()
    recs = [json.loads(row) for row in rows]
    assert len(recs) == 2
    assert all(rec["sender"] and rec["chain"]["state"] == "complete" for rec in recs)
    assert steno("search", "--store", tmp_path / "srv", "hello").returncode == 0
    assert steno("verify", "--store", tmp_path / "srv").stdout.count("complete") == 2


def test_the_recorded_program_takes_signals_as_usual(tmp_path: Path) -> None:
    """Ctrl-C ends a program in the recorded shell: nothing that starts it ignores the signal."""
    ran = subprocess.run(
        local(tmp_path, "--once", "--", "sh", "-c", "kill -INT $$; echo survived"),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ran.returncode == 128 + signal.SIGINT, ran.stdout
    assert "survived\n" not in ran.stdout.splitlines(keepends=True)


def test_a_command_that_cannot_be_run_ends_it(tmp_path: Path) -> None:
    """Where nothing could be recorded, that is said once, with its code, and nothing is awaited."""
    ran = subprocess.run(
        local(tmp_path, "--", "no-such-program"),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ran.returncode == 127
    assert ran.stderr == "steno: no-such-program: no such program\n"
    assert ran.stdout == ""


def test_it_serves_until_interrupted_and_its_link_signs_in(tmp_path: Path) -> None:
    """The printed link signs in once, leads to the recording, and Ctrl-C ends the server."""
    process = subprocess.Popen(
        local(tmp_path, "--", "echo", "hi"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    said = ""
    while "until Ctrl-C" not in said:
        line = process.stdout.readline()
        assert line, said
        said += line
    match = re.search(r"plays at +(\S+)", said)
    assert match
    with httpx2.Client(timeout=60) as browser:
        first = browser.get(match[1])
        assert first.status_code == 303
        assert first.headers["location"].startswith("/recordings/")
        base = match[1].split("/once/")[0]
        assert browser.get(f"{base}/api/v1/session").json()["user"]["role"] == "admin"
    assert httpx2.get(match[1], timeout=60).status_code >= 400
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 0
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f"{base}/healthz")


def test_a_port_in_use_is_said(tmp_path: Path) -> None:
    """An address that was asked for and is taken is an error with its code."""
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        arguments = [a if a != "127.0.0.1:0" else listen for a in local(tmp_path, "--once")]
        ran = subprocess.run(
            arguments, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    assert ran.returncode == 14
    assert listen in ran.stderr
    assert len(ran.stderr.splitlines()) == 1


def test_a_server_that_is_killed_as_it_starts_is_said(tmp_path: Path) -> None:
    """The signal and the log are named, and nothing that an earlier server said."""
    log = tmp_path / "srv/server.log"
    log.parent.mkdir(mode=0o700)
    log.write_text("an older server's last words\n")
    # It waits where it reads its authority's certificate, for as long as we take to find it.
    (tmp_path / "srv/ca").mkdir()
    os.mkfifo(tmp_path / "srv/ca/ca.pem")
    process = subprocess.Popen(
        local(tmp_path, "--once", "--", "true"), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    [server] = wait_for(lambda: _servers_of(process.pid), "a server")
    os.kill(server, signal.SIGSEGV)
    said = process.communicate(timeout=60)[1].decode()
    assert process.returncode == 1
    how = f"ended by signal 11 (Segmentation fault); its log is {log}"
    assert said == f"steno: the server did not start: {how}\n"


def _servers_of(parent: int) -> list[int]:
    """Return the `steno serve` processes that `parent` has started."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(pid) for pid in children if b"\0serve\0" in _read_arguments(pid)]


def test_nothing_is_left_running(tmp_path: Path) -> None:
    """After --once neither the server nor a deliverer is there any more."""
    subprocess.run(
        local(tmp_path, "--once", "--", "true"), capture_output=True, timeout=100, check=True
    )

    def is_nothing_left() -> bool:
        pids = (pid for pid in os.listdir("/proc") if pid.isdecimal())
        return not any(os.fsencode(tmp_path) in _read_arguments(pid) for pid in pids)

    wait_for(is_nothing_left, "the end of all that was started")


def _read_arguments(pid: str) -> bytes:
    """Return a process's words, any process's of the machine: so they need be no text."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_the_default_address_is_loopback() -> None:
    """Nobody else on the network reaches a server that was started to look at it."""
    assert DEFAULT_LISTEN.startswith("127.0.0.1:")
