"""The API's OpenAPI 3.1 document, made from the table that the routes are made from."""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.responses import Response

from steno import __version__
from steno.web.callers import COOKIE
from steno.web.endpoint import SAFE_METHODS, Answer, Call, Endpoint, json_response, needs_body
from steno.web.problems import MEDIA_TYPE, ProblemDocument

_REFERENCE = "#/components/schemas/{name}"
_PATH_PARAMETERS: dict[str, tuple[dict[str, Any], str]] = {
    "rec": ({"type": "string", "minLength": 1}, "A recording's id, or the unique beginning of one"),
    "number": (
        {"type": "integer", "minimum": 0, "maximum": 10**9},
        "The segment's number, from 0",
    ),
    "serial": ({"type": "integer", "minimum": 0, "maximum": 2**32 - 1}, "The event's serial"),
    "name": ({"type": "string", "minLength": 1}, "The user's name"),
    "host": ({"type": "string", "minLength": 1}, "The host's name"),
    "id": ({"type": "string", "minLength": 1}, "The token's id"),
    "trail": ({"type": "string", "minLength": 1}, "An audit trail's id"),
}


async def show_document(call: Call) -> Response:
    """GET /openapi.json."""
    document = call.request.app.state.openapi
    return json_response(document, headers={"Cache-Control": "no-cache"})


def build_document(endpoints: Iterable[Endpoint], prefix: str) -> dict[str, Any]:
    """Return the document that describes `endpoints`, which stand below `prefix`."""
    endpoints = list(endpoints)
    types = _types_of(endpoints)
    schemas, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    schema_of = dict(zip(types, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        operation = _operation(endpoint, schema_of, components)
        paths.setdefault(prefix + endpoint.path, {})[endpoint.method.lower()] = operation
    used = {
        name: _tidy(component)
        for name, component in components.items()
        if name not in {endpoint.query.__name__ for endpoint in endpoints if endpoint.query}
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Steno",
            "version": __version__,
            "description": "Recorded terminal sessions: find, replay, verify. See docs/api.md.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": used,
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
                "token": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def _types_of(endpoints: list[Endpoint]) -> list[Any]:
    types: dict[Any, None] = {ProblemDocument: None}
    for endpoint in endpoints:
        for kind in (endpoint.query, endpoint.body, *(answer.type for answer in endpoint.answers)):
            if kind is not None:
                types[kind] = None
    return list(types)


def _tidy(schema: object) -> object:
    """Return `schema` with simple pairs and with descriptions as one paragraph of plain text."""
    if isinstance(schema, dict):
        found = {
            key: _first_paragraph(value)
            if key == "description" and isinstance(value, str)
            else _tidy(value)
            for key, value in schema.items()
        }
        members = found.get("prefixItems")
        if isinstance(members, list) and all(member == members[0] for member in members):
            # The same, said shorter: schemathesis 4.32 misreads the longer way.
            found["items"] = members[0]
            del found["prefixItems"]
        return found
    if isinstance(schema, list):
        return [_tidy(item) for item in schema]
    return schema


def _first_paragraph(text: str) -> str:
    return re.sub(r"\s+", " ", text.split("\n\n")[0]).strip()


def _operation(
    endpoint: Endpoint, schema_of: dict[Any, Any], components: dict[str, Any]
) -> dict[str, Any]:
    parameters = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": _PATH_PARAMETERS[name][0],
            "description": _PATH_PARAMETERS[name][1],
        }
        for name in re.findall(r"{(\w+)}", endpoint.path)
    ]
    if endpoint.query is not None:
        parameters += _query_parameters(components[endpoint.query.__name__])
    operation: dict[str, Any] = {
        "operationId": endpoint.handler.__name__,
        "summary": endpoint.purpose,
        "parameters": parameters,
        "responses": _responses(endpoint, schema_of),
        "security": _security(endpoint),
    }
    if endpoint.body is not None:
        operation["requestBody"] = {
            "required": needs_body(endpoint.body),
            "content": {"application/json": {"schema": schema_of[endpoint.body]}},
        }
    return operation


def _query_parameters(schema: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for name, member in schema.get("properties", {}).items():
        options = [option for option in member.get("anyOf", []) if option != {"type": "null"}]
        plain = dict(options[0]) if options else dict(member)
        if (default := member.get("default")) is not None:
            plain["default"] = default
        required = name in schema.get("required", [])
        found.append({"name": name, "in": "query", "required": required, "schema": plain})
    return found


def _security(endpoint: Endpoint) -> list[dict[str, list[str]]]:
    if endpoint.least is None:
        return []
    return [{"session": []}] if endpoint.needs_session else [{"session": []}, {"token": []}]


def _responses(endpoint: Endpoint, schema_of: dict[Any, Any]) -> dict[str, Any]:
    responses = {str(answer.status): _answer(answer, schema_of) for answer in endpoint.answers}
    for status in sorted(_problem_statuses(endpoint)):
        responses[str(status)] = {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": schema_of[ProblemDocument]}},
        }
    return responses


def _answer(answer: Answer, schema_of: dict[Any, Any]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for media_type in answer.media_types:
        is_typed = media_type == "application/json" and answer.type is not None
        content[media_type] = {"schema": schema_of[answer.type]} if is_typed else {}
    described: dict[str, Any] = {"description": answer.purpose}
    if content:
        described["content"] = content
    return described


def _problem_statuses(endpoint: Endpoint) -> set[int]:
    """Return every status of a problem that the table says the endpoint may answer."""
    statuses = set(endpoint.problems) | {421, 422, 500, 503}
    if endpoint.least is not None:
        statuses |= {401, 403}
    else:
        statuses.add(401)
    if endpoint.is_of_recording:
        statuses |= {404, 409}
    if endpoint.body is not None:
        statuses |= {400, 408, 413, 415}
    if endpoint.method not in SAFE_METHODS:
        statuses |= {403, 507}
    if endpoint.viewing is not None:
        statuses.add(507)
    return statuses
