"""A recording's events for a timeline, and pages of them from either end."""

from __future__ import annotations

from datetime import datetime

import pytest
from refused_sessions import join_of

from steno.audit.event import Event
from steno.audit.session.recorded import RecordedCommands, RecordedEvent
from steno.audit.session.recording_trail import RecordingTrail
from steno.store.event_matching import EventMatcher
from steno.store.query import parse
from steno.structs import decode_json
from steno.web.lanes import STRETCHES, Stretch, lay_out
from steno.web.trail import EventsQuery, _read_cursor, find_page
from steno.web.trail_joining import JoinedRecording, ShownEvent, pack

Row = tuple[int, int]

HOUR_US = 3_600_000_000


def joined(events: list[RecordedEvent]) -> JoinedRecording:
    """Return a recording with these events and no commands."""
    return pack(RecordingTrail(RecordedCommands("audit", []), events))


def wrote(serial: int, at_us: int, *, failed: bool = False) -> RecordedEvent:
    """Return an event of a file."""
    result = "failure" if failed else "success"
    event = Event(serial, at_us, "wrote", result, text=f"avery wrote file {serial}")
    return RecordedEvent(at_us, None, "files", event)


def serial_of(one: ShownEvent) -> int:
    """Return the serial of an event of a page, which is JSON already."""
    return decode_json(one.event, Event).serial


def test_a_hundred_thousand_events_become_a_thousand_stretches() -> None:
    """However much happened, the answer stays small, and counts all of it."""
    many = [wrote(n, n * HOUR_US // 100_000, failed=n % 1000 == 0) for n in range(100_000)]
    lane = lay_out(joined(many), HOUR_US).lanes["files"]
    assert len(lane) <= STRETCHES
    assert sum(stretch.events for stretch in lane) == 100_000
    assert sum(stretch.failures for stretch in lane) == 100
    assert all(stretch.first_us <= stretch.last_us < HOUR_US for stretch in lane)
    assert lane[0].text == "avery wrote file 0"


def test_each_kind_has_its_lane_and_processes_none() -> None:
    """What began and ended is in the list of commands; a kind without events is left out."""
    event = Event(1, 5, "ran", "success", text="avery ran ls")
    other = RecordedEvent(5, None, "processes", event)
    denied = RecordedEvent(9, None, "denials", event)
    lanes = lay_out(joined([other, denied]), HOUR_US).lanes
    assert lanes == {"denials": [Stretch(9, 9, 1, 0, "avery ran ls", 1)]}
    assert lay_out(joined([]), 0).lanes == {}


def test_events_that_came_after_the_recordings_end_do_not_make_more_stretches() -> None:
    """Background jobs go on: the last event counts where the recording is shorter."""
    many = [wrote(n, n * 1_000_000) for n in range(5000)]
    assert len(lay_out(joined(many), 1_000_000).lanes["files"]) <= STRETCHES


def test_pages_from_the_last_event_back_hold_all_of_them_once() -> None:
    """Events of one instant are neither lost nor repeated where a page ends among them."""
    events = [wrote(n, 1000 * (n // 7)) for n in range(100)]
    trail = joined(events)
    for sort in ("at", "-at"):
        seen: list[int] = []
        cursor: str | None = None
        while True:
            query = EventsQuery(sort=sort, limit=9, cursor=cursor)
            page = find_page(trail, query, None, _read_cursor(cursor), None)
            seen += [serial_of(one) for one in page.items]
            cursor = page.cursor
            if cursor is None:
                break
        assert seen == (list(range(100)) if sort == "at" else list(range(99, -1, -1)))


def test_a_page_from_the_last_event_back_stays_before_its_instant() -> None:
    """`to_us` is where going back begins: the event at it is not among them."""
    trail = joined([wrote(n, n * 10) for n in range(20)])
    page = find_page(trail, EventsQuery(sort="-at", to_us=100, limit=3), None, None, None)
    assert [serial_of(one) for one in page.items] == [9, 8, 7]


def test_a_bunch_of_denials_is_one_mark() -> None:
    """Ps was refused 143 times: that is one mark, which counts them, at its own instant."""
    trail = pack(join_of(0))
    lane = lay_out(trail, 12_800_000).lanes["denials"]
    assert [(one.marks, one.events, one.failures) for one in lane] == [
        (1, 143, 1), (1, 1, 1), (2, 2, 2), (1, 145, 1), (1, 6, 1), (1, 142, 1), (1, 6, 1),
    ]  # fmt: skip
    assert lane[0].text.endswith("/proc/*/environ with ps: permission denied (143 times)")
    assert sum(one.events for one in lane) == len(list(trail.numbers(kinds=frozenset({"denials"}))))


def read_pages(trail: JoinedRecording, matcher: EventMatcher | None, **asked: object) -> list[Row]:
    """Return all pages' items: serial, and how many each stands for."""
    found: list[Row] = []
    cursor: str | None = None
    while True:
        query = EventsQuery(limit=7, cursor=cursor, **asked)  # type: ignore[arg-type]  # a test's
        page = find_page(trail, query, None, _read_cursor(cursor), matcher)
        found += [(serial_of(one), one.bunch.events if one.bunch else 1) for one in page.items]
        cursor = page.cursor
        if cursor is None:
            return found


@pytest.mark.parametrize("query", ["", "file:/proc/1*", "file:/dev/tty0", "result:success"])
def test_pages_of_bunches_hold_every_event_once_from_either_end(query: str) -> None:
    """However pages are cut and whatever is looked for: rows stand for all that single ones do."""
    trail = pack(join_of(0))
    matcher = EventMatcher(parse(query), datetime.now().astimezone()) if query else None
    single = read_pages(trail, matcher)
    bunched = read_pages(trail, matcher, bunched=True)
    assert sum(count for _, count in bunched) == len(single)
    assert bunched == read_pages(trail, matcher, bunched=True, sort="-at")[::-1]
    again: list[int] = []
    for serial, count in bunched:
        members = read_pages(trail, matcher, bunch=serial)
        if count > 1:
            assert len(members) == count
            again += [one for one, _ in members]
        else:
            again.append(serial)
    assert sorted(again) == sorted(serial for serial, _ in single)


def test_what_begins_within_a_bunch_is_asked_for_from_both_sides_once() -> None:
    """A page from an instant on and one back from it share no row, also in a bunch's middle."""
    trail = pack(join_of(0))
    at_us = trail.at_us[next(iter(trail.bunches[next(iter(trail.bunches))][70:]))]
    later = read_pages(trail, None, bunched=True, from_us=at_us)
    earlier = read_pages(trail, None, bunched=True, to_us=at_us, sort="-at")
    assert earlier[::-1] + later == read_pages(trail, None, bunched=True)


def test_stenos_own_programs_are_shown_when_asked_for() -> None:
    """steno-shell's events are in no list, no lane and no bunch, but for who wants all."""
    trail = pack(join_of(0))
    shown = {serial for serial, _ in read_pages(trail, None)}
    everything = {serial for serial, _ in read_pages(trail, None, own=True)}
    own = everything - shown
    assert own
    texts = [event.event.text for event in trail.recorded_events() if event.event.serial in own]
    assert all("steno-" in text for text in texts)
    assert len(shown) == trail.commands.counts.events
