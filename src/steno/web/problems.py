"""What goes wrong, as the caller sees it: RFC 9457 problem documents."""

from __future__ import annotations

from http import HTTPStatus

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from steno.errors import (
    AmbiguousError,
    FormatError,
    NoSpaceError,
    NotFoundError,
    QueryError,
    RefusedError,
    StenoError,
    StoreError,
    UsageError,
)

MEDIA_TYPE = "application/problem+json"


class ProblemDocument(msgspec.Struct, omit_defaults=True):
    """Why a request failed.

    Attributes:
        type: Names the kind of problem; "about:blank" when the status says it all.
        title: The kind, in words.
        status: The HTTP status.
        detail: What is wrong this time.
        query: The search query that cannot be understood.
        position: Where in `query`, in characters from 0.
        parameter: The parameter or body member that is wrong.
    """

    type: str
    title: str
    status: int
    detail: str = ""
    query: str | None = None
    position: int | None = None
    parameter: str | None = None


class Problem(Exception):
    """Raised by a handler to end the request with a problem document."""

    def __init__(
        self,
        status: int,
        detail: str = "",
        *,
        kind: str | None = None,
        headers: dict[str, str] | None = None,
        query: str | None = None,
        position: int | None = None,
        parameter: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = headers or {}
        phrase = HTTPStatus(status).phrase
        self.document = ProblemDocument(
            type=f"urn:steno:problem:{kind}" if kind else "about:blank",
            title=kind.replace("-", " ").capitalize() if kind else phrase,
            status=status,
            detail=detail,
            query=query,
            position=position,
            parameter=parameter,
        )

    def response(self) -> Response:
        """Return what the caller gets."""
        return Response(
            msgspec.json.encode(self.document),
            self.status,
            {**self.headers, "Cache-Control": "no-store"},
            media_type=MEDIA_TYPE,
        )


def problem_of(error: StenoError) -> Problem:
    """Return the problem that tells of `error`."""
    if isinstance(error, QueryError):
        return Problem(
            400, error.reason, kind="bad-query", query=error.query, position=error.position
        )
    statuses: list[tuple[type[StenoError], int]] = [
        (NotFoundError, 404),
        (AmbiguousError, 409),
        (UsageError, 422),
        (FormatError, 422),
        (RefusedError, 403),
        (NoSpaceError, 507),
        (StoreError, 503),
    ]
    for kind, status in statuses:
        if isinstance(error, kind):
            return Problem(status, str(error))
    return Problem(500)


async def answer_problem(request: Request, error: Exception) -> Response:
    """Answer a `Problem` that a handler raised."""
    if not isinstance(error, Problem):
        raise error
    return error.response()


async def answer_error(request: Request, error: Exception) -> Response:
    """Answer a `StenoError` that a handler raised."""
    if not isinstance(error, StenoError):
        raise error
    return problem_of(error).response()


async def answer_http_exception(request: Request, error: Exception) -> Response:
    """Answer what the framework found: no such path, or not with this method."""
    if not isinstance(error, HTTPException):
        raise error
    detail = "" if error.detail == HTTPStatus(error.status_code).phrase else error.detail
    headers = dict(error.headers or {})
    return Problem(error.status_code, detail, headers=headers).response()
