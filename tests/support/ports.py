"""Ports of loopback that nobody else is given."""

from __future__ import annotations

import socket
from collections.abc import Iterable


class HeldPort:
    """A TCP port of 127.0.0.1, for a server that must be told which one to listen at.

    A socket that is bound to it, and does not listen, holds it until `close`: the kernel gives the
    port to nobody who asks for a free one, and to no other `HeldPort`. A server that sets
    SO_REUSEADDR, as all do, listens there all the same, and may do so again after its end;
    meanwhile connections are refused.

    Args:
        numbers: Those to choose from; 0 is one that the kernel chooses.

    Attributes:
        number: The port.
    """

    def __init__(self, numbers: Iterable[int] = (0,)) -> None:
        self._socket = socket.socket()
        if not any(self._takes(number) for number in numbers):
            self._socket.close()
            raise AssertionError("no port is free")
        # Only now: a socket that is bound with it shares its port with others of the kind.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.number: int = self._socket.getsockname()[1]

    def _takes(self, number: int) -> bool:
        try:
            self._socket.bind(("127.0.0.1", number))
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Give it back."""
        self._socket.close()

    def __enter__(self) -> HeldPort:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
