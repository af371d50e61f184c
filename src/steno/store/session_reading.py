"""What the store knows of a recording's session: its facts and its audit events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from steno.audit.event import Event
from steno.audit.session.clocks import KIND
from steno.audit.session.recording_trail import RecordingFacts, RecordingTrail, join_recording
from steno.audit.session.scopes import Root
from steno.errors import StenoError
from steno.formats.sequence import Sequencer
from steno.formats.tlog import Decoder, Placed
from steno.model import Input, Message, Note, Start
from steno.store.events import EventQuery, SessionKey
from steno.store.protocol import Store, Summary

EVENTS_LIMIT = 300_000
"""So many events of one session are joined at most, the first ones."""

_INPUT_LIMIT_BYTES = 64 * 1024 * 1024
"""Of larger recordings the keystrokes are not read to know better when lines were entered."""

_PAGE = 5000
_OTHERS = 50
_FIRST_BYTES = 256 * 1024


def session_of(summary: Summary) -> SessionKey | None:
    """Return the audit session that a recording is of; None where it is of none."""
    if summary.boot_id is None or summary.audit_session is None:
        return None
    return SessionKey(summary.sender, summary.boot_id, summary.audit_session)


def read_facts(store: Store, summary: Summary) -> RecordingFacts | None:
    """Return what must be known of a recording to find its events; None: it does not say."""
    start = read_start(store.read(summary.rec, 0, _FIRST_BYTES))
    if start is None:
        return None
    has_input = "input" in start.records and summary.size_bytes <= _INPUT_LIMIT_BYTES
    notes: list[Note] = []
    entered_us: list[int] = []
    if summary.notes.get(KIND) or has_input:
        notes, entered_us = find_notes(read_messages(store.read(summary.rec)))
    return RecordingFacts(
        start=start,
        duration_us=summary.duration_us,
        has_ended=not summary.is_live,
        notes=notes,
        commands=store.commands(summary.rec),
        entered_us=entered_us,
    )


def read_start(data: Iterator[bytes]) -> Start | None:
    """Return the facts in a recording's first message, where it has any."""
    for message in read_messages(data):
        return message.start
    return None


def read_messages(data: Iterator[bytes]) -> Iterator[Message]:
    """Yield a recording's messages; what is damaged is passed over."""
    decoder = Decoder()
    for piece in data:
        for found in decoder.feed(piece):
            if isinstance(found, Placed):
                yield found.message


def find_notes(messages: Iterable[Message]) -> tuple[list[Note], list[int]]:
    """Return how the calendar moved, and when Enter was typed, from all of a recording."""
    sequencer = Sequencer()
    notes: list[Note] = []
    entered_us: list[int] = []
    for message in messages:
        for piece in sequencer.feed(message):
            if isinstance(piece, Note) and piece.kind == KIND:
                notes.append(piece)
            elif isinstance(piece, Input) and (b"\r" in piece.data or b"\n" in piece.data):
                entered_us.append(piece.at_us)
    return notes, entered_us


def find_others(store: Store, summary: Summary, known: dict[str, Root] | None = None) -> list[Root]:
    """Return what other recordings of the same audit session are of: the nearest, if many.

    Args:
        store: The store.
        summary: The recording.
        known: What recordings that have ended are of; it is added to.
    """
    session = session_of(summary)
    if session is None:
        return []
    others = [one for one in store.session_recordings(session) if one.rec != summary.rec]
    others.sort(key=lambda one: abs(one.started_unix_us - summary.started_unix_us))
    found: list[Root] = []
    for other in others[:_OTHERS]:
        root = None if known is None else known.get(other.rec)
        if root is None:
            try:
                facts = read_facts(store, other)
            except StenoError:
                continue  # It cannot be read; then its events are shown here too.
            root = None if facts is None else facts.root()
        if root is not None:
            found.append(root)
            if known is not None and not other.is_live:
                known[other.rec] = root
    return found


def join_stored(
    store: Store,
    summary: Summary,
    known: dict[str, Root] | None = None,
    limit: int = EVENTS_LIMIT,
) -> RecordingTrail | None:
    """Return a recording joined with the events of its session; None: they tell nothing of it.

    Args:
        store: The store.
        summary: The recording.
        known: What other recordings are of, as for `find_others`.
        limit: How many events at most.
    """
    session = session_of(summary)
    facts = None if session is None else read_facts(store, summary)
    if session is None or facts is None:
        return None
    events, is_cut = read_events(store, session, *facts.span_unix_us(), limit)
    others = find_others(store, summary, known) if events else []
    trail = join_recording(facts, events, others) if events else None
    if trail is None:
        return None
    return RecordingTrail(msgspec.structs.replace(trail.commands, is_cut=is_cut), trail.events)


def read_events(
    store: Store,
    session: SessionKey,
    from_unix_us: int,
    until_unix_us: int | None,
    limit: int = EVENTS_LIMIT,
) -> tuple[list[Event], bool]:
    """Return a session's events of a time, the first `limit`, and whether there are more."""
    events: list[Event] = []
    query = EventQuery(
        session=session,
        from_unix_us=from_unix_us,
        until_unix_us=until_unix_us,
        is_ascending=True,
    )
    cursor: str | None = None
    while len(events) <= limit:
        page = store.events(query, cursor=cursor, limit=_PAGE)
        events += [stored.event for stored in page.items]
        cursor = page.cursor
        if cursor is None and len(events) <= limit:
            return events, False
        if cursor is None:
            break
    return events[:limit], True
