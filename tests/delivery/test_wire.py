"""Addresses, and what each answer of a server means."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.delivery.protocol import Durable, Elsewhere, Failure, TooLarge
from steno.delivery.wire import checked_url, read_answer
from steno.errors import NoSpaceError, ProtocolError, RefusedError, UnreachableError, UsageError

SERVER = "https://steno.example"


@pytest.mark.parametrize(
    "url",
    [
        "https://steno.example",
        "https://192.0.2.7:8040/",
        "https://[2001:db8::1]:8040",
        "http://127.0.0.1:8040",
        "http://[::1]:8040",
        "http://localhost",
    ],
)
def test_good_addresses_are_taken(url: str) -> None:
    """HTTPS goes anywhere, plain HTTP to this machine; a slash at the end does not matter."""
    assert checked_url(url) == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "http://steno.example",
        "http://10.0.0.1:8040",
        "http://localhost.example",
        "steno.example:8040",
        "ftp://steno.example",
        "https://",
        "https://a:99999",
        "https://user:word@steno.example",
        "https://steno.example/?q",
        "https://steno.example/#x",
        "https://[::1",
        "",
    ],
)
def test_bad_addresses_are_refused(url: str) -> None:
    """No token goes over an unencrypted wire, and no odd address is guessed at."""
    with pytest.raises(UsageError):
        checked_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://user:w0rd@steno.example",
        "https://user:w0rd@[::1",
        "ftp://user:w0rd@steno.example/?q",
        "https://:w0rd@steno.example:99999",
        "https://w0rd@steno.example",
        "user:w0rd@steno.example",
    ],
)
def test_passwords_are_not_repeated(url: str) -> None:
    """A user and a password do not belong in an address, and do not come back in the error."""
    with pytest.raises(UsageError) as caught:
        checked_url(url)
    assert "w0rd" not in str(caught.value)
    assert "steno.example" in str(caught.value) or "[::1" in str(caught.value)


def answer(status: int, body: object = None, **headers: str) -> object:
    """Read an answer with a JSON body."""
    content = b"" if body is None else json.dumps(body).encode()
    return read_answer(SERVER, status, headers, content)


def test_offsets_are_read() -> None:
    """200 and 409 carry the durable offset."""
    assert answer(200, {"offset": 7}) == Durable(7)
    assert answer(409, {"title": "Conflict", "status": 409, "offset": 7}) == Elsewhere(7)
    assert answer(413) == TooLarge()


@pytest.mark.parametrize(
    ("status", "body", "kind", "concerns", "is_lasting"),
    [
        (409, {"offset": 7, "code": "different-bytes"}, ProtocolError, "recording", True),
        (403, {"code": "other-owner"}, RefusedError, "recording", True),
        (400, {"detail": "bad"}, ProtocolError, "recording", True),
        (415, None, ProtocolError, "recording", True),
        (401, None, RefusedError, "server", True),
        (403, {"detail": "host web1 was revoked"}, RefusedError, "server", True),
        (409, None, ProtocolError, "server", False),
        (200, {"offset": "7"}, ProtocolError, "server", False),
        (200, [1], ProtocolError, "server", False),
        (200, None, ProtocolError, "server", False),
        (204, None, ProtocolError, "server", False),
        (301, None, ProtocolError, "server", False),
        (404, None, ProtocolError, "server", False),
        (421, None, ProtocolError, "server", False),
        (429, None, UnreachableError, "server", False),
        (500, None, UnreachableError, "server", False),
        (503, {"detail": "closing"}, UnreachableError, "server", False),
        (507, None, NoSpaceError, "server", False),
    ],
)
def test_refusals_are_told_apart(
    status: int, body: object, kind: type[Exception], concerns: str, is_lasting: bool
) -> None:
    """Each kind of refusal has its error, and tells what it concerns and whether it will last."""
    read = answer(status, body)
    assert isinstance(read, Failure)
    assert (type(read.error), read.concerns, read.is_lasting) == (kind, concerns, is_lasting)
    assert str(read.error).startswith(SERVER)
    assert "\n" not in str(read.error)


@pytest.mark.parametrize(
    ("given_text", "patience_s"),
    [("5", 5), ("0", 0), ("999999", 3600), ("-1", 0), ("soon", 0), ("9" * 50, 0), ("²", 0)],
)
def test_patience_is_read_with_sense(given_text: str, patience_s: int) -> None:
    """Retry-After in seconds is respected up to an hour; anything else is ignored."""
    read = read_answer(SERVER, 503, {"Retry-After": given_text}, b"")
    assert isinstance(read, Failure)
    assert read.retry_after_us == patience_s * 1_000_000


@given(status=st.integers(100, 599), body=st.binary(max_size=200))
def test_any_answer_is_read(status: int, body: bytes) -> None:
    """Whatever a server says, it becomes an answer, never a crash."""
    read = read_answer(SERVER, status, {}, body)
    assert isinstance(read, Durable | Elsewhere | TooLarge | Failure)
