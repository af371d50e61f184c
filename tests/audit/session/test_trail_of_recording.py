"""A recording joined with its session's events, without a server."""

from __future__ import annotations

import msgspec
from audited_session import SHELL_PID, read_events, read_typed

from steno.audit.event import Event
from steno.audit.session.clocks import KIND
from steno.audit.session.recording_trail import RecordingFacts, RecordingTrail, join_recording
from steno.model import Command, Note, Start

START_US = 1_795_161_724_402_132
DURATION_US = 6_500_000
HOUR_US = 3_600_000_000
STEP_AT_US = 3_560_000  # after `cat /etc/shadow`, before `sudo id -u`


def facts(*notes: Note, duration_us: int = DURATION_US) -> RecordingFacts:
    """What is known of avery's recording, the true instants of the typed lines among it."""
    start = Start(
        "avery",
        "vm",
        START_US,
        "steno test",
        audit_session=4,
        pid=SHELL_PID,
        inner_terminal="/dev/pts/2",
    )
    commands = [Command(line.at_unix_us - START_US, line.text) for line in read_typed()]
    return RecordingFacts(start, duration_us, True, notes, commands)


def join_all(facts: RecordingFacts, events: list[Event]) -> RecordingTrail:
    """Return the trail, which there is."""
    trail = join_recording(facts, events)
    assert trail is not None
    return trail


def with_a_step(events: list[Event], by_us: int) -> list[Event]:
    """Return events as they were stamped if the clock had been set during the session."""
    return [
        msgspec.structs.replace(event, at_unix_us=event.at_unix_us + by_us)
        if event.at_unix_us >= START_US + STEP_AT_US
        else event
        for event in events
    ]


def test_setting_the_clock_moves_nothing() -> None:
    """An hour back or on in the middle of the session: commands and events stay where they were."""
    events = read_events(4)
    expected = join_all(facts(), events)
    for by_us in (-HOUR_US, HOUR_US, -3_000_000):
        noted_us = STEP_AT_US + 40_000
        note_facts = {"unix_us": START_US + noted_us + by_us, "from_ms": STEP_AT_US // 1000 - 900}
        trail = join_all(facts(Note(noted_us, KIND, note_facts)), with_a_step(events, by_us))
        assert trail.commands == expected.commands
        assert [(one.at_us, one.command) for one in trail.events] == [
            (one.at_us, one.command) for one in expected.events
        ]
        # Events themselves keep the stamps that the kernel gave them.
        stamps = {one.event.serial: one.event.at_unix_us for one in trail.events}
        assert stamps[428] == START_US + by_us + (1_795_161_730_606_000 - START_US)


def test_an_event_stands_between_what_began_it_and_what_came_of_it() -> None:
    """No event of a command comes before the line, though its stamp may: it ticks coarsely."""
    trail = join_all(facts(), read_events(4))
    commands = trail.commands.items
    early = 0
    for one in trail.events:
        if one.command is not None:
            assert one.at_us >= commands[one.command - 1].at_us
            early += one.event.at_unix_us - START_US < one.at_us
    assert early > 20


def test_a_trails_events_are_all_of_the_session_that_are_near() -> None:
    """The login's own events are there, at no instant before the recording; later strangers not."""
    trail = join_all(facts(), read_events(4))
    assert len(trail.events) == 365
    assert trail.events[0].command is None
    assert min(one.at_us for one in trail.events) >= 0
    stranger = msgspec.structs.replace(
        trail.events[0].event, serial=99_999, at_unix_us=START_US + HOUR_US
    )
    assert len(join_all(facts(), [*read_events(4), stranger]).events) == 365


def test_long_arguments_are_cut_in_the_list() -> None:
    """The list says how many arguments it left out; the event has all of them."""
    trail = join_all(facts(), read_events(4))
    echo = next(one for one in trail.commands.items if one.text.startswith("/bin/echo 1 2 3"))
    assert echo.arguments is not None
    assert echo.arguments_left_out == 2501 - len(echo.arguments) > 0
    event = next(one.event for one in trail.events if one.event.serial == echo.serial)
    assert len(event.process.arguments or []) == 2501
    long = next(one for one in trail.commands.items if one.text.startswith("/bin/echo xxx"))
    assert len(long.text) == 2000
    assert long.text.endswith("…")


def test_events_of_others_alone_tell_nothing() -> None:
    """A recording of whose processes nothing came has no trail: the screen must do."""
    assert join_recording(facts(), []) is None
    logins = [event for event in read_events(4) if event.process.program == "/usr/sbin/sshd"]
    assert join_recording(facts(), logins) is None
