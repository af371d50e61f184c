"""A session on its way in: from the connection to the answer.

Nothing that the other side does, or doesn't, holds up anybody else: the packet is awaited for
a few seconds, /proc, disks and name services are asked in threads.
"""

from __future__ import annotations

import array
import contextlib
import logging
import os
import socket
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Protocol

from steno.agent import outer
from steno.agent.admission import Admission, Arrived, name_shell
from steno.agent.handshake import (
    LOGIN,
    REQUEST_LIMIT_BYTES,
    Answer,
    Request,
    decode_request,
    encode_answer,
)
from steno.agent.loop import READABLE, Loop
from steno.agent.opening import Opened
from steno.agent.peers import Peer, open_peer, read_credentials, read_peer
from steno.agent.strangers import let_go
from steno.errors import ProtocolError, RefusedError, StenoError
from steno.policy.accounts import Account

_PACKET_US = 5_000_000
"""How long somebody who connected may take to ask."""
_STREAMS = 3
_MOST_DESCRIPTORS = 16
"""More are refused like any wrong number, but must be received to be closed."""
_MESSAGE_BYTES = 8000

log = logging.getLogger("steno.agent")

Streams = tuple[int, int, int]


class Asker(Protocol):
    """Who wants to know about an account."""

    def take_account(self, account: Account | None, why: str | None) -> None:
        """Go on: this is the account, or there is none, or why that is not known."""


class Reception(Protocol):
    """What the agent does for a session that arrives."""

    @property
    def loop(self) -> Loop:
        """The loop."""

    @property
    def host(self) -> str:
        """This host's name."""

    def ask_account(self, asker: Asker, uid: int) -> None:
        """Find out about the account and call `asker.take_account`, now or later."""

    def choose_shell(self, arrived: Arrived) -> bytes:
        """Return the session's real shell.

        Raises:
            StenoError: There is none, or its user may not log in.
        """

    def decide(self, arrived: Arrived) -> Admission:
        """Return how the session begins.

        Raises:
            RefusedError: It does not.
            StenoError: It cannot be recorded.
        """

    def may_be_unrecorded(self, arrived: Arrived, admission: Admission | None) -> bool:
        """Return whether a session begins although it cannot be recorded."""

    def open(self, admission: Admission, streams: Streams) -> Opened:
        """Open the session; called in a thread.

        Raises:
            StenoError: It cannot be recorded; nothing stays open.
        """

    def begin(self, opened: Opened, admission: Admission) -> None:
        """Take the session over and relay it."""

    def take_login(self, packet: bytes, caller_uid: int) -> None:
        """Take what `steno-note-login` says, run by `caller_uid`."""

    def forget(self, arrival: Arrival) -> None:
        """Take note that the arrival is over."""


class Arrival:
    """One connection of `steno-shell`, until it is answered. Owns its descriptors.

    Attributes:
        uid: The user who made it.
    """

    def __init__(self, reception: Reception, connection: socket.socket, uid: int) -> None:
        """Take over `connection`, which does not block, and which this user has made."""
        self.uid = uid
        self._reception = reception
        self._loop = reception.loop
        self._connection = connection
        self._received: list[int] = []
        self._streams: Streams | None = None
        self._pidfd: int | None = None
        self._request: Request | None = None
        self._peer: Peer | None = None
        self._answers: dict[int, tuple[Account | None, str | None]] = {}
        self._arrived: Arrived | None = None
        self._admission: Admission | None = None
        self._is_over = False
        self._timer = self._loop.call_in(_PACKET_US, self._lose_patience)
        self._loop.watch(connection.fileno(), READABLE, self._take_packet)

    # The request.

    def _take_packet(self, _events: int) -> None:
        try:
            packet, self._received = _receive(self._connection)
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        self._loop.ignore(self._connection.fileno())
        self._timer.cancel()
        descriptors = self._received
        if packet.startswith(LOGIN) and not descriptors:
            self._reception.take_login(packet, read_credentials(self._connection)[1])
            self.close()
            return
        try:
            if len(descriptors) != _STREAMS:
                raise ProtocolError(f"request: {len(descriptors)} descriptors, and not three")
            self._streams = descriptors[0], descriptors[1], descriptors[2]
            self._request = decode_request(packet)
        except ProtocolError as error:
            if packet:
                self._log_refusal(str(error))
            self.close()
            return
        self._loop.submit(self._look_at_peer, self._take_peer)

    def _look_at_peer(self) -> tuple[Peer, int]:
        pidfd = open_peer(self._connection)
        if pidfd is None:
            raise RefusedError("the process that asked for a session is gone")
        try:
            return read_peer(self._connection, pidfd), pidfd
        except BaseException:
            os.close(pidfd)
            raise

    def _take_peer(self, found: Future[tuple[Peer, int]]) -> None:
        try:
            self._peer, self._pidfd = found.result()
        except (StenoError, OSError) as error:
            self._fail(error)
            return
        for uid in self._awaited():
            self._reception.ask_account(_Question(self, uid), uid)

    def _awaited(self) -> set[int]:
        """Return of whom it must be known who they are: whose session it is, and who logged in."""
        if self._peer is None:
            return set()
        return {self._peer.uid, *([] if self._peer.login_uid is None else [self._peer.login_uid])}

    def take_answer(self, uid: int, account: Account | None, why: str | None) -> None:
        """Go on once all is known: this is who `uid` is, or why that is not known."""
        self._answers[uid] = account, why
        if self._is_over or self._awaited() - self._answers.keys():
            return
        self._meet()

    def _meet(self) -> None:
        if self._peer is None or self._request is None or self._streams is None:
            return
        uid, login_uid = self._peer.uid, self._peer.login_uid
        account, why = self._answers[uid]
        if account is None and why is None:
            self._deny(f"user {uid}: there is no such account")
            return
        login_user = None
        if login_uid is not None:
            who, _ = self._answers[login_uid]
            login_user = str(login_uid) if who is None else who.name
        known = account or Account(str(uid), uid, self._peer.gid, "/", "", ())
        self._arrived = Arrived(
            account=known,
            peer=self._peer,
            login_user=login_user,
            request=self._request,
            has_terminal=outer.find_terminal(self._streams) is not None,
            host=self._reception.host,
        )
        if why is not None:
            self._fail(RefusedError(why))
            return
        self._decide()

    def _decide(self) -> None:
        if self._arrived is None or self._streams is None:
            return
        try:
            admission = self._reception.decide(self._arrived)
        except RefusedError as error:
            self._deny(str(error))
            return
        except StenoError as error:
            self._fail(error)
            return
        self._admission = admission
        if admission.way == "exec":
            self._answer_exec(admission.shell, admission.argv0, admission.why)
            return
        streams = self._streams
        self._loop.submit(lambda: self._reception.open(admission, streams), self._take_opened)

    def _take_opened(self, outcome: Future[Opened]) -> None:
        try:
            opened = outcome.result()
        except (StenoError, OSError, ValueError) as error:
            self._fail(error)
            return
        if not self._is_over:  # else the agent ends, and the next one finds what was kept
            self._begin(opened)

    # The answer.

    def _begin(self, opened: Opened) -> None:
        """Answer, and hand the session over to its relay."""
        admission = self._admission
        if admission is None:
            return
        fds = opened.descriptors
        fds.leader, self._pidfd = self._pidfd, None
        fds.connection = connection = self._connection.detach()
        # Raw before the answer: what the shell prints first must come out right.
        if fds.outer is not None:
            outer.take(fds.outer)
        answer = Answer(
            opened.action,
            shell=admission.shell,
            argv0=admission.argv0,
            message=_cut(admission.decision.notice),
            # sshd and login stop reading a terminal as soon as the process that they started has
            # ended; that must not be before the last output was passed on.
            # Nor may a script that runs `su -c` go on before its output is where it belongs.
            must_wait=opened.action in ("terminal", "pipes"),
        )
        try:
            _send(connection, encode_answer(answer), opened.handed)
        except (OSError, ProtocolError) as error:
            # Who asked has gone, and the session ends as its side of everything is closed; nobody's
            # end is to be awaited.
            if fds.leader is not None:
                os.close(fds.leader)
                fds.leader = None
            facts = {"rec": opened.facts.rec, "why": str(error)}
            log.info("a session left before its answer", extra=facts)
        self._received += {*opened.handed}
        self.close()
        self._reception.begin(opened, admission)

    def _answer_exec(self, shell: bytes, argv0: bytes, why: str, message: str = "") -> None:
        if self._arrived is not None:
            facts = {"user": self._arrived.account.name, "pid": self._arrived.peer.pid, "why": why}
            log.info("a session begins unrecorded", extra=facts)
        self._answer(Answer("exec", shell=shell, argv0=argv0, message=_cut(message)))

    def _fail(self, error: Exception) -> None:
        """Answer a session that cannot be recorded, as the policy wants."""
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        arrived, admission = self._arrived, self._admission
        if self._is_over:
            return
        if arrived is None or not self._reception.may_be_unrecorded(arrived, admission):
            self._deny(f"this session cannot be recorded: {why}")
            return
        try:
            shell = admission.shell if admission else self._reception.choose_shell(arrived)
        except StenoError as refusal:
            self._deny(str(refusal))
            return
        argv0 = name_shell(shell, arrived.request.argv0)
        self._answer_exec(shell, argv0, why, f"steno: this session is not recorded: {why}")

    def _deny(self, why: str) -> None:
        self._log_refusal(why)
        self._answer(Answer("deny", message=_cut(f"steno: {why}")))

    def _log_refusal(self, why: str) -> None:
        facts: dict[str, object] = {"why": why}
        with contextlib.suppress(OSError):
            pid, uid, _ = read_credentials(self._connection)
            facts |= {"pid": pid, "uid": uid}
        log.warning("a session is refused", extra=facts)

    def _answer(self, answer: Answer) -> None:
        if not self._is_over:
            with contextlib.suppress(OSError):
                _send(self._connection.fileno(), encode_answer(answer), ())
        self.close()

    def _lose_patience(self) -> None:
        self._log_refusal("nothing was asked in time")
        self.close()

    def close(self) -> None:
        """Let go of everything that was not handed on."""
        if self._is_over:
            return
        self._is_over = True
        self._timer.cancel()
        if self._connection.fileno() >= 0:
            self._loop.ignore(self._connection.fileno())
            self._connection.close()
        if self._pidfd is not None:
            os.close(self._pidfd)
        self._streams = self._pidfd = None
        received, self._received = self._received, []
        # Until all are closed it counts as one of its user's: who makes that wait has fewer left.
        let_go(received, lambda: self._loop.post(lambda: self._reception.forget(self)))


class _Question:
    """What an arrival asks about one user."""

    def __init__(self, arrival: Arrival, uid: int) -> None:
        self._arrival = arrival
        self._uid = uid

    def take_account(self, account: Account | None, why: str | None) -> None:
        self._arrival.take_answer(self._uid, account, why)


def _receive(connection: socket.socket) -> tuple[bytes, list[int]]:
    """Return a packet and its descriptors, the caller's to close.

    Raises:
        BlockingIOError: There is none yet.
    """
    room = socket.CMSG_SPACE(_MOST_DESCRIPTORS * array.array("i").itemsize)
    packet, ancillary, flags, _ = connection.recvmsg(
        REQUEST_LIMIT_BYTES + 1, room, socket.MSG_CMSG_CLOEXEC
    )
    descriptors = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
    if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
        packet = b"cut short"
    return packet, list(descriptors)


def _send(connection: int, packet: bytes, descriptors: Sequence[int]) -> None:
    sender = socket.socket(fileno=connection)
    try:
        socket.send_fds(sender, [packet], list(descriptors))
    finally:
        sender.detach()


def _cut(text: str) -> bytes:
    """Return a text for the person in bytes, no longer than an answer may hold, without NULs."""
    data = text.replace("\0", "").rstrip("\n").encode("utf-8", "replace")
    return data[:_MESSAGE_BYTES].decode("utf-8", "ignore").encode()
