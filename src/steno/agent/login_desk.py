"""The desk for logins that start no login shell: from the PAM hook's note to a recording."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from concurrent.futures import Future

from steno import __version__
from steno.agent.handshake import decode_login
from steno.agent.logins import Login, Logins
from steno.agent.loop import Loop
from steno.agent.opening import Opener
from steno.errors import ProtocolError
from steno.formats.cutter import Identity
from steno.model import NO_AUDIT_SESSION, Start
from steno.policy.accounts import Account
from steno.policy.decision import Decision
from steno.policy.shells import is_recording_shell
from steno.policy.subject import Subject
from steno.recorder.clock import RecordingClock
from steno.recorder.destinations import Destinations, Failure
from steno.recorder.session import Session, Settings

KIND = "login"
"""What model.Start.kind says of a login that started no login shell."""
UNSEEN = "beginning-unseen"
"""The label of one whose beginning the agent has not seen: it may have had a shell before that."""

log = logging.getLogger("steno.agent")

Decide = Callable[[Subject], Decision]


class EndedLogin:
    """A login that ended without a login shell, until its account is known."""

    def __init__(self, desk: LoginDesk, login: Login) -> None:
        self._desk = desk
        self._login = login

    def take_account(self, account: Account | None, why: str | None) -> None:
        """Go on: this is whose login it was, or why that is not known."""
        self._desk.settle(self._login, account, why)


class LoginDesk:
    """Takes the hook's notes, and records the logins that are of interest.

    Attributes:
        logins: What is known of open logins; told by its owner of every session that is asked for.
    """

    def __init__(
        self,
        loop: Loop,
        opener: Opener,
        decide: Decide,
        ask_account: Callable[[EndedLogin, int], None],
    ) -> None:
        """Make ready.

        Args:
            loop: The agent's loop.
            opener: Opens recordings.
            decide: What the policy says of a subject.
            ask_account: Finds out about an account and calls `take_account`, now or later. The
                login shell may have changed just before the login: it asks anew.
        """
        self.logins = Logins()
        self._loop = loop
        self._opener = opener
        self._decide = decide
        self._ask_account = ask_account

    def take_packet(self, packet: bytes, caller_uid: int) -> None:
        """Take a packet of `steno-note-login`; only root is believed."""
        if caller_uid != 0:
            log.warning("a login's note not from root is ignored", extra={"uid": caller_uid})
            return
        try:
            note = decode_login(packet)
        except ProtocolError as error:
            log.warning("a login's note is wrong", extra={"why": str(error)})
            return
        login = self.logins.take_note(note, time.time_ns() // 1000)
        if login is None:
            return
        if note.login_uid is None:
            log.warning("a login cannot be noted: nobody says whose", extra={"user": note.user})
            return
        self._ask_account(EndedLogin(self, login), note.login_uid)

    def settle(self, login: Login, account: Account | None, why: str | None) -> None:
        """Record the login if its account is one whose sessions come to Steno."""
        user = login.note.user
        if account is None:
            log.warning("a login cannot be noted", extra={"user": user, "why": why or "no account"})
            return
        if not is_recording_shell(os.fsencode(account.shell)):
            return
        decision = self._decide(
            Subject(
                user=account.name,
                uid=account.uid,
                groups=account.groups,
                service=login.note.service or "",
                has_terminal=False,
                host=self._opener.host,
                host_groups=self._opener.config.host_groups,
                kind=KIND,
            )
        )
        if decision.action != "off":
            self._loop.submit(lambda: self._record(login, account, decision), _report)

    def _record(self, login: Login, account: Account, decision: Decision) -> str:
        """Write the whole recording, in a thread; return its id."""
        clock = RecordingClock()
        number = self._opener.take_number()
        identity, writers = self._opener.open_recording(
            lambda rec: self._identify(rec, login, account, decision, number), os.getpid()
        )
        began_unix_us = login.began_unix_us or login.ended_unix_us
        destinations = Destinations(writers, _report_failure)
        session = Session(identity, Settings())
        lasted_us = max(0, login.ended_unix_us - began_unix_us)
        lines = [*session.begin(0, None), *session.end(lasted_us, "exit")]
        destinations.write(lines, clock.at_us())
        destinations.finish(clock)
        return identity.rec

    def _identify(
        self,
        rec: str,
        login: Login,
        account: Account,
        decision: Decision,
        number: int | None,
    ) -> Identity:
        note, host = login.note, self._opener.host
        labels = [*decision.labels, *([] if login.began_unix_us is not None else [UNSEEN])]
        start = Start(
            user=account.name,
            host=host,
            started_unix_us=login.began_unix_us or login.ended_unix_us,
            recorder=f"steno {__version__}",
            uid=account.uid,
            login_user=account.name,
            login_uid=note.login_uid,
            boot_id=self._opener.boot_id,
            audit_session=note.audit_session,
            service=note.service,
            remote=note.remote,
            policy=",".join(decision.rules) or None,
            labels=labels,
            number=number,
            kind=KIND,
        )
        session = NO_AUDIT_SESSION if note.audit_session is None else note.audit_session
        return Identity(host, rec, account.name, "", session, start)


def _report(outcome: Future[str]) -> None:
    error = outcome.exception()
    if error is not None:
        log.error("a login without a shell could not be recorded", extra={"why": str(error)})
    else:
        log.info("a login without a shell is recorded", extra={"rec": outcome.result()})


def _report_failure(failure: Failure) -> None:
    log.error("a destination is given up", extra={"why": f"{failure.name}: {failure.error}"})
