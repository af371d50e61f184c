"""Whatever may be wrong with a server, the host says it in one line of the right kind."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from https_server import LONG_AGO, HttpsServer
from ports import HeldPort

from steno.delivery.credentials import Credentials, client_context, load, save
from steno.delivery.enrolment import enrol
from steno.delivery.protocol import Answer, Durable, Failure
from steno.delivery.transport import HttpTransport
from steno.errors import (
    ConfigError,
    ProtocolError,
    RefusedError,
    StenoError,
    UnreachableError,
    UsageError,
)
from steno.server.certificates import Authority


@contextmanager
def answering(answer: bytes) -> Iterator[int]:
    """Answer every connection on loopback with these bytes and end it; yield the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection, suppress(OSError):
                    connection.recv(65536)
                    connection.sendall(answer)
                    connection.shutdown(socket.SHUT_WR)
                    # All that was asked: closing before that would reset the connection.
                    while connection.recv(65536):
                        pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def ask(url: str, ca: bytes | None = None, *, timeout_s: float = 60) -> Answer:
    """Append to the server at `url`, trusting `ca` only."""
    context = ssl.create_default_context(cadata=ca.decode() if ca else None)
    transport = HttpTransport(url, context, "token", timeout_s=timeout_s)
    try:
        return transport.append("r", 0, b"abc")
    finally:
        transport.close()


def check(answer: Answer, kind: type[StenoError], text: str) -> None:
    """Check that `answer` is a failure of this kind, told in one line with this text."""
    assert isinstance(answer, Failure), answer
    assert type(answer.error) is kind, answer.error
    assert text in str(answer.error)
    assert "\n" not in str(answer.error)


def test_nothing_listens() -> None:
    """A refused connection is told as such."""
    with HeldPort() as port:
        answer = ask(f"http://127.0.0.1:{port.number}")
    check(answer, UnreachableError, "nothing listens there")


def test_a_name_that_does_not_exist() -> None:
    """A name that cannot be resolved is told as such."""
    check(ask("https://no-such-host.invalid"), UnreachableError, "its name is unknown")


def test_a_server_that_never_answers() -> None:
    """Silence ends at the time-out."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        answer = ask(f"http://127.0.0.1:{port}", timeout_s=0.2)
    check(answer, UnreachableError, "no answer in time")


@pytest.mark.parametrize(
    ("answer", "kind", "text"),
    [
        (b"", UnreachableError, "broke off"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", UnreachableError, "broke off"),
        (b"220 mail.example ESMTP\r\n\r\n", ProtocolError, "no HTTP"),
        (b"\x00\xff" * 100, ProtocolError, "no HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", ProtocolError, "names no offset"),
        (b"HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n", ProtocolError, "it answers 302"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 200_000, ProtocolError, "names no offset"),
    ],
)
def test_nonsense_is_told_as_nonsense(answer: bytes, kind: type[StenoError], text: str) -> None:
    """Another service, a cut answer and an endless one are no Steno server."""
    with answering(answer) as port:
        check(ask(f"http://127.0.0.1:{port}"), kind, text)


def test_a_server_without_tls() -> None:
    """HTTPS to something that speaks plain HTTP is told as such."""
    with answering(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n") as port:
        check(ask(f"https://127.0.0.1:{port}"), ProtocolError, "does not speak TLS")


def test_servers_whose_certificate_cannot_be_trusted(tmp_path: Path) -> None:
    """Expired, for another name, from another CA: each is refused, and named."""
    with HttpsServer(tmp_path / "1", issued=LONG_AGO) as server:
        check(ask(server.url, server.authority.pem), RefusedError, "certificate has expired")
    with HttpsServer(tmp_path / "2", names=["steno.example"]) as server:
        check(ask(server.url, server.authority.pem), RefusedError, "not valid for '127.0.0.1'")
        other = Authority.create("Other CA")
        check(ask(server.url, other.pem), RefusedError, "cannot be trusted")
        check(ask(server.url), RefusedError, "cannot be trusted")


def test_large_and_small_bodies_arrive(tmp_path: Path) -> None:
    """What goes out compressed or plain is stored as it was."""
    with HttpsServer(tmp_path / "s") as server:
        token = server.registry.enrol(server.registry.make_code().code, "web1", None)
        context = ssl.create_default_context(cadata=server.authority.pem.decode())
        transport = HttpTransport(server.url, context, token)
        parts = [b"a", b"", b"b" * 255, b"c" * 256, bytes(range(256)) * 4000]
        offset_bytes = 0
        for part in parts:
            answer = transport.append("r", offset_bytes, part)
            offset_bytes += len(part)
            assert answer == Durable(offset_bytes)
        transport.close()
        assert b"".join(server.store.read("r")) == b"".join(parts)


# Enrolment and credentials.


def test_enrolment_trusts_only_the_ca_that_the_code_names(tmp_path: Path) -> None:
    """A server with another CA never sees the code's secret; the code stays good."""
    with HttpsServer(tmp_path / "1") as good, HttpsServer(tmp_path / "2") as other:
        code = good.registry.make_code().code
        with pytest.raises(RefusedError, match="not the server that the code is for"):
            enrol(other.url, code, "web1")
        credentials = enrol(good.url, code, "web1")
        assert credentials.ca == good.authority.pem
        with pytest.raises(RefusedError, match="unknown, used or expired"):
            enrol(good.url, code, "web2")
        secret = good.registry.make_code().code.partition(".")[0]
        with pytest.raises(RefusedError, match="cannot be trusted"):
            enrol(good.url, secret, "web2")
        assert enrol(good.url, secret, "web2", ca=good.authority.pem).host == "web2"


def test_enrolment_says_what_is_wrong(tmp_path: Path) -> None:
    """A bad name, a bad address, and a server that is none each have their error."""
    with HttpsServer(tmp_path / "1") as server:
        code = server.registry.make_code().code
        with pytest.raises(RefusedError, match="cannot be a host's name"):
            enrol(server.url, code, "a b")
    with pytest.raises(UsageError):
        enrol("http://steno.example", code, "web1")
    with (
        answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") as port,
        pytest.raises(ProtocolError, match="cannot be read"),
    ):
        enrol(f"http://127.0.0.1:{port}", "CODE", "web1")
    with (
        answering(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n") as port,
        pytest.raises(ProtocolError, match="no Steno server"),
    ):
        enrol(f"http://127.0.0.1:{port}", "CODE", "web1")


def test_credentials_are_kept_for_their_user_only(tmp_path: Path) -> None:
    """What is saved is loaded; files have mode 0600, the directory 0700."""
    directory = tmp_path / "state" / "host"
    credentials = Credentials("web1", ("https://a", "https://b"), "secret", b"k", b"c", b"ca")
    save(directory, credentials)
    assert load(directory) == credentials
    save(directory, Credentials("web1", ("https://a",), "other"))
    assert load(directory) == Credentials("web1", ("https://a",), "other")
    assert directory.stat().st_mode & 0o777 == 0o700
    assert {item.stat().st_mode & 0o777 for item in directory.iterdir()} == {0o600}


def test_missing_and_damaged_credentials_are_named(tmp_path: Path) -> None:
    """A host that is not enrolled learns how to; damage is told with its place."""
    with pytest.raises(ConfigError, match="steno host enrol"):
        load(tmp_path / "none")
    damaged = Credentials("web1", ("https://a",), "t", b"k", b"c", b"not pem")
    save(tmp_path / "host", damaged)
    with pytest.raises(ConfigError, match="damaged"):
        client_context(damaged, tmp_path / "host")
    (tmp_path / "host" / "host.json").write_text("{")
    with pytest.raises(ConfigError, match="damaged"):
        load(tmp_path / "host")
