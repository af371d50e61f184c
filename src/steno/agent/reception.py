"""Taking sessions in: the socket, accounts, the policy, and what is decided about each.

One per agent. It owns the listening socket, the arrivals, and the threads that ask NSS.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path

from steno.agent.admission import Admission, Arrived, admit
from steno.agent.arrival import Arrival, Asker, Streams
from steno.agent.audited import AuditedNotes
from steno.agent.configuration import AgentConfig
from steno.agent.login_desk import LoginDesk
from steno.agent.loop import READABLE, Loop, Timer, now_us
from steno.agent.opening import Opened, Opener
from steno.agent.peers import read_credentials
from steno.agent.services import is_within_recorded
from steno.agent.session import Sessions
from steno.errors import ConfigError, StenoError
from steno.policy.accounts import Accounts, Answer
from steno.policy.decision import Decision
from steno.policy.file import PolicyFile, ShellFiles
from steno.policy.shells import ShellFacts, choose_shell
from steno.policy.subject import Subject

_ACCEPTS_PER_TURN = 16
_PAUSE_US = 100_000
"""How long nothing is accepted when the system has no descriptors left."""
_COMPLAIN_US = 10_000_000
"""How often, at most, the log tells of users who ask too much."""

log = logging.getLogger("steno.agent")


class Reception:
    """Takes in sessions; see arrival.Reception.

    Attributes:
        failures: How many sessions were refused or began unrecorded because of a failure.
    """

    def __init__(
        self,
        loop: Loop,
        config: AgentConfig,
        opener: Opener,
        sessions: Sessions,
        begin: Callable[[Opened, Admission], None],
    ) -> None:
        """Make ready; `listen` begins."""
        self.loop = loop
        self.failures = 0
        self._config = config
        self._opener = opener
        self._sessions = sessions
        self._begin = begin
        self.policy = PolicyFile(Path(config.policy))
        self._shells = ShellFiles(Path(config.shells), Path(config.listed_shells))
        self._complain_at_us = 0
        self._arrivals: set[Arrival] = set()
        self._waiting: dict[int, list[Asker]] = {}
        self._accounts = Accounts()
        self._timer: Timer | None = None
        self._socket: socket.socket | None = None
        loop.watch(self._accounts.fileno(), READABLE, lambda _events: self._collect())
        self._audited = _open_audited(Path(config.control).with_name("audited"))
        self._desk = LoginDesk(loop, opener, self._decide, partial(self.ask_account, anew=True))

    @property
    def host(self) -> str:
        """This host's name."""
        return self._opener.host

    @property
    def starting(self) -> int:
        """How many sessions are on their way in."""
        return len(self._arrivals)

    def reload(self, config: AgentConfig) -> None:
        """Go by another configuration, and read policy, accounts and shells anew.

        Raises:
            ConfigError: A file is wrong; the last good contents stay in force.
        """
        self._config = config
        if Path(config.policy) != self.policy.path:
            self.policy = PolicyFile(Path(config.policy))
        if (Path(config.shells), Path(config.listed_shells)) != (
            self._shells.table.path,
            self._shells.listed.path,
        ):
            self._shells = ShellFiles(Path(config.shells), Path(config.listed_shells))
        self._accounts.forget()
        self.policy.reload()
        self._shells.refresh()

    def listen(self, listener: socket.socket) -> None:
        """Read the policy and begin to accept; takes `listener` over."""
        self._refresh()
        listener.setblocking(False)
        self._socket = listener
        self._resume()

    def close(self) -> None:
        """Accept no more; whoever has not been answered is on their own."""
        if self._socket is not None:
            self.loop.ignore(self._socket.fileno())
            self._socket.close()
            self._socket = None
        for arrival in [*self._arrivals]:
            arrival.close()
        self.loop.ignore(self._accounts.fileno())
        self._accounts.close()
        if self._audited is not None:
            self._audited.close()

    # The socket.

    def _resume(self) -> None:
        if self._socket is not None and len(self._arrivals) < self._config.limits.starting:
            self.loop.watch(self._socket.fileno(), READABLE, lambda _events: self._accept())

    def _pause(self) -> None:
        if self._socket is not None:
            self.loop.ignore(self._socket.fileno())

    def _accept(self) -> None:
        for _ in range(_ACCEPTS_PER_TURN):
            if self._socket is None:
                return
            if len(self._arrivals) >= self._config.limits.starting:
                self._pause()
                return
            try:
                connection, _ = self._socket.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS):
                    log.error("no session can be accepted", extra={"why": error.strerror})
                    self._pause()
                    self.loop.call_in(_PAUSE_US, self._resume)
                return
            connection.setblocking(False)
            self._welcome(connection)

    def _welcome(self, connection: socket.socket) -> None:
        """Hear what is asked, unless one user asks so much that others would not be heard."""
        _, uid, _ = read_credentials(connection)
        share = self._config.limits.starting // 2
        if uid and sum(arrival.uid == uid for arrival in self._arrivals) >= share:
            connection.close()
            if now_us() >= self._complain_at_us:
                self._complain_at_us = now_us() + _COMPLAIN_US
                log.warning("a user asks for too many sessions at a time", extra={"uid": uid})
            return
        self._arrivals.add(Arrival(self, connection, uid))

    def forget(self, arrival: Arrival) -> None:
        """See arrival.Reception."""
        was_full = len(self._arrivals) >= self._config.limits.starting
        self._arrivals.discard(arrival)
        if was_full:
            self._resume()

    # Accounts.

    def ask_account(self, asker: Asker, uid: int, *, anew: bool = False) -> None:
        """Find out about the account and call `asker.take_account`, now or later.

        With `anew` what was found out a moment ago will not do.
        """
        answer = self._accounts.ask(now_us(), uid, anew=anew)
        if answer is not None:
            _tell(asker, answer)
            return
        self._waiting.setdefault(uid, []).append(asker)
        self._set_timer()

    def _collect(self) -> None:
        for answer in self._accounts.collect(now_us()):
            for asker in self._waiting.pop(answer.uid, []):
                _tell(asker, answer)
        self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._accounts.due_us is not None:
            self._timer = self.loop.call_at(self._accounts.due_us, self._collect)

    # Logins without a shell.

    def take_login(self, packet: bytes, caller_uid: int) -> None:
        """See arrival.Reception."""
        self._desk.take_packet(packet, caller_uid)

    def see_shell(self, audit_session: int | None) -> None:
        """Take note that a login has a login shell, one that an earlier agent saw begin too."""
        self._desk.logins.see_shell(audit_session)

    # Decisions.

    def _decide(self, subject: Subject) -> Decision:
        self._refresh()
        return self.policy.policy.decide(subject)

    def choose_shell(self, arrived: Arrived, policy_shell: str | None = None) -> bytes:
        """See arrival.Reception."""
        facts = ShellFacts(
            user=arrived.account.name,
            entry_shell=os.fsencode(arrived.account.shell),
            policy_shell=policy_shell,
            sssd_shell=arrived.request.sssd_shell,
            selected_shell=arrived.request.selected_shell,
        )
        return choose_shell(facts, self._shells.table.value, self._shells.listed.value)

    def decide(self, arrived: Arrived) -> Admission:
        """See arrival.Reception."""
        config, peer = self._config, arrived.peer
        self._desk.logins.see_shell(peer.audit_session)
        decision = self._decide(arrived.subject(config))
        if self._audited is not None:
            self._audited.note(peer.audit_session, decision.audit)
        is_nested = is_within_recorded(peer.chain, self._sessions.leaders())
        if is_nested is None:
            is_nested = self._sessions.has_audit_session(peer.audit_session)
        admission = admit(
            arrived,
            decision,
            self.choose_shell(arrived, decision.shell),
            is_nested=is_nested,
            config=config,
        )
        if admission.way != "exec":
            self._check_limits(arrived)
        return admission

    def _check_limits(self, arrived: Arrived) -> None:
        limits = self._config.limits
        if len(self._sessions) >= limits.sessions:
            raise StenoError(f"{limits.sessions} sessions are being recorded, and no more may be")
        uid = arrived.account.uid
        if uid and self._sessions.count_of(uid) >= limits.sessions_per_user:
            raise StenoError(
                f"{limits.sessions_per_user} sessions of {arrived.account.name} are being "
                "recorded, and no more may be"
            )

    def _refresh(self) -> None:
        """Read the policy's files if they changed.

        For each session: whoever was enabled a moment ago must get in.
        """
        for refresh in (self.policy.refresh, self._shells.refresh):
            try:
                refresh()
            except ConfigError as error:
                log.error(
                    "a changed file is refused; what it said before stays in force",
                    extra={"why": str(error)},
                )

    def may_be_unrecorded(self, arrived: Arrived, admission: Admission | None) -> bool:
        """See arrival.Reception."""
        self.failures += 1
        if admission is None:
            on_failure = self._config.on_failure
            try:
                on_failure = self.policy.policy.decide(arrived.subject(self._config)).on_failure
            except StenoError:
                return on_failure == "allow"
        else:
            on_failure = admission.decision.on_failure
        is_console = arrived.account.uid == 0 and arrived.subject(self._config).service == "login"
        return on_failure == "allow" or is_console

    def open(self, admission: Admission, streams: Streams) -> Opened:
        """See arrival.Reception."""
        return self._opener.open(admission, streams)

    def begin(self, opened: Opened, admission: Admission) -> None:
        """See arrival.Reception."""
        self._begin(opened, admission)


def _open_audited(path: Path) -> AuditedNotes | None:
    """Return where is noted whose audit events are kept; without it all are."""
    try:
        return AuditedNotes(path)
    except OSError as error:
        log.error("audited sessions cannot be noted: all are kept", extra={"why": str(error)})
        return None


def _tell(asker: Asker, answer: Answer) -> None:
    asker.take_account(answer.account, answer.error)
