"""What a store knows of audit events: how they are put, asked for and shown.

An event's line in its trail is the truth; the index keeps all of it but the records underneath,
which `Store.event` reads back. docs/formats/store.md says how.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from steno.audit.event import Event
from steno.audit.login_facts import LoginFact
from steno.audit.trail import Lost, TrailEnd
from steno.model import Damage, Verification
from steno.store.expressions import Expression


class SessionKey(msgspec.Struct, frozen=True):
    """One audit session, over all hosts and boots: what joins events to recordings.

    Attributes:
        sender: The authenticated host that delivered the trail; None: imported. A host cannot add
            events to another's sessions.
        boot_id: Of the host, without dashes.
        audit_session: The kernel's number.
    """

    sender: str | None
    boot_id: str
    audit_session: int


class TrailSummary(msgspec.Struct, frozen=True):
    """What is known of one trail.

    Attributes:
        trail: Its id.
        host: The name that its first line gives.
        boot_id: Of that boot.
        started_unix_us: When it was begun.
        last_unix_us: The newest event's instant; `started_unix_us` while there is none.
        size_bytes: Its lines' length so far.
        events: How many events it holds.
        lost: How many events it says are missing; where nobody knows how many, they count as one.
        damages: How many stretches cannot be read.
        chain: What its chain proves.
        sender: The authenticated host that delivered it; None: imported.
        level: Which rules were meant to be loaded.
        follows: The trail before it.
        follows_head: The digest of that one's last line.
        end: Its last line; None: it goes on, or was cut off.
    """

    trail: str
    host: str
    boot_id: str
    started_unix_us: int
    last_unix_us: int
    size_bytes: int
    events: int
    lost: int
    damages: int
    chain: Verification
    sender: str | None = None
    level: str = ""
    follows: str | None = None
    follows_head: str | None = None
    end: TrailEnd | None = None


class KnownTrail(msgspec.Struct, frozen=True):
    """An audit trail, and what is remembered of it.

    Attributes:
        id: Its id.
        chain: What its chain proved when it was indexed; None: it is not indexed yet.
        follows: The trail of the same host before it.
        follows_head: The digest of that one's last line.
    """

    id: str
    chain: Verification | None = None
    follows: str | None = None
    follows_head: str | None = None


class PlacedEvent(msgspec.Struct, frozen=True):
    """An event on its way into the index, and where its line stands in the trail.

    Attributes:
        event: The event; its records are left out.
        offset_bytes: Where its line begins.
        length_bytes: How long that is.
    """

    event: Event
    offset_bytes: int
    length_bytes: int


class StoredEvent(msgspec.Struct, frozen=True):
    """An event as the store gives it.

    Attributes:
        trail: Whose event it is; with `event.serial` it names the event.
        sender: Who delivered the trail.
        event: All but the records.
        offset_bytes: Where its line begins in the trail.
        length_bytes: How long that is.
    """

    trail: str
    sender: str | None
    event: Event
    offset_bytes: int
    length_bytes: int


class EventQuery(msgspec.Struct, frozen=True):
    """Which events are wanted; all that is given must hold.

    Attributes:
        expression: A query that says something of events only (`query.check_event_query`).
        session: Of this audit session.
        trail: Of this trail.
        pid: Of this process.
        from_unix_us: At this instant or later.
        until_unix_us: Before this instant.
        is_ascending: Oldest first; else newest first. Events of one millisecond and host keep
            their order.
        visible_to: Only what happened in sessions while one of this person's recordings was made.
    """

    expression: Expression | None = None
    session: SessionKey | None = None
    trail: str | None = None
    pid: int | None = None
    from_unix_us: int | None = None
    until_unix_us: int | None = None
    is_ascending: bool = False
    visible_to: str | None = None


class PlacedLogin(msgspec.Struct, frozen=True):
    """What an event says of a login, on its way into the index.

    Attributes:
        fact: What it says.
        offset_bytes: Where its line begins in the trail: a damaged trail may repeat serials.
    """

    fact: LoginFact
    offset_bytes: int


class DerivedEvents(msgspec.Struct, frozen=True):
    """What the indexer learnt from some more bytes of a trail; stored in one transaction.

    Attributes:
        upto_bytes: The trail's bytes up to here are accounted for.
        summary: The trail's new summary.
        from_bytes: What `derived_bytes` was when these bytes were read.
        from_serial: What `derived_state` said the serial was then.
        state: What the indexer needs to go on from here, opaque to the store.
        events: New events, in order.
        logins: What they say of logins, in order.
        lost: New words about missing events.
        damages: Unreadable stretches.
    """

    upto_bytes: int
    summary: TrailSummary
    from_bytes: int = 0
    from_serial: int = 0
    state: bytes = b""
    events: list[PlacedEvent] = []
    logins: list[PlacedLogin] = []
    lost: list[Lost] = []
    damages: list[Damage] = []


ToldBy = Literal["audit", "journal"]
"""Who says so: the kernel's audit system, or a program of itself, in the systemd journal."""


class Login(msgspec.Struct, frozen=True):
    """Somebody logged in: an audit session that a login program opened.

    Attributes:
        session: Which one; None: the host's kernel did not number it, or nobody said how.
        host: The host's name.
        user: Who; "" where no record says.
        service: The program that let them in; "" where no record says.
        source: Address or name where the person was; "" for none.
        terminal: `/dev/pts/2`, `ssh` (none yet); "" for none.
        opened_unix_us: When.
        closed_unix_us: When it was over; None: it goes on, or nothing says.
        trail: The trail that says so.
        serial: The first event's number in it.
        recordings: The recordings that were made in it, oldest first; none: it was not recorded.
        failures: Failed attempts on this account of this host since the last login to it, at most a
            day before.
        failed_first_unix_us: When the first of these was.
        failed_last_unix_us: When the last one was.
        told_by: Who says that somebody logged in.
    """

    session: SessionKey | None
    host: str
    user: str
    service: str
    source: str
    terminal: str
    opened_unix_us: int
    closed_unix_us: int | None
    trail: str
    serial: int
    recordings: list[str] = []
    failures: int = 0
    failed_first_unix_us: int | None = None
    failed_last_unix_us: int | None = None
    told_by: ToldBy = "audit"


class LoginFailures(msgspec.Struct, frozen=True):
    """Attempts that failed, taken together: one host, account, source and program.

    Attributes:
        host: Which host.
        sender: Who delivered its trail.
        user: The account that was tried; "" where the records do not say it.
        service: The program that refused.
        source: Where they came from; "" for none.
        login_user: Who had logged in already (su, sudo); "" for nobody.
        count: How many.
        first_unix_us: When the first one was.
        last_unix_us: When the last one was.
        told_by: Who says so.
    """

    host: str
    sender: str | None
    user: str
    service: str
    source: str
    login_user: str
    count: int
    first_unix_us: int
    last_unix_us: int
    told_by: ToldBy = "audit"


class LoginQuery(msgspec.Struct, frozen=True):
    """Which logins, or failures, are wanted; all that is given must hold.

    Attributes:
        user: The account; `*` stands for anything, case does not matter, as in the query language.
        host: The host's name, in the same way.
        source: Where from, in the same way.
        service: The program, in the same way; "": all but those that nobody sits at (cron, at and
            systemd's own).
        is_recorded: Only those with a recording, or only those without.
        from_unix_us: At this instant or later.
        until_unix_us: Before this instant.
    """

    user: str = ""
    host: str = ""
    source: str = ""
    service: str = ""
    is_recorded: bool | None = None
    from_unix_us: int | None = None
    until_unix_us: int | None = None
