"""A recording's audit events in lanes: what a timeline draws, however many there were."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from steno.audit.event import Result
from steno.audit.session.ran import Origin, RanKind
from steno.structs import json_decoder
from steno.web.trail_joining import JoinedRecording

STRETCHES = 1000
"""So many stretches at most in one lane: a timeline has hardly more pixels."""
_LANES = frozenset({"typed", "files", "network", "privileges", "denials"})
_TEXT_CHARACTERS = 160


class Stretch(msgspec.Struct, frozen=True):
    """Events of one kind that are near to each other.

    Attributes:
        first_us: The first one's instant in the recording.
        last_us: The last one's.
        events: How many.
        failures: How many marks stand for what failed.
        text: The first one's sentence, its beginning; a bunch's where it begins with one.
        marks: How many marks it is worth: a bunch of events that say the same is one.
    """

    first_us: int
    last_us: int
    events: int
    failures: int
    text: str
    marks: int


class Lanes(msgspec.Struct, frozen=True):
    """What happened, by kind, in short stretches of time.

    Attributes:
        lanes: By kind: files, network, privileges, denials, typed; only those that happened.
    """

    lanes: dict[str, list[Stretch]]


class _Glance(msgspec.Struct, frozen=True):
    """What a lane needs of an event; reading only this much takes a fifth of the time."""

    text: str = ""
    result: Result = "unknown"


_glance = json_decoder(_Glance)


def lay_out(joined: JoinedRecording, duration_us: int) -> Lanes:
    """Put a recording's events into lanes; those so near that they would touch, together."""
    lanes: dict[str, list[Stretch]] = {}
    if not len(joined):
        return Lanes(lanes)
    width_us = max(1, -(-max(duration_us, joined.at_us[-1] + 1) // STRETCHES))
    for number in joined.numbers(kinds=_LANES):
        members = joined.bunch_of(number)
        if members is not None and members[0] != number:
            continue
        lane = lanes.setdefault(joined.kind_of(number), [])
        stretch = _stretch(joined, number, members)
        last = lane[-1] if lane else None
        if last is not None and stretch.first_us - last.first_us < width_us:
            lane[-1] = _join(last, stretch)
        else:
            lane.append(stretch)
    return Lanes(lanes)


def _stretch(joined: JoinedRecording, number: int, members: Sequence[int] | None) -> Stretch:
    at_us, glance = joined.at_us[number], _glance(joined.events[number])
    failures = int(glance.result == "failure")
    if members is None:
        return Stretch(at_us, at_us, 1, failures, glance.text[:_TEXT_CHARACTERS], 1)
    bunch = joined.tell(members)
    text = bunch.text[:_TEXT_CHARACTERS]
    return Stretch(at_us, joined.at_us[members[-1]], bunch.events, failures, text, 1)


def _join(one: Stretch, later: Stretch) -> Stretch:
    return Stretch(
        one.first_us,
        max(one.last_us, later.last_us),
        one.events + later.events,
        one.failures + later.failures,
        one.text,
        one.marks + later.marks,
    )


class PageCommand(msgspec.Struct, frozen=True):
    """Of a command what the player reads."""

    number: int
    parent: int | None
    kind: RanKind
    origin: Origin
    at_us: int
    end_us: int | None
    text: str
    exit_status: int | None
    signal: int | None


class PageTrail(msgspec.Struct, frozen=True):
    """What the system did, for a page without a server; TrailData of the player."""

    commands: list[PageCommand]
    lanes: dict[str, list[Stretch]]


def describe_for_page(joined: JoinedRecording, duration_us: int) -> PageTrail | None:
    """Return what a page shows on its timeline; None where there is no audit trail."""
    if joined.commands.source != "audit":
        return None
    commands = [
        PageCommand(
            number=command.number,
            parent=command.parent,
            kind=command.kind,
            origin=command.origin,
            at_us=command.at_us,
            end_us=command.end_us,
            text=command.text[:_TEXT_CHARACTERS],
            exit_status=command.exit_status,
            signal=command.signal,
        )
        for command in joined.commands.items
        if command.origin == "typed" or command.kind == "shell"
    ]
    return PageTrail(commands, lay_out(joined, duration_us).lanes)
