"""Alerts: listed, acknowledged, and those of one recording with their instants in it."""

from __future__ import annotations

import logging
from typing import Annotated, Literal

import anyio.to_thread
import msgspec
from starlette.responses import Response

from steno.audit.session.clocks import KIND, Calendar
from steno.errors import UsageError
from steno.store.alerts import COMMENT_CHARACTERS, Alert, AlertQuery, Severity
from steno.store.protocol import Store, Summary
from steno.store.query import parse
from steno.web.endpoint import Call, json_response
from steno.web.trail_reading import read_facts

log = logging.getLogger(__name__)

_RECORDINGS_LIMIT = 50
_SLACK_US = 1_000_000
"""The audit trail's clock ticks every few milliseconds, and a host's clock may be set."""


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
        found = alerts.of_recording(summary.rec, session, place.from_unix_us, place.until_unix_us)
        return sorted(map(place.put, found), key=lambda alert: (alert.at_us or 0, alert.id))

    return json_response(RecordingAlerts(await anyio.to_thread.run_sync(read)))


class _Place:
    """A recording, and where in it alerts of its session belong.

    Attributes:
        from_unix_us: From when on events count as the recording's.
        until_unix_us: Up to when.
    """

    def __init__(self, store: Store, summary: Summary) -> None:
        facts = read_facts(store, summary) if summary.notes.get(KIND) else None
        self._summary = summary
        self._calendar = Calendar(summary.started_unix_us, facts.notes if facts else ())
        first_us, last_us = self._calendar.span_unix_us(summary.duration_us)
        self.from_unix_us, self.until_unix_us = first_us - _SLACK_US, last_us + _SLACK_US

    def put(self, alert: Alert) -> Alert:
        """Return an alert with the recording and its instant in it."""
        at_us = alert.at_us
        if alert.rec is None or at_us is None:
            (at_us,) = self._calendar.place([alert.at_unix_us])
            at_us = min(max(0, at_us), self._summary.duration_us)
        return msgspec.structs.replace(alert, rec=self._summary.rec, at_us=at_us)


class RecordingFinder:
    """Finds the recordings in which alerts can be seen; each session is asked for once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._found: dict[tuple[str | None, str, int], list[_Place]] = {}

    def place(self, alert: Alert) -> Alert:
        """Return the alert with its recording, where there is one."""
        if alert.rec is not None or alert.boot_id is None or alert.audit_session is None:
            return alert
        key = (alert.sender, alert.boot_id, alert.audit_session)
        if key not in self._found:
            self._found[key] = self._places(*key)
        for place in self._found[key]:
            if place.from_unix_us <= alert.at_unix_us < place.until_unix_us:
                return place.put(alert)
        return alert

    def _places(self, sender: str | None, boot_id: str, session: int) -> list[_Place]:
        page = self._store.recordings(parse(f"session:{session}"), limit=_RECORDINGS_LIMIT)
        return [
            _Place(self._store, summary)
            for summary in page.items
            if summary.sender == sender and summary.boot_id == boot_id
        ]
