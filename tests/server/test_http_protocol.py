"""What anybody may send without being known: bounded in size and in time."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from steno.server import http_protocol
from steno.server.http_protocol import HEAD_LIMIT_BYTES, BoundedHttpProtocol

MUCH = 8 * HEAD_LIMIT_BYTES + (1 << 20)
"""More than any buffer on the way to the server holds, too."""


async def _count(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"{len(await request.body())} bytes")


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A server's port on loopback; heads may take as long as a busy machine does."""
    monkeypatch.setattr(http_protocol, "HEAD_WAIT_S", 60.0)
    app = Starlette(routes=[Route("/", _count, methods=["GET", "POST"])])
    config = uvicorn.Config(app, http=BoundedHttpProtocol, log_level="critical", lifespan="off")
    server = uvicorn.Server(config)
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    yield listening.getsockname()[1]
    server.should_exit = True
    thread.join(60)


def exchange(port: int, *pieces: bytes) -> bytes:
    """Send pieces until the server has enough; return what it answers before it hangs up."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
        except OSError:
            pass
        answer = b""
        try:
            while piece := connection.recv(65536):
                answer += piece
        except ConnectionResetError:
            pass
        return answer


def test_requests_go_through(port: int) -> None:
    """Long but bearable heads, bodies of any size, and several requests on one connection."""
    head = b"POST / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 30_000
    body = b"x" * 1_000_000
    first = head + b"\r\nContent-Length: 1000000\r\n\r\n" + body
    chunked = (
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    )
    second = chunked + b"f4240\r\n" + body + b"\r\n3\r\nabc\r\n0\r\nTrailer: yes\r\n\r\n"
    answer = exchange(port, first, second)
    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert b"1000000 bytes" in answer
    assert b"1000003 bytes" in answer


@pytest.mark.parametrize(
    "piece", [b"X: " + b"a" * 1000 + b"\r\n", b"a"], ids=["many headers", "one header"]
)
def test_endless_heads_are_refused(port: int, piece: bytes) -> None:
    """Nobody makes the server hold more than a bearable head."""
    head = b"GET / HTTP/1.1\r\nHost: x\r\nY: "
    assert exchange(port, head, piece * (MUCH // len(piece))).startswith(b"HTTP/1.1 431 ")


def test_an_endless_address_is_refused(port: int) -> None:
    """The same for what is asked for."""
    assert exchange(port, b"GET /", b"a" * MUCH).startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize(
    "piece", [b"X: " + b"a" * 1000 + b"\r\n", b"a"], ids=["many trailers", "one trailer"]
)
def test_endless_trailers_are_broken_off(port: int, piece: bytes) -> None:
    """What follows a body is bounded like what comes before it."""
    head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nT: "
    assert b"200 OK" not in exchange(port, head, piece * (MUCH // len(piece)), b"\r\n\r\n")


@pytest.mark.parametrize("begun", [b"", b"GET / HTTP/1.1\r\nHost: x\r\n"], ids=["none", "half"])
def test_a_head_that_does_not_come_is_not_waited_for(
    port: int, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    """A connection that asks for nothing is hung up on."""
    monkeypatch.setattr(http_protocol, "HEAD_WAIT_S", 0.5)
    begun_s = time.monotonic()
    assert exchange(port, begun) == b""
    assert time.monotonic() - begun_s >= 0.4


def test_an_answer_may_take_longer_than_a_head(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only heads are hurried: a body may come slowly."""
    # A machine that stands still may make the head come too late: then with more patience.
    for wait_s in (0.5, 2.0, 8.0):
        monkeypatch.setattr(http_protocol, "HEAD_WAIT_S", wait_s)
        if b"3 bytes" in post_slowly(port, wait_s):
            return
    pytest.fail("a slow body is hung up on")


def post_slowly(port: int, longer_than_s: float) -> bytes:
    """Send a body that takes longer than that; return what is answered."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        try:
            connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n")
            for piece in (b"a", b"b", b"c"):
                time.sleep(longer_than_s * 0.6)
                connection.sendall(piece)
            answer = b""
            while b"bytes" not in answer and (piece := connection.recv(65536)):
                answer += piece
        except OSError:
            return b""
        return answer
