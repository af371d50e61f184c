"""A host whose certificate has expired, and its courier."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from live_server import STENO, LiveServer, run_steno
from waiting import wait_for

from steno.delivery.credentials import Credentials, expiry, load, make_request, save
from steno.server.certificates import Authority, CertificateFiles
from steno.server.enrolment import open_registry
from steno.store.accounts_file import AccountsFile


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    """A running server."""
    with LiveServer(tmp_path) as server:
        yield server


def enrol_long_ago(server: LiveServer, directory: Path) -> None:
    """Enrol a host as if its certificate had been made long ago."""
    authority = Authority.load(CertificateFiles(server.directory / "ca"))
    assert authority is not None
    file = AccountsFile(server.directory / "accounts.sqlite")
    registry = open_registry(file, authority)
    key, request = make_request("web1")
    made = datetime.now(UTC) - timedelta(days=800)
    pem, issued = authority.issue_host(request, "web1", made)
    token = registry.enrol(registry.make_code().code, "web1", issued)
    file.close()
    save(directory, Credentials("web1", (server.url,), token, key, pem, authority.pem))


def test_its_token_serves_and_it_gets_a_new_one_by_itself(
    server: LiveServer, tmp_path: Path
) -> None:
    """One line says when it expired, another until when the new one is good."""
    directory = tmp_path / "host"
    enrol_long_ago(server, directory)
    assert "not valid now" in run_steno("host", "status", "--host-directory", directory).stdout
    places = ["--spool", str(tmp_path / "spool"), "--host-directory", str(directory)]
    places += ["--agent-socket", str(tmp_path / "none")]
    log = tmp_path / "courier.log"
    with log.open("wb") as errors:
        courier = subprocess.Popen([*STENO, "deliver", "--follow", *places], stderr=errors)
    wait_for(
        lambda: courier.poll() is not None or b"is renewed, until" in log.read_bytes(),
        "a new certificate",
    )
    assert courier.poll() is None, log.read_text()
    courier.terminate()
    assert courier.wait(60) == 0
    first, second = log.read_text().splitlines()
    assert first.startswith("steno: this host's certificate expired on ")
    assert "the token alone is shown" in first
    assert second.startswith("steno: this host's certificate is renewed, until ")
    until = expiry(load(directory))
    assert until is not None
    assert until > datetime.now(UTC) + timedelta(days=700)
    assert "not valid now" not in run_steno("host", "status", "--host-directory", directory).stdout
    with log.open("wb") as errors:
        delivered = subprocess.run([*STENO, "deliver", *places[:4]], stderr=errors, check=False)
    assert (delivered.returncode, log.read_text()) == (0, "")
