"""What a host tells its server of itself, and what the server asks of it: words, no more.

docs/formats/wire.md specifies the requests that carry them. Instants `*_unix_us` of a host are
by that host's clock, those of an order by the server's.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

INTERVAL_S = 15
"""A host is heard of so often."""

_Text = Annotated[str, msgspec.Meta(max_length=4096)]
_Name = Annotated[str, msgspec.Meta(max_length=512)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
_Instant = Annotated[int, msgspec.Meta(ge=-(2**62), le=2**62)]

DEAF_REMEDY = (
    "systemctl stop systemd-journald-audit.socket; systemctl restart systemd-journald: it needs a"
    " new socket, best with more room (ReceiveBuffer=)"
)
"""What to do where `AuditFacts.is_deaf`."""

MOST_SESSIONS = 5000
MOST_NUMBERS = 10_000
MESSAGE_CHARACTERS = 1000

Do = Literal["kill", "message"]
OrderState = Literal["waiting", "done", "failed", "expired"]


class OpenSession(msgspec.Struct, frozen=True, omit_defaults=True):
    """A session that a host's agent records at this moment.

    Attributes:
        rec: Its recording.
        user: Whose account it is.
        started_unix_us: Since when.
        login_user: Who logged in.
        service: What let them in: sshd, sudo, su, login ...
        terminal: The terminal's device, or None for pipes.
        remote: Where they came from.
        number: The host's running number of the recording.
    """

    rec: _Name
    user: _Name = ""
    started_unix_us: _Instant = 0
    login_user: _Name | None = None
    service: _Name | None = None
    terminal: _Name | None = None
    remote: _Name | None = None
    number: _Count | None = None


class AgentFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a host's agent says of itself.

    Attributes:
        version: Of the agent.
        started_unix_us: Since when it runs.
        sessions: What it records now.
        number: The last running number that it gave to a recording; None: none yet.
        policy: The digest of the policy in force, hex; None: no policy.
        failures: What goes wrong, in one line each.
    """

    version: _Name = ""
    started_unix_us: _Instant | None = None
    sessions: Annotated[tuple[OpenSession, ...], msgspec.Meta(max_length=MOST_SESSIONS)] = ()
    number: _Count | None = None
    policy: _Name | None = None
    failures: Annotated[tuple[_Text, ...], msgspec.Meta(max_length=100)] = ()


class SpoolFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a host's spool holds.

    Attributes:
        used_bytes: All its files together.
        limit_bytes: How much that may be.
        free_bytes: How much room its disk has.
        least_free_bytes: How much of that must stay free.
        undelivered_bytes: Bytes of recordings and audit trails that no server has confirmed.
        oldest_undelivered_unix_us: When the oldest of them waits since; None: there are none.
        undelivered: How many recordings have such bytes.
        open: The recordings that are still being written.
        waiting_numbers: Running numbers of recordings of which no server has anything yet.
        number: The last running number that was given to any recording; None: not counted.
    """

    used_bytes: _Count = 0
    limit_bytes: _Count = 0
    free_bytes: _Count = 0
    least_free_bytes: _Count = 0
    undelivered_bytes: _Count = 0
    oldest_undelivered_unix_us: _Instant | None = None
    undelivered: _Count = 0
    open: Annotated[tuple[_Name, ...], msgspec.Meta(max_length=MOST_SESSIONS)] = ()
    waiting_numbers: Annotated[tuple[_Count, ...], msgspec.Meta(max_length=MOST_NUMBERS)] = ()
    number: _Count | None = None


class OrderResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """What came of an order on its host: `done`, or `failed` and why."""

    id: _Name
    state: Literal["done", "failed"]
    reason: _Text = ""


class AuditFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """How the audit trail of a host fares.

    Attributes:
        source: Where events come from: `auditd`, `journal` (the audit records that it has), or
            `words` (what login programs themselves say in the journal).
        updated_unix_us: When this was so, by the host's clock.
        trail: The trail that is being written; None: nothing was written yet.
        level: What the policy wants of the kernel.
        events: How many events came since the program was started.
        kept: How many of them were written.
        lost: How many were lost, by reason; docs/formats/trail.md names them.
        lag_us: How old the last event was when it was written.
        waiting_bytes: What was read and not looked at yet.
        enabled: The kernel's word: 0, 1, or 2 for immutable; None: it was not asked.
        kernel_lost: How many records the kernel lost since the boot.
        backlog: How many records wait in the kernel.
        backlog_limit: How many may.
        unread: Login programs' messages whose wording is not known.
        distrusted: Messages whose sender only calls itself a login program.
        is_deaf: journald has stopped to take audit events from the kernel, for good.
    """

    source: _Name
    updated_unix_us: _Instant
    trail: _Name | None = None
    level: _Name = ""
    events: _Count = 0
    kept: _Count = 0
    lost: Annotated[dict[_Name, _Count], msgspec.Meta(max_length=32)] = {}
    lag_us: _Count = 0
    waiting_bytes: _Count = 0
    enabled: _Count | None = None
    kernel_lost: _Count | None = None
    backlog: _Count | None = None
    backlog_limit: _Count | None = None
    unread: _Count = 0
    distrusted: _Count = 0
    is_deaf: bool = False


class Heartbeat(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a host's courier tells every `INTERVAL_S`.

    Attributes:
        sent_unix_us: The host's wall clock as this was sent.
        boot_id: The boot's id, without dashes.
        source: Which spool this courier delivers, a digest of its path: a host may have several.
        version: Of the courier.
        uptime_s: Since the boot.
        spool: What waits there.
        agent: What the agent says; None: none answers.
        audit: What the audit trail's writer says; None: there is none.
        round_trip_us: How long the request before took until its answer; None: there was none.
        results: What came of orders since the heartbeat before.
        failures: What goes wrong, in one line each.
        is_leaving: The courier stops in good order.
    """

    sent_unix_us: _Instant
    boot_id: _Name
    source: _Name
    version: _Name
    uptime_s: _Count = 0
    spool: SpoolFacts = SpoolFacts()
    agent: AgentFacts | None = None
    audit: AuditFacts | None = None
    round_trip_us: _Count | None = None
    results: Annotated[tuple[OrderResult, ...], msgspec.Meta(max_length=1000)] = ()
    failures: Annotated[tuple[_Text, ...], msgspec.Meta(max_length=100)] = ()
    is_leaving: bool = False


class HostOrder(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a host is asked to do; it answers with an `OrderResult` of the same id.

    Attributes:
        id: The order's id; doing one twice is a mistake, being told twice is none.
        do: `kill` the session, or show a `message` on its terminal.
        rec: Which session's recording.
        by: Who asks.
        text: The message.
        reason: Why, as the person said.
        left_s: So many seconds the host has; later it must not be done any more.
    """

    id: str
    do: Do
    rec: str
    by: str
    text: str = ""
    reason: str = ""
    left_s: float = 0.0


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the server answers to a heartbeat, and to the question for orders.

    Attributes:
        server_unix_us: The server's clock.
        orders: What to do; an order is repeated until its result has come.
    """

    server_unix_us: int
    orders: tuple[HostOrder, ...] = ()
