"""Users, API tokens, and the log of viewings."""

from __future__ import annotations

import logging
from typing import Annotated

import anyio.to_thread
import msgspec
from starlette.responses import Response

from steno.errors import UsageError
from steno.store.accounts import Role, Token, User, lesser_role, read_unix_us
from steno.store.viewings import Viewing
from steno.web.endpoint import Call, json_response
from steno.web.passwords import MAX_CHARACTERS
from steno.web.problems import Problem

log = logging.getLogger(__name__)

Password = Annotated[str, msgspec.Meta(min_length=8, max_length=MAX_CHARACTERS)]
MINUTE_US = 60 * 1_000_000
DAY_US = 24 * 3600 * 1_000_000


class Users(msgspec.Struct, frozen=True):
    """All users by name."""

    items: list[User]


class NewUser(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A user to add; without a password they come in by one-time links and tokens only."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    role: Role
    password: Password | None = None


class UserChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to change of a user; a new password, or disabling them, ends all their sessions."""

    role: Role | None = None
    password: Password | None = None
    is_disabled: bool | None = None


class SignInLink(msgspec.Struct, frozen=True):
    """A link that signs its user in once: a path on this server."""

    path: str
    expires_unix_us: int


class Tokens(msgspec.Struct, frozen=True):
    """API tokens, oldest first."""

    items: list[Token]


class NewToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An API token to make: for the caller, limited to `role` (default: all that they may)."""

    label: Annotated[str, msgspec.Meta(max_length=200)] = ""
    role: Role | None = None
    days: Annotated[int, msgspec.Meta(ge=1, le=3650)] = 90


class MadeToken(msgspec.Struct, frozen=True):
    """A new token; `secret` is shown here and never again."""

    token: Token
    secret: str


class ViewingsQuery(msgspec.Struct, frozen=True):
    """Which viewings: of one recording (its whole id), and which page."""

    rec: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 50
    cursor: str | None = None


class ViewingsPage(msgspec.Struct, frozen=True):
    """Some viewings, newest first."""

    items: list[Viewing]
    cursor: str | None


async def list_users(call: Call) -> Response:
    """GET /users."""
    return json_response(Users(await anyio.to_thread.run_sync(call.services.accounts.users)))


async def add_user(call: Call) -> Response:
    """POST /users."""
    new: NewUser = call.body
    services = call.services
    hashed = await services.passwords.hash(new.password) if new.password is not None else None
    user = await anyio.to_thread.run_sync(services.accounts.add_user, new.name, new.role, hashed)
    log.info("user added", extra={"user": new.name, "role": new.role, "by": call.caller.name})
    return json_response(user, 201)


async def show_user(call: Call) -> Response:
    """GET /users/{name}."""
    name = call.request.path_params["name"]
    return json_response(await anyio.to_thread.run_sync(call.services.accounts.user, name))


def _refuse_own(call: Call, what: str) -> None:
    """Keep one admin at least: nobody takes that from themselves.

    Raises:
        Problem: 409, the user of the path is the caller.
    """
    if call.request.path_params["name"] == call.caller.name:
        raise Problem(409, f"you cannot {what} yourself")


async def change_user(call: Call) -> Response:
    """PATCH /users/{name}."""
    change: UserChange = call.body
    services, name = call.services, call.request.path_params["name"]
    await anyio.to_thread.run_sync(services.accounts.user, name)
    if change.role is not None:
        _refuse_own(call, "change the role of")
        await anyio.to_thread.run_sync(services.accounts.set_role, name, change.role)
        log.info("role set", extra={"user": name, "role": change.role, "by": call.caller.name})
    if change.password is not None:
        hashed = await services.passwords.hash(change.password)
        await anyio.to_thread.run_sync(services.accounts.set_password, name, hashed)
        log.info("new credentials", extra={"user": name, "by": call.caller.name})
    if change.is_disabled is not None:
        await _set_disabled(call, name, is_disabled=change.is_disabled)
    services.streams.end_of(name=name)
    return json_response(await anyio.to_thread.run_sync(services.accounts.user, name))


async def _set_disabled(call: Call, name: str, *, is_disabled: bool) -> None:
    if is_disabled:
        _refuse_own(call, "disable")

    def change() -> None:
        call.services.accounts.set_disabled(name, is_disabled=is_disabled)

    await anyio.to_thread.run_sync(change)
    log.info(
        "user disabled" if is_disabled else "user enabled",
        extra={"user": name, "by": call.caller.name},
    )


async def remove_user(call: Call) -> Response:
    """DELETE /users/{name}."""
    services, name = call.services, call.request.path_params["name"]
    _refuse_own(call, "remove")
    await anyio.to_thread.run_sync(services.accounts.remove_user, name)
    services.streams.end_of(name=name)
    log.info("user removed", extra={"user": name, "by": call.caller.name})
    return Response(status_code=204)


async def add_link(call: Call) -> Response:
    """POST /users/{name}/links."""
    services, name = call.services, call.request.path_params["name"]
    lifetime_us = services.config.sessions.link_minutes * MINUTE_US
    secret = await anyio.to_thread.run_sync(services.accounts.add_link, name, lifetime_us)
    log.info("one-time link made", extra={"user": name, "by": call.caller.name})
    link = SignInLink(f"/once/{secret}", read_unix_us() + lifetime_us)
    return json_response(link, 201)


async def list_tokens(call: Call) -> Response:
    """GET /tokens: an admin sees everybody's."""
    tokens = await anyio.to_thread.run_sync(call.services.accounts.tokens)
    if call.caller.role != "admin":
        tokens = [token for token in tokens if token.user == call.caller.name]
    return json_response(Tokens(tokens))


async def add_token(call: Call) -> Response:
    """POST /tokens."""
    new: NewToken = call.body
    role = lesser_role(call.caller.role, new.role or call.caller.role)

    def add() -> tuple[Token, str]:
        return call.services.accounts.add_token(
            call.caller.name, role=role, label=new.label, lifetime_us=new.days * DAY_US
        )

    made, secret = await anyio.to_thread.run_sync(add)
    log.info("API access added", extra={"user": made.user, "role": role, "id": made.id})
    return json_response(MadeToken(made, secret), 201)


async def revoke_token(call: Call) -> Response:
    """DELETE /tokens/{id}: one's own, or as admin anybody's."""
    id_ = call.request.path_params["id"]
    owner = None if call.caller.role == "admin" else call.caller.name

    def revoke() -> None:
        call.services.accounts.revoke_token(id_, user=owner)

    await anyio.to_thread.run_sync(revoke)
    call.services.streams.end_of(key=f"token {id_}")
    log.info("API access revoked", extra={"id": id_, "by": call.caller.name})
    return Response(status_code=204)


async def list_viewings(call: Call) -> Response:
    """GET /viewings."""
    query: ViewingsQuery = call.query
    if query.cursor is not None and not (
        query.cursor.isascii() and query.cursor.isdigit() and len(query.cursor) < 19
    ):
        raise UsageError("cursor: not one of ours")
    before_id = int(query.cursor) if query.cursor is not None else None

    def read() -> ViewingsPage:
        page = call.services.viewings.page(rec=query.rec, before_id=before_id, limit=query.limit)
        return ViewingsPage(page.items, page.cursor)

    return json_response(await anyio.to_thread.run_sync(read))
