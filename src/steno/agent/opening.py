"""Opening a session: its recording, ring and pseudo-terminal. It waits for disks: not in the loop.

Whatever fails, nothing stays open, and what had begun to be recorded says that it ended.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from steno import __version__
from steno.agent import outer
from steno.agent.admission import Admission
from steno.agent.configuration import FILE, JOURNAL, SPOOL, AgentConfig
from steno.agent.handshake import Action
from steno.agent.keep import Keep
from steno.agent.pipes import Pipes, open_pipes
from steno.agent.pty import open_pair
from steno.agent.resume import encode_kept
from steno.agent.ring import Ring
from steno.agent.session import Descriptors, SessionFacts
from steno.agent.spooling import HostSpoolWriter
from steno.delivery.spool import Spool
from steno.delivery.syncing import SyncThread
from steno.delivery.writers.file import FileWriter
from steno.delivery.writers.journal import JournalWriter
from steno.delivery.writers.pipe import is_pipe, open_path
from steno.delivery.writers.protocol import Writer
from steno.delivery.writers.syslog import SyslogWriter
from steno.errors import StenoError, StoreError
from steno.formats.cutter import Identity
from steno.model import NO_AUDIT_SESSION, Start
from steno.recorder import facts as host_facts
from steno.recorder.clock import RecordingClock
from steno.recorder.long_commands import cut_command
from steno.recorder.session import InputMode, Session

_TICKS_PER_S = 100
_ATTEMPTS = 20

log = logging.getLogger("steno.agent")


class Opened(msgspec.Struct):
    """A session that is open and not yet relayed. Its taker owns everything in it.

    Attributes:
        facts: What does not change.
        descriptors: The session's; `leader` and `connection` are for its taker to fill in.
        session: The recording's logic, which has begun.
        clock: The recording's clock.
        writers: Where its lines go; they have the first one.
        ring: The session's memory.
        pipes: What lies between a captured command and its streams.
        action: What `steno-shell` is told to do.
        handed: The descriptors to hand over to it, and then to close.
    """

    facts: SessionFacts
    descriptors: Descriptors
    session: Session
    clock: RecordingClock
    writers: list[Writer]
    ring: Ring
    pipes: Pipes | None = None
    action: Action = "exec"
    handed: tuple[int, ...] = ()


class Opener:
    """Opens sessions; used from several threads at once."""

    def __init__(
        self, config: AgentConfig, spool: Spool, sync_thread: SyncThread, keep: Keep, tty_gid: int
    ) -> None:
        self.config = config
        self.spool = spool
        self._sync_thread = sync_thread
        self._keep = keep
        self._tty_gid = tty_gid
        boot_id = host_facts.read_line("/proc/sys/kernel/random/boot_id") or ""
        self._boot_id = boot_id.replace("-", "")
        self.boot_id = self._boot_id or None
        self.host = os.uname().nodename or "localhost"
        self.number = 0
        self._lock = threading.Lock()
        self._ticks = 0

    def open(self, admission: Admission, streams: tuple[int, int, int]) -> Opened:
        """Open the session of `admission`, whose own descriptors are `streams`: the caller's.

        Raises:
            TerminalError: There is no pseudo-terminal, or the session's terminal is of no use.
            StenoError: It cannot be recorded.
        """
        with contextlib.ExitStack() as undo:
            fds = Descriptors()
            attributes, window = None, bytes(8)
            terminal, slave = None, None
            if admission.way == "terminal":
                fds.outer = outer.open_outer(streams)
                undo.callback(os.close, fds.outer)
                attributes = outer.read_settings(fds.outer)
                window = outer.read_window(fds.outer) or window
                terminal = outer.name_terminal(streams[0])
                pair = open_pair(admission.account.uid, self._tty_gid, attributes, window)
                undo.callback(os.close, pair.master)
                undo.callback(os.close, pair.slave)
                fds.master, slave = pair.master, pair.slave
            size = outer.size_of(window)
            inner = None if slave is None else outer.name_terminal(slave)
            opened = self._begin(admission, fds, terminal, size, attributes, inner)
            if slave is not None:
                opened.action, opened.handed = "terminal", (slave,)
            elif admission.way == "capture":
                pipes = opened.pipes = self._open_pipes(admission, streams, opened)
                opened.action, opened.handed = "pipes", pipes.inner
            undo.pop_all()
            return opened

    def _open_pipes(
        self, admission: Admission, streams: tuple[int, int, int], opened: Opened
    ) -> Pipes:
        relays_input = opened.facts.settings.input is not InputMode.NONE
        copies = os.dup(streams[0]), os.dup(streams[1]), os.dup(streams[2])
        try:
            return open_pipes(copies, admission.account.uid, relays_input=relays_input)
        except StenoError:
            _abandon(opened.session, opened.clock, opened.writers)
            opened.ring.close()
            with contextlib.suppress(StenoError):
                self._keep.remove(opened.facts.rec)
            raise

    def _begin(
        self,
        admission: Admission,
        fds: Descriptors,
        terminal: str | None,
        size: tuple[int, int] | None,
        attributes: bytes | None,
        inner_terminal: str | None,
    ) -> Opened:
        clock = RecordingClock()
        settings = admission.settings()
        number = self.take_number()
        identity, writers = self.open_recording(
            lambda rec: self._identify(
                admission, rec, clock, terminal, size, number, inner_terminal
            ),
            admission.peer.pid,
        )
        facts = SessionFacts(
            kind=admission.way,
            identity=identity,
            settings=settings,
            base_ns=clock.base_ns,
            places=self.config.to,
            peer_pid=admission.peer.pid,
            attributes=attributes,
            on_failure=admission.decision.on_failure,
            capture_bytes=admission.decision.capture_bytes if admission.way == "capture" else 0,
        )
        session = Session(identity, settings)
        try:
            lines = session.begin(clock.at_us(), size)
            for writer in writers:
                writer.write(lines)
            ring = self._keep_session(facts, session, fds, writers)
        except (OSError, StenoError, ValueError):
            _abandon(session, clock, writers)
            raise
        return Opened(facts, fds, session, clock, writers, ring)

    def _keep_session(
        self, facts: SessionFacts, session: Session, fds: Descriptors, writers: list[Writer]
    ) -> Ring:
        """Make the session's memory, and have its descriptors kept beyond this process."""
        ring = Ring.create(
            msgspec.json.encode(facts),
            encode_kept(session.state()),
            is_terminal=fds.master is not None,
        )
        kept = fds.named() | ring.descriptors
        for writer in writers:
            if isinstance(writer, HostSpoolWriter):
                kept["spool"] = writer.descriptor
        try:
            self._keep.store(facts.rec, kept)
        except StenoError as error:
            # It will end with this agent; that is no reason not to begin.
            log.warning("a session cannot be kept", extra={"rec": facts.rec, "why": str(error)})
        return ring

    def open_recording(
        self, identify: Callable[[str], Identity], pid: int
    ) -> tuple[Identity, list[Writer]]:
        """Find a free id, and open the destinations; return whose they are, and them.

        Args:
            identify: Returns what the recording with an id is about.
            pid: The process that the recording is about, part of the id.

        Raises:
            StenoError: A destination cannot be opened; none is open.
        """
        for rec in self._propose_recs(pid):
            identity = identify(rec)
            try:
                return identity, self._open_writers(identity)
            except StoreError:
                if self.spool.entry(rec) is None:
                    raise
        raise StoreError("no id for the recording is free")

    def take_number(self) -> int | None:
        """Count one more recording; return its number, None if it cannot be counted."""
        try:
            self.number = host_facts.take_number(Path(self.config.numbers))
        except StenoError as error:
            # That must not keep a session from being recorded.
            log.warning("a recording gets no number", extra={"why": str(error)})
            return None
        return self.number

    def _propose_recs(self, pid: int) -> Iterator[str]:
        """Yield ids: when it began, by the clock since the boot, which process asked, the boot."""
        for _ in range(_ATTEMPTS):
            ticks = time.clock_gettime_ns(time.CLOCK_BOOTTIME) * _TICKS_PER_S // 1_000_000_000
            with self._lock:
                # Never one twice: a process may begin several, and a delivered one is forgotten.
                self._ticks = ticks = max(ticks, self._ticks + 1)
            yield f"{ticks:x}-{pid:x}-{self._boot_id or '0' * 32}"

    def _identify(
        self,
        admission: Admission,
        rec: str,
        clock: RecordingClock,
        terminal: str | None,
        size: tuple[int, int] | None,
        number: int | None,
        inner_terminal: str | None,
    ) -> Identity:
        peer, account = admission.peer, admission.account
        settings = admission.settings()
        command, cut_bytes = cut_command(admission.command, settings.payload_bytes)
        start = Start(
            user=account.name,
            host=self.host,
            started_unix_us=clock.started_unix_us,
            recorder=f"steno {__version__}",
            uid=account.uid,
            login_user=admission.login_user,
            login_uid=peer.login_uid,
            boot_id=self._boot_id or None,
            audit_session=peer.audit_session,
            service=admission.service.name or None,
            remote=host_facts.find_remote(terminal, peer.audit_session),
            command=command,
            command_cut_bytes=cut_bytes,
            terminal=terminal,
            columns=size[0] if size else None,
            rows=size[1] if size else None,
            records=settings.records(),
            policy=",".join(admission.decision.rules) or None,
            labels=list(admission.decision.labels),
            coarse_unix_us=clock.coarse_unix_us,
            number=number,
            kind=admission.kind,
            charset=admission.settings().charset,
            mail_to=list(admission.decision.mail_to),
            pid=host_facts.audited_pid(peer.pid),
            inner_terminal=inner_terminal,
        )
        term = admission.request.term.decode("utf-8", "backslashreplace") if terminal else ""
        session = peer.audit_session or NO_AUDIT_SESSION
        return Identity(self.host, rec, account.name, term, session, start)

    def _open_writers(self, identity: Identity) -> list[Writer]:
        writers: list[Writer] = []
        try:
            for place in self.config.to:
                writers.append(self._open_writer(place, identity))  # noqa: PERF401  # closed below
        except StenoError:
            for writer in writers:
                writer.close()
            raise
        return writers

    def _open_writer(self, place: str, identity: Identity) -> Writer:
        if place == SPOOL:
            file = self.spool.begin(identity.rec)
            return HostSpoolWriter(file, self._sync_thread, str(self.spool.directory))
        return open_other_writer(self.config, place, identity)


def open_other_writer(config: AgentConfig, place: str, identity: Identity) -> Writer:
    """Open a destination that is not the spool; also for a recording that goes on.

    Raises:
        StenoError: It cannot be opened.
    """
    if place == JOURNAL:
        return JournalWriter(
            identity.rec,
            identity.user,
            identity.session,
            path=config.journal.socket,
            priority=config.journal.priority,
        )
    if place.startswith(FILE):
        return open_path(place.removeprefix(FILE))
    return SyslogWriter(
        identity.host,
        path=config.syslog.socket,
        facility=config.syslog.facility,
        priority=config.syslog.priority,
    )


def find_unwritable(config: AgentConfig) -> list[str]:
    """Return why files that recordings shall go to cannot be written; makes those that can be.

    Named pipes are left alone: opened and closed, their readers would see the end.
    """
    found: list[str] = []
    for place in config.to:
        path = place.removeprefix(FILE)
        if not place.startswith(FILE) or is_pipe(path):
            continue
        try:
            FileWriter(path).close()
        except StenoError as error:
            found.append(str(error))
    return found


def _abandon(session: Session, clock: RecordingClock, writers: list[Writer]) -> None:
    """End a recording that came to nothing."""
    lines = session.end(clock.at_us(), "recorder")
    for writer in writers:
        with contextlib.suppress(StenoError):
            writer.write(lines)
            writer.close()
