"""Servers that answer nonsense, refuse or take too much: one line, a code, nothing lost or done."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from live_server import STENO, LiveServer, check_refusal, run_steno
from nonsense_server import NonsenseServer, http_answer
from recorded_lines import fill_spool

from steno.delivery.credentials import Credentials, save

JSON = "Content-Type: application/json"
PROBLEM = "Content-Type: application/problem+json"


READ = [
    (b"\x00\xff220 mail.example ESMTP\r\n", 13, "answers something that is no HTTP"),
    (b"", 11, "broke off in the middle of a request"),
    (http_answer("200 OK", b"<html>It works!</html>"), 13, "answers nonsense"),
    (http_answer("200 OK", b"null", JSON), 13, "answers nonsense"),
    (http_answer("200 OK", b"[" * 100_000, JSON), 13, "answers nonsense"),
    (http_answer("200 OK", b'{"items":[{"rec":5}]}', JSON), 13, "answers nonsense"),
    (http_answer("200 OK", b'{"items":"\xff"}', JSON), 13, "answers nonsense"),
    (http_answer("200 OK", b'{"items":[],"cursor":"\xff"}', JSON), 13, "answers nonsense"),
    (http_answer("200 OK", b"not packed", JSON, "Content-Encoding: gzip"), 13, "cannot be decoded"),
    (http_answer("302 Found", b"", "Location: https://192.0.2.1/"), 13, "HTTP status 302"),
    (http_answer("401 No", b'{"detail":"go\\n\\u001b[2J"}', PROBLEM), 12, r"go\n\x1b[2J"),
    (http_answer("404 None", b"", JSON), 5, "HTTP status 404"),
    (http_answer("429 Wait", b'{"detail":"slowly"}', PROBLEM), 11, "slowly"),
    (http_answer("500 Oh", b"oops"), 13, "HTTP status 500"),
    (http_answer("503 Oh", b'{"detail":"damaged"}', PROBLEM), 9, "damaged"),
    (http_answer("200 OK", b"12345").replace(b"5\r\n", b"500\r\n"), 11, "broke off"),
]


@pytest.mark.parametrize(("answer", "code", "text"), READ, ids=range(len(READ)))
def test_readers_tell_what_a_server_says(answer: bytes, code: int, text: str) -> None:
    """Listing against a server that answers so ends with this code and one line with its name."""
    with NonsenseServer(answer) as server:
        check_refusal(run_steno("ls", "--server", server.url), code, server.url, text)
        done = run_steno("cat", f"{server.url}/recordings/abc")
        assert done.returncode == code
        assert done.stdout == ""


def test_an_endless_answer_is_cut_off() -> None:
    """A server cannot fill the memory of who asks it."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"
    with NonsenseServer(head + b" " * 1_000_000, repeats=80) as server:
        check_refusal(run_steno("ls", "--server", server.url), 13, "answers more than 67108864")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory ca/ with a CA's and a server's certificate."""
    directory = tmp_path_factory.mktemp("certificates")
    run_steno("server", "init", "127.0.0.1", "--directory", directory)
    return directory / "ca"


DELIVERED = [
    (b"\x00\xff220 mail.example ESMTP\r\n", 13, "answers something that is no HTTP"),
    (http_answer("200 OK", b"<html>It works!</html>"), 13, "is no Steno server"),
    (http_answer("200 OK", b'{"offset":-5}', JSON), 13, "has -5 bytes of recording r-1"),
    (http_answer("200 OK", b'{"offset":9e99}', JSON), 13, "is no Steno server"),
    (http_answer("401 No", b'{"detail":"go"}', PROBLEM), 12, "refuses this host (401): go"),
    (http_answer("404 None", b"", JSON), 13, "it answers 404"),
    (http_answer("413 Much", b"{}", PROBLEM), 13, "does not even take"),
    (http_answer("507 Full", b"{}", PROBLEM, "Retry-After: 60"), 10, "has no room"),
]


@pytest.mark.parametrize(("answer", "code", "text"), DELIVERED, ids=range(len(DELIVERED)))
def test_deliveries_end_and_keep_everything(
    certificates: Path, tmp_path: Path, answer: bytes, code: int, text: str
) -> None:
    """Whatever a server answers, delivering by hand ends, says why, and the spool stays whole."""
    written = fill_spool(tmp_path / "spool", ["r-1"])
    with NonsenseServer(answer, certificates=certificates) as server:
        ca = (certificates / "ca.pem").read_bytes()
        save(tmp_path / "host", Credentials("h1", (server.url,), "token", ca=ca))
        places = ["--spool", tmp_path / "spool", "--host-directory", tmp_path / "host"]
        done = run_steno("deliver", *places)
    check_refusal(done, code, text)
    assert (tmp_path / "spool" / "r-1.done").read_bytes() == written["r-1"]


def test_enrolment_needs_a_real_server_and_room(certificates: Path, tmp_path: Path) -> None:
    """Nonsense enrols nobody; a wrong directory is found before the code is used."""
    options = ["--ca", certificates / "ca.pem", "--name", "h1"]
    with NonsenseServer(http_answer("200 OK", b"{}", JSON), certificates=certificates) as server:
        enrol = ["host", "enrol", server.url, "CODE", *options, "--host-directory"]
        check_refusal(run_steno(*enrol, tmp_path / "host"), 13, "cannot be read")
        assert list((tmp_path / "host").iterdir()) == []
        (tmp_path / "file").touch()
        asked = server.requests
        check_refusal(run_steno(*enrol, tmp_path / "file" / "host"), 9, "Not a directory")
        shared = tmp_path / "shared"
        shared.mkdir(mode=0o755)
        (shared / "notes.txt").touch()
        check_refusal(run_steno(*enrol, shared), 9, "shared: holds notes.txt, which is not Steno's")
        assert server.requests == asked
        assert shared.stat().st_mode & 0o777 == 0o755


def test_a_server_of_an_unknown_authority_is_refused_with_what_helps(
    certificates: Path, tmp_path: Path
) -> None:
    """Who did not name the authority is told how."""
    with NonsenseServer(http_answer("200 OK", b"{}", JSON), certificates=certificates) as server:
        reading = run_steno("ls", "--server", server.url)
        check_refusal(reading, 12, "cannot be trusted", "--ca FILE names the CA")
        enrol = ["host", "enrol", server.url, "CODE", "--host-directory", tmp_path / "host"]
        check_refusal(run_steno(*enrol), 12, "cannot be trusted", "give the whole code")


def test_a_spool_that_is_not_there_is_named(tmp_path: Path) -> None:
    """A mistyped directory is no empty spool, and none is made of it."""
    mistyped = tmp_path / "spol"
    check_refusal(run_steno("deliver", "--spool", mistyped), 5, "spol: there is no spool")
    assert not mistyped.exists()


def test_files_with_no_token_or_certificate_are_named(tmp_path: Path) -> None:
    """What --token-file and --ca name must be there, and be one."""
    (tmp_path / "odd").write_text("two words\n")
    ls = ["ls", "--server", "https://127.0.0.1:1"]
    missing = tmp_path / "none"
    check_refusal(run_steno(*ls, "--token-file", missing), 3, "none: no token: No such file")
    check_refusal(run_steno(*ls, "--token-file", tmp_path / "odd"), 3, "this file holds no token")
    check_refusal(run_steno(*ls, "--ca", missing), 3, "none: no certificate: No such file")
    check_refusal(run_steno(*ls, "--ca", tmp_path / "odd"), 3, "odd: no certificate there")


def test_what_was_revoked_is_refused(tmp_path: Path) -> None:
    """A revoked API token reads nothing more, a revoked host delivers nothing more."""
    with LiveServer(tmp_path) as server:
        directory = ["--directory", server.directory]
        run_steno("user", "add", "ada", "--role", "admin", "--no-password", *directory)
        token = run_steno("token", "add", "ada", *directory).stdout
        (tmp_path / "token").write_text(token)
        reach = ["--token-file", tmp_path / "token", "--ca", server.directory / "ca/ca.pem"]
        assert run_steno("ls", "--server", server.url, *reach).returncode == 0
        listed = run_steno("token", "list", *directory).stdout.splitlines()[1].split()[0]
        run_steno("token", "revoke", listed, *directory)
        ls = run_steno("ls", "--server", server.url, *reach)
        check_refusal(ls, 12, "the token is unknown, expired or revoked")
        host = server.enrol("h1", tmp_path / "host")
        run_steno("host", "revoke", "h1", *directory)
        rec = ["rec", "--quiet", "--spool", tmp_path / "spool", "--host-directory", host]
        done = subprocess.run(
            [*STENO, *map(str, rec), "--to", "server", "--", "true"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0
        assert "host h1 was revoked; the recording waits in" in done.stderr
        [left] = (tmp_path / "spool").glob("*.done")
        assert run_steno("verify", left).returncode == 0
