"""Enrolling this host with a server: a one-time code becomes credentials."""

from __future__ import annotations

import ssl

import httpx2
import msgspec

from steno.delivery.credentials import Credentials, make_request
from steno.delivery.fingerprint import fingerprint, split_code
from steno.delivery.transport import explain, open_client, read_limited
from steno.delivery.wire import CA_PATH, ENROL_PATH, checked_url, read_problem
from steno.errors import ProtocolError, RefusedError, StenoError, UnreachableError
from steno.structs import decode_json


class _Answer(msgspec.Struct):
    token: str
    certificate: str | None = None
    ca: str | None = None


def enrol(url: str, code: str, host: str, *, ca: bytes | None = None) -> Credentials:
    """Ask the server at `url` to take this host in as `host`; return what proves it from now on.

    The server is known by `ca` (PEM) if given, else by the CA's fingerprint in `code`, else by
    the system's list. The secret part of the code is sent only once the server is known.

    Raises:
        UsageError: `url` cannot be a server's address.
        RefusedError: The server is not the one that the code names, or refuses code or name.
        UnreachableError: It does not answer; the code is not used up unless the answer was lost.
        ProtocolError: It answers nonsense.
    """
    server = checked_url(url)
    secret, print_ = split_code(code)
    if ca is None and print_ and server.startswith("https:"):
        ca = _fetch_ca(server, print_)
    key, request = make_request(host)
    body = {"code": secret, "host": host, "csr": request.decode("ascii")}
    remedy = "" if ca or print_ else "give the whole code, or name the server's CA with --ca FILE"
    status, answer = _ask(server, _context(server, ca), "POST", ENROL_PATH, body, remedy)
    if status != 200:
        raise _refusal(server, status, answer)
    try:
        given = decode_json(answer, _Answer)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProtocolError(f"{server}: its answer to the enrolment cannot be read") from error
    certificate = given.certificate.encode() if given.certificate else None
    return Credentials(
        host=host,
        servers=(server,),
        token=given.token,
        key=key if certificate else None,
        certificate=certificate,
        ca=ca if ca is not None else _named_ca(server, given.ca, print_),
    )


def _named_ca(server: str, ca: str | None, print_: str) -> bytes | None:
    """Return the CA that a server on loopback named over plain HTTP, for later use with HTTPS."""
    if ca is None or not print_:
        return None
    pem = ca.encode()
    if not _has_fingerprint(pem, print_):
        raise RefusedError(f"{server}: is not the server that the code is for (its CA is another)")
    return pem


def _has_fingerprint(pem: bytes, print_: str) -> bool:
    try:
        return fingerprint(pem) == print_
    except ValueError:
        return False


def _context(server: str, ca: bytes | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cadata=ca.decode("ascii") if ca else None)
    except (ssl.SSLError, UnicodeDecodeError) as error:
        raise ProtocolError(f"{server}: its CA's certificate is damaged") from error


def _fetch_ca(server: str, print_: str) -> bytes:
    """Fetch the CA's certificate from a server not known yet; the fingerprint vouches for it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    status, pem = _ask(server, context, "GET", CA_PATH, None)
    if status != 200 or not _has_fingerprint(pem, print_):
        raise RefusedError(f"{server}: is not the server that the code is for (its CA is another)")
    return pem


def _ask(
    server: str,
    context: ssl.SSLContext,
    method: str,
    path: str,
    body: object,
    remedy: str = "",
) -> tuple[int, bytes]:
    content = None if body is None else msgspec.json.encode(body)
    headers = {} if body is None else {"Content-Type": "application/json"}
    try:
        with open_client(server, context) as client:
            request = client.build_request(method, server + path, content=content, headers=headers)
            response = client.send(request, stream=True)
            try:
                return response.status_code, read_limited(response)
            finally:
                response.close()
    except httpx2.HTTPError as error:
        raise explain(server, error, remedy=remedy) from error


def _refusal(server: str, status: int, body: bytes) -> StenoError:
    problem = read_problem(body)
    said = problem.detail or problem.title or f"it answers {status}"
    if status in (400, 401, 403):
        return RefusedError(f"{server}: {said}")
    if status == 429 or status >= 500:
        return UnreachableError(f"{server}: {said}")
    return ProtocolError(f"{server} is no Steno server, or of another version: {said}")
