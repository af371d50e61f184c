"""Hosts that deliver recordings, and the codes with which they enrol."""

from __future__ import annotations

import logging
from typing import Annotated

import anyio.to_thread
import msgspec
from starlette.responses import Response

from steno.store.hosts import Host, HostCode
from steno.web.endpoint import Call, json_response

log = logging.getLogger(__name__)


HostName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$")]


class HostFacts(Host, frozen=True, kw_only=True):
    """An enrolled host, and how many recordings it delivered."""

    recordings: int


class Hosts(msgspec.Struct, frozen=True):
    """All hosts by name."""

    items: list[HostFacts]


class NewCode(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the code is for: one host, or any whose name is not taken.

    Only a code made for a host that is enrolled already lets it enrol again.
    """

    host: HostName | None = None


async def list_hosts(call: Call) -> Response:
    """GET /hosts."""
    services = call.services

    def read() -> Hosts:
        counts = services.store.senders()
        return Hosts(
            [
                HostFacts(
                    **{name: getattr(host, name) for name in host.__struct_fields__},
                    recordings=counts.get(host.name, 0),
                )
                for host in services.hosts.hosts()
            ]
        )

    return json_response(await anyio.to_thread.run_sync(read))


async def add_code(call: Call) -> Response:
    """POST /hosts/codes."""
    new: NewCode = call.body
    code: HostCode = await anyio.to_thread.run_sync(call.services.hosts.make_code, new.host)
    log.info("enrolment opened", extra={"host": new.host, "by": call.caller.name})
    return json_response(code, 201)
