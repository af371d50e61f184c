"""HTTP with bounds on what anybody may make the server hold, before it knows who they are.

Uvicorn bounds neither a request's head nor the trailers behind its body, in size or in time, when
httptools parses them. This is to go when it does.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_LIMIT_BYTES = 64 * 1024
"""Longest head of a request, and longest trailers; what comes in one read is looked at whole."""

HEAD_WAIT_S = 20.0
"""So long a head may take, the first one from the connection's start on."""

_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"connection: close\r\ncontent-length: 0\r\n\r\n"
)


class BoundedHttpProtocol(HttpToolsProtocol):
    """Uvicorn's HTTP protocol that breaks off requests whose heads are too long or too slow."""

    _held_bytes = 0
    """Of the head or the trailers that are being read."""
    _silent_bytes = 0
    """That came since the parser last handed something over: it may be holding them."""
    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._end_wait()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came; break off when too much of it is not what a handler may ask for."""
        self._silent_bytes += len(data)
        super().data_received(data)
        if max(self._held_bytes, self._silent_bytes) > HEAD_LIMIT_BYTES:
            if self._patience is not None:
                self.transport.write(_TOO_LARGE)
            self.transport.close()

    def on_message_begin(self) -> None:
        """Begin to count and to wait for a head."""
        self._held_bytes = self._silent_bytes = 0
        self._await_head()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Count a piece of the address."""
        self._hold(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header, or a trailer."""
        self._hold(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Wait no longer: whoever answers the request says how long its body may take."""
        self._end_wait()
        self._held_bytes = self._silent_bytes = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Hand over a piece of the body, which has bounds of its own."""
        self._silent_bytes = 0
        super().on_body(body)

    def _hold(self, size_bytes: int) -> None:
        self._held_bytes += size_bytes
        self._silent_bytes = 0

    def _await_head(self) -> None:
        self._end_wait()
        self._patience = self.loop.call_later(HEAD_WAIT_S, self.transport.close)

    def _end_wait(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
