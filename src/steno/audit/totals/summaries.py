"""An audit log in numbers."""

from __future__ import annotations

import msgspec

from steno.audit.event import Event
from steno.audit.totals.tallies import login_of


class Summary(msgspec.Struct, kw_only=True):
    """A log in numbers.

    Attributes:
        events: How many.
        first_unix_us: The first one's time.
        last_unix_us: The last one's.
        hosts: Events of each host.
        users: Events of each who logged in.
        sessions: How many audit sessions.
        actions: Each word with how many events.
        failures: Each errno's name, or `refused`, with how many events.
        programs: Programs that were run, each with how often.
        keys: The rules' keys.
        lost: Events that are missing, by their numbers.
        damaged: Lines that are no audit records.
    """

    events: int = 0
    first_unix_us: int | None = None
    last_unix_us: int | None = None
    hosts: dict[str, int] = {}
    users: dict[str, int] = {}
    sessions: int = 0
    actions: dict[str, int] = {}
    failures: dict[str, int] = {}
    programs: dict[str, int] = {}
    keys: dict[str, int] = {}
    lost: int = 0
    damaged: int = 0


class Summaries:
    """Counts everything."""

    def __init__(self) -> None:
        self._summary = Summary()
        self._sessions: set[tuple[str, int]] = set()

    def feed(self, event: Event) -> list[Summary]:
        """Count `event`; nothing is known before the end."""
        summary, at = self._summary, event.at_unix_us
        summary.events += 1
        summary.lost += event.lost_before
        summary.first_unix_us = min(at, summary.first_unix_us or at)
        summary.last_unix_us = max(at, summary.last_unix_us or at)
        if event.host:
            _add(summary.hosts, event.host)
        if event.who.login_uid is not None:
            _add(summary.users, login_of(event.who))
        if event.audit_session is not None:
            self._sessions.add((event.host, event.audit_session))
        _add(summary.actions, event.action)
        if event.result == "failure":
            _add(summary.failures, event.error or "refused")
        if event.action == "ran" and event.result == "success" and event.objects:
            _add(summary.programs, event.objects[0].name)
        for key in event.keys:
            _add(summary.keys, key)
        return []

    def finish(self) -> list[Summary]:
        """Return the one summary."""
        self._summary.sessions = len(self._sessions)
        return [self._summary]


def _add(counts: dict[str, int], name: str) -> None:
    counts[name] = counts.get(name, 0) + 1
