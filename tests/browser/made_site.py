"""A web server on loopback for pages with players in them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext

STATIC = Path(__file__).parents[2] / "src" / "steno" / "web" / "static"
CHROMIUM = "/usr/bin/chromium"
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " img-src 'self' data:; font-src 'self'; frame-ancestors 'none'; base-uri 'none';"
    " form-action 'self'"
)
TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html"}


PATIENCE_MS = 100_000
"""A browser on a busy machine takes long for everything."""


def open_context(browser: Browser, **options: Any) -> BrowserContext:  # noqa: ANN401
    """Return a new context with these options, in which nothing is given up soon."""
    context = browser.new_context(**options)
    context.set_default_timeout(PATIENCE_MS)
    return context


class Site:
    """A web server on loopback: the built files, and pages and answers that a test puts there.

    Attributes:
        origin: "http://127.0.0.1:PORT".
        answers: Bodies by path; a function is called for the body.
        asked: Every path that was asked for, in order.
        policy: The Content-Security-Policy of every answer, the real server's.
    """

    def __init__(self, policy: str = POLICY) -> None:
        self.policy = policy
        self.answers: dict[str, bytes | Callable[[], bytes]] = {}
        self.asked: list[str] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                site.asked.append(self.path)
                path = self.path.partition("?")[0]
                body, kind = site.find(path)
                self.send_response(404 if body is None else 200)
                self.send_header("Content-Type", f"{kind}; charset=utf-8")
                self.send_header("Content-Length", str(len(body or b"")))
                self.send_header("Content-Security-Policy", site.policy)
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                self.wfile.write(body or b"")

            do_POST = do_GET

            def log_message(self, *_arguments: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.origin = f"http://127.0.0.1:{self.server.server_port}"
        serve = self.server.serve_forever
        threading.Thread(target=serve, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def find(self, path: str) -> tuple[bytes | None, str]:
        """Return the body for a path, None when there is none, and its media type."""
        answer = self.answers.get(path)
        if answer is not None:
            body = answer() if callable(answer) else answer
            is_page = body.lstrip().startswith(b"<!doctype")
            kind = TYPES.get(Path(path).suffix, "application/json")
            return body, "text/html" if is_page else kind
        file = STATIC / path.removeprefix("/static/")
        if path.startswith("/static/") and file.is_file():
            return file.read_bytes(), TYPES.get(file.suffix, "application/octet-stream")
        return None, "text/plain"

    def put_recording(self, rec: str, answers: dict[str, bytes]) -> str:
        """Serve a recording's answers; return its address in the API."""
        base = f"/api/v1/recordings/{rec}"
        self.answers |= {base + path: body for path, body in answers.items()}
        return base

    def put_player(self, path: str, attributes: str, inside: str = "") -> str:
        """Serve a page with one player; return its address."""
        page = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>A page</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,"><link rel="stylesheet" href="/static/app.css">
<script defer src="/static/player.js"></script></head>
<body><steno-player {attributes}>{inside}</steno-player></body></html>"""
        self.answers[path] = page.encode()
        return self.origin + path
