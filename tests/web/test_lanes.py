"""A recording's events for a timeline, and pages of them from either end."""

from __future__ import annotations

from steno.audit.event import Event
from steno.audit.session.recorded import RecordedCommands, RecordedEvent
from steno.audit.session.recording_trail import RecordingTrail
from steno.structs import decode_json
from steno.web.lanes import STRETCHES, Stretch, lay_out
from steno.web.trail import EventsQuery, _read_cursor, find_page
from steno.web.trail_joining import JoinedRecording, pack
from steno.web.trail_shapes import ShownEvent

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
    assert lanes == {"denials": [Stretch(9, 9, 1, 0, "avery ran ls")]}
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
