"""What an endpoint is: one row of the API's table, from which routes, checks and OpenAPI come."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import anyio.to_thread
import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from steno.store.accounts import RANKS, Role, Signed
from steno.store.protocol import Summary
from steno.structs import convert, decode_json
from steno.web.callers import check_csrf, find_caller, read_address
from steno.web.problems import Problem
from steno.web.services import Services
from steno.web.visibility import find_visible

_INTEGER = re.compile(r"-?[0-9]{1,18}\Z")
T = TypeVar("T", bound=msgspec.Struct)

BODY_WAIT_S = 20.0
"""So long a body may take; it is small, and some come from nobody knows whom."""

SAFE_METHODS = frozenset({"GET", "HEAD"})


class Call:
    """One request, checked: what a handler gets.

    Attributes:
        request: The request itself.
        services: What the server consists of.
        caller: Who asks; None only where the endpoint lets anybody in.
        query: The query parameters, as the endpoint's `query` struct.
        body: The body, as the endpoint's `body` struct.
        recording: The recording named by the path, which the caller may see.
    """

    def __init__(self, request: Request, services: Services) -> None:
        self.request = request
        self.services = services
        self.found_caller: Signed | None = None
        self.query: Any = None
        self.body: Any = None
        self.found_recording: Summary | None = None

    @property
    def caller(self) -> Signed:
        """Who asks."""
        if self.found_caller is None:
            raise Problem(401, "sign in first", headers={"WWW-Authenticate": "Bearer"})
        return self.found_caller

    @property
    def recording(self) -> Summary:
        """The recording that the path names."""
        if self.found_recording is None:
            raise Problem(404)
        return self.found_recording

    @property
    def visible_to(self) -> str | None:
        """The name whose recordings alone the caller may see; None for all."""
        return self.caller.name if self.caller.role == "user" else None

    @property
    def address(self) -> str:
        """Where the request comes from."""
        return read_address(self.request)

    async def log_viewing(self, how: str, detail: str) -> None:
        """Log that the caller looks at the recording, or without one at many."""
        rec = None if self.found_recording is None else self.found_recording.rec
        viewings = self.services.viewings
        await anyio.to_thread.run_sync(viewings.add, self.caller, how, rec, detail, self.address)


class Answer(msgspec.Struct, frozen=True):
    """What an endpoint answers when all is well.

    Attributes:
        status: The HTTP status.
        type: What the JSON body is, None for no JSON.
        media_types: The body's media types.
        purpose: What it is, for OpenAPI.
    """

    status: int = 200
    type: Any = None
    media_types: tuple[str, ...] = ("application/json",)
    purpose: str = "What was asked for"


class Endpoint(msgspec.Struct, frozen=True):
    """One method on one path.

    Attributes:
        method: GET, POST, PATCH or DELETE.
        path: The path, with parameters in braces.
        handler: Answers a checked call.
        purpose: What it is for, for OpenAPI.
        least: The least role that may call it; None: anybody, signed in or not.
        query: The query parameters' struct.
        body: The JSON body's struct.
        answers: What it answers when all is well, the usual one first.
        problems: The statuses of its problems beside those that follow from the rest.
        viewing: What the viewing log says; None: shows nothing of what was recorded.
        viewing_detail: The query parameters that go into the log with it, of several those given.
        needs_session: Whether a token will not do.
    """

    method: str
    path: str
    handler: Callable[[Call], Awaitable[Response]]
    purpose: str
    least: Role | None = "user"
    query: type[msgspec.Struct] | None = None
    body: type[msgspec.Struct] | None = None
    answers: tuple[Answer, ...] = (Answer(),)
    problems: tuple[int, ...] = ()
    viewing: str | None = None
    viewing_detail: tuple[str, ...] = ()
    needs_session: bool = False

    @property
    def is_of_recording(self) -> bool:
        """Whether the path names a recording."""
        return "{rec}" in self.path

    async def serve(self, request: Request, services: Services) -> Response:
        """Check everything that the table says, then let the handler answer.

        Raises:
            Problem: The caller may not, or asks in the wrong way.
            StenoError: What the handler's rooms could not do.
        """
        call = Call(request, services)
        call.found_caller = await find_caller(request, services)
        self._check_role(call)
        # Where anybody may call, the caller's session gives nothing: signing in checks the origin.
        if self.method not in SAFE_METHODS and self.least and call.found_caller is not None:
            check_csrf(request, call.found_caller)
        call.query = _read_query(request, self.query)
        if self.body is not None:
            call.body = await _read_body(request, self.body, services.config.limits.body_bytes)
        if self.is_of_recording:
            rec = request.path_params["rec"]
            call.found_recording = await anyio.to_thread.run_sync(
                find_visible, services.store, rec, call.visible_to
            )
        if self.viewing is not None:
            await call.log_viewing(self.viewing, self._detail(call))
        return await self.handler(call)

    def _detail(self, call: Call) -> str:
        """Return what the viewing log tells of the query: one parameter itself, or several."""
        values = {name: getattr(call.query, name) for name in self.viewing_detail}
        if len(values) == 1:
            return str(*values.values())
        given = {name: value for name, value in values.items() if value not in ("", None)}
        return urlencode(given, safe="*:/", quote_via=quote)

    def _check_role(self, call: Call) -> None:
        if self.least is None:
            return
        if RANKS[call.caller.role] < RANKS[self.least]:
            raise Problem(403, f"only for the role {self.least}")
        if self.needs_session and call.caller.through != "session":
            raise Problem(403, "not with a token; sign in")


@cache
def _fields_of(kind: type[msgspec.Struct], wanted: type[msgspec.inspect.Type]) -> frozenset[str]:
    """Return the names of the fields of `kind` that are integers, or whatever is wanted."""
    found = set()
    for field in msgspec.structs.fields(kind):
        info = msgspec.inspect.type_info(field.type)
        options = info.types if isinstance(info, msgspec.inspect.UnionType) else (info,)
        if any(isinstance(option, wanted) for option in options):
            found.add(field.encode_name)
    return frozenset(found)


def _read_value(kind: type[msgspec.Struct], name: str, text: str) -> str | int | bool:
    """Return a query parameter's value as what its field is.

    Raises:
        Problem: 422, it is none.
    """
    if name in _fields_of(kind, msgspec.inspect.IntType):
        if not _INTEGER.match(text):
            raise Problem(422, f"{name}: not an integer", parameter=name)
        return int(text)
    if name in _fields_of(kind, msgspec.inspect.BoolType):
        if text not in ("true", "false"):
            raise Problem(422, f"{name}: neither true nor false", parameter=name)
        return text == "true"
    return text


def _read_query(request: Request, kind: type[T] | None) -> T | None:
    """Return the query parameters as `kind`; one that is unknown or given twice is an error."""
    values: dict[str, Any] = {}
    for name, text in request.query_params.multi_items():
        if kind is None or name not in kind.__struct_encode_fields__:
            raise Problem(422, f"there is no parameter {name}", parameter=name)
        if name in values:
            raise Problem(422, f"parameter {name} is given twice", parameter=name)
        values[name] = _read_value(kind, name, text)
    return _convert(values, kind) if kind is not None else None


def _convert(values: object, kind: type[T]) -> T:
    try:
        return convert(values, kind)
    except msgspec.ValidationError as error:
        raise _describe(error) from error


def _describe(error: msgspec.ValidationError) -> Problem:
    reason, _, path = str(error).partition(" - at `$")
    name = path.rstrip("`").lstrip(".")
    reason = reason.replace("`", "")
    reason = reason[:1].lower() + reason[1:]
    return Problem(422, f"{name}: {reason}" if name else reason, parameter=name or None)


def needs_body(kind: type[msgspec.Struct]) -> bool:
    """Return whether `kind` has members without a default, so that some body must come."""
    return any(field.required for field in msgspec.structs.fields(kind))


async def _read_body(request: Request, kind: type[T], limit_bytes: int) -> T:
    """Return the JSON body as `kind`; none at all stands for all defaults.

    Raises:
        Problem: 400, 413, 415 or 422.
    """
    body = await _read_bytes(request, limit_bytes)
    if not body and not needs_body(kind):
        return kind()
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise Problem(415, "the body must be application/json")
    try:
        return decode_json(body, kind)
    except msgspec.ValidationError as error:
        raise _describe(error) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Problem(400, f"the body is no JSON: {error}") from error


async def _read_bytes(request: Request, limit_bytes: int) -> bytearray:
    try:
        announced = int(request.headers.get("content-length", "0"))
        body = bytearray()
        if announced <= limit_bytes:
            async with asyncio.timeout(BODY_WAIT_S):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > limit_bytes:
                        break
    except TimeoutError as error:
        raise Problem(408, "the body comes too slowly", headers={"Connection": "close"}) from error
    except ClientDisconnect as error:
        raise Problem(400, "the body ended early") from error
    except ValueError as error:
        raise Problem(400, "Content-Length is no number") from error
    if announced > limit_bytes or len(body) > limit_bytes:
        raise Problem(413, f"the body exceeds {limit_bytes} bytes", headers={"Connection": "close"})
    return body


def json_response(
    data: object, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """Return `data` as a JSON answer that nobody caches."""
    return Response(
        msgspec.json.encode(data),
        status,
        {"Cache-Control": "no-store", **(headers or {})},
        media_type="application/json",
    )
