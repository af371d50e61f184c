"""A TCP proxy on loopback that cuts connections where a test wants it."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Callable
from types import TracebackType


class CuttingProxy:
    """Passes bytes on to `port`, until `decides` says to drop them and the connection.

    `decides(is_answer, length)` is called before each piece is passed on; False cuts. Several
    threads call it.
    """

    def __init__(self, port: int, decides: Callable[[bool, int], bool]) -> None:
        self._target = port
        self._decides = decides
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._is_closed = False

    def _accept(self) -> None:
        while not self._is_closed:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._pass_on, args=(near,), daemon=True).start()

    def _pass_on(self, near: socket.socket) -> None:
        try:
            far = socket.create_connection(("127.0.0.1", self._target), timeout=60)
        except OSError:
            near.close()
            return
        with near, far, selectors.DefaultSelector() as selector:
            selector.register(near, selectors.EVENT_READ, far)
            selector.register(far, selectors.EVENT_READ, near)
            while True:
                for key, _ in selector.select(10):
                    source = key.fileobj
                    assert isinstance(source, socket.socket)
                    try:
                        piece = source.recv(65536)
                        if not piece or not self._decides(source is far, len(piece)):
                            return
                        key.data.sendall(piece)
                    except OSError:
                        return

    def __enter__(self) -> CuttingProxy:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_closed = True
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
