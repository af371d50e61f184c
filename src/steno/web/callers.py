"""Who is asking: session cookies, API tokens, CSRF tokens, addresses."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from functools import partial
from urllib.parse import urlsplit

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response

from steno.store.accounts import Signed
from steno.web.problems import Problem
from steno.web.services import Services

COOKIE = "steno_session"
UNATTENDED = "x-steno-unattended"
"""What a page asks with this header it asks by itself: that keeps no idle session going."""


def read_address(request: Request) -> str:
    """Return the client's address; "" when there is none (a Unix socket)."""
    return request.client.host if request.client else ""


def address_group(address: str) -> str:
    """Return what counts as one place in limits: an IPv4 address, or an IPv6 /64."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def read_bearer(request: Request) -> str | None:
    """Return the token of an Authorization header; None without such a header."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


async def find_caller(request: Request, services: Services) -> Signed | None:
    """Return who asks, by token or else by cookie; None when neither is there or good.

    Raises:
        Problem: 401, a token was given and is not good. A stale cookie is no error: browsers
            send it on and on.
    """
    token = read_bearer(request)
    if token is not None:
        signed = await anyio.to_thread.run_sync(services.accounts.find_token, token)
        if signed is None:
            raise Problem(
                401,
                "the token is unknown, expired or revoked",
                headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
            )
        return signed
    secret = request.cookies.get(COOKIE)
    if not secret:
        return None
    counts_as_use = UNATTENDED not in request.headers
    find_session = partial(services.accounts.find_session, secret, touch=counts_as_use)
    return await anyio.to_thread.run_sync(find_session)


def csrf_token(secret: str) -> str:
    """Return the token that proves that a request comes from our own page.

    It is derived from the session's secret, which a foreign page cannot read, so that it need
    not be kept.
    """
    return hmac.new(secret.encode(), b"steno csrf", hashlib.sha256).hexdigest()


def check_csrf(request: Request, caller: Signed) -> None:
    """Let only our own pages change something by a cookie.

    Raises:
        Problem: 403, the token is missing or wrong.
    """
    if caller.through != "session":
        return
    given = request.headers.get("x-csrf-token", "")
    expected = csrf_token(request.cookies.get(COOKIE, ""))
    if not hmac.compare_digest(given.encode(), expected.encode()):
        raise Problem(403, "header X-CSRF-Token is missing or wrong", kind="csrf")


def check_origin(request: Request) -> None:
    """Refuse a request that another site's page makes: nobody is signed in by stealth.

    Raises:
        Problem: 403, the Origin header names another host.
    """
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host", ""):
        raise Problem(403, "the request comes from another site", kind="csrf")


def set_cookie(request: Request, response: Response, secret: str) -> None:
    """Give the browser a session's secret; it goes when the browser closes."""
    response.set_cookie(
        COOKIE,
        secret,
        path="/",
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )


def clear_cookie(request: Request, response: Response) -> None:
    """Make the browser forget the session."""
    response.delete_cookie(
        COOKIE,
        path="/",
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
