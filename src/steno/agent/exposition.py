"""Showing the agent's numbers to Prometheus: on a socket, or in the node exporter's directory."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from steno.agent.configuration import MetricsPlaces
from steno.agent.loop import READABLE, WRITABLE, Loop
from steno.agent.sockets import listen
from steno.errors import AddressInUseError, StoreError
from steno.metrics import CONTENT_TYPE

_EVERY_US = 15_000_000
_REQUEST_BYTES = 8192
_PATIENCE_US = 5_000_000
_MOST_CONNECTIONS = 16

log = logging.getLogger("steno.agent")


class Exposition:
    """Serves the numbers wherever the configuration says. Owns its sockets."""

    def __init__(self, loop: Loop, places: MetricsPlaces, expose: Callable[[], str]) -> None:
        """Begin to serve.

        Raises:
            AddressInUseError: Somebody else listens there.
            StoreError: A socket cannot be made.
        """
        self._loop = loop
        self._expose = expose
        self._textfile = Path(places.textfile) if places.textfile else None
        self._listeners: list[socket.socket] = []
        self.connections: set[_Scrape] = set()
        if places.socket:
            self._serve(listen(places.socket, socket.SOCK_STREAM, 0o660))
        if places.listen:
            self._serve(_listen_tcp(places.listen))
        self._write_textfile()

    def close(self) -> None:
        """Serve no more."""
        self._textfile = None
        for listener in self._listeners:
            self._loop.ignore(listener.fileno())
            listener.close()
        for scrape in [*self.connections]:
            scrape.close()

    def _serve(self, listener: socket.socket) -> None:
        listener.setblocking(False)
        self._listeners.append(listener)
        self._loop.watch(listener.fileno(), READABLE, lambda _events: self._accept(listener))

    def _accept(self, listener: socket.socket) -> None:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        if len(self.connections) >= _MOST_CONNECTIONS:
            connection.close()
            return
        connection.setblocking(False)
        self.connections.add(_Scrape(self._loop, connection, self._expose, self.connections))

    def _write_textfile(self) -> None:
        path = self._textfile
        if path is None:
            return
        text = self._expose()
        self._loop.submit(lambda: _replace(path, text), self._look_at_write)
        self._loop.call_in(_EVERY_US, self._write_textfile)

    def _look_at_write(self, outcome: Future[None]) -> None:
        error = outcome.exception()
        if error is not None:
            log.warning("the numbers cannot be written", extra={"why": str(error)})


class _Scrape:
    """One request for the numbers."""

    def __init__(
        self,
        loop: Loop,
        connection: socket.socket,
        expose: Callable[[], str],
        others: set[_Scrape],
    ) -> None:
        self._loop = loop
        self._connection = connection
        self._expose = expose
        self._others = others
        self._read = b""
        self._waiting = b""
        self._timer = loop.call_in(_PATIENCE_US, self.close)
        loop.watch(connection.fileno(), READABLE, self._serve)

    def close(self) -> None:
        self._timer.cancel()
        if self._connection.fileno() >= 0:
            self._loop.ignore(self._connection.fileno())
            self._connection.close()
        self._others.discard(self)

    def _serve(self, events: int) -> None:
        try:
            if not self._waiting:
                data = self._connection.recv(_REQUEST_BYTES)
                self._read += data
                if not data or len(self._read) > _REQUEST_BYTES:
                    self.close()
                elif b"\r\n\r\n" in self._read:
                    self._waiting = self._answer()
                    self._loop.watch(self._connection.fileno(), WRITABLE, self._serve)
                return
            self._waiting = self._waiting[self._connection.send(self._waiting) :]
            if not self._waiting:
                self.close()
        except BlockingIOError:
            return
        except OSError:
            self.close()

    def _answer(self) -> bytes:
        words = self._read.split(b"\r\n", 1)[0].split(b" ")
        if len(words) != 3 or words[0] != b"GET" or words[1].split(b"?")[0] != b"/metrics":
            return _response("404 Not Found", "text/plain", "only GET /metrics\n")
        return _response("200 OK", CONTENT_TYPE, self._expose())


def _response(status: str, kind: str, text: str) -> bytes:
    body = text.encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + body


def _listen_tcp(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host.strip("[]"), int(port)))
        listener.listen()
    except OSError as error:
        listener.close()
        raise AddressInUseError(f"metrics at {address}: {error.strerror}") from error
    return listener


def _replace(path: Path, text: str) -> None:
    """Make the file hold `text`: readers see the old one or the new one."""
    new = path.with_name(f".{path.name}.new")
    try:
        new.write_text(text, "utf-8")
        os.chmod(new, 0o644)
        new.rename(path)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error
