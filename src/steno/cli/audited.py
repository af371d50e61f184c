"""Recordings beside audit logs, both as files or from a library, joined on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from steno.audit.event import Event
from steno.audit.events import EventBuilder
from steno.audit.reading import EventReader
from steno.audit.session.commands import join
from steno.audit.session.recorded import RecordedCommands
from steno.audit.session.recording_trail import (
    RecordingFacts,
    commands_of_screen,
    join_recording,
    place_command,
)
from steno.cli.audit_files import find_logs, read_logs
from steno.cli.input_files import name_input, open_input, read_input
from steno.cli.library import Library
from steno.errors import FormatError, NotFoundError
from steno.model import Command, Message
from steno.store.session_reading import find_notes, read_messages

_PIECE_BYTES = 1 << 20


def read_audit_log(target: str, session: int | None = None) -> list[Event]:
    """Return the events of a log, or of a directory of rotated logs, without their records.

    Args:
        target: The log.
        session: Of this audit session only.

    Raises:
        NotFoundError: There is none.
        FormatError: It cannot be unpacked.
    """
    reader = EventReader(EventBuilder(with_records=False))
    events: list[Event] = []

    def keep(found: list[Event]) -> None:
        events.extend(
            event
            for event in found
            if event.audit_session is not None and session in (None, event.audit_session)
        )

    for _, data in read_logs(find_logs([target]), follow=False):
        keep(reader.feed(data))
    keep(reader.finish())
    return events


def sessions_of(events: Sequence[Event]) -> list[int]:
    """Return the audit sessions in which something ran, in order."""
    return sorted(
        {
            event.audit_session
            for event in events
            if event.audit_session is not None and event.action == "ran"
        }
    )


def commands_of_session(events: Sequence[Event], session: int) -> RecordedCommands:
    """Return what ran in an audit session, instants counted from its first event."""
    own = [event for event in events if event.audit_session == session]
    start_us = min((event.at_unix_us for event in own), default=0)
    joined = join(own)
    items = [place_command(ran, start_us) for ran in joined.items]
    return RecordedCommands("audit", items, joined.counts)


def read_file(target: str) -> list[Message]:
    """Return the messages of a recording in a file, or on standard input (`-`).

    Raises:
        NotFoundError: There is no such file.
        FormatError: It holds no recording.
    """
    with open_input(target) as file:
        messages = list(read_messages(iter(lambda: read_input(file, _PIECE_BYTES), b"")))
    if not messages:
        raise FormatError("no recording", source=name_input(target))
    return messages


def read_library(library: Library, rec: str) -> Iterator[Message]:
    """Yield the messages of a library's recording."""
    return read_messages(library.read(rec))


def join_messages(
    messages: Sequence[Message], audit: str | None, commands: Sequence[Command] | None
) -> RecordedCommands:
    """Return what was typed and what ran, from a recording and an audit log beside it.

    Args:
        messages: The recording's.
        audit: The log; None: there is none.
        commands: What stood on the screen; None: it is to be found out.

    Raises:
        NotFoundError: The recording does not say which audit session it is of, or there is no log.
    """
    found = screen_commands(messages) if commands is None else commands
    if audit is None:
        return commands_of_screen(found)
    start = messages[0].start
    if start is None or start.audit_session is None:
        raise NotFoundError("the recording does not say which audit session it is of")
    last = messages[-1]
    notes, entered_us = find_notes(messages)
    facts = RecordingFacts(
        start=start,
        duration_us=max([piece.at_us for piece in last.pieces] + [last.pos_ms * 1000]),
        has_ended=last.end is not None,
        notes=notes,
        commands=found,
        entered_us=entered_us,
    )
    first_us, until_us = facts.span_unix_us()
    events = [
        event
        for event in read_audit_log(audit, start.audit_session)
        if first_us <= event.at_unix_us and (until_us is None or event.at_unix_us <= until_us)
    ]
    trail = join_recording(facts, events)
    return commands_of_screen(found) if trail is None else trail.commands


def screen_commands(messages: Sequence[Message]) -> list[Command]:
    """Return the commands that stood on the screen; none where the server's package is missing."""
    try:
        from steno.screen.deriver import Deriver
    except ImportError:
        return []
    first = messages[0]
    deriver = Deriver(first.user, first.host)
    try:
        for message in messages:
            deriver.feed(message, 0)
        deriver.finish()
        return deriver.take().commands
    finally:
        deriver.close()
