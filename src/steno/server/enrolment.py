"""Enrolling hosts: a one-time code becomes a token and a client certificate."""

from __future__ import annotations

import asyncio

import anyio.to_thread
import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from steno.delivery.fingerprint import fingerprint
from steno.delivery.wire import CA_PATH, ENROL_PATH
from steno.errors import StenoError
from steno.server.bodies import read_body
from steno.server.certificates import Authority
from steno.server.problems import problem, problem_of
from steno.store.accounts_file import AccountsFile
from steno.store.hosts import HostRegistry
from steno.structs import decode_json

_BODY_LIMIT_BYTES = 65536
BODY_WAIT_S = 20.0


class EnrolmentRequest(msgspec.Struct, frozen=True):
    """What a host asks with: the code, the name it wants, and a certificate request (PEM)."""

    code: str
    host: str
    csr: str | None = None


class EnrolmentAnswer(msgspec.Struct, frozen=True):
    """What it gets. `certificate` and `ca` (PEM) are null where the server has no authority."""

    token: str
    certificate: str | None
    ca: str | None


def open_registry(file: AccountsFile, authority: Authority | None) -> HostRegistry:
    """Return the hosts in `file`; the codes that they make name `authority`."""
    return HostRegistry(file, ca_fingerprint=fingerprint(authority.pem) if authority else "")


def enrolment_routes(registry: HostRegistry, authority: Authority | None) -> list[Route]:
    """Return the routes by which hosts enrol; without `authority` they get a token only."""

    async def answer_enrol(request: Request) -> Response:
        try:
            # Anybody may ask, so that nobody is waited for long.
            async with asyncio.timeout(BODY_WAIT_S):
                body = await read_body(request, _BODY_LIMIT_BYTES)
            if body is None:
                return problem(413, f"an enrolment has at most {_BODY_LIMIT_BYTES} bytes")
            asked = decode_json(body, EnrolmentRequest)
            return await anyio.to_thread.run_sync(_enrol, registry, authority, asked)
        except TimeoutError:
            return problem(408, "the body comes too slowly", headers={"Connection": "close"})
        except (msgspec.DecodeError, UnicodeDecodeError, ClientDisconnect) as error:
            return problem(400, f"this is no enrolment: {error}")
        except StenoError as error:
            return problem_of(error)

    async def answer_ca(request: Request) -> Response:
        if authority is None:
            return problem(404, "this server has no certificate authority of its own")
        return Response(authority.pem, media_type="application/x-pem-file")

    return [
        Route(ENROL_PATH, answer_enrol, methods=["POST"], name="enrol"),
        Route(CA_PATH, answer_ca, methods=["GET"], name="ca"),
    ]


def _enrol(
    registry: HostRegistry, authority: Authority | None, asked: EnrolmentRequest
) -> Response:
    # First the code: nobody without one has anything parsed or signed.
    registry.check_code(asked.code, asked.host)
    certificate, issued = None, None
    if authority is not None and asked.csr is not None:
        pem, issued = authority.issue_host(asked.csr.encode(), asked.host)
        certificate = pem.decode("ascii")
    token = registry.enrol(asked.code, asked.host, issued)
    ca = authority.pem.decode("ascii") if authority else None
    answer = EnrolmentAnswer(token, certificate, ca)
    return JSONResponse(msgspec.to_builtins(answer), headers={"Cache-Control": "no-store"})
