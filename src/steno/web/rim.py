"""The outermost ring around the app: Host check, security headers, counts, log, last resort."""

from __future__ import annotations

import logging
import time

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from steno.config import ServerConfig
from steno.metrics import Metrics
from steno.web.callers import read_address
from steno.web.problems import Problem

log = logging.getLogger("steno.web")

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " img-src 'self' data:; font-src 'self'; frame-ancestors 'none'; base-uri 'none';"
    " form-action 'self'"
)

SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}

HSTS = "max-age=31536000"
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_DURATION_BOUNDS_S = (0.005, 0.02, 0.1, 0.5, 2.0, 10.0)


def allowed_names(config: ServerConfig) -> frozenset[str] | None:
    """Return the names that a Host header may hold, in lower case; None for any.

    A page elsewhere can make its own name resolve to a loopback address and so talk to a
    server there (DNS rebinding); but it cannot make the browser send another Host.
    """
    if config.is_loopback:
        host = config.address[0].lower()
        return _LOOPBACK_NAMES | {host} | {name.lower() for name in config.names}
    if config.names:
        return frozenset(name.lower() for name in config.names)
    return None


def host_name(header: str) -> str:
    """Return the name in a Host header: without port and brackets, in lower case."""
    name = header.strip().lower()
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return name.rpartition(":")[0] if ":" in name else name


class Rim:
    """ASGI middleware. Its `except Exception` is the daemon's outermost: logged and counted."""

    def __init__(self, app: ASGIApp, *, config: ServerConfig, metrics: Metrics) -> None:
        self._app = app
        self._names = allowed_names(config)
        self._requests = metrics.counter(
            "steno_http_requests_total", "Requests answered.", ["method", "status"]
        )
        self._errors = metrics.counter(
            "steno_http_errors_total", "Requests that failed for a reason that is our fault."
        )
        self._seconds = metrics.histogram(
            "steno_http_request_seconds",
            "Time until a request's answer began.",
            _DURATION_BOUNDS_S,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and what must be on every answer back with it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun_s = time.monotonic()
        status = 0
        request = Request(scope)
        is_https = scope["scheme"] == "https"

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._seconds.observe(time.monotonic() - begun_s)
                message["headers"] = _with_security(message["headers"], is_https=is_https)
            await send(message)

        try:
            if self._names is not None and host_name(request.headers.get("host", "")) not in (
                self._names
            ):
                problem = Problem(421, "this server does not go by that name", kind="unknown-host")
                await problem.response()(scope, receive, send_on)
            else:
                await self._app(scope, receive, send_on)
        except Exception:
            self._errors.add()
            log.exception("request failed", extra=_facts(request, status))
            if status:
                raise  # The answer has begun; all that is left is to break the connection.
            await Problem(500).response()(scope, receive, send_on)
        finally:
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._requests.add(method=method, status=str(status))
            duration_ms = round((time.monotonic() - begun_s) * 1000, 1)
            log.debug("request", extra={**_facts(request, status), "duration_ms": duration_ms})


_METHODS = frozenset({"GET", "HEAD", "POST", "PATCH", "DELETE", "PUT", "OPTIONS"})


def _facts(request: Request, status: int) -> dict[str, object]:
    # Without the query: what people search for belongs in the viewing log only.
    return {
        "method": request.method,
        "path": request.url.path,
        "status": status,
        "address": read_address(request),
    }


def _with_security(
    headers: list[tuple[bytes, bytes]], *, is_https: bool
) -> list[tuple[bytes, bytes]]:
    present = {name.lower() for name, _ in headers}
    wanted = dict(SECURITY_HEADERS)
    if is_https:
        wanted["Strict-Transport-Security"] = HSTS
    return list(headers) + [
        (name.lower().encode(), text.encode())
        for name, text in wanted.items()
        if name.lower().encode() not in present
    ]
