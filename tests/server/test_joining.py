"""Recordings joined with their events in the background: search says what the page shows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import apsw
import pytest
from made_events import SHELL, START_US, Session
from refused_sessions import join_of, read_events, read_lines, read_recordings
from trails import make_trail
from waiting import wait_for

from steno.audit.event import Event
from steno.formats.cutter import Cutter, Identity
from steno.model import End, Note, Output, Start
from steno.server.indexer import Indexer, reindex
from steno.server.joining import Joining
from steno.store.alerts import Alert
from steno.store.event_matching import EventMatcher
from steno.store.event_places import EventPlaces
from steno.store.events import EventQuery
from steno.store.opening import open_store
from steno.store.protocol import Store
from steno.store.query import parse
from steno.web.alerts import RecordingFinder
from steno.web.trail_joining import TrailJoiner

BOOT_ID = "25ffe8d106784991ba6874d467144e6b"
SECOND_US = 1_000_000
QUERIES = (
    "action:created", "ran:touch", "result:eacces", "file:/proc/*/environ",
    "ran:ps -result:failure", "file:/home/*", "ran:steno-shell", "action:became", "ran:run-parts",
    "addr:127.0.0.1",
)  # fmt: skip


def deliver(store: Store, rec: str, lines: list[bytes], sender: str = "web1") -> None:
    """Give the store a recording or a trail, or more of it."""
    store.append(rec, store.durable_bytes(rec), b"".join(lines), sender=sender)


@pytest.fixture(scope="module")
def logins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store with the real logins of f6, two of them in one audit session, all indexed."""
    store = open_store(tmp_path_factory.mktemp("logins") / "store")
    for rec, lines in read_lines().items():
        deliver(store, rec, lines)
    deliver(store, *make_trail(*read_events(), boot_id=BOOT_ID, host="web1"))
    Indexer(store).drain()
    yield store
    store.close()


def hits_in(store: Store, query: str, rec: str | None = None) -> list[tuple[str, int, int]]:
    """Return (recording, serial, instant) of the events that a search finds."""
    found: list[tuple[str, int, int]] = []
    cursor: str | None = None
    while True:
        page = store.search(parse(query), rec=rec, cursor=cursor, limit=50)
        found += [
            (hit.summary.rec, hit.event.event.serial, hit.at_us)
            for hit in page.items
            if hit.event is not None and hit.at_us is not None
        ]
        cursor = page.cursor
        if cursor is None:
            return found


@pytest.mark.parametrize("query", QUERIES)
def test_search_finds_what_the_pages_show_at_its_instants(logins: Store, query: str) -> None:
    """Recordings, hits and instants are those of looking at every event of every page."""
    matcher = EventMatcher(parse(query), datetime.now().astimezone())
    expected = {
        (rec, one.event.serial, one.at_us)
        for number, rec in enumerate(read_lines())
        for one in join_of(number).events
        if matcher.matches(one.event)
    }
    found = hits_in(logins, query)
    assert len(found) == len(set(found))
    assert set(found) == expected
    recs = [one.rec for one in logins.recordings(parse(query)).items]
    assert sorted(recs) == sorted({rec for rec, _, _ in expected})
    for rec in recs:
        assert set(hits_in(logins, query, rec)) == {one for one in expected if one[0] == rec}


def test_each_event_leads_to_the_recording_whose_page_shows_it(logins: Store) -> None:
    """Of two logins over one connection each has its own events; the lanes say the same instant."""
    joiner, places = TrailJoiner(logins), EventPlaces(logins)
    shown = {
        (one.rec, event.event.serial): event.at_us
        for one in logins.recordings().items
        for event in joiner.find(one).recorded_events()
    }
    for stored in logins.events(EventQuery(), limit=5000).items:
        found = places.place(stored)
        recs = {rec for rec, serial in shown if serial == stored.event.serial}
        if found.rec is None:
            assert not recs
        else:
            assert shown[found.rec, stored.event.serial] == found.at_us
    (stored,) = logins.events(EventQuery(parse("file:*second.txt action:created"))).items
    assert places.place(stored).rec == [*read_lines()][1]


def an_alert(store: Store, query: str) -> Alert:
    """Return an alert about the only event that a query finds."""
    (stored,) = store.events(EventQuery(parse(query))).items
    event = stored.event
    return Alert(
        "rule", "high", "", event.at_unix_us, event.text, "web1", "web1", boot_id=event.boot_id,
        audit_session=event.audit_session, trail=stored.trail, serial=event.serial, id=1,
        raised_unix_us=1, count=1, last_unix_us=event.at_unix_us,
    )  # fmt: skip


def test_alerts_lead_to_the_same_instants(logins: Store) -> None:
    """An alert about an event of a shared session is shown in its own recording, at its mark."""
    for query in ("file:*second.txt action:created", "file:*first.txt action:created"):
        ((rec, _, at_us),) = hits_in(logins, query)
        alert = RecordingFinder(logins).place(an_alert(logins, query))
        assert (alert.rec, alert.at_us) == (rec, at_us)


def record(rec: str, *notes: Note, **facts: object) -> list[bytes]:
    """Return a recording's lines; it lasts a minute."""
    known: dict[str, Any] = {
        "user": "avery", "host": "web1", "started_unix_us": START_US, "recorder": "t",
        "boot_id": BOOT_ID, "audit_session": 7, "pid": SHELL, "inner_terminal": "/dev/pts/2",
    }  # fmt: skip
    start = Start(**(known | facts))
    cutter = Cutter(Identity("web1", rec, start.user, "xterm", 7, start))
    lines = [cutter.begin(0)]
    for note in notes:
        lines += cutter.add(note)
    lines += cutter.add(Output(60 * SECOND_US, b"x"))
    return [*lines, *cutter.end(End("exit", exit_status=0), 60 * SECOND_US)]


def test_a_clock_that_was_set_moves_no_hit(store: Store) -> None:
    """The calendar is set back an hour: hits are where the lanes' marks are, not an hour off."""
    made = Session()
    made.shell()
    made.run(1001, SHELL, ["date"], 10)
    made.run(1002, SHELL, ["uptime"], 30 - 3600)
    note = Note(20 * SECOND_US, "calendar", {"unix_us": START_US + (20 - 3600) * SECOND_US})
    deliver(store, "r", record("r", note))
    deliver(store, *make_trail(*made.events, boot_id=BOOT_ID, host="web1"))
    Indexer(store).drain()
    for name, at_s in (("date", 10), ("uptime", 30)):
        assert [at_us for _, _, at_us in hits_in(store, f"ran:{name}")] == [at_s * SECOND_US]
        (stored,) = store.events(EventQuery(parse(f"ran:{name}"))).items
        assert EventPlaces(store).place(stored).at_us == at_s * SECOND_US
    joined = TrailJoiner(store).find(store.find("r"))
    assert [one.at_us for one in joined.recorded_events()] == [0, 10_000_000, 30_000_000]


def nested(store: Store) -> list[Event]:
    """Deliver avery's recording, blake's begun in it by su, casey's beside; return the events."""
    made = Session()
    made.shell()
    made.run(1100, SHELL, ["su", "-", "blake"], 5)
    made.run(1101, 1100, ["-bash"], 6, program="/usr/bin/bash", user="blake", terminal="pts/3")
    made.run(1102, 1101, ["uptime"], 10, user="blake", terminal="pts/3")
    made.run(2000, 998, ["-bash"], 5, program="/usr/bin/bash", terminal="pts/4")
    made.run(2001, 2000, ["uname"], 10, terminal="pts/4")
    made.run(1003, SHELL, ["date"], 20)
    deliver(store, "avery", record("avery"))
    inner: dict[str, Any] = {"started_unix_us": START_US + 6 * SECOND_US, "user": "blake"}
    deliver(store, "blake", record("blake", pid=1101, inner_terminal="/dev/pts/3", **inner))
    beside = inner | {"started_unix_us": START_US + 5 * SECOND_US, "user": "casey"}
    deliver(store, "casey", record("casey", pid=2000, inner_terminal="/dev/pts/4", **beside))
    deliver(store, *make_trail(*made.events, boot_id=BOOT_ID, host="web1"))
    return made.events


def test_a_recording_within_another_has_its_own_events_only(store: Store) -> None:
    """What blake ran is avery's and blake's; what casey ran beside them is casey's alone."""
    nested(store)
    Indexer(store).drain()
    for program, recs in (
        ("uptime", ["avery", "blake"]), ("date", ["avery"]), ("uname", ["casey"]),
        ("su", ["avery"]),
    ):  # fmt: skip
        assert sorted(one.rec for one in store.recordings(parse(f"ran:{program}")).items) == recs
    (stored,) = store.events(EventQuery(parse("ran:uptime"))).items
    assert EventPlaces(store).place(stored).rec == "blake"
    for person, programs in (("blake", {"uptime"}), ("casey", {"uname"})):
        found = store.events(EventQuery(visible_to=person), limit=50).items
        names = {(one.event.process.arguments or [""])[0] for one in found}
        assert names == {"-bash", *programs}


def test_what_is_not_joined_yet_is_found_by_its_time(store: Store) -> None:
    """Search need not wait: until it is joined, an event counts to all that went on then."""
    events = nested(store)
    Indexer(store).drain([*store.recs(), *store.trails()])
    assert {one.rec for one in store.recordings(parse("ran:uname")).items} == {
        "avery", "blake", "casey",
    }  # fmt: skip
    Joining(store).join_all()
    assert [one.rec for one in store.recordings(parse("ran:uname")).items] == ["casey"]
    assert store.unjoined_sessions() == []
    # More comes in: it counts by its time until it is joined, too.
    late = Event(
        len(events) + 1, START_US + 30 * SECOND_US, "ran", "success", audit_session=7,
        process=events[-1].process,
    )  # fmt: skip
    _, lines = make_trail(*events, late, boot_id=BOOT_ID, host="web1", has_end=False)
    trail, _ = make_trail(late, name="2", boot_id=BOOT_ID)
    _, lines = make_trail(late, name="2", boot_id=BOOT_ID, host="web1")
    deliver(store, trail, lines)
    Indexer(store).drain([trail])
    found = {rec for rec, serial, _ in hits_in(store, "ran:date") if serial == late.serial}
    assert found == {"avery", "blake", "casey"}
    Indexer(store).drain()
    found = {rec for rec, serial, _ in hits_in(store, "ran:date") if serial == late.serial}
    assert found == {"avery"}


def test_the_background_joins_and_reindexing_keeps_it(store: Store) -> None:
    """The indexer's thread joins within seconds; an index made anew says the same."""
    indexer = Indexer(store)
    indexer.start()
    try:
        nested(store)
        wait_for(
            lambda: [one.rec for one in store.recordings(parse("ran:uname")).items] == ["casey"],
            "it is not joined",
        )
    finally:
        indexer.stop()
    before = {rec: store.joined_events(rec) for rec in store.recs()}
    assert all(before.values())
    reindex(store)
    assert {rec: store.joined_events(rec) for rec in store.recs()} == before


def test_joining_takes_a_part_of_the_time_only(store: Store) -> None:
    """After joining, it rests for a multiple of what that took; a session settles before it."""
    now_s = [100.0]
    joining = Joining(store, monotonic_s=lambda: now_s[0])
    nested(store)
    Indexer(store).drain([*store.recs(), *store.trails()])
    assert joining.join_due() > now_s[0]
    assert store.unjoined_sessions() != []
    now_s[0] += 10
    assert joining.join_due() >= now_s[0]
    assert store.unjoined_sessions() == []
    assert len(read_recordings()) == 5


def test_a_session_that_cannot_be_joined_keeps_no_other_waiting(
    store: Store, tmp_path: Path
) -> None:
    """It is tried again later; the others have their turns meanwhile."""
    for name, boot_id in (("bad", BOOT_ID), ("good", "1" * 32)):
        made = Session()
        made.shell()
        deliver(store, name, record(name, boot_id=boot_id))
        deliver(store, *make_trail(*made.events, name=name, boot_id=boot_id, host="web1"))
        Indexer(store).drain([*store.recs(), *store.trails()])
    (index,) = tmp_path.glob("**/index.sqlite")
    connection = apsw.Connection(str(index))
    connection.execute("UPDATE recordings SET summary = 'x' WHERE rec = 'bad'")
    connection.close()
    now_s, failures = 100.0, 0
    joining = Joining(store, monotonic_s=lambda: now_s)
    while [one.boot_id for one, _ in store.unjoined_sessions()] != [BOOT_ID]:
        now_s += 5
        assert now_s < 200
        try:
            joining.join_due()
        except ValueError:
            failures += 1
    assert failures == 1
