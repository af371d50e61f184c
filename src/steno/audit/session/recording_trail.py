"""A recording joined with the audit events of its session: its commands, and their trail.

Pure: whoever calls has read the recording's facts and the events. docs/audit.md, "Beside the
session", says for users what this does.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from steno.audit.event import Event
from steno.audit.session.clocks import Calendar
from steno.audit.session.commands import Joined, count_events, join
from steno.audit.session.line_matching import TICK_US
from steno.audit.session.lineages import sort_events
from steno.audit.session.ran import Ran, RanFacts
from steno.audit.session.recorded import RecordedCommand, RecordedCommands, RecordedEvent
from steno.audit.session.scopes import Root
from steno.audit.session.typed_lines import TypedLine
from steno.audit.sorts import kind_of
from steno.model import Command, Note, Start

LOGIN_KIND = "login"
"""The kind of recordings of logins that asked for no program."""

ARGUMENTS_CHARACTERS = 8 * 1024
"""So much of a program's arguments stands in the list of commands; its event has all."""

BEFORE_US = 120 * 1_000_000
AFTER_US = 3600 * 1_000_000
"""Events so long before a recording's start and after its end may have to do with it: what let the
person in, and what went on in the background."""

_ECHO_US = 2_000
_LOOK_US = 50_000
_UNSEEN_US = 5_000_000
"""What is typed is recorded before its echo. The screen is looked at once for all that comes within
a moment, whose beginning is the line's instant then; and a line may be seen only much later."""

_BESIDE_US = 10 * 1_000_000
"""What belongs to the session and to no command is shown where it is no further off than this."""


@dataclass(frozen=True)
class RecordingFacts:
    """What must be known of a recording to find its events.

    Attributes:
        start: The facts of its first message.
        duration_us: Its last instant so far.
        has_ended: Whether it goes on no more.
        notes: Its notes of the kind `calendar`.
        commands: The commands that stood on the screen.
        entered_us: When Enter was typed, in order, where what was typed is recorded.
    """

    start: Start
    duration_us: int
    has_ended: bool
    notes: Sequence[Note] = ()
    commands: Sequence[Command] = ()
    entered_us: Sequence[int] = ()

    def calendar(self) -> Calendar:
        """Return what turns stamps into its instants."""
        return Calendar(self.start.started_unix_us, self.notes)

    def root(self) -> Root:
        """Return what it is of, its instants on a calendar that nobody sets."""
        start = self.start
        until_us = start.started_unix_us + self.duration_us if self.has_ended else None
        terminal = start.inner_terminal
        if terminal is None and start.pid is None:
            terminal = start.terminal
        return Root(
            start.pid,
            terminal,
            start.started_unix_us,
            until_us,
            is_login=start.kind == LOGIN_KIND,
            uid=start.uid,
        )

    def span_unix_us(self) -> tuple[int, int | None]:
        """Return between which stamps its events lie; None: there is no end yet."""
        first_us, last_us = self.calendar().span_unix_us(self.duration_us)
        return first_us - BEFORE_US, last_us + AFTER_US if self.has_ended else None


@dataclass(frozen=True)
class RecordingTrail:
    """What the audit events of its session say of a recording.

    Attributes:
        commands: The tree of what ran.
        events: The events that have to do with it, by their instants.
    """

    commands: RecordedCommands
    events: list[RecordedEvent]


def join_recording(
    facts: RecordingFacts, events: Sequence[Event], others: Iterable[Root] = ()
) -> RecordingTrail | None:
    """Return a recording's trail; None where the events tell nothing of it.

    Args:
        facts: What is known of the recording.
        events: Its audit session's, of one boot.
        others: What other recordings of the same audit session are of.
    """
    calendar, start_us = facts.calendar(), facts.start.started_unix_us
    ordered = sort_events(events)
    placed = calendar.place([event.at_unix_us for event in ordered])
    # On a calendar that nobody sets: what happens within the recording goes by its own clock.
    steady = [
        event
        if event.at_unix_us == start_us + at_us
        else msgspec.structs.replace(event, at_unix_us=start_us + at_us)
        for event, at_us in zip(ordered, placed, strict=True)
    ]
    root = facts.root()
    joined = join(steady, _typed_lines(facts), root, others)
    if not joined.items and not root.is_login:
        return None
    commands = [place_command(ran, start_us) for ran in joined.items]
    kept = _placed_events(joined, ordered, placed, commands, facts)
    lost = sum(event.event.lost_before for event in kept)
    counts = count_events(one.event for one in kept if not one.is_own)
    return RecordingTrail(RecordedCommands("audit", commands, counts, lost), kept)


def commands_of_screen(commands: Sequence[Command]) -> RecordedCommands:
    """Return the commands of a recording without audit events."""
    items = [
        RecordedCommand(
            number=number,
            parent=None,
            text=one.text,
            typed=one.text,
            source="screen",
            at_us=one.at_us,
        )
        for number, one in enumerate(commands, 1)
    ]
    return RecordedCommands("screen", items)


def _typed_lines(facts: RecordingFacts) -> list[TypedLine]:
    """Return the screen's commands, with their instants on a calendar that nobody sets."""
    lines: list[TypedLine] = []
    before_us = -1
    for command in facts.commands:
        at_us = before_us = _entered(command.at_us, before_us, facts.entered_us)
        lines.append(TypedLine(command.text, facts.start.started_unix_us + at_us))
    return lines


def _entered(at_us: int, after_us: int, entered_us: Sequence[int]) -> int:
    """Return when Enter was typed for a line that was seen on the screen at `at_us`."""
    number = bisect_left(entered_us, max(after_us + 1, at_us - _ECHO_US))
    if number < len(entered_us) and entered_us[number] < at_us + _LOOK_US:
        return entered_us[number]
    number = bisect_right(entered_us, at_us)
    if number == 0:
        return at_us
    typed_us = entered_us[number - 1]
    return typed_us if max(after_us + 1, at_us - _UNSEEN_US) <= typed_us else at_us


def place_command(ran: Ran, start_us: int) -> RecordedCommand:
    """Return what ran, its instants counted from `start_us`, many arguments cut.

    Args:
        ran: What ran.
        start_us: When the recording, or the audit session, began: microseconds since 1970.
    """
    facts = {name: getattr(ran, name) for name in RanFacts.__struct_fields__}
    facts["arguments"], left_out = _cut(ran.arguments)
    at_us = max(0, ran.at_unix_us - start_us)
    lasted_us = None if ran.end_unix_us is None else ran.end_unix_us - ran.at_unix_us
    return RecordedCommand(
        **facts,
        source="audit",
        kind=ran.kind,
        origin=ran.origin,
        at_us=at_us,
        end_us=None if lasted_us is None else at_us + max(0, lasted_us),
        arguments_left_out=left_out,
    )


def _cut(arguments: list[str] | None) -> tuple[list[str] | None, int]:
    if arguments is None:
        return None, 0
    kept: list[str] = []
    room = ARGUMENTS_CHARACTERS
    for word in arguments:
        if len(word) > room:
            if room:
                kept.append(word[: room - 1] + "…")
            break
        kept.append(word)
        room -= len(word)
    return kept, len(arguments) - len(kept)


def _placed_events(
    joined: Joined,
    ordered: Sequence[Event],
    placed: Sequence[int],
    commands: Sequence[RecordedCommand],
    facts: RecordingFacts,
) -> list[RecordedEvent]:
    """Return the events that are shown, by their instants.

    None lies before what began its command, where the clock's tick is all there is to it.
    """
    latest_us = facts.duration_us + _BESIDE_US if facts.has_ended else None
    kept: list[RecordedEvent] = []
    for number, event in enumerate(ordered):
        command, at_us = joined.command_of[number], placed[number]
        if not joined.is_shown[number]:
            continue
        if command is None and (
            at_us < -_BESIDE_US or (latest_us is not None and at_us > latest_us)
        ):
            continue
        if command is not None and 0 < commands[command - 1].at_us - at_us <= TICK_US:
            at_us = commands[command - 1].at_us
        is_own = joined.is_own[number]
        kept.append(RecordedEvent(max(0, at_us), command, kind_of(event), event, is_own))
    kept.sort(key=lambda one: (one.at_us, one.event.serial))
    return kept


def without_records(event: Event) -> Event:
    """Return an event as lists show it."""
    return msgspec.structs.replace(event, records=msgspec.Raw(b"[]"))
