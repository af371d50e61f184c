"""The commands and audit events of a recording, at its own instants: what API and CLI show."""

from __future__ import annotations

from typing import Literal

import msgspec

from steno.audit.event import Event
from steno.audit.session.ran import Counts, Ended, Origin, RanKind, TrailKind

Source = Literal["audit", "screen"]


class RecordedCommand(msgspec.Struct, frozen=True):
    """A command of a recording; the members are those of `steno.audit.session.ran.Ran`.

    Attributes:
        number: Its place in the list, from 1: parents stand before their children.
        parent: The number of what it belongs to: the shell, a line, the program that ran it.
        at_us: When, in the recording.
        text: What to show: the typed line, else the arguments.
        source: Where it is known from.
        arguments_left_out: How many of a long list of arguments its event has and this has not.
        kind: What it is; from the screen it is always `line`.
        end_us: When it ended, in the recording, where that can be said.
        ended: What that is known from.
        origin: Whose will it was.
        below: What it and all below it did.
        own: What it did itself.
    """

    number: int
    parent: int | None
    at_us: int
    text: str
    source: Source
    kind: RanKind = "line"
    end_us: int | None = None
    ended: Ended = "unknown"
    origin: Origin = "typed"
    typed: str | None = None
    arguments: list[str] | None = None
    arguments_left_out: int = 0
    program: str | None = None
    pid: int | None = None
    user: str | None = None
    exit_status: int | None = None
    signal: int | None = None
    error: str | None = None
    is_background: bool = False
    pipeline: int | None = None
    privilege: str | None = None
    serial: int | None = None
    own: Counts = Counts()
    below: Counts = Counts()


class RecordedCommands(msgspec.Struct, frozen=True):
    """The commands of a recording.

    Attributes:
        source: `audit` where the host's audit trail tells them, else `screen`.
        items: In order; a tree by `parent`.
        counts: What all events of the recording come to.
        lost: How many audit events are missing in between, as far as that was noticed.
        is_cut: Whether there are more events than one answer may take: the later ones are left out.
    """

    source: Source
    items: list[RecordedCommand]
    counts: Counts = Counts()
    lost: int = 0
    is_cut: bool = False


class RecordedEvent(msgspec.Struct, frozen=True):
    """An audit event of a recording.

    Attributes:
        at_us: When, in the recording.
        command: The command's number that it belongs to; None: the session's, no command's.
        kind: What sort it is.
        event: The event, without the records underneath.
        is_own: Whether Steno's own programs did it, which prepare what is recorded.
    """

    at_us: int
    command: int | None
    kind: TrailKind
    event: Event
    is_own: bool = False
