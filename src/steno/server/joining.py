"""Join recordings with the audit events of their sessions, for search, lists and alerts.

Opening a recording's page joins it anyway; this does so for all, once what came in has settled a
little, and keeps which events are whose. It takes a small part of the time only: what is not joined
yet is found by its session and time meanwhile.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable

from steno.audit.session.recording_trail import AFTER_US
from steno.audit.session.scopes import Root
from steno.errors import StenoError
from steno.store.events import SessionKey
from steno.store.joined_events import JoinedEvents, describe_join
from steno.store.protocol import Store, Summary
from steno.store.session_reading import join_stored

_log = logging.getLogger(__name__)
_SETTLE_S = 2.0
_LOOK_S = 1.0
_REST = 4
"""After joining, nothing is joined for so many times what that took of the processor's time.

Not of the clock's: where others keep the processor busy, or the machine stands still for a while,
nobody should wait twenty times as long for events to be found."""

_SESSION_REST = 20
"""A session that goes on is joined again after so many times what joining it took, at least; of
the processor's time, too."""

_EVENTS_LIMIT = 100_000
"""Of larger sessions the first events are joined, which takes some 250 MB of memory; the others
count by their time."""

_FAILED_REST_S = 300.0
"""A session that cannot be joined is tried again after so long."""

_KNOWN_ROOTS = 4096
_SESSIONS = 4096
_PAGE = 100


class Joining:
    """Joins the recordings of one store, one session at a time."""

    def __init__(self, store: Store, *, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._monotonic_s = monotonic_s
        self._next_s = 0.0
        self._due_s: OrderedDict[SessionKey, float] = OrderedDict()
        self._roots: dict[str, Root] = {}

    def join_due(self) -> float:
        """Join one session that is due; return the instant at which there may be more to do."""
        now_s = self._monotonic_s()
        if now_s < self._next_s:
            return self._next_s
        self._next_s = now_s + _LOOK_S
        for session, since in self._store.unjoined_sessions():
            if now_s < self._due_s.setdefault(session, now_s + _SETTLE_S):
                continue
            # Whatever fails with this one keeps the others no longer.
            self._due_s[session] = now_s + _FAILED_REST_S
            self._due_s.move_to_end(session)
            begun_s = time.thread_time()
            self._join(session, since)
            took_s = time.thread_time() - begun_s
            now_s = self._monotonic_s()
            self._due_s[session] = now_s + max(_SETTLE_S, _SESSION_REST * took_s)
            self._next_s = now_s + _REST * took_s
            break
        while len(self._due_s) > _SESSIONS:
            self._due_s.popitem(last=False)
        return self._next_s

    def join_all(self) -> None:
        """Join all sessions of which something came in since they were joined, each once."""
        done: set[SessionKey] = set()
        while True:
            waiting = self._store.unjoined_sessions(len(done) + _PAGE)
            fresh = [one for one in waiting if one[0] not in done]
            if not fresh:
                return
            for session, since in fresh:
                self._join(session, since)
                done.add(session)

    def _join(self, session: SessionKey, since: int) -> None:
        store = self._store
        trails = store.trail_summaries(sender=session.sender, boot_id=session.boot_id)
        seen = {one.trail: one.size_bytes for one in trails}
        last_unix_us = max((one.last_unix_us for one in trails), default=0)
        found: dict[str, JoinedEvents] = {}
        for summary in store.session_recordings(session):
            if not self._may_have_changed(summary, last_unix_us):
                continue
            try:
                trail = join_stored(store, summary, self._roots, _EVENTS_LIMIT)
            except StenoError as error:
                _log.warning("%s cannot be joined with its events: %s", summary.rec, error)
                continue
            if trail is not None:
                found[summary.rec] = describe_join(trail, summary.duration_us, seen)
        if len(self._roots) > _KNOWN_ROOTS:
            self._roots.clear()
        store.put_joined(session, since, found)

    def _may_have_changed(self, summary: Summary, last_unix_us: int) -> bool:
        """Return whether it has grown, or events that came in since may be its own."""
        joined = None if summary.is_live else self._store.joined_events(summary.rec)
        if joined is None or joined.duration_us != summary.duration_us:
            return True
        return last_unix_us <= summary.started_unix_us + summary.duration_us + AFTER_US
