"""A server on loopback that answers every request with the same bytes, or breaks off."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import threading
from pathlib import Path
from types import TracebackType


def http_answer(status: str, body: bytes = b"", *headers: str) -> bytes:
    """Return an answer, with its length; `status` is like "200 OK"."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def read_request(connection: socket.socket) -> None:
    """Read one request to its end: closing before that would reset the connection."""
    request = b""
    while b"\r\n\r\n" not in request:
        request += connection.recv(65536) or b"\r\n\r\n"
    head, _, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    left = int(length[1]) - len(body) if length else 0
    while left > 0 and (piece := connection.recv(65536)):
        left -= len(piece)


class NonsenseServer:
    """Serves until the `with` block ends; HTTPS where `certificates` are given.

    Args:
        answer: What it says to everything.
        certificates: A directory with server.pem and server.key.
        repeats: How often it says it in one answer.
    """

    def __init__(
        self, answer: bytes, *, certificates: Path | None = None, repeats: int = 1
    ) -> None:
        self._answer = answer
        self._repeats = repeats
        self._tls: ssl.SSLContext | None = None
        if certificates is not None:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificates / "server.pem", certificates / "server.key")
        self._listener = socket.create_server(("127.0.0.1", 0))
        scheme = "http" if certificates is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"
        self.requests = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._speak, args=(connection,), daemon=True).start()

    def _speak(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            stack.enter_context(connection)
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
                stack.enter_context(connection)
            read_request(connection)
            self.requests += 1
            for _ in range(self._repeats):
                connection.sendall(self._answer)

    def __enter__(self) -> NonsenseServer:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Closing alone would not wake the thread that waits for connections.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)
