"""Hosts that deliver recordings, and the codes with which they enrol."""

from __future__ import annotations

import logging
from typing import Annotated, Any

import anyio.to_thread
import msgspec
from starlette.responses import Response

from steno.heartbeat import AuditFacts, OpenSession, SpoolFacts
from steno.store.fleet import Health, Heard, State, judge, missing_ranges, newest, number_of
from steno.store.hosts import Host, HostCode
from steno.store.protocol import LeftAlone
from steno.web.endpoint import Call, json_response
from steno.web.services import Services

log = logging.getLogger(__name__)


HostName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$")]


class HostFacts(Host, frozen=True, kw_only=True):
    """An enrolled host, what it delivered, and how it is.

    Attributes:
        recordings: How many recordings it delivered.
        state: `good`, `silent` (no heartbeats, though it had open sessions), `away` (none, without
            any), `left` (stopped in good order), `unheard` (never sent any), `revoked`.
        warnings: What somebody should look at: `silent`, `agent`, `missing`, `lag`, `clock`,
            `full`, `failures`, `number`, `audit`, `index`.
        heard_unix_us: When its last heartbeat came.
        silence_us: How long ago that is.
        sessions: How many sessions its agent records.
        open: How many recordings are open there; at least the sessions.
        missing: How many recordings are missing, by its running number.
        lag_us: How long its oldest undelivered bytes have waited.
        clock_offset_us: Its clock minus the server's.
        agent_version: Of its agent; null: none answers.
        version: Of `steno deliver` there.
        spool_bytes: What its spool holds.
        spool_limit_bytes: How much that may be.
        undelivered_bytes: What of it no server has.
    """

    recordings: int
    state: State
    warnings: list[str]
    heard_unix_us: int | None = None
    silence_us: int | None = None
    sessions: int = 0
    open: int = 0
    missing: int = 0
    lag_us: int | None = None
    clock_offset_us: int | None = None
    agent_version: str | None = None
    version: str | None = None
    spool_bytes: int | None = None
    spool_limit_bytes: int | None = None
    undelivered_bytes: int | None = None


class Hosts(msgspec.Struct, frozen=True):
    """All hosts by name."""

    items: list[HostFacts]


class HostDetail(HostFacts, frozen=True, kw_only=True):
    """One host, with all that it said last.

    Attributes:
        open_sessions: What its agent records.
        missing_numbers: (first, last) of the running numbers that no recording bears.
        last_number: The running number that it gave last.
        boot_id: Its boot's id.
        uptime_s: How long it was up.
        agent_started_unix_us: Since when its agent runs.
        policy: The digest of the policy in force there.
        failures: What goes wrong there, in its own words.
        left_alone: What it delivered and the server's index follows no more, and why.
        spool: What its spool holds.
        audit: How its audit trail fares; null: nobody there writes one.
    """

    open_sessions: list[OpenSession]
    missing_numbers: list[tuple[int, int]]
    last_number: int | None = None
    boot_id: str | None = None
    uptime_s: int | None = None
    agent_started_unix_us: int | None = None
    policy: str | None = None
    failures: tuple[str, ...] = ()
    left_alone: tuple[LeftAlone, ...] = ()
    spool: SpoolFacts | None = None
    audit: AuditFacts | None = None


class HostWarning(msgspec.Struct, frozen=True):
    """A host that somebody should look at now."""

    kind: str
    host: str
    open: int
    heard_unix_us: int | None


class HostWarnings(msgspec.Struct, frozen=True):
    """All hosts that have fallen silent with open sessions."""

    items: list[HostWarning]


class NewCode(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the code is for: one host, or any whose name is not taken.

    Only a code made for a host that is enrolled already lets it enrol again.
    """

    host: HostName | None = None


async def list_hosts(call: Call) -> Response:
    """GET /hosts."""
    services = call.services

    def read() -> Hosts:
        look = _Look(services)
        return Hosts([HostFacts(**look.facts(host)) for host in services.hosts.hosts()])

    return json_response(await anyio.to_thread.run_sync(read))


async def show_host(call: Call) -> Response:
    """GET /hosts/{host}."""
    services, name = call.services, call.request.path_params["host"]

    def read() -> HostDetail:
        host = services.hosts.find(name)
        return _Look(services, name).detail(host)

    return json_response(await anyio.to_thread.run_sync(read))


async def list_warnings(call: Call) -> Response:
    """GET /warnings."""
    services = call.services

    def read() -> HostWarnings:
        look = _Look(services)
        found = []
        for host in services.hosts.hosts():
            health = look.health(host)
            if health.state == "silent":
                found.append(HostWarning("silent", host.name, health.open, health.heard_unix_us))
        return HostWarnings(found)

    return json_response(await anyio.to_thread.run_sync(read))


class _Look:
    """What the store says of hosts at one moment. Reads the store."""

    def __init__(self, services: Services, host: str | None = None) -> None:
        self._services = services
        self._now_unix_us = services.now_unix_us()
        self._heard: dict[str, list[Heard]] = {}
        for one in services.store.heard(host):
            self._heard.setdefault(one.host, []).append(one)
        self._recordings = services.store.senders()
        self._numbers = services.store.numbers()
        self._left: dict[str | None, list[LeftAlone]] = {}
        for left in services.store.left_alone(host):
            self._left.setdefault(left.sender, []).append(left)

    def health(self, host: Host) -> Health:
        return judge(
            self._heard.get(host.name, []),
            self._now_unix_us,
            self._services.rules,
            is_revoked=host.revoked_unix_us is not None,
        )

    def missing(self, host: Host) -> list[tuple[int, int]]:
        """Return the ranges of running numbers that are missing."""
        heard, numbers = self._heard.get(host.name, []), self._numbers.get(host.name)
        settled = max((one.settled_number or 0 for one in heard), default=0)
        if numbers is None or settled < numbers.first:
            return []
        if numbers.count == max(settled, numbers.last) - numbers.first + 1:
            return []  # what is usual costs no search
        return missing_ranges(self._services.store.number_gaps(host.name, settled), heard)

    def facts(self, host: Host) -> dict[str, Any]:
        """Return the members of `HostFacts`."""
        health, last = self.health(host), newest(self._heard.get(host.name, []))
        missing = sum(last - first + 1 for first, last in self.missing(host))
        facts = {name: getattr(host, name) for name in host.__struct_fields__}
        facts |= {
            "recordings": self._recordings.get(host.name, 0),
            "state": health.state,
            "warnings": [
                *health.warnings,
                *(["missing"] if missing else []),
                *(["index"] if host.name in self._left else []),
            ],
            "heard_unix_us": health.heard_unix_us,
            "silence_us": health.silence_us,
            "sessions": len(health.sessions),
            "open": health.open,
            "missing": missing,
            "lag_us": health.lag_us,
            "clock_offset_us": health.clock_offset_us,
        }
        if last is not None:
            beat = last.heartbeat
            facts |= {
                "agent_version": beat.agent.version if beat.agent is not None else None,
                "version": beat.version,
                "spool_bytes": beat.spool.used_bytes,
                "spool_limit_bytes": beat.spool.limit_bytes,
                "undelivered_bytes": beat.spool.undelivered_bytes,
            }
        return facts

    def detail(self, host: Host) -> HostDetail:
        facts = self.facts(host)
        facts |= {
            "open_sessions": list(self.health(host).sessions),
            "missing_numbers": self.missing(host),
            "left_alone": tuple(self._left.get(host.name, [])),
        }
        if (last := newest(self._heard.get(host.name, []))) is not None:
            beat, agent = last.heartbeat, last.heartbeat.agent
            facts |= {
                "last_number": number_of(beat),
                "boot_id": beat.boot_id,
                "uptime_s": beat.uptime_s,
                "agent_started_unix_us": agent.started_unix_us if agent is not None else None,
                "policy": agent.policy if agent is not None else None,
                "failures": beat.failures + (agent.failures if agent is not None else ()),
                "spool": beat.spool,
                "audit": beat.audit,
            }
        return HostDetail(**facts)


async def add_code(call: Call) -> Response:
    """POST /hosts/codes."""
    new: NewCode = call.body
    code: HostCode = await anyio.to_thread.run_sync(call.services.hosts.make_code, new.host)
    log.info("enrolment opened", extra={"host": new.host, "by": call.caller.name})
    return json_response(code, 201)
