"""The commands and audit events of a recording, at its own instants: what API and CLI show."""

from __future__ import annotations

from typing import Literal

import msgspec

from steno.audit.event import Event
from steno.audit.session.ran import Counts, Origin, RanFacts, RanKind, TrailKind

Source = Literal["audit", "screen"]


class RecordedCommand(RanFacts, frozen=True, kw_only=True):
    """A command of a recording.

    Attributes:
        source: Where it is known from.
        kind: What it is; from the screen it is always `line`.
        origin: Whose will it was.
        at_us: When, in the recording.
        end_us: When it ended, in the recording, where that can be said.
        arguments_left_out: How many of a long list of arguments its event has and this has not.
    """

    source: Source
    kind: RanKind = "line"
    origin: Origin = "typed"
    at_us: int
    end_us: int | None = None
    arguments_left_out: int = 0


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
