"""Hosts enrol once per code, are known by what they were given, and can be refused."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from steno.errors import NotFoundError, RefusedError, UsageError
from steno.store.accounts_file import AccountsFile
from steno.store.hosts import HostRegistry, IssuedCertificate


class Clock:
    """A calendar that the test moves."""

    def __init__(self) -> None:
        self.now_us = 1_700_000_000_000_000

    def __call__(self) -> int:
        """Read the clock."""
        return self.now_us


@pytest.fixture
def clock() -> Clock:
    """The calendar of `registry`."""
    return Clock()


@pytest.fixture
def registry(tmp_path: Path, clock: Clock) -> Iterator[HostRegistry]:
    """An empty registry whose codes name a CA."""
    file = AccountsFile(tmp_path / "accounts.sqlite")
    yield HostRegistry(file, ca_fingerprint="ABCD-EFGH", clock=clock)
    file.close()


def test_a_code_enrols_once(registry: HostRegistry) -> None:
    """The token that a code brings is the host's; the code is used up."""
    code = registry.make_code().code
    assert code.endswith(".ABCD-EFGH")
    token = registry.enrol(code, "web1", None)
    host = registry.by_token(token)
    assert host is not None
    assert host.name == "web1"
    with pytest.raises(RefusedError, match="unknown, used or expired"):
        registry.enrol(code, "web2", None)
    assert [host.name for host in registry.hosts()] == ["web1"]


def test_a_code_may_be_typed_carelessly(registry: HostRegistry) -> None:
    """Hyphens, spaces, letters' case and the CA's name do not matter."""
    code = registry.make_code().code
    typed = code.partition(".")[0].lower().replace("-", " ")
    registry.enrol(typed, "web1", None)


def test_an_expired_code_is_refused(registry: HostRegistry, clock: Clock) -> None:
    """After its time a code is worth nothing, and the host is not entered."""
    code = registry.make_code(valid_us=1000)
    clock.now_us += 1000
    assert code.expires_unix_us == clock.now_us
    with pytest.raises(RefusedError):
        registry.enrol(code.code, "web1", None)
    assert registry.hosts() == []


def test_a_code_for_one_host_serves_no_other(registry: HostRegistry) -> None:
    """A refused attempt leaves the code good for the host that it was made for."""
    code = registry.make_code("web1").code
    with pytest.raises(RefusedError, match="for host web1"):
        registry.enrol(code, "web2", None)
    registry.enrol(code, "web1", None)


def test_a_name_is_not_taken_over(registry: HostRegistry) -> None:
    """Only a code made for a host enrols it again; then its former token is worth nothing."""
    first = registry.enrol(registry.make_code().code, "web1", None)
    with pytest.raises(RefusedError, match="enrolled already"):
        registry.enrol(registry.make_code().code, "web1", None)
    second = registry.enrol(registry.make_code("web1").code, "web1", None)
    assert registry.by_token(first) is None
    assert registry.by_token(second) is not None


def test_a_revoked_host_is_marked_and_may_enrol_again(registry: HostRegistry, clock: Clock) -> None:
    """Revoking keeps the host's row; a new code made for it lets it come back."""
    token = registry.enrol(registry.make_code().code, "web1", None)
    assert registry.revoke("web1").revoked_unix_us == clock.now_us
    clock.now_us += 1
    assert registry.revoke("web1").revoked_unix_us == clock.now_us - 1
    host = registry.by_token(token)
    assert host is not None
    assert host.revoked_unix_us is not None
    with pytest.raises(RefusedError):
        registry.enrol(registry.make_code().code, "web1", None)
    registry.enrol(registry.make_code("web1").code, "web1", None)
    assert registry.find("web1").revoked_unix_us is None
    with pytest.raises(NotFoundError):
        registry.revoke("web9")


def test_a_certificate_names_its_host(registry: HostRegistry) -> None:
    """A host is found by the certificate it was given, and by no other."""
    registry.enrol(registry.make_code().code, "web1", IssuedCertificate(b"der", "2a"))
    host = registry.by_certificate(b"der")
    assert host is not None
    assert (host.name, host.certificate_serial) == ("web1", "2a")
    assert registry.by_certificate(b"other") is None


def test_last_seen_is_kept_but_not_on_every_request(registry: HostRegistry, clock: Clock) -> None:
    """It is written at first and then every 15 seconds or so."""
    registry.enrol(registry.make_code().code, "web1", None)
    assert registry.find("web1").last_seen_unix_us is None
    first_us = clock.now_us
    registry.saw("web1")
    clock.now_us += 5_000_000
    registry.saw("web1")
    assert registry.find("web1").last_seen_unix_us == first_us
    clock.now_us += 10_000_000
    registry.saw("web1")
    assert registry.find("web1").last_seen_unix_us == clock.now_us


@pytest.mark.parametrize("name", ["", "-a", "a b", "a/b", "ä", "a" * 254, "a\n"])
def test_a_strange_name_is_refused(registry: HostRegistry, name: str) -> None:
    """What cannot be a host's name is neither given a code nor enrolled."""
    with pytest.raises(UsageError):
        registry.make_code(name)
    with pytest.raises(UsageError):
        registry.enrol(registry.make_code().code, name, None)


def test_no_secret_is_in_the_file(registry: HostRegistry, tmp_path: Path) -> None:
    """Who reads the database finds neither tokens nor codes."""
    code = registry.make_code().code
    token = registry.enrol(registry.make_code().code, "web1", None)
    dump = "\n".join(sqlite3.connect(tmp_path / "accounts.sqlite").iterdump())
    assert token not in dump
    assert token.removeprefix("steno_host_") not in dump
    secret = code.partition(".")[0]
    assert secret not in dump
    assert secret.replace("-", "") not in dump
