"""A real HTTP server that webhooks can be sent to."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable


class Receiver:
    """A real HTTP server that keeps what is posted, and answers as it is told."""

    def __init__(self) -> None:
        self.posts: list[tuple[bytes, dict[str, str]]] = []
        self.status = 200
        self.attempts = 0
        self._changed = threading.Condition()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # http.server's name
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with receiver._changed:
                    receiver.attempts += 1
                    status = receiver.status
                    if status == 200:
                        receiver.posts.append((body, dict(self.headers)))
                    receiver._changed.notify_all()
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing on standard error."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )
        self._thread.start()

    @property
    def bodies(self) -> list[bytes]:
        """What was posted so far."""
        return [body for body, _ in self.posts]

    @property
    def headers(self) -> list[dict[str, str]]:
        """With which headers; more may have come than when `bodies` was looked at."""
        return [headers for _, headers in self.posts]

    def wait(self, is_there: Callable[[], bool]) -> None:
        """Wait until what came is what a test waits for."""
        with self._changed:
            assert self._changed.wait_for(is_there, 60)

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
