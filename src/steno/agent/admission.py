"""What becomes of a session that asks: the policy's decision and the agent's own rules. Pure.

A refusal is an error (RefusedError), whose text the person sees.
"""

from __future__ import annotations

import msgspec

from steno.agent.configuration import AgentConfig
from steno.agent.desktops import Graphics, judge
from steno.agent.handshake import Request
from steno.agent.peers import Peer
from steno.agent.services import Service, find_service
from steno.formats.charset import name_charset
from steno.policy.accounts import Account
from steno.policy.decision import Decision
from steno.policy.subject import GRAPHICAL, Subject
from steno.recorder.kinds import find_kind
from steno.recorder.limit import Action, Limit
from steno.recorder.session import InputMode, Settings


class Admission(msgspec.Struct, frozen=True, kw_only=True):
    """A session that may begin, and all that was found out about it.

    Attributes:
        way: `terminal`, `command` or `capture`: how it is recorded; `exec`: not at all.
        shell: The real shell.
        argv0: What to call it.
        account: Whose session it is.
        peer: Who asked.
        login_user: Who logged in, by name, or by number where nobody knows that; None when unset.
        request: What was asked.
        service: What let the person in.
        kind: What the session is for.
        decision: What the policy says.
        why: For `exec`, why it is not recorded, for the log.
        charset: What terminals speak here, where that is not UTF-8.
    """

    way: str
    shell: bytes
    argv0: bytes
    account: Account
    peer: Peer
    login_user: str | None
    request: Request
    service: Service
    kind: str
    decision: Decision
    why: str = ""
    charset: str | None = None

    @property
    def command(self) -> list[str]:
        """The program and its arguments as text."""
        words = [self.shell, *self.request.arguments]
        return [word.decode("utf-8", "backslashreplace") for word in words]

    def settings(self) -> Settings:
        """Return how the session is recorded."""
        decision = self.decision
        limit = decision.limit
        if self.way == "command":
            # Who, what, when and how it ended: nothing of what passes.
            return Settings(latency_us=decision.latency_us, output=False, window=False)
        return Settings(
            latency_us=decision.latency_us,
            payload_bytes=decision.payload_bytes,
            output="output" in decision.records,
            window="window" in decision.records and self.way == "terminal",
            input=InputMode(decision.input_mode if "input" in decision.records else "none"),
            limit=Limit(limit.rate_bytes, limit.burst_bytes, Action(limit.action)),
            charset=self.charset if self.way == "terminal" else None,
        )


class Arrived(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a session that asks, before it is decided about.

    Attributes:
        account: Whose session it is.
        peer: Who asked.
        login_user: See Admission.
        request: What was asked.
        has_terminal: Whether it has a terminal.
        host: This host's name.
    """

    account: Account
    peer: Peer
    login_user: str | None
    request: Request
    has_terminal: bool
    host: str

    @property
    def graphics(self) -> Graphics:
        """What the session has to do with a graphical login."""
        peer = self.peer
        service = find_service(peer.chain)
        return judge(service, peer.login, peer.chain, has_terminal=self.has_terminal)

    @property
    def kind(self) -> str:
        """What the session is for."""
        return GRAPHICAL if self.graphics.is_login else find_kind(self.request.arguments).value

    def subject(self, config: AgentConfig) -> Subject:
        """Return the session in the policy's words."""
        service = find_service(self.peer.chain)
        return Subject(
            user=self.account.name,
            uid=self.account.uid,
            groups=self.account.groups,
            service=service.name,
            has_terminal=self.has_terminal,
            host=self.host,
            host_groups=config.host_groups,
            kind=self.kind,
            is_graphical=self.graphics.is_within,
        )


def admit(
    arrived: Arrived,
    decision: Decision,
    shell: bytes,
    *,
    is_nested: bool,
    config: AgentConfig,
) -> Admission:
    """Return how the session begins.

    Args:
        arrived: The session.
        decision: The policy's.
        shell: The real shell.
        is_nested: Whether it is within a session that is being recorded.
        config: The configuration.
    """
    way = {"record": "terminal", "off": "exec"}.get(decision.action, decision.action)
    why = "the policy" if way == "exec" else ""
    if way == "terminal" and not arrived.has_terminal:
        way = "command"
    if is_nested and config.nested == "unrecorded" and way != "exec":
        way, why = "exec", "within a recorded session"
    return Admission(
        way=way,
        shell=shell,
        argv0=name_shell(shell, arrived.request.argv0),
        account=arrived.account,
        peer=arrived.peer,
        login_user=arrived.login_user,
        request=arrived.request,
        service=find_service(arrived.peer.chain),
        kind=arrived.kind,
        decision=decision,
        why=why,
        charset=name_charset(config.charset),
    )


def name_shell(shell: bytes, argv0: bytes) -> bytes:
    """Return what to call the shell: with `-` in front if `steno-shell` was called so."""
    name = shell.rpartition(b"/")[2]
    return b"-" + name if argv0.startswith(b"-") else name
