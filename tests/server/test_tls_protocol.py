"""Client certificates over real TLS: a good one tells who the host is, a bad one is refused."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from https_server import LONG_AGO, HttpsServer

from steno.delivery.credentials import (
    Credentials,
    client_context,
    is_certificate_valid,
    make_request,
    save,
)
from steno.delivery.enrolment import enrol
from steno.delivery.protocol import Answer, Durable, Failure
from steno.delivery.transport import HttpTransport
from steno.errors import RefusedError
from steno.server.certificates import Authority


@pytest.fixture(params=["uvloop", "asyncio"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[HttpsServer]:
    """A server on each of the event loops that uvicorn offers."""
    with HttpsServer(tmp_path / "server", loop=request.param) as server:
        yield server


def enrolled(server: HttpsServer, host: str, directory: Path) -> Credentials:
    """Enrol a host and keep its credentials."""
    credentials = enrol(server.url, server.registry.make_code().code, host)
    save(directory, credentials)
    return credentials


def context_with(server: HttpsServer, directory: Path, key: bytes, pem: bytes) -> ssl.SSLContext:
    """Return a context that trusts the server and shows this certificate, good or not."""
    (directory / "k.pem").write_bytes(key)
    (directory / "c.pem").write_bytes(pem)
    context = ssl.create_default_context(cadata=server.authority.pem.decode())
    context.load_cert_chain(directory / "c.pem", directory / "k.pem")
    return context


def ask(server: HttpsServer, context: ssl.SSLContext, token: str | None) -> Answer:
    """Append three bytes; return what came of it."""
    transport = HttpTransport(server.url, context, token)
    try:
        return transport.append("r", 0, b"abc")
    finally:
        transport.close()


def refusal(answer: Answer) -> str:
    """Return the text of the refusal that `answer` must be."""
    assert isinstance(answer, Failure)
    assert isinstance(answer.error, RefusedError)
    return str(answer.error)


def test_a_certificate_alone_is_enough(server: HttpsServer, tmp_path: Path) -> None:
    """A host is known by its certificate without a token, on every request of a connection."""
    directory = tmp_path / "host"
    credentials = enrolled(server, "web1", directory)
    transport = HttpTransport(server.url, client_context(credentials, directory), None)
    assert transport.append("r", 0, b"abc") == Durable(3)
    assert transport.append("r", 3, b"def" * 200) == Durable(603)
    assert transport.offset("r") == Durable(603)
    transport.close()
    assert server.store.sender_of("r") == "web1"


def test_a_token_alone_is_enough(server: HttpsServer, tmp_path: Path) -> None:
    """A host without a certificate is asked for none, and known by its token."""
    credentials = enrolled(server, "web1", tmp_path / "host")
    context = client_context(credentials, None)
    assert ask(server, context, credentials.token) == Durable(3)
    assert "401" in refusal(ask(server, context, None))


def test_token_and_certificate_must_be_one_hosts(server: HttpsServer, tmp_path: Path) -> None:
    """A stolen token is worth nothing over another host's connection."""
    first = enrolled(server, "web1", tmp_path / "1")
    second = enrolled(server, "web2", tmp_path / "2")
    assert "401" in refusal(ask(server, client_context(first, tmp_path / "1"), second.token))


def test_a_revoked_hosts_certificate_is_refused(server: HttpsServer, tmp_path: Path) -> None:
    """Revoking works at once, though the certificate has not expired."""
    credentials = enrolled(server, "web1", tmp_path / "1")
    server.registry.revoke("web1")
    text = refusal(ask(server, client_context(credentials, tmp_path / "1"), None))
    assert "web1 was revoked" in text


def test_a_replaced_certificate_is_refused(server: HttpsServer, tmp_path: Path) -> None:
    """Once a host has enrolled again, its former certificate is nobody's."""
    former = enrolled(server, "web1", tmp_path / "1")
    enrol(server.url, server.registry.make_code("web1").code, "web1")
    text = refusal(ask(server, client_context(former, tmp_path / "1"), None))
    assert "no host" in text


@pytest.mark.parametrize("issued", [None, LONG_AGO])
def test_certificates_that_tls_refuses(
    server: HttpsServer, tmp_path: Path, issued: datetime | None
) -> None:
    """One that expired, or comes from another CA, ends the connection with a clear error."""
    key, request = make_request("web1")
    authority = server.authority if issued else Authority.create("Other CA")
    pem, _ = authority.issue_host(request, "web1", issued)
    text = refusal(ask(server, context_with(server, tmp_path, key, pem), None))
    assert "refuses this host's certificate" in text
    assert ("expired" if issued else "unknown ca") in text


def test_a_servers_certificate_is_no_hosts(server: HttpsServer, tmp_path: Path) -> None:
    """What the CA issued for a server does not open the door to hosts' routes."""
    key, pem = server.authority.issue_server(["web1"])
    text = refusal(ask(server, context_with(server, tmp_path, key, pem), None))
    assert "refuses this host's certificate" in text


def test_an_expired_certificate_is_not_shown(server: HttpsServer, tmp_path: Path) -> None:
    """A host whose certificate has expired still delivers with its token."""
    credentials = enrolled(server, "web1", tmp_path / "1")
    key, request = make_request("web1")
    pem, _ = server.authority.issue_host(request, "web1", LONG_AGO)
    expired = Credentials("web1", (server.url,), credentials.token, key, pem, credentials.ca)
    save(tmp_path / "1", expired)
    assert not is_certificate_valid(expired, datetime.now(LONG_AGO.tzinfo))
    assert ask(server, client_context(expired, tmp_path / "1"), credentials.token) == Durable(3)
