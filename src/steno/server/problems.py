"""Refusals as RFC 9457 problem documents, for the routes that hosts call."""

from __future__ import annotations

from http import HTTPStatus

from starlette.responses import JSONResponse

from steno.errors import NoSpaceError, RefusedError, StenoError, UsageError


def problem(
    status: int,
    detail: str,
    *,
    headers: dict[str, str] | None = None,
    **members: str | int | None,
) -> JSONResponse:
    """Return a problem document; `members` are added to it."""
    document = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        **{name: value for name, value in members.items() if value is not None},
    }
    return JSONResponse(document, status, media_type="application/problem+json", headers=headers)


def problem_of(error: StenoError) -> JSONResponse:
    """Return the problem document for an error that a store or registry raised."""
    text = str(error).partition("\n")[0]
    if isinstance(error, UsageError):
        return problem(400, text)
    if isinstance(error, RefusedError):
        return problem(403, text)
    if isinstance(error, NoSpaceError):
        return problem(507, text, headers={"Retry-After": "30"})
    return problem(503, text, headers={"Retry-After": "5"})
