"""`steno deliver`, `steno host` and `steno server init` as a person or a script calls them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from https_server import LONG_AGO, HttpsServer
from live_server import STENO, LiveServer, run_steno
from recorded_lines import fill_spool, make_lines
from waiting import wait_for

from steno.delivery.credentials import Credentials, load, save
from steno.delivery.spool import Spool
from steno.server.certificates import Authority


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server for all tests of this module; they use hosts and recordings of their own."""
    with LiveServer(tmp_path_factory.mktemp("live")) as server:
        yield server


@pytest.fixture(scope="module")
def host(server: LiveServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Credentials of a host that is enrolled with the server."""
    return server.enrol("cli1", tmp_path_factory.mktemp("host") / "state")


def deliver(spool: Path, host: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run `steno deliver`."""
    return run_steno("deliver", "--spool", spool, "--host-directory", host, *options)


def check_error(done: subprocess.CompletedProcess[str], code: int, text: str) -> None:
    """Check the exit code, and that the last line on standard error says `text`."""
    assert done.returncode == code, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("steno: ")
    assert text in last
    assert "Traceback" not in done.stderr


def test_a_spool_is_delivered_and_the_result_told(
    server: LiveServer, host: Path, tmp_path: Path
) -> None:
    """The count is shown to people, all of it to scripts; an orphan is closed first, and named."""
    written = fill_spool(tmp_path / "spool", ["cli-1", "cli-2"])
    orphan = Spool(tmp_path / "spool").begin("cli-orphan")
    lines = make_lines("cli-orphan", 3)
    orphan.append(lines[0])
    orphan.close()
    with (tmp_path / "spool" / "cli-orphan.open").open("ab") as file:
        file.write(lines[1][:-7])
    done = deliver(tmp_path / "spool", host)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("delivered 3 recordings (")
    torn_bytes = len(lines[1]) - 7
    assert f"cli-orphan was left open; {torn_bytes} torn bytes were cut off" in done.stderr
    stored = server.stored()
    assert stored["cli-1"] == ("cli1", written["cli-1"])
    assert stored["cli-orphan"][1].startswith(lines[0])
    assert b'"torn"' in stored["cli-orphan"][1]
    again = deliver(tmp_path / "spool", host, "--json")
    assert json.loads(again.stdout) == {"delivered": [], "growing": [], "failed": {}, "bytes": 0}


def test_each_failure_has_its_line_and_code(server: LiveServer, host: Path, tmp_path: Path) -> None:
    """Nobody there, not enrolled, plain HTTP, a directory that is none: all told, nothing lost."""
    written = fill_spool(tmp_path / "spool", ["cli-stays"])
    spool = tmp_path / "spool"
    check_error(deliver(spool, host, "--server", "https://127.0.0.1:9"), 11, "nothing listens")
    check_error(deliver(spool, host, "--server", "http://steno.example"), 2, "use https://")
    check_error(deliver(spool, tmp_path / "none"), 3, "steno host enrol URL CODE")
    check_error(deliver(spool / "cli-stays.done", host), 9, "spool")
    revoked = server.enrol("cli-revoked", tmp_path / "revoked")
    assert run_steno("host", "revoke", "cli-revoked", "--directory", server.directory).stdout
    check_error(deliver(spool, revoked), 12, "cli-revoked was revoked")
    known = load(host)
    save(tmp_path / "token", type(known)("cli1", known.servers, "wrong", ca=known.ca))
    check_error(deliver(spool, tmp_path / "token"), 12, "(401)")
    other = Authority.create("Other CA")
    save(tmp_path / "ca", type(known)("cli1", known.servers, known.token, ca=other.pem))
    check_error(deliver(spool, tmp_path / "ca"), 12, "its certificate cannot be trusted")
    assert (spool / "cli-stays.done").read_bytes() == written["cli-stays"]


def test_a_server_with_an_expired_certificate_is_refused(tmp_path: Path) -> None:
    """The host says what is wrong with the server's certificate, and keeps its recordings."""
    written = fill_spool(tmp_path / "spool", ["cli-expired"])
    with HttpsServer(tmp_path / "server", issued=LONG_AGO) as server:
        token = server.registry.enrol(server.registry.make_code().code, "cli-expired", None)
        credentials = Credentials("cli-expired", (server.url,), token, ca=server.authority.pem)
        save(tmp_path / "host", credentials)
        done = deliver(tmp_path / "spool", tmp_path / "host")
    check_error(done, 12, "certificate has expired")
    assert (tmp_path / "spool" / "cli-expired.done").read_bytes() == written["cli-expired"]


def test_following_delivers_what_comes(server: LiveServer, host: Path, tmp_path: Path) -> None:
    """With --follow recordings go out as they are written, until SIGTERM ends it in good order."""
    spool = Spool(tmp_path / "spool")
    places = ["--spool", str(spool.directory), "--host-directory", str(host)]
    follower = subprocess.Popen([*STENO, "deliver", *places, "--follow"], stderr=subprocess.PIPE)
    try:
        file = spool.begin("cli-follow")
        lines = make_lines("cli-follow", 10, is_ended=True)
        for line in lines[:5]:
            file.append(line)
        wait_for(lambda: spool.delivered_bytes("cli-follow") >= file.size_bytes, "the first half")
        for line in lines[5:]:
            file.append(line)
        file.finish()
        watching = deliver(spool.directory, host, "--json")
        assert json.loads(watching.stdout)["growing"] == []
        assert spool.entries() == []
        assert server.stored()["cli-follow"] == ("cli1", b"".join(lines))
        os.kill(follower.pid, signal.SIGTERM)
        _, said = follower.communicate(timeout=60)
        assert (follower.returncode, said) == (0, b"")
    finally:
        follower.kill()
        follower.wait(60)


def test_hosts_are_enrolled_listed_and_revoked(server: LiveServer, tmp_path: Path) -> None:
    """From the code to the refusal: each step shows what it did."""
    made = run_steno("host", "code", "cli-life", "--minutes", "5", "--directory", server.directory)
    code = made.stdout.strip()
    assert re.fullmatch(r"([A-Z2-7]{4}-){3}[A-Z2-7]{4}\.([A-Z2-7]{4}-){5}[A-Z2-7]{4}", code)
    wrong = run_steno("host", "enrol", server.url, code, "--name", "other")
    check_error(wrong, 12, "the code is for host cli-life, not for other")
    state = tmp_path / "state"
    options = ["--name", "cli-life", "--also", "https://192.0.2.1:8040", "--host-directory"]
    done = run_steno("host", "enrol", server.url, "-", *options, state, stdin=code + "\n")
    assert done.returncode == 0, done.stderr
    assert "with a client certificate and a token" in done.stdout
    status = json.loads(run_steno("host", "status", "--json", "--host-directory", state).stdout)
    assert status["servers"] == [server.url, "https://192.0.2.1:8040"]
    assert (status["host"], status["certificate_is_valid"]) == ("cli-life", True)
    assert "cli-life" in run_steno("host", "status", "--host-directory", state).stdout
    again = run_steno("host", "enrol", server.url, code, "--name", "cli-life")
    check_error(again, 12, "unknown, used or expired")
    assert "cli-life" in run_steno("host", "list", "--directory", server.directory).stdout
    run_steno("host", "revoke", "cli-life", "--directory", server.directory)
    rows = run_steno("host", "list", "--json", "--directory", server.directory).stdout.splitlines()
    [row] = [row for row in map(json.loads, rows) if row["name"] == "cli-life"]
    assert row["revoked_unix_us"] > row["enrolled_unix_us"]
    unknown = run_steno("host", "revoke", "nobody", "--directory", server.directory)
    check_error(unknown, 5, "no host nobody is enrolled")


def test_init_says_what_it_made_and_keeps_the_ca(tmp_path: Path) -> None:
    """The CA's fingerprint is that of the codes, and stays when the certificate is renewed."""
    first = run_steno("server", "init", "steno.example", "--directory", tmp_path)
    second = run_steno("server", "init", "--directory", tmp_path)
    assert (first.returncode, second.returncode) == (0, 0)
    [print_] = re.findall(r"(?:[A-Z2-7]{4}-){5}[A-Z2-7]{4}", first.stdout)
    assert print_ in second.stdout
    assert "(new)" in first.stdout
    assert "(new)" not in second.stdout
    assert "localhost" in second.stdout
    code = run_steno("host", "code", "--directory", tmp_path).stdout.strip()
    assert code.endswith("." + print_)
    check_error(run_steno("server", "init", "a b", "--directory", tmp_path), 2, "a server's name")


def test_following_outlives_who_started_it_just_long_enough(
    server: LiveServer, host: Path, tmp_path: Path
) -> None:
    """With --until-eof, a recorder's death closes its recording, delivers it, and ends delivery."""
    spool = Spool(tmp_path / "spool")
    places = ["--spool", str(spool.directory), "--host-directory", str(host)]
    follower = subprocess.Popen(
        [*STENO, "deliver", *places, "--follow", "--until-eof", "--json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        file = spool.begin("cli-until")
        line = make_lines("cli-until", 1)[0]
        file.append(line)
        wait_for(lambda: spool.delivered_bytes("cli-until") >= len(line), "the first line")
        file.close()
        told, _ = follower.communicate(timeout=60)
        assert follower.returncode == 0
        assert json.loads(told)["delivered"] == ["cli-until"]
        stored = server.stored()["cli-until"][1]
        assert stored.startswith(line)
        assert b'"torn"' in stored
    finally:
        follower.kill()
        follower.wait(60)
