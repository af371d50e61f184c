"""The upload protocol's HTTP: addresses, and what an answer's status and body mean. Does no I/O.

docs/formats/wire.md specifies it; RFC 9457 is the form of the server's refusals.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from steno.delivery.protocol import Answer, Durable, Elsewhere, Failure, TooLarge
from steno.errors import NoSpaceError, ProtocolError, RefusedError, UnreachableError, UsageError
from steno.structs import decode_json

INGEST_PATH = "/api/v1/ingest"
ENROL_PATH = "/api/v1/enrol"
CA_PATH = "/api/v1/ca"
HEARTBEAT_PATH = "/api/v1/heartbeat"
ORDERS_PATH = "/api/v1/orders"
RENEW_PATH = "/api/v1/renew"
ENCODING = "zstd"
DIFFERENT_BYTES = "different-bytes"
OTHER_OWNER = "other-owner"
"""Values of the member `code` in a problem document, where the status alone leaves doubt."""

_MOST_PATIENCE_S = 3600
_USER = re.compile(r"(?<=//)[^/?#]*@|\A[^/?#]*:[^/?#]*@")

T = TypeVar("T")


class _Offset(msgspec.Struct):
    offset: int


class Renewed(msgspec.Struct):
    """A new certificate (PEM)."""

    certificate: str


class Problem(msgspec.Struct):
    """What Steno reads of a problem document; other members may stand in it.

    Attributes:
        detail: What is wrong, for people.
        code: What is wrong, for programs: DIFFERENT_BYTES or OTHER_OWNER.
        offset: The durable offset, in a 409.
    """

    title: str = ""
    detail: str = ""
    code: str = ""
    offset: int | None = None


def hide_password(url: str) -> str:
    """Return an address for a message: with stars for what stands before its host."""
    return _USER.sub("***@", url)


def checked_url(url: str) -> str:
    """Return a server's address without a slash at its end.

    Raises:
        UsageError: It is no http or https address, or plain http to anything but loopback: tokens
            and recordings do not go over a wire unencrypted.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError(f"{hide_password(url)}: no server's address") from error
    if parts.username or parts.password is not None:
        raise UsageError(f"{hide_password(url)}: a server's address has no user and no password")
    if parts.scheme not in ("http", "https") or not host:
        raise UsageError(f"{hide_password(url)}: a server's address begins with https://")
    if parts.query or parts.fragment:
        raise UsageError(f"{url}: a server's address has no query or fragment")
    if parts.scheme == "http" and not is_loopback(host):
        raise UsageError(f"{url}: plain http goes to this machine only; use https://")
    return url.rstrip("/")


def is_loopback(host: str) -> bool:
    """Tell whether `host`, a name or an address, is this machine without asking anybody."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_answer(server: str, status: int, headers: Mapping[str, str], body: bytes) -> Answer:
    """Return what the answer to an append (or to a question for the offset) means.

    `server` is its address, for the error's text; the names in `headers` match in any case.
    """
    if status == 200:
        return _durable(server, body)
    problem = read_problem(body)
    said = f": {problem.detail or problem.title}" if problem.detail or problem.title else ""
    if status == 409:
        return _conflict(server, problem, said)
    if status == 413:
        return TooLarge()
    if status == 403 and problem.code == OTHER_OWNER:
        return Failure(RefusedError(f"{server}{said}"), "recording", is_lasting=True)
    if status in (401, 403):
        text = f"{server} refuses this host ({status}){said}"
        return Failure(RefusedError(text), is_lasting=True)
    if status in (400, 415):
        text = f"{server} cannot take this ({status}){said}"
        return Failure(ProtocolError(text), "recording", is_lasting=True)
    patience_us = _patience_us(headers)
    if status == 507:
        return Failure(NoSpaceError(f"{server} has no room{said}"), retry_after_us=patience_us)
    if status == 429 or status >= 500:
        text = f"{server} cannot serve now ({status}){said}"
        return Failure(UnreachableError(text), retry_after_us=patience_us)
    text = f"{server} is no Steno server, or of another version: it answers {status}"
    return Failure(ProtocolError(text))


def read_problem(body: bytes) -> Problem:
    """Return what can be read of a problem document; an empty one when it is none."""
    try:
        return decode_json(body, Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Problem()


def read_told(server: str, status: int, body: bytes, kind: type[T]) -> T:
    """Return the JSON document that a server answers, where it answers 200.

    Raises:
        UnreachableError: It cannot serve now.
        RefusedError: It refuses this host.
        ProtocolError: It answers anything else.
    """
    if status == 200:
        try:
            return decode_json(body, kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ProtocolError(f"{server}: its answer cannot be read: {error}") from error
    problem = read_problem(body)
    said = f": {problem.detail or problem.title}" if problem.detail or problem.title else ""
    if status in (401, 403):
        raise RefusedError(f"{server} refuses this host ({status}){said}")
    if status == 429 or status >= 500:
        raise UnreachableError(f"{server} cannot serve now ({status}){said}")
    raise ProtocolError(f"{server} is no Steno server, or of another version ({status}){said}")


def _durable(server: str, body: bytes) -> Answer:
    try:
        return Durable(decode_json(body, _Offset).offset)
    except (msgspec.DecodeError, UnicodeDecodeError):
        text = f"{server} is no Steno server: its answer names no offset"
        return Failure(ProtocolError(text))


def _conflict(server: str, problem: Problem, said: str) -> Answer:
    if problem.code == DIFFERENT_BYTES:
        return Failure(ProtocolError(f"{server}{said}"), "recording", is_lasting=True)
    if problem.offset is None:
        return Failure(ProtocolError(f"{server} answers 409 without an offset"))
    return Elsewhere(problem.offset)


def _patience_us(headers: Mapping[str, Any]) -> int:
    given = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
    seconds = int(given) if given.isascii() and given.isdigit() and len(given) < 10 else 0
    return min(seconds, _MOST_PATIENCE_S) * 1_000_000
