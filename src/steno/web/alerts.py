"""Alerts: listed, acknowledged, and those of one recording with their instants in it."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Annotated, Literal

import anyio.to_thread
import msgspec
from starlette.responses import Response

from steno.errors import NotFoundError, UsageError
from steno.store.alerts import COMMENT_CHARACTERS, Alert, AlertQuery, Severity
from steno.store.events import SessionKey
from steno.store.joined_events import RecordingEvents
from steno.store.protocol import Store, Summary
from steno.web.endpoint import Call, json_response

log = logging.getLogger(__name__)

_RECORDINGS_LIMIT = 50


class AlertsQuery(msgspec.Struct, frozen=True):
    """Which alerts: of this severity or a worse one; open, acknowledged, or all."""

    least: Severity = "low"
    state: Literal["all", "open", "acknowledged"] = "all"
    rule: str | None = None
    host: str | None = None
    from_unix_us: int | None = None
    until_unix_us: int | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50
    cursor: str | None = None


class AlertPage(msgspec.Struct, frozen=True):
    """Some alerts, newest first, and how many of each severity are open in all.

    In each `rec` and `at_us` say where it can be seen; both null: no recording was made of it.
    """

    items: list[Alert]
    open: dict[Severity, int]
    cursor: str | None = None


class RecordingAlerts(msgspec.Struct, frozen=True):
    """The alerts of a recording, oldest first; in each `at_us` is its instant in the recording."""

    items: list[Alert]


class Acknowledgement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody who has seen to an alert says about it; it is kept."""

    comment: Annotated[str, msgspec.Meta(max_length=COMMENT_CHARACTERS)] = ""


async def list_alerts(call: Call) -> Response:
    """GET /alerts."""
    asked: AlertsQuery = call.query
    cursor = asked.cursor
    if cursor is not None and not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        raise UsageError("cursor: not one of ours")
    query = AlertQuery(
        least=asked.least,
        is_open=None if asked.state == "all" else asked.state == "open",
        rule=asked.rule,
        host=asked.host,
        from_unix_us=asked.from_unix_us,
        until_unix_us=asked.until_unix_us,
    )

    def read() -> AlertPage:
        alerts = call.services.alerts
        before_id = None if cursor is None else int(cursor)
        page = alerts.page(query, before_id=before_id, limit=asked.limit)
        finder = RecordingFinder(call.services.store)
        items = [finder.place(alert) for alert in page.items]
        return AlertPage(items, alerts.count_open(), page.cursor)

    return json_response(await anyio.to_thread.run_sync(read))


async def acknowledge(call: Call) -> Response:
    """POST /alerts/{number}/acknowledge."""
    asked: Acknowledgement = call.body
    number = min(call.request.path_params["number"], 2**62)

    def note() -> Alert:
        alerts = call.services.alerts
        (alert,) = alerts.acknowledge(call.caller, [number], asked.comment)
        return RecordingFinder(call.services.store).place(alert)

    alert = await anyio.to_thread.run_sync(note)
    log.info("alert acknowledged", extra={"alert": number, "by": call.caller.name})
    return json_response(alert)


async def list_recording_alerts(call: Call) -> Response:
    """GET /recordings/{rec}/alerts."""
    summary = call.recording

    def read() -> list[Alert]:
        place = _Place(call.services.store, summary)
        session = None
        if summary.boot_id is not None and summary.audit_session is not None:
            session = (summary.sender, summary.boot_id, summary.audit_session)
        alerts = call.services.alerts
        found = alerts.of_recording(summary.rec, session, *place.span_unix_us())
        placed = [one for one in map(place.put, found) if one is not None]
        return sorted(placed, key=lambda alert: (alert.at_us or 0, alert.id))

    return json_response(RecordingAlerts(await anyio.to_thread.run_sync(read)))


class _Place:
    """A recording, and which alerts of its session are about what happened in it."""

    def __init__(self, store: Store, summary: Summary) -> None:
        self._store = store
        self._summary = summary
        self._events = RecordingEvents.of(summary, store.joined_events(summary.rec))

    def span_unix_us(self) -> tuple[int, int]:
        """Return from when to when its events may be stamped."""
        first_us, last_us = self._events.span_unix_us()
        return first_us, last_us + 1

    def put(self, alert: Alert) -> Alert | None:
        """Return an alert with the recording and its instant in it; None: it is none of its."""
        at_us = alert.at_us
        if alert.rec is None or at_us is None:
            at_us = self._instant_of(alert)
        if at_us is None:
            return None
        return msgspec.structs.replace(alert, rec=self._summary.rec, at_us=at_us)

    def _instant_of(self, alert: Alert) -> int | None:
        trail, serial = alert.trail or "", alert.serial or 0
        offset_bytes = None
        with suppress(NotFoundError):  # its trail may have gone
            offset_bytes = self._store.event(trail, serial).offset_bytes
        return self._events.locate(alert.at_unix_us, trail, serial, offset_bytes)


class RecordingFinder:
    """Finds the recordings in which alerts can be seen; each session is asked for once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._found: dict[SessionKey, list[_Place]] = {}

    def place(self, alert: Alert) -> Alert:
        """Return the alert with its recording, where there is one: the one that began last."""
        if alert.rec is not None or alert.boot_id is None or alert.audit_session is None:
            return alert
        session = SessionKey(alert.sender, alert.boot_id, alert.audit_session)
        if session not in self._found:
            recordings = self._store.session_recordings(session)[-_RECORDINGS_LIMIT:]
            self._found[session] = [_Place(self._store, one) for one in reversed(recordings)]
        placed = (place.put(alert) for place in self._found[session])
        return next((one for one in placed if one is not None), alert)
