"""Real logins with their recordings and audit log (tests/data/audit/f6)."""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path

from steno.audit.event import Event
from steno.audit.reading import EventReader
from steno.audit.session.recording_trail import RecordingFacts, RecordingTrail, join_recording
from steno.cli.audited import screen_commands
from steno.formats.tlog import Decoder, Placed
from steno.model import Message, Start
from steno.store.session_reading import find_notes

F6 = Path(__file__).parents[1] / "data" / "audit" / "f6"


@cache
def read_events() -> tuple[Event, ...]:
    """Return the log's events."""
    reader = EventReader()
    data = gzip.decompress((F6 / "audit.log.gz").read_bytes())
    return (*reader.feed(data), *reader.finish())


def events_of(session: int) -> list[Event]:
    """Return one audit session's events."""
    return [event for event in read_events() if event.audit_session == session]


def read_lines() -> dict[str, list[bytes]]:
    """Return each recording's lines by its id, in the order in which they began."""
    found: dict[str, list[bytes]] = {}
    for line in (F6 / "recordings.log").read_bytes().splitlines(keepends=True):
        for item in Decoder().feed(line):
            if isinstance(item, Placed):
                found.setdefault(item.message.rec, []).append(line)
    return found


@cache
def read_recordings() -> tuple[RecordingFacts, ...]:
    """Return what is known of each recording, in the order in which they began."""
    return tuple(_facts(lines) for lines in read_lines().values())


def _facts(lines: list[bytes]) -> RecordingFacts:
    decoder = Decoder()
    items = [item for line in lines for item in decoder.feed(line)]
    messages: list[Message] = [item.message for item in items if isinstance(item, Placed)]
    start = messages[0].start
    assert start is not None
    notes, entered_us = find_notes(messages)
    last = messages[-1]
    return RecordingFacts(
        start=start,
        duration_us=max([piece.at_us for piece in last.pieces] + [last.pos_ms * 1000]),
        has_ended=True,
        notes=notes,
        commands=screen_commands(messages),
        entered_us=entered_us,
    )


def start_of(number: int) -> Start:
    """Return the facts at a recording's start."""
    return read_recordings()[number].start


def join_of(number: int) -> RecordingTrail:
    """Return a recording, counted from 0, joined with the events of its session."""
    facts = read_recordings()[number]
    session = facts.start.audit_session
    others = [
        other.root()
        for other in read_recordings()
        if other is not facts and other.start.audit_session == session
    ]
    assert session is not None
    trail = join_recording(facts, events_of(session), others)
    assert trail is not None
    return trail
