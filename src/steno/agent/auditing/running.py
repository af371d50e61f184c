"""The program that follows the kernel's audit events: its parts put together, and its life."""

from __future__ import annotations

import contextlib
import grp
import logging
import os
import pwd
import signal
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from steno import __version__
from steno.agent.audited import AuditedSessions
from steno.agent.auditing.intake import LIMIT_BYTES, Intake
from steno.agent.auditing.pipeline import Pipeline, RecordSource
from steno.agent.auditing.wanted import Wanted
from steno.agent.auditing.watch import KernelWatch
from steno.agent.configuration import AgentConfig
from steno.agent.privileges import become, find_user
from steno.audit.events import EventBuilder
from steno.audit.names import Names
from steno.audit.records import LineReader
from steno.audit.rules_text import AuditStatus
from steno.delivery.audit_state import write_audit_state
from steno.delivery.spool import Spool
from steno.delivery.trails import TrailOrigin, TrailWriter
from steno.errors import ConfigError
from steno.heartbeat import AuditFacts
from steno.policy.file import PolicyFile
from steno.policy.rules import Policy

_STATE_NS = 2_000_000_000
_POLICY_NS = 2_000_000_000
_NAMES_NS = 300_000_000_000
"""How long an account's name, or that it has none, is believed."""

log = logging.getLogger("steno.audit")


class FollowSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How events are followed.

    Attributes:
        config: The agent's configuration: spool, policy, its directory, its user.
        host: What this host is called.
        boot_id: This boot's id, without dashes.
        source: `auditd` or `journal`.
        queue_bytes: How much may have been read and not been looked at yet.
    """

    config: AgentConfig
    host: str
    boot_id: str
    source: str = "auditd"
    queue_bytes: int = LIMIT_BYTES

    @property
    def run_directory(self) -> Path:
        """Where the agent's sockets are, and what it notes for us."""
        return Path(self.config.control).parent


def lower_privileges(user: str) -> tuple[int, int] | None:
    """Return whom to become; None: this process is no root's, or root itself was asked for.

    Raises:
        ConfigError: There is no such user.
    """
    if os.geteuid() != 0 or user == "root":
        return None
    return find_user(user)


class Follower:
    """Follows one source until its end, a SIGTERM or a SIGINT; a SIGHUP reads the policy again.

    Owns everything but the descriptor that is read.
    """

    def __init__(
        self,
        settings: FollowSettings,
        descriptor: int,
        *,
        kernel: KernelWatch | None = None,
        open_source: Callable[[], RecordSource] = LineReader,
    ) -> None:
        """Put the parts together; the process has no more rights than it needs by now.

        Args:
            settings: How.
            descriptor: What to read.
            kernel: Where the kernel's own word comes from.
            open_source: Makes what reads records from the descriptor's bytes.

        Raises:
            StenoError: The spool cannot be used.
        """
        self._settings = settings
        self._kernel = kernel
        self._status: AuditStatus | None = None
        self._policy = PolicyFile(Path(settings.config.policy))
        self._policy_ns = 0
        self._state_ns = 0
        self._refresh_policy()
        spool = Spool(Path(settings.config.spool))
        origin = TrailOrigin(settings.host, settings.boot_id, f"steno {__version__}")

        def open_writer() -> TrailWriter:
            level = self._policy.policy.most_audit
            return TrailWriter(spool, msgspec.structs.replace(origin, level=level))

        audited = AuditedSessions(settings.run_directory / "audited")
        self._builder = EventBuilder(names=Names(find_user_name, find_group_name))
        self._names_ns = time.monotonic_ns() + _NAMES_NS
        self._intake = Intake(descriptor, settings.queue_bytes)
        self.pipeline = Pipeline(
            open_source,
            open_writer,
            Wanted(self._in_force, audited, lambda: time.monotonic_ns() // 1000),
            self._builder,
        )

    def run(self) -> None:
        """Follow until there is an end.

        Raises:
            StenoError: What came last could not be written.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._intake.stop())
        signal.signal(signal.SIGHUP, lambda *_: self._forget_policy())
        self._intake.start()
        self.pipeline.start()
        log.info("following audit events", extra={"source": self._settings.source})
        while (taken := self._intake.take(self.pipeline.timeout_s)) is not None:
            self.pipeline.turn(taken)
            self._look_around()
        self._intake.close()
        self.pipeline.finish("stopped")
        self._tell_state()
        log.info("following audit events has ended", extra={"events": self.pipeline.events})

    # Beside the events.

    def _in_force(self) -> Policy:
        return self._policy.policy

    def _forget_policy(self) -> None:
        self._policy_ns = 0
        with contextlib.suppress(ConfigError):
            self._policy.reload()

    def _refresh_policy(self) -> None:
        try:
            self._policy.refresh()
        except ConfigError as error:
            log.error(
                "a changed policy is refused; what it said before stays in force",
                extra={"why": str(error)},
            )

    def _look_around(self) -> None:
        now_ns = time.monotonic_ns()
        if now_ns >= self._policy_ns:
            self._policy_ns = now_ns + _POLICY_NS
            self._refresh_policy()
        if now_ns >= self._names_ns:
            self._names_ns = now_ns + _NAMES_NS
            self._builder.forget_names()
        if now_ns >= self._state_ns:
            self._state_ns = now_ns + _STATE_NS
            self._ask_kernel()
            self._tell_state()

    def _ask_kernel(self) -> None:
        status = self._kernel.read() if self._kernel is not None else None
        if status is None:
            return
        before, self._status = self._status, status
        if before is not None and status.lost > before.lost:
            self.pipeline.note_kernel_loss(status.lost - before.lost)

    def _tell_state(self) -> None:
        pipeline, status = self.pipeline, self._status
        writer = pipeline.writer
        facts = AuditFacts(
            source=self._settings.source,
            updated_unix_us=time.time_ns() // 1000,
            trail=None if writer is None else writer.trail,
            level=self._policy.policy.most_audit,
            events=pipeline.events,
            kept=pipeline.kept,
            lost=pipeline.losses.totals,
            lag_us=pipeline.lag_us,
            waiting_bytes=self._intake.waiting_bytes,
            enabled=None if status is None else status.enabled,
            kernel_lost=None if status is None else status.lost,
            backlog=None if status is None else status.backlog,
            backlog_limit=None if status is None else status.backlog_limit,
        )
        write_audit_state(self._settings.run_directory / "audit.json", facts)


def follow_dispatcher(settings: FollowSettings) -> None:
    """Follow what auditd's dispatcher writes to standard input, as its plugin.

    Raises:
        StenoError: It cannot be followed, or what came last not be written.
    """
    user = lower_privileges(settings.config.user)
    kernel = _watch_kernel(user)
    try:
        if user is not None:
            become(*user, [])
        os.umask(0o077)
        Follower(settings, 0, kernel=kernel).run()
    finally:
        if kernel is not None:
            kernel.close()


def _watch_kernel(user: tuple[int, int] | None) -> KernelWatch | None:
    """Return what asks the kernel, where that is allowed at all."""
    if os.geteuid() != 0:
        return None
    try:
        return KernelWatch(user)
    except OSError as error:
        log.warning("the kernel's own losses are not seen", extra={"why": error.strerror})
        return None


def find_user_name(uid: int) -> str | None:
    """Return a user's name; None: there is none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return None


def find_group_name(gid: int) -> str | None:
    """Return a group's name; None: there is none."""
    try:
        return grp.getgrgid(gid).gr_name
    except (KeyError, OverflowError):
        return None
