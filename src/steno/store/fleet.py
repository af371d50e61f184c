"""What a server knows of its hosts from their heartbeats, and what that means. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import msgspec

from steno.heartbeat import Heartbeat, OpenSession, SpoolFacts

SETTLED_US = 30 * 1_000_000
"""A running number is missed when its recording has not come so long after it was given."""

State = Literal["unheard", "good", "silent", "away", "left", "revoked"]

_AUDIT_SILENCE_US = 60_000_000
"""The audit trail's writer says every two seconds how it fares."""


class Heard(msgspec.Struct, frozen=True):
    """The last heartbeat of one of a host's spools, and what the server made of it.

    Attributes:
        host: The host's name, as it proved it.
        received_unix_us: When it came, by the server's clock.
        heartbeat: What it said.
        clock_offset_us: The host's clock minus the server's, half of the round trip taken off.
        settled_number: The running number that the host gave last, as it said a while ago: the
            recordings up to it should have come.
        number: The running number that it said at `number_unix_us`.
        number_unix_us: When that was.
        highest_number: The highest that it ever said. It never goes back by itself.
        has_had_agent: Whether an agent ever answered there.
    """

    host: str
    received_unix_us: int
    heartbeat: Heartbeat
    clock_offset_us: int = 0
    settled_number: int | None = None
    number: int | None = None
    number_unix_us: int = 0
    highest_number: int | None = None
    has_had_agent: bool = False


class Numbers(msgspec.Struct, frozen=True):
    """The running numbers that a host's recordings bear: first, last, and how many there are."""

    first: int
    last: int
    count: int


class Liveness(msgspec.Struct, frozen=True):
    """What a host says of one recording.

    Attributes:
        is_open: Whether it is still being written.
        at_unix_us: Still open: when the host said so last. Else: when it ceased to say so.
    """

    is_open: bool
    at_unix_us: int


class Rules(msgspec.Struct, frozen=True):
    """When a host is warned of.

    Attributes:
        silent_after_us: So long without a heartbeat, a host with open sessions is silent.
        clock_offset_us: A clock that is off by more is warned of.
        lag_us: Bytes that wait for longer are warned of.
        since_unix_us: Since when this server listens: before, nobody could be heard.
    """

    silent_after_us: int = 60_000_000
    clock_offset_us: int = 5_000_000
    lag_us: int = 60_000_000
    since_unix_us: int = 0


class Health(msgspec.Struct, frozen=True):
    """How a host is.

    Attributes:
        state: `unheard` (never sent a heartbeat), `good`, `silent` (heartbeats are missing, and it
            had open sessions), `away` (missing, without any), `left` (stopped in good order,
            without any), `revoked`.
        sessions: What its agents record, as last heard.
        open: How many recordings were open there, as last heard: at least the sessions.
        heard_unix_us: When it was last heard; None: never.
        silence_us: How long ago that is.
        lag_us: How long its oldest undelivered bytes waited, as last heard; 0: there are none.
        clock_offset_us: Its clock minus the server's.
        warnings: What somebody should look at: `silent`, `agent` (it answers no more), `lag`,
            `clock`, `full` (the spool), `failures` (as the host tells them), `number` (its running
            number went back).
    """

    state: State
    sessions: tuple[OpenSession, ...] = ()
    open: int = 0
    heard_unix_us: int | None = None
    silence_us: int | None = None
    lag_us: int | None = None
    clock_offset_us: int | None = None
    warnings: tuple[str, ...] = ()


def hear(before: Heard | None, host: str, heartbeat: Heartbeat, now_unix_us: int) -> Heard:
    """Return what is to be kept of a heartbeat; `before` is what was kept of the one before it."""
    half_us = (heartbeat.round_trip_us or 0) // 2
    number = number_of(heartbeat)
    settled = before.settled_number if before is not None else None
    candidate, since_us = number, now_unix_us
    if before is not None and before.number is not None:
        if 0 <= now_unix_us - before.number_unix_us < SETTLED_US:
            candidate, since_us = before.number, before.number_unix_us
        else:
            settled = max(settled or 0, before.number)
    known = [before.highest_number if before is not None else None, number]
    return Heard(
        host=host,
        received_unix_us=now_unix_us,
        heartbeat=msgspec.structs.replace(heartbeat, results=()),
        clock_offset_us=heartbeat.sent_unix_us + half_us - now_unix_us,
        settled_number=settled,
        number=candidate,
        number_unix_us=since_us,
        highest_number=max((one for one in known if one is not None), default=None),
        has_had_agent=heartbeat.agent is not None or (before is not None and before.has_had_agent),
    )


def number_of(heartbeat: Heartbeat) -> int | None:
    """Return the running number that the host gave last, as far as it says."""
    agent = heartbeat.agent.number if heartbeat.agent is not None else None
    known = [number for number in (heartbeat.spool.number, agent) if number is not None]
    return max(known, default=None)


def open_recs(heartbeat: Heartbeat) -> frozenset[str]:
    """Return the recordings that are being made, by the spool's files and by the agent."""
    sessions = heartbeat.agent.sessions if heartbeat.agent is not None else ()
    return frozenset(heartbeat.spool.open) | {session.rec for session in sessions}


def newest(heard: Iterable[Heard]) -> Heard | None:
    """Return what speaks for the host: the spool with an agent, among these the newest."""
    return max(
        heard,
        key=lambda one: (
            one.heartbeat.agent is not None and not one.heartbeat.is_leaving,
            one.received_unix_us,
        ),
        default=None,
    )


def judge(
    heard: Sequence[Heard], now_unix_us: int, rules: Rules, *, is_revoked: bool = False
) -> Health:
    """Return how a host is, from the last heartbeat of each of its spools."""
    if not heard:
        return Health("revoked" if is_revoked else "unheard")
    last = max(heard, key=lambda one: one.received_unix_us)
    sessions: dict[str, OpenSession] = {}
    opened: set[str] = set()
    for one in heard:
        agent = one.heartbeat.agent
        sessions |= {session.rec: session for session in agent.sessions} if agent else {}
        opened |= open_recs(one.heartbeat)
    state: State = "revoked" if is_revoked else _state(heard, opened, now_unix_us, rules)
    lag_us = max(_lag_us(one) for one in heard)
    return Health(
        state=state,
        sessions=tuple(sorted(sessions.values(), key=lambda one: (one.started_unix_us, one.rec))),
        open=len(opened),
        heard_unix_us=last.received_unix_us,
        silence_us=max(0, now_unix_us - last.received_unix_us),
        lag_us=lag_us,
        clock_offset_us=last.clock_offset_us,
        warnings=tuple(_warnings(state, heard, last, lag_us, rules)),
    )


def _state(
    heard: Sequence[Heard], opened: set[str], now_unix_us: int, rules: Rules
) -> Literal["good", "silent", "left", "away"]:
    late = [
        one
        for one in heard
        if now_unix_us - max(one.received_unix_us, rules.since_unix_us) >= rules.silent_after_us
    ]
    if any(open_recs(one.heartbeat) for one in late):
        return "silent"
    if all(one.heartbeat.is_leaving for one in heard) and not opened:
        return "left"
    return "away" if len(late) == len(heard) else "good"


def _lag_us(one: Heard) -> int:
    oldest_us = one.heartbeat.spool.oldest_undelivered_unix_us
    return 0 if oldest_us is None else max(0, one.heartbeat.sent_unix_us - oldest_us)


def _warnings(
    state: State, heard: Iterable[Heard], last: Heard, lag_us: int, rules: Rules
) -> Iterator[str]:
    if state == "silent":
        yield "silent"
    if any(_has_lost_agent(one) for one in heard):
        yield "agent"
    if lag_us >= rules.lag_us:
        yield "lag"
    if abs(last.clock_offset_us) >= rules.clock_offset_us:
        yield "clock"
    if any(_is_nearly_full(one.heartbeat.spool) for one in heard):
        yield "full"
    if any(_failures(one.heartbeat) for one in heard):
        yield "failures"
    if any(_has_number_gone_back(one) for one in heard):
        yield "number"
    if any(_has_lost_audit(one.heartbeat) for one in heard):
        yield "audit"


def _has_lost_agent(one: Heard) -> bool:
    return one.has_had_agent and one.heartbeat.agent is None and not one.heartbeat.is_leaving


def _is_nearly_full(spool: SpoolFacts) -> bool:
    """Tell whether less than a tenth of what the spool may take is left."""
    left_bytes = min(
        spool.limit_bytes - spool.used_bytes, spool.free_bytes - spool.least_free_bytes
    )
    return spool.limit_bytes > 0 and left_bytes * 10 < spool.limit_bytes


def _failures(heartbeat: Heartbeat) -> tuple[str, ...]:
    return heartbeat.failures + (heartbeat.agent.failures if heartbeat.agent is not None else ())


def _has_lost_audit(heartbeat: Heartbeat) -> bool:
    """Tell whether a host that wrote an audit trail does not any more, or its kernel is off."""
    audit = heartbeat.audit
    if audit is None or audit.level == "none":
        return False
    silence_us = heartbeat.sent_unix_us - audit.updated_unix_us
    return silence_us > _AUDIT_SILENCE_US or audit.enabled == 0 or audit.is_deaf


def _has_number_gone_back(one: Heard) -> bool:
    number = number_of(one.heartbeat)
    return number is not None and one.highest_number is not None and number < one.highest_number


def missing_ranges(
    gaps: Iterable[tuple[int, int]], heard: Iterable[Heard]
) -> list[tuple[int, int]]:
    """Return the (first, last) running numbers that are missing: `gaps` without what still waits.

    What waits on the host, undelivered, is late and not missing.
    """
    waiting: set[int] = set()
    for one in heard:
        waiting.update(one.heartbeat.spool.waiting_numbers)
        if one.heartbeat.agent is not None:
            waiting.update(
                session.number
                for session in one.heartbeat.agent.sessions
                if session.number is not None
            )
    left: list[tuple[int, int]] = []
    for first, last in gaps:
        at = first
        for number in sorted(number for number in waiting if first <= number <= last):
            if number > at:
                left.append((at, number - 1))
            at = number + 1
        if at <= last:
            left.append((at, last))
    return left
