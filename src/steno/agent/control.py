"""The control socket: one JSON object a line, from root or the agent's own user.

docs/formats/agent-control.md specifies it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import msgspec

from steno.agent.loop import READABLE, WRITABLE, Loop
from steno.agent.peers import read_credentials
from steno.errors import StenoError
from steno.structs import json_decoder

LINE_BYTES = 65536
TEXT_CHARACTERS = 4096
_MOST_CONNECTIONS = 32
_PENDING_BYTES = 8 << 20
"""With so many bytes of answers not read, a connection is closed."""
_IDLE_US = 600_000_000

log = logging.getLogger("steno.agent")


class Order(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a line asks for; see docs/formats/agent-control.md."""

    do: Literal["status", "sessions", "kill", "message", "reload"]
    rec: str = ""
    text: Annotated[str, msgspec.Meta(max_length=TEXT_CHARACTERS)] = ""
    by: Annotated[str, msgspec.Meta(max_length=256)] = ""


Obey = Callable[[Order], Mapping[str, Any]]
_decode = json_decoder(Order)


class ControlServer:
    """Serves the control socket. Owns it, and the connections."""

    def __init__(self, loop: Loop, listener: socket.socket, obey: Obey) -> None:
        """Take `listener` over.

        Args:
            loop: The loop.
            listener: The socket, which listens.
            obey: Does what an order wants and returns the answer's members; a StenoError says why
                it does not.
        """
        self._loop = loop
        self._listener = listener
        self._obey = obey
        self._connections: set[_Connection] = set()
        listener.setblocking(False)
        loop.watch(listener.fileno(), READABLE, lambda _events: self._accept())

    def close(self) -> None:
        """Close everything."""
        self._loop.ignore(self._listener.fileno())
        self._listener.close()
        for connection in [*self._connections]:
            connection.close()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        _, uid, _ = read_credentials(connection)
        if uid not in (0, os.geteuid()) or len(self._connections) >= _MOST_CONNECTIONS:
            log.warning("somebody may not use the control socket", extra={"uid": uid})
            connection.close()
            return
        connection.setblocking(False)
        self._connections.add(
            _Connection(self._loop, connection, self._obey, self._connections.discard)
        )


class _Connection:
    def __init__(
        self,
        loop: Loop,
        connection: socket.socket,
        obey: Obey,
        forget: Callable[[_Connection], None],
    ) -> None:
        self._loop = loop
        self._connection = connection
        self._obey = obey
        self._forget = forget
        self._read = bytearray()
        self._waiting = bytearray()
        self._watch()

    def close(self) -> None:
        if self._connection.fileno() >= 0:
            self._loop.ignore(self._connection.fileno())
            self._connection.close()
        self._forget(self)

    def _watch(self) -> None:
        mask = READABLE | (WRITABLE if self._waiting else 0)
        self._loop.watch(self._connection.fileno(), mask, self._serve)

    def _serve(self, events: int) -> None:
        try:
            if events & ~WRITABLE:
                self._take(self._connection.recv(LINE_BYTES))
            self._send()
        except BlockingIOError:
            return
        except OSError:
            self.close()

    def _take(self, data: bytes) -> None:
        if not data:
            raise ConnectionResetError
        self._read += data
        while (end := self._read.find(b"\n")) >= 0:
            line = bytes(self._read[:end])
            del self._read[: end + 1]
            self._waiting += msgspec.json.encode(self._answer(line)) + b"\n"
        if len(self._read) > LINE_BYTES or len(self._waiting) > _PENDING_BYTES:
            raise ConnectionAbortedError

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            return {"ok": True, **self._obey(_decode(line))}
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return {"ok": False, "error": f"not an order: {error}"}
        except (StenoError, RecursionError) as error:
            return {"ok": False, "error": str(error)}

    def _send(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._waiting:
                del self._waiting[: self._connection.send(self._waiting)]
        self._watch()
