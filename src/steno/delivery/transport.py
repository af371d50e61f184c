"""Requests to a server over HTTPS, and what their failures mean."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from typing import Protocol

import httpx2
import msgspec
import zstandard

from steno import __version__
from steno.delivery.protocol import Answer, Failure
from steno.delivery.wire import (
    ENCODING,
    HEARTBEAT_PATH,
    INGEST_PATH,
    ORDERS_PATH,
    RENEW_PATH,
    Renewed,
    checked_url,
    read_answer,
    read_told,
)
from steno.errors import ProtocolError, RefusedError, StenoError, UnreachableError
from steno.heartbeat import Answer as FleetAnswer
from steno.heartbeat import Heartbeat

TIMEOUT_S = 30.0
_ANSWER_LIMIT_BYTES = 65536
_LEAST_COMPRESSED_BYTES = 256


class Transport(Protocol):
    """A way to one server. Any thread may use it; failures are returned, not raised."""

    @property
    def server(self) -> str:
        """The server's address, for texts."""

    def append(self, rec: str, offset_bytes: int, data: bytes) -> Answer:
        """Append `data` at `offset_bytes`; return what the server says, or what went wrong."""

    def close(self) -> None:
        """End all connections."""


def open_client(
    url: str, context: ssl.SSLContext, *, timeout_s: float = TIMEOUT_S
) -> httpx2.Client:
    """Return an HTTP client for the server at `url`; it keeps its connections open.

    Nothing is taken from the environment: a proxy, a netrc or another list of certificates that
    the recorded user may set must not decide where recordings go.
    """
    return httpx2.Client(
        base_url=url,
        verify=context,
        trust_env=False,
        follow_redirects=False,
        timeout=httpx2.Timeout(timeout_s, connect=min(timeout_s, 10.0)),
        # Shorter than uvicorn keeps an idle connection: none is used as the server closes it.
        limits=httpx2.Limits(keepalive_expiry=4),
        headers={"User-Agent": f"steno/{__version__}"},
    )


class HttpTransport:
    """HTTPS to one server; plain HTTP on loopback only.

    Args:
        url: The server's address.
        context: What to trust and what to show; see `credentials.client_context`.
        token: The host's token, sent in every request; None where the certificate is enough.
        timeout_s: How long to wait for the server at any one point.

    Raises:
        UsageError: `url` cannot be a server's address.
    """

    def __init__(
        self,
        url: str,
        context: ssl.SSLContext,
        token: str | None,
        *,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._url = checked_url(url)
        self._client = open_client(self._url, context, timeout_s=timeout_s)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._timeout_s = timeout_s

    @property
    def server(self) -> str:
        """The server's address."""
        return self._url

    def append(self, rec: str, offset_bytes: int, data: bytes) -> Answer:
        """Append `data` at `offset_bytes`; return what the server says, or what went wrong."""
        headers = dict(self._headers)
        headers["Content-Type"] = "application/octet-stream"
        if len(data) >= _LEAST_COMPRESSED_BYTES:
            data = zstandard.ZstdCompressor(level=3).compress(data)
            headers["Content-Encoding"] = ENCODING
        return self._ask("POST", f"{INGEST_PATH}/{rec}?offset={offset_bytes}", headers, data)

    def offset(self, rec: str) -> Answer:
        """Ask how much of `rec` the server has safe."""
        return self._ask("GET", f"{INGEST_PATH}/{rec}", self._headers, None)

    def beat(self, heartbeat: Heartbeat) -> FleetAnswer:
        """Tell the server how this host is; return its answer.

        Raises:
            StenoError: It came to nothing, and why.
        """
        body = msgspec.json.encode(heartbeat)
        headers = {**self._headers, "Content-Type": "application/json"}
        if len(body) >= _LEAST_COMPRESSED_BYTES:
            body = zstandard.ZstdCompressor(level=3).compress(body)
            headers["Content-Encoding"] = ENCODING
        status, answer = self._send("POST", HEARTBEAT_PATH, headers, body)
        return read_told(self._url, status, answer, FleetAnswer)

    def orders(self, wait_s: float) -> FleetAnswer:
        """Ask for orders; the answer comes when there are some, or after `wait_s`.

        Raises:
            StenoError: It came to nothing, and why.
        """
        path = f"{ORDERS_PATH}?wait_s={wait_s:.1f}"
        timeout = httpx2.Timeout(self._timeout_s, read=wait_s + self._timeout_s)
        status, answer = self._send("GET", path, self._headers, None, timeout=timeout)
        return read_told(self._url, status, answer, FleetAnswer)

    def renew(self, request: bytes) -> bytes:
        """Ask for a new certificate with a request (PEM); return the certificate (PEM).

        Raises:
            StenoError: There is none, and why.
        """
        body = msgspec.json.encode({"csr": request.decode("ascii")})
        headers = {**self._headers, "Content-Type": "application/json"}
        status, answer = self._send("POST", RENEW_PATH, headers, body)
        return read_told(self._url, status, answer, Renewed).certificate.encode()

    def _ask(self, method: str, path: str, headers: dict[str, str], body: bytes | None) -> Answer:
        try:
            status, answer, given = self._exchange(method, path, headers, body)
        except httpx2.HTTPError as error:
            return Failure(explain(self._url, error))
        return read_answer(self._url, status, given, answer)

    def _send(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes | None,
        *,
        timeout: httpx2.Timeout | None = None,
    ) -> tuple[int, bytes]:
        try:
            status, answer, _ = self._exchange(method, path, headers, body, timeout=timeout)
        except httpx2.HTTPError as error:
            raise explain(self._url, error) from error
        return status, answer

    def _exchange(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes | None,
        *,
        timeout: httpx2.Timeout | None = None,
    ) -> tuple[int, bytes, httpx2.Headers]:
        request = self._client.build_request(
            method, self._url + path, headers=headers, content=body
        )
        if timeout is not None:
            request.extensions["timeout"] = timeout.as_dict()
        response = self._client.send(request, stream=True)
        try:
            return response.status_code, read_limited(response), response.headers
        finally:
            response.close()

    def close(self) -> None:
        """End all connections."""
        self._client.close()


def read_limited(response: httpx2.Response, limit_bytes: int = _ANSWER_LIMIT_BYTES) -> bytes:
    """Return an answer's body, cut at `limit_bytes`: no server fills the host's memory."""
    body = bytearray()
    for piece in response.iter_raw():
        body += piece
        if len(body) >= limit_bytes:
            break
    return bytes(body[:limit_bytes])


_UNKNOWN_AUTHORITY = frozenset({18, 19, 20, 21})
"""What OpenSSL says of certificates that no known authority vouches for (x509_vfy.h)."""


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def explain(server: str, error: httpx2.HTTPError, *, remedy: str = "") -> StenoError:
    """Return the error that says in one line why the request to `server` came to nothing.

    `remedy` is what helps where its certificate's authority is not known.
    """
    for cause in _causes(error):
        if isinstance(cause, OSError) and (cause.strerror or isinstance(cause, ssl.SSLError)):
            return _explain_system(server, cause, remedy)
    if isinstance(error, httpx2.TimeoutException):
        return UnreachableError(f"{server}: no answer in time")
    if isinstance(error, httpx2.RemoteProtocolError):
        if "disconnected" in str(error) or "closed connection" in str(error):
            return UnreachableError(f"{server}: broke off in the middle of a request")
        return ProtocolError(f"{server}: answers something that is no HTTP: {error}")
    if isinstance(error, httpx2.DecodingError):
        return ProtocolError(f"{server}: answers something that cannot be decoded: {error}")
    return UnreachableError(f"{server}: {error or 'the connection broke'}")


def _explain_system(server: str, error: OSError, remedy: str) -> StenoError:
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = f"its certificate cannot be trusted: {error.verify_message}"
        is_unknown = remedy and error.verify_code in _UNKNOWN_AUTHORITY
        return RefusedError(f"{server}: {reason}{'; ' + remedy if is_unknown else ''}")
    if isinstance(error, ssl.SSLError):
        return _explain_tls(server, error)
    if isinstance(error, socket.gaierror):
        return UnreachableError(f"{server}: its name is unknown: {error.strerror}")
    if isinstance(error, ConnectionRefusedError):
        return UnreachableError(f"{server}: nothing listens there (connection refused)")
    if isinstance(error, (ConnectionResetError, BrokenPipeError)):
        return UnreachableError(f"{server}: broke off in the middle of a request")
    return UnreachableError(f"{server}: {error.strerror}")


def _explain_tls(server: str, error: ssl.SSLError) -> StenoError:
    reason = (error.reason or str(error)).lower().replace("_", " ")
    if "alert" in reason and ("certificate" in reason or "unknown ca" in reason):
        said = reason.partition("alert ")[2] or reason
        return RefusedError(f"{server}: refuses this host's certificate: {said}")
    if "wrong version number" in reason or "record layer" in reason or "http request" in reason:
        return ProtocolError(f"{server}: does not speak TLS there")
    if "eof occurred" in str(error).lower() or "unexpected eof" in reason:
        return UnreachableError(f"{server}: broke the connection off")
    return ProtocolError(f"{server}: TLS failed: {reason}")
