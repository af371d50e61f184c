"""What becomes of a session that asks: the policy's decision and the agent's own rules. Pure.

A refusal is an error (RefusedError), whose text the person sees.
"""

from __future__ import annotations

import msgspec

from steno.agent.configuration import AgentConfig
from steno.agent.handshake import Request
from steno.agent.peers import Peer
from steno.agent.services import Service, find_service
from steno.policy.accounts import Account
from steno.policy.decision import Decision
from steno.policy.subject import Subject
from steno.recorder.kinds import Kind, find_kind
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
        request: What was asked.
        service: What let the person in.
        kind: What the session is for.
        decision: What the policy says.
        why: For `exec`, why it is not recorded, for the log.
    """

    way: str
    shell: bytes
    argv0: bytes
    account: Account
    peer: Peer
    request: Request
    service: Service
    kind: Kind
    decision: Decision
    why: str = ""

    @property
    def command(self) -> list[str]:
        """The program and its arguments as text."""
        words = [self.shell, *self.request.arguments]
        return [word.decode("utf-8", "backslashreplace") for word in words]

    def settings(self) -> Settings:
        """Return how the session is recorded."""
        decision = self.decision
        limit = decision.limit
        return Settings(
            latency_us=decision.latency_us,
            payload_bytes=decision.payload_bytes,
            output="output" in decision.records,
            window="window" in decision.records,
            input=InputMode(decision.input_mode if "input" in decision.records else "none"),
            limit=Limit(limit.rate_bytes, limit.burst_bytes, Action(limit.action)),
        )


class Arrived(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a session that asks, before it is decided about.

    Attributes:
        account: Whose session it is.
        peer: Who asked.
        request: What was asked.
        has_terminal: Whether it has a terminal.
        host: This host's name.
    """

    account: Account
    peer: Peer
    request: Request
    has_terminal: bool
    host: str

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
            kind=find_kind(self.request.arguments).value,
            is_graphical=service.is_graphical,
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
        is_nested: Whether its audit session is being recorded already.
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
        request=arrived.request,
        service=find_service(arrived.peer.chain),
        kind=find_kind(arrived.request.arguments),
        decision=decision,
        why=why,
    )


def name_shell(shell: bytes, argv0: bytes) -> bytes:
    """Return what to call the shell: with `-` in front if `steno-shell` was called so."""
    name = shell.rpartition(b"/")[2]
    return b"-" + name if argv0.startswith(b"-") else name
