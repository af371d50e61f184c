"""The agent: its parts put together."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from steno import __version__
from steno.agent.admission import Admission
from steno.agent.auditing.numbers import count_audit
from steno.agent.capture import CaptureSession
from steno.agent.command import CommandSession
from steno.agent.configuration import AgentConfig
from steno.agent.control import Order
from steno.agent.hostlimit import HostLimit
from steno.agent.idling import Idling
from steno.agent.keep import Keep
from steno.agent.loop import Loop
from steno.agent.opening import Opened, Opener, find_unwritable
from steno.agent.parts import Parts
from steno.agent.reception import Reception
from steno.agent.session import LiveSession, Sessions
from steno.agent.spoolwatch import SpoolWatch
from steno.agent.succession import Succession
from steno.agent.terminal import TerminalSession
from steno.delivery.audit_state import AUDIT_STATE
from steno.delivery.spool import Spool
from steno.delivery.syncing import SyncThread
from steno.errors import ConfigError, NotFoundError, StenoError, UsageError
from steno.metrics import Metrics

log = logging.getLogger("steno.agent")

Reload = Callable[[], AgentConfig]


class Agent:
    """All sessions of a host; see hosting.Hosting for what they want of it.

    Attributes:
        loop: The loop; `run` it.
        sessions: The sessions that live.
        reception: Takes in new ones.
        metrics: The agent's numbers.
    """

    def __init__(self, config: AgentConfig, keep: Keep, tty_gid: int, read_config: Reload) -> None:
        """Open the spool and make ready; nothing is accepted yet.

        Args:
            config: The configuration.
            keep: Holds sessions' descriptors beyond this process.
            tty_gid: The group of terminals.
            read_config: Reads the configuration again.

        Raises:
            StenoError: The spool cannot be used.
        """
        self.config = config
        self.loop = Loop()
        self.sessions = Sessions()
        self._keep = keep
        self._read_config = read_config
        self._spool = Spool(Path(config.spool), counts_itself=False)
        self._spool_watch = SpoolWatch(self._spool)
        self._sync_thread = SyncThread(self._spool.clock)
        self._keeper = ThreadPoolExecutor(1, thread_name_prefix="steno-keep")
        self._opener = Opener(config, self._spool, self._sync_thread, keep, tty_gid)
        self._limit = HostLimit(config.limits)
        self._idling = Idling(self.loop)
        self._started_unix_us = time.time_ns() // 1000
        self._ended_bytes = 0
        self._finishing = 0
        self._is_ending = False
        self._unwritable = find_unwritable(config)
        for why in self._unwritable:
            log.error("recordings cannot be written", extra={"why": why})
        self.reception = Reception(self.loop, config, self._opener, self.sessions, self._begin)
        self.metrics = Metrics()
        self._count_things()

    @property
    def host(self) -> str:
        """This host's name."""
        return self._opener.host

    @property
    def passed_bytes(self) -> int:
        """How many bytes went through all sessions, those that have ended included."""
        return self._ended_bytes + sum(session.passed_bytes for session in self.sessions)

    def _count_things(self) -> None:
        metrics, watch = self.metrics, self._spool_watch
        gauge = metrics.gauge
        gauge("steno_agent_sessions", "Sessions being recorded.", lambda: len(self.sessions))
        gauge("steno_agent_starting", "Sessions on their way in.", lambda: self.reception.starting)
        gauge("steno_agent_passed_bytes", "Bytes that went through.", lambda: self.passed_bytes)
        gauge("steno_agent_faults", "Errors of the agent itself.", lambda: self.loop.faults)
        gauge("steno_agent_number", "The last recording's number.", lambda: self._opener.number)
        gauge("steno_agent_spool_bytes", "Bytes in the spool.", lambda: watch.facts.used_bytes)
        gauge(
            "steno_agent_spool_free_bytes",
            "Bytes free on the spool's disk.",
            lambda: watch.facts.free_bytes,
        )
        gauge(
            "steno_agent_spool_recordings",
            "Recordings in the spool that no server has whole.",
            lambda: watch.facts.recordings,
        )
        gauge(
            "steno_agent_delivery_lag_seconds",
            "For how long a server has taken nothing of what waits longest.",
            lambda: watch.facts.lag_s,
        )
        count_audit(metrics, Path(self.config.control).with_name(AUDIT_STATE.name))
        self._begun = metrics.counter(
            "steno_agent_sessions_total", "Sessions that began to be recorded.", ["kind"]
        )
        self._dropped = metrics.counter(
            "steno_agent_dropped_bytes_total", "Bytes that were not recorded for want of room."
        )
        self._failures = metrics.counter(
            "steno_agent_failures_total", "Destinations that recordings lost."
        )
        gauge(
            "steno_agent_unrecorded",
            "Sessions refused, or begun unrecorded, because of a failure.",
            lambda: self.reception.failures,
        )

    # What sessions want.

    def _begin(self, opened: Opened, admission: Admission) -> None:
        """Relay a session that has its answer."""
        self._unwritable = []  # its recording has begun, in all places
        session: LiveSession
        parts = Parts(
            self, opened.facts, opened.descriptors, opened.session, opened.clock,
            opened.writers, opened.ring,
        )  # fmt: skip
        if opened.pipes is not None:
            session = CaptureSession(parts, opened.pipes.ways)
        elif opened.facts.kind == "terminal":
            session = TerminalSession(parts)
        else:
            session = CommandSession(parts)
        self.add(session)

    def add(self, session: LiveSession) -> None:
        """Host a session from now on."""
        start = session.facts.identity.start
        facts = {"rec": session.facts.rec, "user": start.user, "service": start.service}
        log.info("session begins", extra=facts)
        self._begun.add(kind=session.facts.kind)
        self._host(session)
        self.keep(session)
        try:
            session.start()
        except OSError as error:
            # The system watches no more descriptors for us: the person is told by a hang-up.
            log.error("a session cannot go on", extra={**facts, "why": error.strerror})
            session.end()

    def take_up(self) -> None:
        """Go on with the sessions that an agent before this one has left."""
        succession = Succession(self, self.config, self._keep, self._spool, self._sync_thread)
        for session, lines in succession.recover():
            try:
                self._host(session)
                session.take_up(lines)
            except Exception:
                # One session must not keep the agent from starting, again and again.
                log.exception("a kept session cannot go on", extra={"rec": session.facts.rec})
                self.loop.faults += 1

    def _host(self, session: LiveSession) -> None:
        self.sessions.add(session)
        self.reception.see_shell(session.facts.identity.start.audit_session)
        if isinstance(session, TerminalSession):
            self._idling.add(session.facts.rec, session)

    def keep(self, session: LiveSession) -> None:
        """See hosting.Hosting."""
        if not session.descriptors:
            return
        try:
            self._keep.store(session.facts.rec, session.descriptors)
        except StenoError as error:
            # It ends with this agent; that is no reason to end it now.
            extra = {"rec": session.facts.rec, "why": str(error)}
            log.warning("a session cannot be kept", extra=extra)

    def release_terminals(self, session: LiveSession) -> None:
        """See hosting.Hosting."""
        self.release(session, ("outer", "master"))

    def release(self, session: LiveSession, words: Iterable[str]) -> None:
        """See hosting.Hosting."""
        try:
            self._keep.release(session.facts.rec, words)
        except StenoError as error:
            extra = {"rec": session.facts.rec, "why": str(error)}
            log.warning("what was kept of a session may stay open", extra=extra)

    def finish(self, session: LiveSession, work: Callable[[], None]) -> None:
        """See hosting.Hosting."""
        self._finishing += 1
        self._ended_bytes += session.passed_bytes
        self.sessions.remove(session.facts.rec)
        self._idling.remove(session.facts.rec)
        self._keeper.submit(self._let_go, session.facts.rec)

        def done(outcome: Future[None]) -> None:
            self._finishing -= 1
            error = outcome.exception()
            extra = {"rec": session.facts.rec, "why": str(error) if error else "done"}
            log.log(logging.ERROR if error else logging.INFO, "session ended", extra=extra)
            if self._is_ending and not self._finishing:
                self.loop.stop()

        self.loop.submit(work, done, is_slow=True)

    def _let_go(self, rec: str) -> None:
        try:
            self._keep.remove(rec)
        except StenoError as error:
            log.warning("what was kept of a session stays", extra={"rec": rec, "why": str(error)})

    def admit(self, size_bytes: int) -> int | None:
        """See hosting.Hosting."""
        return self._limit.admit(size_bytes)

    def count_dropped(self, size_bytes: int) -> None:
        """See hosting.Hosting."""
        self._dropped.add(size_bytes)

    def report_failure(self, session: LiveSession, why: str) -> None:
        """See hosting.Hosting."""
        self._failures.add()
        log.error("a destination is given up", extra={"rec": session.facts.rec, "why": why})

    # What people want.

    def reload(self) -> None:
        """Read configuration and policy again; what a socket or the spool needs stays.

        Raises:
            ConfigError: A file is wrong, or recordings cannot go where they shall go from now on;
                what was in force stays so.
        """
        config = self._read_config()
        unwritable = find_unwritable(config)
        if unwritable and config.to != self.config.to:
            raise ConfigError(unwritable[0], key="to")
        self._unwritable = unwritable
        self.reception.reload(config)
        self._opener.config = config
        if config.limits != self.config.limits:
            self._limit = HostLimit(config.limits)
        self.config = config
        log.info("configuration and policy were read again")

    def obey(self, order: Order) -> Mapping[str, Any]:
        """Do what the control socket wants.

        Raises:
            StenoError: It cannot be done.
        """
        if order.do == "status":
            return self.status()
        if order.do == "sessions":
            return {"sessions": [describe(session) for session in self.sessions]}
        if order.do == "reload":
            self.reload()
            return {}
        session = self.sessions.find(order.rec)
        if session is None:
            raise NotFoundError(f"no session {order.rec}")
        by = _visible(order.by) or "an administrator"
        if order.do == "kill":
            log.info("session is ended", extra={"rec": order.rec, "by": by})
            session.kill(by)
            return {}
        text = _visible(order.text)
        if not text.strip():
            raise UsageError("a message needs a text")
        session.send_message(text, by)
        return {}

    def status(self) -> dict[str, Any]:
        """Return what the control socket says of the agent."""
        facts, limits = self._spool_watch.facts, self._spool.limits
        policy = self.reception.policy
        return {
            "version": __version__,
            "pid": os.getpid(),
            "started_unix_us": self._started_unix_us,
            "sessions": len(self.sessions),
            "starting": self.reception.starting,
            "sessions_total": int(
                sum(self._begun.value(kind=kind) for kind in ("terminal", "command", "capture"))
            ),
            "passed_bytes": self.passed_bytes,
            "dropped_bytes": int(self._dropped.value()),
            "spool": {
                "used_bytes": facts.used_bytes,
                "total_bytes": limits.total_bytes,
                "free_bytes": facts.free_bytes,
                "recordings": facts.recordings,
                "lag_s": round(facts.lag_s, 1),
                "is_full": self._spool.is_full,
            },
            "number": self._opener.number or None,
            "policy": {
                "file": str(policy.path),
                "is_current": policy.error is None,
                "error": None if policy.error is None else str(policy.error),
            },
            "unwritable": self._unwritable,
            "failures": int(self._failures.value()) + self.reception.failures,
            "faults": self.loop.faults,
        }

    # The end.

    def end(self) -> None:
        """Accept no more, and let `loop.run` return: sessions that are kept live on."""
        if self._is_ending:
            self.loop.stop()
            return
        self._is_ending = True
        self.reception.close()
        for session in self.sessions:
            if self._keep.is_lasting:
                session.leave()
            else:
                session.end()
        if not self._finishing:
            self.loop.stop()

    def close(self) -> None:
        """Let go of everything; the loop runs no more."""
        self.loop.close()
        self._keeper.shutdown(wait=True)
        self._sync_thread.close()
        self._spool_watch.close()


def describe(session: LiveSession) -> dict[str, Any]:
    """Return what the control socket says of a session."""
    start = session.facts.identity.start
    return {
        "rec": session.facts.rec,
        "kind": session.facts.kind,
        "user": start.user,
        "login_user": start.login_user,
        "uid": start.uid,
        "audit_session": start.audit_session,
        "service": start.service,
        "started_unix_us": start.started_unix_us,
        "terminal": start.terminal,
        "remote": start.remote,
        "command": start.command,
        "bytes": session.passed_bytes,
    }


def _visible(text: str) -> str:
    """Return a text that may go to a terminal: nothing in it moves a cursor."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
