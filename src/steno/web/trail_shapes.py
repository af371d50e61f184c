"""What the endpoints of a recording's commands and audit events answer, for their description.

The answers themselves are made of `steno.audit.event.Event`, whose records are JSON that nobody
decodes; that is no type that a schema can be made of.
"""

from __future__ import annotations

from typing import Any

import msgspec

from steno.audit.event import Event
from steno.audit.session.bunches import Bunch
from steno.audit.session.ran import TrailKind
from steno.audit.session.recorded import RecordedCommand, RecordedCommands, RecordedEvent, Source

__all__ = [
    "EventAnswer",
    "EventPage",
    "RecordedCommand",
    "RecordedCommands",
    "RecordedEvent",
    "Source",
]


def _describe(name: str, *more: tuple[str, Any, Any]) -> type[msgspec.Struct]:
    fields = [
        (one.name, one.type)
        if one.required
        else (one.name, one.type, msgspec.field(default_factory=one.default_factory))
        if one.default_factory is not msgspec.NODEFAULT
        else (one.name, one.type, one.default)
        for one in msgspec.structs.fields(Event)
        if one.name != "records"
    ]
    namespace = {"__doc__": Event.__doc__}
    return msgspec.defstruct(name, [*fields, *more], namespace=namespace, module=__name__)


AuditEvent = _describe("AuditEvent")
WholeAuditEvent = _describe(
    "WholeAuditEvent", ("records", list[Any], msgspec.field(default_factory=list))
)


class ShownEvent(msgspec.Struct, frozen=True):
    """An audit event of a recording, without the records underneath.

    Attributes:
        at_us: When, in the recording.
        command: The command's number that it belongs to; None: the session's, no command's.
        kind: What sort it is.
        event: The event.
        bunch: What stands here in place of several events that say the same; None: only this one.
    """

    at_us: int
    command: int | None
    kind: TrailKind
    event: AuditEvent  # type: ignore[valid-type]  # made above
    bunch: Bunch | None = None


class EventPage(msgspec.Struct, frozen=True):
    """Some of a recording's audit events; `cursor` fetches the next page."""

    items: list[ShownEvent]
    cursor: str | None = None


class EventAnswer(msgspec.Struct, frozen=True):
    """One audit event, whole, and the audit trail that holds it."""

    at_us: int
    command: int | None
    trail: str
    event: WholeAuditEvent  # type: ignore[valid-type]  # made above
