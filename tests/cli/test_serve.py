"""`steno serve` as a program: starting, stopping, HTTPS, and what it refuses."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

STENO = [sys.executable, "-m", "steno.cli"]


def run(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run steno to its end."""
    return subprocess.run(
        [*STENO, *arguments], input=given, capture_output=True, text=True, timeout=60, check=False
    )


@contextmanager
def serving(
    directory: Path, *arguments: str, environment: dict[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a server on a free port of loopback; yield it and its address."""
    process = subprocess.Popen(
        [*STENO, "serve", "--directory", str(directory), "--listen", "127.0.0.1:0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("serving on "), process.communicate()
        yield process, line.removeprefix("serving on ").strip()
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_good_order(tmp_path: Path, number: signal.Signals) -> None:
    """It stops at once with status 0, although somebody follows a stream."""
    run("user", "add", "ada", "--role", "admin", "--no-password", "--directory", str(tmp_path))
    token = run("token", "add", "ada", "--directory", str(tmp_path)).stdout.strip()
    headers = {"Authorization": f"Bearer {token}"}
    with (
        serving(tmp_path) as (process, url),
        httpx2.stream(
            "GET", f"{url}/api/v1/changes", headers=headers, trust_env=False, timeout=60
        ) as answer,
    ):
        assert answer.status_code == 200
        process.send_signal(number)
        assert process.wait(60) == 0
        assert process.stderr is not None
        log = process.stderr.read()
        assert '"event": "stopping"' in log
        assert "timeout graceful shutdown exceeded" not in log, "nobody was waited for in vain"
        assert "Traceback" not in log


def test_many_connections_do_not_exhaust_a_low_soft_limit(tmp_path: Path) -> None:
    """The soft limit on open files, made for select(2), is not what limits the server."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with serving(tmp_path) as (process, _):
        granted = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    assert granted[0] >= min(hard, 65536)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
    try:
        low = serving(tmp_path / "low")
        process, url = low.__enter__()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    with contextlib.ExitStack() as stack:
        stack.push(low)
        address = url.removeprefix("http://").split(":")
        for _ in range(250):
            stack.enter_context(socket.create_connection((address[0], int(address[1]))))
        assert httpx2.get(f"{url}/healthz", trust_env=False, timeout=60).text == "ok\n"


def test_a_taken_port_is_one_line_and_its_exit_code(tmp_path: Path) -> None:
    """The line names the address; nothing was served."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        ended = run("serve", "--directory", str(tmp_path), "--listen", address)
    assert ended.returncode == 14
    assert ended.stderr.startswith(f"steno: {address}: another program listens there")
    assert ended.stderr.count("\n") == 1


def test_beyond_loopback_a_missing_certificate_is_refused(tmp_path: Path) -> None:
    """No plain HTTP by accident: the line names the file and what makes it."""
    ended = run("serve", "--directory", str(tmp_path), "--listen", "0.0.0.0:0")
    assert ended.returncode == 3
    assert "steno server init" in ended.stderr
    assert "ca/server.pem" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_https_serves_with_the_certificate_that_init_made(tmp_path: Path) -> None:
    """A client that trusts the CA gets in, with HSTS and a Secure cookie; one that doesn't, not."""
    assert (
        run("server", "init", "localhost", "127.0.0.1", "--directory", str(tmp_path)).returncode
        == 0
    )
    run("user", "add", "ada", "--role", "admin", "--no-password", "--directory", str(tmp_path))
    with serving(tmp_path, "--tls", "on") as (_, url):
        assert url.startswith("https://")
        link = run("user", "link", "ada", "--url", url, "--directory", str(tmp_path)).stdout.strip()
        context = ssl.create_default_context(cafile=str(tmp_path / "ca" / "ca.pem"))
        answer = httpx2.get(link, verify=context, trust_env=False, timeout=60)
        assert answer.status_code == 303
        assert "Secure" in answer.headers["set-cookie"]
        assert "max-age=" in answer.headers["strict-transport-security"]
        with pytest.raises(httpx2.ConnectError):
            httpx2.get(url, trust_env=False, timeout=60)


def test_systemd_is_told_when_it_is_ready(tmp_path: Path) -> None:
    """READY=1 comes over the socket in NOTIFY_SOCKET when requests are accepted."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        path = tmp_path / "notify"
        manager.bind(str(path))
        manager.settimeout(60)
        with serving(tmp_path / "server", environment={"NOTIFY_SOCKET": str(path)}) as (process, _):
            assert manager.recv(100) == b"READY=1"
            process.terminate()
            assert manager.recv(100) == b"STOPPING=1"


def test_a_wrong_key_in_the_configuration_is_one_line(tmp_path: Path) -> None:
    """It names file and key, and nothing is served."""
    (tmp_path / "server.toml").write_text("[login]\nper_nam = 3\n")
    ended = run("serve", "--directory", str(tmp_path))
    assert ended.returncode == 3
    assert (
        ended.stderr == f"steno: {tmp_path / 'server.toml'}: login.per_nam: there is no such key\n"
    )


def test_an_address_of_another_machine_is_refused(tmp_path: Path) -> None:
    """One line, exit code 2."""
    ended = run("serve", "--directory", str(tmp_path), "--listen", "192.0.2.1:1", "--tls", "off")
    assert ended.returncode == 2
    assert ended.stderr.startswith("steno: cannot listen on 192.0.2.1:1")


def test_two_servers_share_one_directory(tmp_path: Path) -> None:
    """What one knows, the other does: a token made in between works at both."""
    run("user", "add", "ada", "--role", "admin", "--no-password", "--directory", str(tmp_path))
    with serving(tmp_path) as (_, first), serving(tmp_path) as (_, second):
        token = run("token", "add", "ada", "--directory", str(tmp_path)).stdout.strip()
        headers = {"Authorization": f"Bearer {token}"}
        for url in (first, second):
            answer = httpx2.get(f"{url}/api/v1/users", headers=headers, trust_env=False, timeout=60)
            assert answer.status_code == 200


def test_a_damaged_certificate_is_one_line(tmp_path: Path) -> None:
    """A file that is no certificate is named, and nothing is served."""
    run("server", "init", "localhost", "--directory", str(tmp_path))
    (tmp_path / "ca" / "server.pem").write_text("no certificate")
    ended = run("serve", "--directory", str(tmp_path), "--listen", "127.0.0.1:0", "--tls", "on")
    assert ended.returncode == 3
    assert "ca/server.pem" in ended.stderr
    assert ended.stderr.count("\n") == 1
