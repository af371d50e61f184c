"""Writers to a local socket: a datagram a line, kept while the socket does not take it."""

from __future__ import annotations

import errno
import socket
from collections import deque

from steno.errors import StenoError, StoreError, UnreachableError

_GONE = (errno.ECONNREFUSED, errno.ENOTCONN, errno.ENOENT, errno.ECONNRESET, errno.EPIPE)
_BUSY = (errno.EAGAIN, errno.ENOBUFS)
_BUFFER_BYTES = 8 << 20


class DatagramWriter:
    """What writers to a Unix socket have in common; connects again when its owner restarts.

    A writer puts the datagrams for its lines and then flushes; see Writer for the rest.
    """

    def __init__(self, name: str, path: str) -> None:
        """Connect to `path`.

        Raises:
            UnreachableError: There is no such socket, or nobody listens.
        """
        self.name = name
        self._path = path
        self._waiting: deque[bytes] = deque()
        self.pending_bytes = 0
        self.handed_bytes = 0
        self._socket: socket.socket | None = self._connect()

    def fileno(self) -> int | None:
        """Return the socket's descriptor while there is a connection."""
        return None if self._socket is None else self._socket.fileno()

    def send(self, connection: socket.socket, datagram: bytes) -> None:
        """Send one datagram; an OSError says why the system does not take it."""
        connection.send(datagram)

    def put(self, datagram: bytes) -> None:
        """Queue a datagram; `flush` sends it."""
        self._waiting.append(datagram)
        self.pending_bytes += len(datagram)

    def flush(self) -> None:
        """Send what the socket takes now; a connection that is gone is tried again.

        Raises:
            StoreError: A datagram can never be sent; it and what follows it stay queued.
        """
        while self._waiting:
            try:
                if self._socket is None:
                    self._socket = self._connect()
                self.send(self._socket, self._waiting[0])
            except UnreachableError:
                return
            except OSError as error:
                self._react(error)
                return
            size_bytes = len(self._waiting.popleft())
            self.pending_bytes -= size_bytes
            self.handed_bytes += size_bytes

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _react(self, error: OSError) -> None:
        if error.errno in _BUSY:
            return
        if error.errno in _GONE:
            self.close()
            return
        raise self._refused(error) from error

    def _refused(self, error: OSError) -> StenoError:
        if error.errno == errno.EMSGSIZE:
            size_bytes = len(self._waiting[0])
            return StoreError(
                f"{self.name}: a message of {size_bytes} bytes is too large; lower --payload"
            )
        return StoreError(f"{self.name}: {error.strerror}")

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        try:
            connection.setblocking(False)
            # As much as the system allows: a datagram must fit in whole.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
            connection.connect(self._path)
        except OSError as error:
            connection.close()
            raise UnreachableError(f"{self.name}: {self._path}: {error.strerror}") from error
        return connection
