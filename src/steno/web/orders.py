"""What people ask of a session that is being recorded: to end, or to show a message."""

from __future__ import annotations

import logging
from typing import Annotated

import anyio.to_thread
import msgspec
from starlette.responses import Response

from steno.heartbeat import MESSAGE_CHARACTERS, Do
from steno.store.accounts import RANKS, Role
from steno.store.fleet import judge
from steno.store.orders import NewOrder, Order
from steno.web.endpoint import Call, json_response
from steno.web.problems import Problem

log = logging.getLogger(__name__)

Reason = Annotated[str, msgspec.Meta(max_length=MESSAGE_CHARACTERS)]


class Killing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a session shall end; it is logged."""

    reason: Reason = ""


class NewMessage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to show on a session's terminal, and why; both are logged."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=MESSAGE_CHARACTERS)]
    reason: Reason = ""


class OrderList(msgspec.Struct, frozen=True):
    """Orders, newest first; and what the caller may give."""

    items: list[Order]
    may: list[Do]


def allowed(call: Call) -> list[Do]:
    """Return what the caller may ask of sessions, by their role and the configuration."""
    orders = call.services.config.orders
    least: dict[Do, Role] = {"kill": orders.kill, "message": orders.message}
    return [do for do, role in least.items() if RANKS[call.caller.role] >= RANKS[role]]


async def kill(call: Call) -> Response:
    """POST /recordings/{rec}/kill."""
    asked: Killing = call.body
    return await _give(call, "kill", "", asked.reason)


async def send_message(call: Call) -> Response:
    """POST /recordings/{rec}/message."""
    asked: NewMessage = call.body
    return await _give(call, "message", asked.text, asked.reason)


async def _give(call: Call, do: Do, text: str, reason: str) -> Response:
    if do not in allowed(call):
        raise Problem(403, "only for the role admin")
    host = await anyio.to_thread.run_sync(_reachable_host, call)
    new = NewOrder(host, call.recording.rec, do, text, reason)
    await call.log_viewing(do, "; ".join(part for part in (text, reason) if part))
    order = await anyio.to_thread.run_sync(call.services.orders.add, call.caller, new, call.address)
    log.warning(
        "order given",
        extra={
            "order": order.id,
            "do": do,
            "rec": order.rec,
            "host": host,
            "user": order.user,
            "reason": reason,
        },
    )
    return json_response(order, 201)


def _reachable_host(call: Call) -> str:
    """Return the host that can carry out an order about the recording.

    Raises:
        Problem: 409, the session has ended, or nobody there would hear of the order.
    """
    services, summary = call.services, call.recording
    if summary.end is not None or not summary.is_live:
        raise Problem(409, "the session has ended")
    if summary.sender is None:
        raise Problem(409, "no host delivers this recording")
    heard = services.store.heard(summary.sender)
    health = judge(heard, services.now_unix_us(), services.rules)
    if health.state != "good":
        raise Problem(409, f"host {summary.sender} does not answer: it is {health.state}")
    return summary.sender


async def list_orders(call: Call) -> Response:
    """GET /recordings/{rec}/orders."""
    rec = call.recording.rec
    orders = await anyio.to_thread.run_sync(call.services.orders.of_recording, rec)
    return json_response(OrderList(orders, allowed(call)))
