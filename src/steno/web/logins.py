"""Logins and failed attempts, as the hosts' audit trails tell of them."""

from __future__ import annotations

from typing import Annotated, Literal

import anyio.to_thread
import msgspec
from starlette.responses import Response

from steno.store.events import LoginQuery
from steno.web.endpoint import Call, json_response
from steno.web.events import Instant

FAILURE_FILTERS = ("user", "host", "source", "service", "from_unix_us", "until_unix_us")
"""What of a query the viewing log tells: whom and what somebody looked for."""

FILTERS = (*FAILURE_FILTERS, "recorded")
"""And of a query for logins."""

_RECORDED = {"": None, "yes": True, "no": False}


class FailuresQuery(msgspec.Struct, frozen=True):
    """Which failed attempts are wanted; `*` in texts stands for anything, case does not matter.

    Attributes:
        user: The account.
        host: The host's name.
        source: Where from: an address or a name.
        service: The program.
        from_unix_us: At this instant or later, microseconds since 1970.
        until_unix_us: Before this instant.
        limit: How many at most.
        cursor: Where to go on: the page before's `cursor`.
    """

    user: str = ""
    host: str = ""
    source: str = ""
    service: str = ""
    from_unix_us: Instant | None = None
    until_unix_us: Instant | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 50
    cursor: str | None = None


class LoginsQuery(FailuresQuery, frozen=True):
    """Which logins are wanted, as for failed attempts.

    Attributes:
        recorded: `yes`: only those with a recording; `no`: only those without.
    """

    recorded: Literal["", "yes", "no"] = ""


def _wanted(query: FailuresQuery, is_recorded: bool | None = None) -> LoginQuery:
    return LoginQuery(
        user=query.user,
        host=query.host,
        source=query.source,
        service=query.service,
        is_recorded=is_recorded,
        from_unix_us=query.from_unix_us,
        until_unix_us=query.until_unix_us,
    )


async def list_logins(call: Call) -> Response:
    """GET /logins."""
    query: LoginsQuery = call.query
    wanted = _wanted(query, _RECORDED[query.recorded])
    store = call.services.store
    page = await anyio.to_thread.run_sync(
        lambda: store.logins(wanted, cursor=query.cursor, limit=query.limit)
    )
    return json_response(page)


async def list_failures(call: Call) -> Response:
    """GET /logins/failures."""
    query: FailuresQuery = call.query
    wanted, store = _wanted(query), call.services.store
    page = await anyio.to_thread.run_sync(
        lambda: store.login_failures(wanted, cursor=query.cursor, limit=query.limit)
    )
    return json_response(page)
