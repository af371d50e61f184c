"""The API's table, of what hosts' audit trails tell: events, logins, alerts."""

from __future__ import annotations

from steno.store.alerts import Alert
from steno.store.event_places import FoundEvent
from steno.store.events import Login, LoginFailures
from steno.store.protocol import Page
from steno.web import alerts, events, logins, trails
from steno.web.endpoint import Answer, Endpoint

AUDIT: tuple[Endpoint, ...] = (
    Endpoint(
        "GET",
        "/alerts",
        alerts.list_alerts,
        "What alert rules found, newest first, and how many alerts nobody has acknowledged.",
        least="auditor",
        query=alerts.AlertsQuery,
        answers=(Answer(type=alerts.AlertPage),),
        problems=(400,),
        viewing="alerts",
    ),
    Endpoint(
        "POST",
        "/alerts/{number}/acknowledge",
        alerts.acknowledge,
        "Say that one has seen to an alert; who, when and the comment are kept. The first counts.",
        least="auditor",
        body=alerts.Acknowledgement,
        answers=(Answer(type=Alert),),
        problems=(404,),
    ),
    Endpoint(
        "GET",
        "/events",
        events.find_events,
        "Find audit events of all hosts, newest first.",
        query=events.EventListQuery,
        answers=(Answer(type=Page[FoundEvent]),),
        problems=(400,),
        viewing="events",
        viewing_detail=("q",),
    ),
    Endpoint(
        "GET",
        "/events/{trail}/{serial}",
        events.show_found_event,
        "One audit event whole, with the records underneath.",
        answers=(Answer(type=FoundEvent),),
        problems=(404, 507),
    ),
    Endpoint(
        "GET",
        "/logins",
        logins.list_logins,
        "Who logged in, newest first, and which recordings were made.",
        least="auditor",
        query=logins.LoginsQuery,
        answers=(Answer(type=Page[Login]),),
        problems=(400,),
        viewing="logins",
        viewing_detail=logins.FILTERS,
    ),
    Endpoint(
        "GET",
        "/logins/failures",
        logins.list_failures,
        "Attempts to log in that failed, taken together.",
        least="auditor",
        query=logins.FailuresQuery,
        answers=(Answer(type=Page[LoginFailures]),),
        problems=(400,),
        viewing="failures",
        viewing_detail=logins.FAILURE_FILTERS,
    ),
    Endpoint(
        "GET",
        "/trails",
        trails.list_trails,
        "The audit trails.",
        least="auditor",
        answers=(Answer(type=trails.Trails),),
    ),
    Endpoint(
        "GET",
        "/trails/{trail}/lines",
        trails.read_trail,
        "An audit trail's original lines, byte for byte.",
        least="auditor",
        answers=(Answer(media_types=("application/x-ndjson",)),),
        problems=(404,),
    ),
)
