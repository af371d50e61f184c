"""Signing in and out: by password, and by one-time link."""

from __future__ import annotations

import logging
from typing import Annotated

import anyio.to_thread
import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from steno.errors import NotFoundError
from steno.store.accounts import Role
from steno.web.callers import (
    COOKIE,
    address_group,
    check_origin,
    clear_cookie,
    csrf_token,
    read_address,
    set_cookie,
)
from steno.web.endpoint import Call, json_response
from steno.web.passwords import MAX_CHARACTERS
from steno.web.problems import Problem
from steno.web.services import Services

log = logging.getLogger(__name__)


class Credentials(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a sign-in needs."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    password: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_CHARACTERS)]


class SessionUser(msgspec.Struct, frozen=True):
    """Who is signed in."""

    name: str
    role: Role


class Session(msgspec.Struct, frozen=True):
    """A session; `csrf_token` goes into the header X-CSRF-Token of whatever changes something."""

    user: SessionUser
    csrf_token: str


async def _start_session(request: Request, services: Services, name: str) -> str:
    """Begin a session, ending the one that the browser may still have; return its secret."""
    accounts = services.accounts
    if old := request.cookies.get(COOKIE):
        await anyio.to_thread.run_sync(accounts.end_session, old)
    secret = await anyio.to_thread.run_sync(accounts.begin_session, name, read_address(request))
    log.info("signed in", extra={"user": name, "address": read_address(request)})
    return secret


async def sign_in(call: Call) -> Response:
    """POST /session."""
    check_origin(call.request)
    credentials: Credentials = call.body
    services, name = call.services, credentials.name
    limits = services.config.login
    name_subject, address_subject = f"name {name}", f"address {address_group(call.address)}"
    wait_us = await anyio.to_thread.run_sync(
        services.attempts.begin,
        {name_subject: limits.per_name, address_subject: limits.per_address},
    )
    if wait_us is not None:
        log.warning("too many sign-ins", extra={"user": name, "address": call.address})
        raise Problem(
            429,
            "too many attempts; wait",
            headers={"Retry-After": str(-(-wait_us // 1_000_000))},
        )
    kept_hash = await anyio.to_thread.run_sync(services.accounts.password_hash, name)
    is_right, new_hash = await services.passwords.check(credentials.password, kept_hash)
    if not is_right:
        log.warning("sign-in failed", extra={"user": name, "address": call.address})
        raise Problem(401, "name or password is wrong", kind="wrong-credentials")
    if new_hash is not None and kept_hash is not None:
        await anyio.to_thread.run_sync(services.accounts.refresh_hash, name, kept_hash, new_hash)
    await anyio.to_thread.run_sync(services.attempts.succeed, name_subject, address_subject)
    try:
        secret = await _start_session(call.request, services, name)
    except NotFoundError as error:
        raise Problem(401, "name or password is wrong", kind="wrong-credentials") from error
    user = await anyio.to_thread.run_sync(services.accounts.user, name)
    response = json_response(Session(SessionUser(name, user.role), csrf_token(secret)))
    set_cookie(call.request, response, secret)
    return response


async def show_session(call: Call) -> Response:
    """GET /session."""
    secret = call.request.cookies.get(COOKIE, "")
    user = SessionUser(call.caller.name, call.caller.role)
    return json_response(Session(user, csrf_token(secret)))


async def sign_out(call: Call) -> Response:
    """DELETE /session."""
    secret = call.request.cookies.get(COOKIE, "")
    await anyio.to_thread.run_sync(call.services.accounts.end_session, secret)
    call.services.streams.end_of(key=call.caller.key)
    log.info("signed out", extra={"user": call.caller.name, "address": call.address})
    # What was watched must not stay behind in the browser's cache.
    headers = {"Cache-Control": "no-store", "Clear-Site-Data": '"cache"'}
    response = Response(status_code=204, headers=headers)
    clear_cookie(call.request, response)
    return response


def is_local_path(path: str) -> bool:
    """Return whether a browser, sent to `path`, stays on this server."""
    return (
        path.startswith("/")
        and not path.startswith(("//", "/\\"))
        and all(" " < character != "\\" and character != "\x7f" for character in path)
    )


async def use_link(request: Request, services: Services) -> Response:
    """GET /once/{secret}: sign in by a one-time link and go on to `next`.

    HEAD does not use the link up: programs that look at links before a person does send it.
    """
    headers = {"Cache-Control": "no-store"}
    next_path = request.query_params.get("next", "/")
    if not is_local_path(next_path):
        raise Problem(422, "next must be a path on this server", parameter="next")
    if request.method == "HEAD":
        return Response(status_code=200, headers=headers)
    name = await anyio.to_thread.run_sync(services.accounts.use_link, request.path_params["secret"])
    if name is None:
        log.warning("bad one-time link", extra={"address": read_address(request)})
        return PlainTextResponse(
            "This link was used already, or is too old. Ask for a new one: steno user link NAME\n",
            410,
            headers,
        )
    secret = await _start_session(request, services, name)
    response = RedirectResponse(next_path, 303, headers)
    set_cookie(request, response, secret)
    return response
