"""The program that follows the kernel's audit events: its parts put together, and its life."""

from __future__ import annotations

import contextlib
import grp
import logging
import os
import pwd
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from steno import __version__
from steno.agent.audited import AuditedSessions
from steno.agent.auditing.bookmark import Bookmark, read_bookmark
from steno.agent.auditing.intake import LIMIT_BYTES, Intake
from steno.agent.auditing.journal import JournalMarks, JournalReader
from steno.agent.auditing.journalctl import find_boot, open_journal
from steno.agent.auditing.pipeline import Marks, Pipeline, RecordSource
from steno.agent.auditing.precedence import Precedence, is_taken
from steno.agent.auditing.stopping import Stop
from steno.agent.auditing.wanted import Wanted
from steno.agent.auditing.watch import KernelWatch
from steno.agent.configuration import AgentConfig
from steno.agent.privileges import become, find_user
from steno.audit.events import EventBuilder
from steno.audit.records import LineReader
from steno.audit.rules.text import AuditStatus
from steno.audit.values.names import Names
from steno.audit.witness.witness import Heard
from steno.delivery.audit_state import write_audit_state
from steno.delivery.spool import Spool
from steno.delivery.trail_recovery import read_last_events
from steno.delivery.trails import TrailOrigin, TrailWriter
from steno.errors import ConfigError
from steno.heartbeat import DEAF_REMEDY, AuditFacts
from steno.policy.file import PolicyFile
from steno.policy.rules import Policy

BOOKMARK = ".journal-bookmark"
"""The file in the spool that says up to where the journal was read."""

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
    """Follows one source until its end, or until it is stopped; a SIGHUP reads the policy again.

    Owns everything but the descriptor that is read.

    Attributes:
        pipeline: What becomes of the events.
    """

    def __init__(
        self,
        settings: FollowSettings,
        descriptor: int,
        stop: Stop,
        *,
        kernel: KernelWatch | None = None,
        open_source: Callable[[], RecordSource] = LineReader,
        marks: Marks | None = None,
        journal: JournalReader | None = None,
        names: Names | None = None,
    ) -> None:
        """Put the parts together; the process has no more rights than it needs by now.

        Args:
            settings: How.
            descriptor: What to read.
            stop: Who wants it to end.
            kernel: Where the kernel's own word comes from.
            open_source: Makes what reads records from the descriptor's bytes.
            marks: Told what was dealt with, of a source that can be read again.
            journal: What reads the journal, where that is the source.
            names: Gives ids their names.
        """
        self._settings = settings
        self._stop = stop
        self._kernel = kernel
        self._journal = journal
        self._status: AuditStatus | None = None
        self._policy = PolicyFile(Path(settings.config.policy))
        self._policy_ns = 0
        self._state_ns = 0
        self._was_deaf = False
        self._refresh_policy()
        origin = TrailOrigin(settings.host, settings.boot_id, f"steno {__version__}")

        def open_writer() -> TrailWriter:
            spool = Spool(Path(settings.config.spool))
            level = self._policy.policy.most_audit
            return TrailWriter(spool, msgspec.structs.replace(origin, level=level))

        audited = AuditedSessions(settings.run_directory / "audited")
        names = names or Names(find_user_name, find_group_name)
        self._builder = EventBuilder(names=names)
        self._names_ns = time.monotonic_ns() + _NAMES_NS
        self._intake = Intake(descriptor, settings.queue_bytes, may_drop=marks is None)
        self.pipeline = Pipeline(
            open_source,
            open_writer,
            Wanted(self._in_force, audited, lambda: time.monotonic_ns() // 1000),
            self._builder,
            marks=marks,
            words=journal,
            after_serial=None if journal is None else journal.begun_serial,
        )

    def run(self, why: str = "stopped") -> None:
        """Follow until there is an end, and end the trail; `why` is said in it.

        Raises:
            StenoError: What came last could not be written.
        """
        self._stop.listen(self._intake.stop)
        signal.signal(signal.SIGHUP, lambda *_: self._forget_policy())
        if not self.pipeline.is_aside:
            self.pipeline.start()
        self._intake.start()
        log.info("following audit events", extra={"source": self._settings.source})
        try:
            while (taken := self._intake.take(self.pipeline.timeout_s)) is not None:
                self.pipeline.turn(taken)
                self._look_around()
            self.pipeline.finish("stopped" if self._stop.is_asked else why)
        finally:
            self._stop.forget()
            self._intake.close()
            self.pipeline.close()
        self._tell_state()
        log.info("following audit events has ended", extra={"events": self.pipeline.events})

    def give_way(self) -> None:
        """Leave the trail to auditd's plugin while that runs; no login is told twice.

        Raises:
            StenoError: What came last could not be written, but can be read again.
        """
        if self._journal is None:
            return
        is_other_there = is_taken(Path(self._settings.config.spool))
        if is_other_there and not self.pipeline.is_aside:
            log.info("auditd's plugin writes the audit trail: the journal is passed over")
            self.pipeline.stand_aside()
        elif not is_other_there and self.pipeline.is_aside:
            log.info("auditd's plugin is gone: the journal is taken in again")
            self.pipeline.come_back()

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
            self.give_way()
            self._ask_kernel()
            self._tell_deafness()
            self._tell_state()

    def _tell_deafness(self) -> None:
        """Say in the log when journald stops to take audit events, and when it takes some again."""
        if self._journal is None or self.pipeline.is_aside:
            return
        is_deaf = self._journal.is_deaf
        if is_deaf and not self._was_deaf:
            why = "its socket was full once, and it never looks at it again"
            extra = {"why": why, "remedy": DEAF_REMEDY}
            log.error("journald takes no audit events any more: they are lost", extra=extra)
        elif self._was_deaf and not is_deaf:
            log.info("journald takes audit events again")
        self._was_deaf = is_deaf

    def _ask_kernel(self) -> None:
        status = self._kernel.read() if self._kernel is not None else None
        if status is None:
            return
        before, self._status = self._status, status
        if before is not None and status.lost > before.lost:
            self.pipeline.note_kernel_loss(status.lost - before.lost)

    def _tell_state(self) -> None:
        pipeline, status = self.pipeline, self._status
        if pipeline.is_aside:
            return  # who writes the trail says how it fares
        writer, journal = pipeline.writer, self._journal
        is_listening = journal is not None and journal.is_listening
        heard = Heard() if journal is None else journal.heard
        facts = AuditFacts(
            source="words" if is_listening else self._settings.source,
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
            unread=heard.unread,
            distrusted=heard.distrusted,
            is_deaf=journal is not None and journal.is_deaf,
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
        precedence = Precedence(Path(settings.config.spool))
        try:
            Follower(settings, 0, Stop(), kernel=kernel).run()
        finally:
            precedence.close()
    finally:
        if kernel is not None:
            kernel.close()


def follow_journal(settings: FollowSettings, options: Sequence[str] = ()) -> None:
    """Follow what the systemd journal has of logins, from where that was left off.

    Args:
        settings: How.
        options: Options of journalctl that say which journal.

    Raises:
        StenoError: It cannot be followed, or what came last not be written.
    """
    user = lower_privileges(settings.config.user)
    if user is not None:
        become(*user, [])
    os.umask(0o077)
    stop = Stop()
    known = read_bookmark(Path(settings.config.spool) / BOOKMARK)
    now = Bookmark(settings.boot_id, journal_boot_id=find_boot(options))
    boots = [(one.boot_id, one.journal_boot_id) for one in (known or now, now)]
    if known is not None and boots[0] != boots[1]:
        while is_taken(Path(settings.config.spool)):
            time.sleep(_STATE_NS / 1_000_000_000)
        earlier = msgspec.structs.replace(settings, boot_id=known.boot_id)
        _follow_boot(earlier, known, stop, options, is_followed=False)
        if stop.is_asked:
            return
        known = None
    _follow_boot(settings, known or now, stop, options, is_followed=True)


def _follow_boot(
    settings: FollowSettings,
    bookmark: Bookmark,
    stop: Stop,
    options: Sequence[str],
    *,
    is_followed: bool,
) -> None:
    """Follow one boot's part of the journal."""
    spool = Path(settings.config.spool)
    names = Names(find_user_name, find_group_name)
    source = settings.config.audit_source
    reader = JournalReader(bookmark, source, names)
    with open_journal(bookmark, is_followed=is_followed, source=source, options=options) as journal:
        try:
            if journal.stdout is None:
                raise ValueError("journalctl was started without a pipe")
            follower = Follower(
                settings,
                journal.stdout.fileno(),
                stop,
                open_source=lambda: reader,
                marks=JournalMarks(reader, spool / BOOKMARK),
                journal=reader,
                names=names,
            )
            follower.give_way()
            if not follower.pipeline.is_aside:
                follower.pipeline.start()
            writer = follower.pipeline.writer
            if writer is not None and writer.trail is not None:
                # What was written after the bookmark was must not be doubled.
                reader.skip(read_last_events(Spool(spool), writer.trail))
            follower.run("stopped" if is_followed else "boot")
        finally:
            journal.terminate()


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
