"""How every store keeps and finds audit events."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from naive_events import NaiveEvents
from places import HOUR_US, START_US, Stores, found, listed, put, summary, text_lines, turn_pages

from steno.audit.event import Event, Process, Thing, Who
from steno.audit.trail import Lost, TrailEncoder, TrailHead
from steno.errors import NotFoundError, QueryError, UsageError
from steno.model import Damage, Verification
from steno.store.event_matching import EventMatcher
from steno.store.events import (
    DerivedEvents,
    EventQuery,
    PlacedEvent,
    SessionKey,
    StoredEvent,
    TrailSummary,
)
from steno.store.expressions import And, Expression, Field, Not, Or, Phrase, Substring, Word
from steno.store.joined_events import JoinedEvents
from steno.store.protocol import Change, DerivedState, StaleError, Store
from steno.store.query import parse

BOOT = "b" * 32
OTHER_BOOT = "c" * 32
TRAIL = f"trail-{BOOT}-1"


def an_event(serial: int, action: str = "opened", *, at_us: int = 0, **facts: Any) -> Event:  # noqa: ANN401
    """Return an event `at_us` after the recordings' usual start."""
    defaults: dict[str, Any] = {
        "host": "web1", "boot_id": BOOT, "audit_session": 7, "result": "success",
        "who": Who(login_uid=1501, login_user="avery", uid=0, user="root"),
        "text": f"event {serial}",
    }  # fmt: skip
    return Event(serial, START_US + at_us, action, **(defaults | facts))


def about(*names: str, kind: str = "file") -> list[Thing]:
    """Return things of one kind."""
    return [Thing(kind, name) for name in names]  # type: ignore[arg-type]


def at(address: str, port: int | None = None) -> list[Thing]:
    """Return an address as an event's object."""
    return [Thing("address", f"{address}:{port}", address=address, port=port)]


def program(*arguments: str, path: str = "/usr/bin/x") -> dict[str, Any]:
    """Return the facts of an event that ran a program."""
    return {
        "process": Process(pid=10, program=path, arguments=list(arguments)),
        "objects": [Thing("program", path)],
    }


def trail_summary(trail: str, **facts: object) -> TrailSummary:
    """Return a trail's summary with everything that need not be given."""
    defaults: dict[str, Any] = {
        "host": "web1", "boot_id": BOOT, "started_unix_us": START_US, "last_unix_us": START_US,
        "size_bytes": 0, "events": 0, "lost": 0, "damages": 0,
        "chain": Verification("so_far", 1), "sender": "web1",
    }  # fmt: skip
    return TrailSummary(trail, **(defaults | facts))


def put_events(store: Store, *events: Event, trail: str = TRAIL, **facts: object) -> None:
    """Give a trail some more events, of ten bytes each."""
    state = store.derived_state(trail)
    placed = [
        PlacedEvent(event, state.upto_bytes + 10 * number, 10)
        for number, event in enumerate(events)
    ]
    store.put_events(
        trail,
        DerivedEvents(
            upto_bytes=state.upto_bytes + 10 * len(events),
            summary=trail_summary(trail, **facts),
            from_bytes=state.upto_bytes,
            from_serial=state.serial,
            state=b"state",
            events=placed,
        ),
    )


def put_recording(store: Store, rec: str, *texts: str, **facts: object) -> None:
    """Give a recording of the events' session some lines; it lasts a minute."""
    session = {"boot_id": BOOT, "audit_session": 7, "sender": "web1"}
    put(store, rec, *texts, **(session | facts))


def serials(store: Store, query: str | None = None, **facts: Any) -> list[int]:  # noqa: ANN401
    """Return the serials of all events that match, newest first."""
    expression = None if query is None else parse(query)
    wanted = EventQuery(expression, **facts)
    pages = turn_pages(lambda cursor: store.events(wanted, cursor=cursor, limit=7))
    return [stored.event.serial for page in pages for stored in page]


class EventSuite:
    """Putting, reading, forgetting events; finding them alone and with recordings."""

    def test_events_come_back(self, stores: Stores) -> None:
        """Events, and where their lines are, come back as they were put, whole but for records."""
        store = stores.open()
        events = [
            an_event(number, objects=about(f"/tmp/{number} ä"), at_us=number * 1000)
            for number in range(100)
        ]
        put_events(store, *events[:3])
        put_events(store, *events[3:70])
        put_events(store, *events[70:])
        assert store.derived_state(TRAIL) == DerivedState(1000, 3, b"state")
        assert store.derived_bytes(TRAIL) == 1000
        for reader in (store, stores.open()):
            page = reader.events(EventQuery(is_ascending=True), limit=200)
            assert page.cursor is None
            assert [stored.event for stored in page.items] == events
            assert page.items[70] == StoredEvent(TRAIL, "web1", events[70], 700, 10)
        assert listed(store) == []

    def test_one_event_whole(self, store: Store) -> None:
        """An event's records are read from the trail's own line."""
        head = TrailHead(TRAIL, "web1", BOOT, START_US, "steno 0")
        encoder = TrailEncoder()
        records = msgspec.Raw(b'[{"type":"SYSCALL","fields":{"a0":{"raw":"1"}}}]')
        whole = [an_event(1), an_event(2, records=records)]
        lines = [encoder.encode(head), *map(encoder.encode, whole)]
        store.append(TRAIL, 0, b"".join(lines), sender="web1")
        offset = len(lines[0])
        placed = [
            PlacedEvent(an_event(1), offset, len(lines[1])),
            PlacedEvent(an_event(2), offset + len(lines[1]), len(lines[2])),
        ]
        store.put_events(
            TRAIL, DerivedEvents(sum(map(len, lines)), trail_summary(TRAIL), events=placed)
        )
        found_event = store.event(TRAIL, 2)
        assert bytes(found_event.event.records) == bytes(records)
        assert found_event.event.text == "event 2"
        for trail, serial in ((TRAIL, 3), ("trail-x", 1)):
            with pytest.raises(NotFoundError):
                store.event(trail, serial)

    def test_slower_indexer_of_a_trail_is_told(self, store: Store) -> None:
        """Of two indexers at work on one trail only the first one's events are kept."""
        put_events(store, an_event(1))
        placed = [PlacedEvent(an_event(2), 0, 10)]
        for from_bytes, from_serial in ((0, 0), (10, 0), (5, 1)):
            derived = DerivedEvents(
                20, trail_summary(TRAIL), from_bytes, from_serial, events=placed
            )
            with pytest.raises(StaleError):
                store.put_events(TRAIL, derived)
        assert serials(store) == [1]

    def test_a_cleared_trail_is_forgotten(self, store: Store) -> None:
        """After clearing nothing of the trail is found, and others are untouched."""
        put_recording(store, "r")
        put_events(store, *(an_event(number, objects=about("/a")) for number in range(50)))
        put_events(store, an_event(99, objects=about("/a")), trail="trail-2")
        store.clear_derived(TRAIL)
        assert store.derived_state(TRAIL) == DerivedState()
        assert serials(store, "file:/a") == [99]
        assert [one.trail for one in store.trail_summaries()] == ["trail-2"]
        assert listed(store, "file:/a") == ["r"]
        store.clear_derived("trail-2")
        assert listed(store, "file:/a") == []
        put_events(store, an_event(5, objects=about("/a")))
        assert serials(store, "file:/a") == [5]

    def test_what_is_missing_comes_back(self, store: Store) -> None:
        """What a trail says is lost, what cannot be read, and its summary come back."""
        lost = [Lost(START_US, 3, "gap", 5, 7), Lost(START_US, 0, "kernel")]
        derived = DerivedEvents(
            50, trail_summary(TRAIL, lost=4), lost=lost, damages=[Damage(2, 10, 20, "torn")]
        )
        store.put_events(TRAIL, derived)
        assert store.losses(TRAIL) == lost
        assert store.damages(TRAIL) == [Damage(2, 10, 20, "torn")]
        assert store.trail_summaries() == [derived.summary]
        assert store.trail_summaries(boot_id=BOOT, sender="web1") == [derived.summary]
        assert store.trail_summaries(boot_id=OTHER_BOOT) == []
        assert (store.losses("trail-x"), store.damages("trail-x")) == ([], [])

    def test_trails_whose_index_is_behind(self, store: Store) -> None:
        """A look at all recordings tells which trails the index does not have whole."""
        for trail in ("trail-new", "trail-whole", "trail-grown"):
            store.append(trail, 0, b"x" * 10, sender="web1")
        for trail in ("trail-whole", "trail-grown"):
            put_events(store, an_event(1), trail=trail)
        store.append("trail-grown", 10, b"y", sender="web1")
        assert dict(store.index_states()) == {
            "trail-new": False, "trail-whole": True, "trail-grown": False,
        }  # fmt: skip

    def test_listeners_hear_of_events(self, store: Store) -> None:
        """Who listens is told that a trail's index grew."""
        heard: list[Change] = []
        store.subscribe(heard.append)
        put_events(store, an_event(1))
        assert heard == [Change(TRAIL, "derived", 10)]

    def test_order_of_time(self, store: Store) -> None:
        """Events of all hosts come in the order of their instants, then of their serials."""
        put_events(store, *(an_event(number, at_us=number * 2000) for number in range(20)))
        others = [an_event(100 + number, at_us=number * 2000 + 1000) for number in range(20)]
        put_events(store, *others, trail="trail-2", sender="web2", host="web2")
        expected = [serial for number in range(20) for serial in (number, 100 + number)]
        assert serials(store, is_ascending=True) == expected
        assert serials(store) == expected[::-1]
        same = [an_event(number, at_us=HOUR_US) for number in (205, 201, 203)]
        put_events(store, *same, trail="trail-3")
        assert serials(store, is_ascending=True)[-3:] == [201, 203, 205]
        assert serials(store)[:3] == [205, 203, 201]

    def test_by_session_time_and_process(self, store: Store) -> None:
        """Events are listed by audit session of one sender and boot, by time, and by process."""
        for serial, facts in enumerate((
            {}, {"audit_session": 8}, {"audit_session": None}, {"process": Process(pid=5)},
        )):  # fmt: skip
            put_events(store, an_event(serial, at_us=serial * 1_000_000, **facts))
        put_events(store, an_event(10, boot_id=OTHER_BOOT), trail="trail-2", boot_id=OTHER_BOOT)
        put_events(store, an_event(11), trail="trail-3", sender="web2")
        put_events(store, an_event(12), trail="trail-4", sender=None)
        assert serials(store, session=SessionKey("web1", BOOT, 7)) == [3, 0]
        assert serials(store, session=SessionKey("web1", BOOT, 8)) == [1]
        assert serials(store, session=SessionKey("web1", OTHER_BOOT, 7)) == [10]
        assert serials(store, session=SessionKey("web2", BOOT, 7)) == [11]
        assert serials(store, session=SessionKey(None, BOOT, 7)) == [12]
        assert serials(store, session=SessionKey("web3", BOOT, 7)) == []
        assert serials(store, trail=TRAIL) == [3, 2, 1, 0]
        assert serials(store, trail="trail-x") == []
        assert serials(store, pid=5) == [3]
        start = START_US + 1_000_000
        assert serials(store, trail=TRAIL, from_unix_us=start) == [3, 2, 1]
        assert serials(store, trail=TRAIL, until_unix_us=start) == [0]
        assert serials(store, trail=TRAIL, from_unix_us=start, until_unix_us=start + 1) == [1]
        both = EventQuery(parse("action:opened"), SessionKey("web1", BOOT, 7), pid=5)
        assert [stored.event.serial for stored in store.events(both).items] == [3]

    CASES = (
        ("file:/etc/passwd", {"objects": about("/etc/passwd")}, True),
        ("file:/etc/passwd", {"objects": about("/etc/passwd-")}, False),
        ("file:/ETC/Passwd", {"objects": about("/etc/passwd")}, True),
        ("file:passwd", {"objects": about("/etc/passwd")}, True),
        ("file:passwd", {"objects": about("/etc/passwd.d/x")}, False),
        ("file:/etc/*", {"objects": about("/etc/ssh/sshd_config")}, True),
        ("file:/etc/", {"objects": about("/etc/ssh/sshd_config")}, True),
        ("file:/etc/*", {"objects": about("/etc")}, False),
        ("file:*.sh", {"objects": about("/a/b.sh")}, True),
        ("file:/home/*/.ssh/authorized_keys", {"objects": about("/home/x/.ssh/authorized_keys")},
         True),
        ('file:"/tmp/a b"', {"objects": about("/tmp/a b")}, True),
        ('file:"/tmp/a b"', {"objects": about("/tmp/a", "/b")}, False),
        ("file:/x", {"objects": [Thing("address", "/x")]}, True),
        ("file:\"quo\\\"te'*\"", {"objects": about("/t/quo\"te'd")}, True),
        ("file:/" + "d" * 200 + "/e", {"objects": about("/" + "d" * 200 + "/e")}, True),
        ("file:/" + "d" * 200 + "/e", {"objects": about("/" + "d" * 200 + "/f")}, False),
        ("file:/" + "d" * 200 + "*", {"objects": about("/" + "d" * 200 + "/f")}, True),
        ("file:größe", {"objects": about("/t/GRÖßE")}, True),
        ("file:/f999", {"objects": about(*(f"/f{number}" for number in range(1000)))}, True),
        ("file:/f1000", {"objects": about(*(f"/f{number}" for number in range(1000)))}, False),
        ("addr:192.0.2.1", {"objects": at("192.0.2.1", 443)}, True),
        ("addr:192.0.2.1", {"objects": at("192.0.2.10", 443)}, False),
        ("addr:192.0.2.1:443", {"objects": at("192.0.2.1", 443)}, True),
        ("addr:192.0.2.1:44", {"objects": at("192.0.2.1", 443)}, False),
        ("addr::443", {"objects": at("192.0.2.1", 443)}, True),
        ("addr::443", {"objects": at("192.0.2.1", 4430)}, False),
        ("addr:192.0.2.0/25", {"objects": at("192.0.2.127", 1)}, True),
        ("addr:192.0.2.0/25", {"objects": at("192.0.2.128", 1)}, False),
        ("addr:0.0.0.0/0", {"objects": at("192.0.2.128", 1)}, True),
        ("addr:0.0.0.0/0", {"objects": at("2001:db8::1", 1)}, False),
        ("addr:2001:db8::/32", {"objects": at("2001:db8:1::1", 1)}, True),
        ("addr:[2001:db8::1]:22", {"objects": at("2001:db8:0::1", 22)}, True),
        ("addr:[2001:db8::/32]:22", {"objects": at("2001:db8:0::1", 22)}, True),
        ("addr:192.0.2.1", {"objects": at("::ffff:192.0.2.1", 22)}, True),
        ("addr:::1", {"objects": at("::1", 22)}, True),
        ("addr:/run/*.sock", {"objects": [Thing("address", "/run/x.sock")]}, True),
        ("addr:@abstract", {"objects": [Thing("address", "@abstract")]}, True),
        ("action:opened", {}, True), ("action:open", {}, False), ("action:open*", {}, True),
        ("result:success", {}, True), ("result:FAILURE", {"result": "failure"}, True),
        ("result:eacces", {"result": "failure", "error": "EACCES"}, True),
        ("result:failure", {"result": "failure", "error": "EACCES"}, True),
        ("result:success", {"result": "unknown"}, False),
        ("user:root", {}, True), ("user:0", {}, True), ("user:avery", {}, False),
        ("login:avery", {}, True), ("login:1501", {}, True), ("host:web*", {}, True),
        ("host:web", {}, False), ("session:7", {}, True), ("session:8", {}, False),
        ("session:7", {"audit_session": None}, False),
        ("-file:/a", {"objects": about("/a", "/b")}, False),
        ("file:/a file:/b", {"objects": about("/a", "/b")}, True),
    )  # fmt: skip

    @pytest.mark.parametrize(("query", "facts", "expected"), CASES)
    def test_event_terms(
        self, store: Store, query: str, facts: dict[str, Any], expected: bool
    ) -> None:
        """Each field of events means what docs/find.md says, in any case of letters."""
        put_events(store, an_event(1, **facts), an_event(2, action="nothing", result="unknown",
                   who=Who(), host="", audit_session=None))  # fmt: skip
        assert (1 in serials(store, query)) == expected
        assert (1 in serials(store, f"NOT ({query})")) != expected

    RAN = (
        ("curl", ["curl", "-s"], "/usr/bin/curl", True),
        ("/usr/bin/curl", ["curl"], "/usr/bin/curl", True),
        ("cur*", ["x"], "/usr/bin/curl", True),
        ("useradd", ["/usr/sbin/useradd", "x"], "/bin/busybox", True),
        ('"useradd temp9"', ["useradd", "-M", "temp9"], "/usr/sbin/useradd", True),
        ('"temp9 useradd"', ["useradd", "temp9"], "/usr/sbin/useradd", False),
        ('"useradd temp9"', ["sh", "-c", "useradd temp9"], "/bin/sh", True),
        ('"busybox temp9"', ["useradd", "temp9"], "/bin/busybox", True),
        ('"busybox useradd"', ["useradd", "temp9"], "/bin/busybox", False),
        ("-M", ["useradd", "-M"], "/x", True),
        ("*", [], "/x", True),
        ("temp", ["useradd", "temp9"], "/x", False),
        ("word2500", [f"word{number}" for number in range(2600)], "/x", True),
        ("word2700", [f"word{number}" for number in range(2600)], "/x", False),
        ("x" * 100 + "y", ["x" * 100 + "y"], "/x", True),
        ("x" * 100 + "z", ["x" * 100 + "y"], "/x", False),
    )  # fmt: skip

    @pytest.mark.parametrize(("value", "arguments", "path", "expected"), RAN)
    def test_ran(
        self, store: Store, value: str, arguments: list[str], path: str, expected: bool
    ) -> None:
        """`ran:` finds programs and words of commands, several in their order."""
        put_events(store, an_event(1, "ran", **program(*arguments, path=path)))
        put_events(store, an_event(2, "opened", **program(*arguments, path=path)))
        assert serials(store, f"ran:{value}") == ([1] if expected else [])

    def test_actions_of_several_words(self, store: Store) -> None:
        """An action is found by all of its words, and by the first ones."""
        put_events(store, an_event(1, "changed mode of"))
        for value, expected in (
            ('"changed mode of"', True), ("changed", True), ('"changed mode"', True),
            ("mode", False), ("change", False), ('"* mode *"', True),
        ):  # fmt: skip
            assert (serials(store, f"action:{value}") == [1]) == expected, value

    def test_times_of_events(self, store: Store) -> None:
        """`after:`, `before:` and `at:` look at the events' own instants."""
        put_events(store, *(an_event(number, at_us=number * 60_000_000) for number in range(5)))
        first = "2025-10-09T08:53:20Z"
        assert START_US == 1_760_000_000_000_000, first
        assert serials(store, "after:2025-10-09T08:55:20Z") == [4, 3, 2]
        assert serials(store, "before:2025-10-09T08:55:20Z") == [1, 0]
        assert serials(store, "at:2025-10-09T08:55Z") == [2]
        assert serials(store, "at:2025-10-09T08:55Z OR after:2025-10-09T08:57:20Z") == [4, 2]

    WORDS = (
        ("removed", True), ("REMOVED", True), ("remove", False), ("/etc/shadow", True),
        ('"as root"', True), ('"root as"', False), ("*move*", True), ("/remov(ed|es)/", True),
        ("/^removed/", False), ("-removed", False), ("removed -shadow", False),
        ("removed file:/etc/shadow", True), ("removed file:/etc/passwd", False), ("ls", True),
        ("größe", True), ("GRÖSSE", False),
    )  # fmt: skip

    @pytest.mark.parametrize(("query", "expected"), WORDS)
    def test_words_of_events(self, store: Store, query: str, expected: bool) -> None:
        """Text is looked for in the sentence that tells an event, and in what was typed."""
        text = "avery as root removed /etc/shadow, größe 5"
        put_events(store, an_event(1, text=text, typed="ls -l\r", objects=about("/etc/shadow")))
        put_events(store, an_event(2, text="nothing"))
        assert (1 in serials(store, query)) == expected

    @pytest.mark.parametrize("query", ["service:sshd", "is:live file:/a", "NOT rec:3f"])
    def test_what_events_do_not_have(self, store: Store, query: str) -> None:
        """A query for events that asks for something else is refused, saying where."""
        with pytest.raises(QueryError) as caught:
            store.events(EventQuery(parse(query)))
        assert caught.value.query

    def test_a_cursor_of_something_else(self, store: Store) -> None:
        """A cursor that is none of this list's is refused."""
        with pytest.raises(UsageError):
            store.events(EventQuery(), cursor="nonsense")

    def test_pages_of_events(self, store: Store) -> None:
        """Pages together hold every event once, though more come in meanwhile."""
        events = [an_event(number, at_us=number * 500) for number in range(120)]
        put_events(store, *events)
        for query in (None, "action:opened"):
            wanted = EventQuery(None if query is None else parse(query))
            page = store.events(wanted, limit=50)
            put_events(store, an_event(1000, at_us=HOUR_US), trail=f"trail-{query}")
            rest = store.events(wanted, cursor=page.cursor, limit=500)
            got = [one.event.serial for one in [*page.items, *rest.items]]
            assert [serial for serial in got if serial < 1000] == list(range(119, -1, -1))
            store.clear_derived(f"trail-{query}")

    # Together with recordings.

    def test_events_of_a_recording(self, store: Store) -> None:
        """Events count to a recording by sender, boot, session and time, and to no other."""
        put_recording(store, "r")
        for number, (at_us, facts, trail_facts) in enumerate((
            (30_000_000, {}, {}),
            (-20_000, {}, {}),
            (60_000_000, {}, {}),
            (-21_000, {}, {}),
            (60_001_000, {}, {}),
            (30_000_000, {"audit_session": 8}, {}),
            (30_000_000, {"audit_session": None}, {}),
            (30_000_000, {"boot_id": OTHER_BOOT}, {"boot_id": OTHER_BOOT}),
            (30_000_000, {}, {"sender": "web2"}),
            (30_000_000, {}, {"sender": None}),
        )):  # fmt: skip
            event = an_event(number, at_us=at_us, objects=about(f"/f{number}"), **facts)
            put_events(store, event, trail=f"trail-{number}", **trail_facts)
        for number in range(10):
            assert listed(store, f"file:/f{number}") == (["r"] if number < 3 else []), number

    def test_a_live_recording_has_what_happens_now(self, store: Store) -> None:
        """Events after the last piece of a live recording count, until it is over."""
        put_recording(store, "r", is_live=True)
        put_events(store, an_event(1, at_us=HOUR_US, objects=about("/f")))
        assert listed(store, "file:/f") == ["r"]
        (hit,) = store.search(parse("file:/f")).items
        assert hit.at_us == 60_000_000
        put_recording(store, "r", is_live=False)
        assert listed(store, "file:/f") == []

    def test_hits_are_events_and_lines(self, store: Store) -> None:
        """Events that match come with their instant in the recording, lines as ever."""
        put_recording(store, "r", "permission denied", "x", "permission granted")
        put_events(
            store,
            an_event(1, "wrote", at_us=5_000_000, objects=about("/etc/passwd")),
            an_event(2, "wrote", at_us=-1_000, objects=about("/etc/passwd")),
            an_event(3, "read", at_us=6_000_000, objects=about("/etc/passwd")),
        )
        put_recording(store, "other", "permission denied", started_unix_us=START_US + HOUR_US)
        query = 'file:/etc/passwd action:wrote "permission denied"'
        expected = [(1, 5_000_000, None), (2, 0, None), (None, None, 0)]
        for limit in (1, 2, 50):
            pages = list(turn_pages(lambda cursor, limit=limit: store.search(
                parse(query), cursor=cursor, limit=limit)))  # fmt: skip
            hits = [hit for page in pages for hit in page]
            assert [hit.summary.rec for hit in hits] == ["r"] * 3
            assert expected == [
                (hit.event.event.serial if hit.event else None, hit.at_us, hit.number)
                for hit in hits
            ]
            within = list(turn_pages(lambda cursor, limit=limit: store.search(
                parse(query), rec="r", cursor=cursor, limit=limit)))  # fmt: skip
            assert [hit for page in within for hit in page] == hits[::-1]
        assert store.search(parse("file:/nothing")).items == []
        (alone,) = store.search(parse("-file:/etc/passwd")).items
        assert (alone.summary.rec, alone.event, alone.number) == ("other", None, None)

    GROUPS = (
        ("action:wrote file:/a", ["one", "three"]),
        ("file:/a action:wrote", ["one", "three"]),
        ("(action:wrote) (file:/a)", ["one", "three", "two"]),
        ("(action:wrote file:/a) (action:read file:/b)", ["three"]),
        ("action:wrote (file:/a OR file:/b)", ["one", "three", "two"]),
        ("action:read (file:/a OR file:/c)", ["three", "two"]),
        ("action:wrote -file:/a", ["three", "two"]),
        ("action:wrote NOT (file:/a OR file:/b)", ["three"]),
        ("action:wrote -(file:/b)", ["one"]),
        ("action:wrote NOT (action:read file:/a)", ["one", "three"]),
        ("-file:/a", ["none"]),
        ("-file:/a -file:/b", ["none"]),
        ("NOT (action:wrote file:/a)", ["none", "two"]),
        ("file:/c OR (action:read file:/a)", ["three", "two"]),
        ("action:wrote file:/a user:blake", ["three"]),
        ("action:wrote file:/a word", ["one"]),
        ("NOT (word action:wrote file:/a)", ["none", "three", "two"]),
    )

    @pytest.mark.parametrize(("query", "expected"), GROUPS)
    def test_what_holds_of_one_event(self, store: Store, query: str, expected: list[str]) -> None:
        """Terms of events side by side hold of one; parentheses and NOT as docs/find.md says."""
        done = {
            "one": [("wrote", "/a")],
            "two": [("wrote", "/b"), ("read", "/a")],
            "three": [("wrote", "/a"), ("wrote", "/c"), ("read", "/b"), ("read", "/c")],
            "none": [("read", "/z")],
        }
        serial = 0
        for session, (rec, deeds) in enumerate(done.items()):
            user = "blake" if rec == "three" else "avery"
            text = "word" if rec == "one" else "none"
            put_recording(store, rec, text, audit_session=session, user=user)
            for action, path in deeds:
                serial += 1
                put_events(store, an_event(
                    serial, action, objects=about(path), audit_session=session))  # fmt: skip
        assert sorted(listed(store, query)) == expected
        assert sorted({rec for rec, _ in found(store, query)}) == expected

    def test_only_visible_recordings_events_are_found(self, store: Store) -> None:
        """Whoever may see only their own finds no event of others or outside of recordings."""
        put_recording(store, "own", user="avery")
        put_recording(store, "as-root", user="root", login_user="avery", audit_session=8)
        put_recording(store, "other", user="blake", audit_session=9)
        put_events(
            store,
            an_event(1, objects=about("/f")),
            an_event(2, objects=about("/f"), audit_session=8),
            an_event(3, objects=about("/f"), audit_session=9),
            an_event(4, objects=about("/f"), audit_session=10),
            an_event(5, objects=about("/f"), audit_session=None),
            an_event(6, objects=about("/f"), at_us=2 * HOUR_US),
        )
        assert serials(store, "file:/f") == [6, 5, 4, 3, 2, 1]
        for query in ("file:/f", None, "-file:/x", "action:opened host:web1", "file:*f"):
            assert serials(store, query, visible_to="avery") == [2, 1]
            assert serials(store, query, visible_to="avery", is_ascending=True) == [1, 2]
        assert serials(store, "file:/f", visible_to="blake") == [3]
        assert serials(store, "file:/f", visible_to="casey") == []
        session = SessionKey("web1", BOOT, 9)
        assert serials(store, session=session, visible_to="avery") == []
        assert sorted(listed(store, "file:/f", visible_to="avery")) == ["as-root", "own"]
        assert listed(store, "-file:/x", visible_to="blake") == ["other"]
        hits = store.search(parse("file:/f"), visible_to="avery").items
        assert {hit.event.event.serial for hit in hits if hit.event} == {1, 2}

    def test_recordings_of_a_session(self, store: Store) -> None:
        """The recordings of an audit session come by their start, those of no other with them."""
        put_recording(store, "second", started_unix_us=START_US + HOUR_US)
        put_recording(store, "first")
        put_recording(store, "other", audit_session=8)
        put_recording(store, "imported", sender=None)
        recs = [one.rec for one in store.session_recordings(SessionKey("web1", BOOT, 7))]
        assert recs == ["first", "second"]
        assert store.session_recordings(SessionKey("web2", BOOT, 7)) == []

    def test_what_is_left_alone_is_known_until_it_is_indexed(self, store: Store) -> None:
        """What fails is named, until more of it is put, or it is cleared."""
        store.append(TRAIL, 0, b"line\n", sender="web1")
        for number, rec in enumerate((TRAIL, "r", "s")):
            store.leave_alone(rec, "it fails", 5 - number)
        left = store.left_alone()
        assert [(one.rec, one.sender, one.since_unix_us) for one in left] == [
            ("s", None, 3), ("r", None, 4), (TRAIL, "web1", 5),
        ]  # fmt: skip
        assert [one.reason for one in left] == ["it fails"] * 3
        assert [one.rec for one in store.left_alone("web1")] == [TRAIL]
        put_events(store, an_event(1))
        put_recording(store, "r")
        store.clear_derived("s")
        assert store.left_alone() == []

    def test_sessions_wait_to_be_joined(self, store: Store) -> None:
        """A session waits when events or recordings came in, until exactly those were joined."""
        session = SessionKey("web1", BOOT, 7)
        put_recording(store, "r")
        assert store.unjoined_sessions() == []
        put_events(store, an_event(1), an_event(2, audit_session=None))
        ((waiting, since),) = store.unjoined_sessions()
        assert waiting == session
        put_events(store, an_event(3))
        store.put_joined(session, since, {"r": JoinedEvents(serials=[1], at_us=[5])})
        ((_, since),) = store.unjoined_sessions()
        store.put_joined(session, since, {"r": JoinedEvents(serials=[3], at_us=[6]), "gone": _NONE})
        assert store.unjoined_sessions() == []
        assert store.joined_events("r") == JoinedEvents(serials=[3], at_us=[6])
        assert store.joined_events("gone") is None
        put_recording(store, "r", is_live=False)
        assert [waiting for waiting, _ in store.unjoined_sessions()] == [session]
        store.clear_derived("r")
        assert store.joined_events("r") is None
        put_recording(store, "r")
        assert store.joined_events("r") is None

    def test_sessions_that_nobody_recorded_do_not_wait(self, store: Store) -> None:
        """Cron's thousands keep nobody waiting; a session waits once it has a recording."""
        put_events(store, *(an_event(number, audit_session=number) for number in range(1, 50)))
        put_recording(store, "elsewhere", sender="web2", audit_session=5)
        assert store.unjoined_sessions() == []
        put_recording(store, "r", audit_session=5)
        assert [waiting for waiting, _ in store.unjoined_sessions()] == [
            SessionKey("web1", BOOT, 5)
        ]

    def test_those_that_wait_longest_are_joined_first(self, store: Store) -> None:
        """However often a session grows, others have their turn."""
        for number in (3, 1, 2):
            put_recording(store, f"r{number}", audit_session=number)
            put_events(store, an_event(number, audit_session=number))
        put_events(store, an_event(9, audit_session=2))
        ((first, since),) = store.unjoined_sessions(1)
        assert first.audit_session == 3
        store.put_joined(first, since, {})
        put_events(store, an_event(10, audit_session=3))
        waiting = [session.audit_session for session, _ in store.unjoined_sessions()]
        assert waiting == [1, 2, 3]

    def test_joined_events_are_a_recordings_own(self, store: Store) -> None:
        """What joining found counts, at its instants, also outside of the recording's time."""
        put_recording(store, "r")
        put_events(
            store,
            *(
                an_event(number, at_us=at_us, objects=about("/f"))
                for number, at_us in ((1, -9_000_000), (2, 5_000_000), (3, 90_000_000))
            ),
        )
        (state,) = [store.derived_state(TRAIL)]
        joined = JoinedEvents(
            seen={TRAIL: state.upto_bytes}, first_unix_us=START_US - 9_000_000,
            last_unix_us=START_US + 90_000_000, serials=[1, 3], at_us=[0, 59_000_000],
        )  # fmt: skip
        store.put_joined(SessionKey("web1", BOOT, 7), 1, {"r": joined})
        put_events(store, an_event(4, at_us=6_000_000, objects=about("/f")))
        hits = store.search(parse("file:/f")).items
        assert [(hit.event.event.serial, hit.at_us) for hit in hits if hit.event] == [
            (3, 59_000_000), (4, 6_000_000), (1, 0),
        ]  # fmt: skip

    def test_events_as_a_naive_search_would(self, store: Store) -> None:
        """Any query over any events and recordings finds what looking at each one finds."""

        @given(contents=_CONTENTS, queries=st.lists(_QUERIES, min_size=1, max_size=3),
               alone=st.lists(_EVENT_QUERIES, min_size=1, max_size=3), data=st.data())  # fmt: skip
        def check(
            contents: list[list[Event]],
            queries: list[Expression],
            alone: list[Expression],
            data: st.DataObject,
        ) -> None:
            naive = _fill(store, contents)
            _join_some(store, naive, data)
            for query in queries:
                recs = [item.rec for item in store.recordings(query).items]
                assert len(recs) == len(set(recs))
                assert set(recs) == naive.matching(query)
                pages = list(turn_pages(lambda cursor, query=query: store.search(
                    query, limit=5, cursor=cursor)))  # fmt: skip
                hits = [
                    (hit.summary.rec, hit.number, hit.event.event.serial if hit.event else None)
                    for page in pages for hit in page
                ]  # fmt: skip
                assert hits == naive.hits(query)
            for query in alone:
                for visible_to in (None, "avery"):
                    wanted = EventQuery(query, visible_to=visible_to)
                    pages = turn_pages(lambda cursor, wanted=wanted: store.events(
                        wanted, cursor=cursor, limit=3))  # fmt: skip
                    got = [(one.trail, one.event.serial) for page in pages for one in page]
                    assert sorted(got) == sorted(naive.found(query, visible_to))

        check()

    def test_any_text_is_found_by_itself(self, store: Store) -> None:
        """Names of all sorts (controls, quotes, any script, long) are found, whole and in part."""

        @given(texts=st.lists(_ANY_TEXT, min_size=1, max_size=4), data=st.data())
        def check(texts: list[str], data: st.DataObject) -> None:
            store.clear_derived(TRAIL)
            put_events(store, *(
                an_event(
                    number, "ran", host=text, error=text, who=Who(user=text, login_user=text),
                    objects=[*about(f"/x/{text}", text), Thing("address", text)],
                    process=Process(arguments=[text], program=text),
                )
                for number, text in enumerate(texts)
            ))  # fmt: skip
            events = {stored.event.serial: stored.event for stored in store.events(
                EventQuery(), limit=99).items}  # fmt: skip
            text = data.draw(st.sampled_from(texts))
            start = data.draw(st.integers(0, max(0, len(text) - 1)))
            value = data.draw(st.sampled_from(
                [text, text + "*", "*" + text, text[: start + 1] + "*", text[start:], f"/x/{text}",
                 f"/x/{text[:start]}*", text.upper(), text.lower()]
            ))  # fmt: skip
            for name in ("ran", "file", "user", "login", "host"):
                if not (value.split() if name == "ran" else value):
                    continue
                query = Field(name, value, 0)
                matcher = EventMatcher(query, datetime.now().astimezone())
                expected = {number for number, one in events.items() if matcher.matches(one)}
                got = {one.event.serial for one in store.events(EventQuery(query), limit=99).items}
                assert got == expected, (name, value)
                if value == text and name != "ran" and "*" not in text:
                    number = texts.index(text)
                    assert number in got or "/" in text

        check()

    def test_many_events_at_once(self, store: Store) -> None:
        """A turn's worth of events, longer than many pages, is put and found."""
        put_recording(store, "r")
        events = [
            an_event(number, "ran", at_us=number, **program("tool", f"--number={number}"))
            for number in range(3000)
        ]
        began_s = time.monotonic()
        put_events(store, *events)
        assert serials(store, "ran:--number=2999") == [2999]
        assert len(serials(store, "ran:tool result:success")) == 3000
        assert listed(store, "ran:tool") == ["r"]
        assert time.monotonic() - began_s < 120


def _fill(store: Store, contents: list[list[Event]]) -> NaiveEvents:
    """Put four recordings and these events, a list a trail, in place of what there is."""
    for item in store.recordings().items:
        store.clear_derived(item.rec)
    for trail in store.trail_summaries():
        store.clear_derived(trail.trail)
    naive = NaiveEvents()
    for number, texts in enumerate((["err"], ["no", "err no"], [], ["ok"])):
        facts: dict[str, object] = {
            "user": ("avery", "blake")[number % 2], "host": ("web1", "web2")[number // 2],
            "audit_session": (7, 7, 8, 9)[number], "boot_id": BOOT, "sender": "web1",
            "started_unix_us": START_US + number % 2 * 30_000_000 + number // 2,
            "duration_us": 40_000_000,
            "is_live": number == 2,
        }  # fmt: skip
        put(store, f"r{number}", *texts, **facts)
        naive.put(summary(f"r{number}", **facts), text_lines(*texts))
    serial = 0
    for number, events in enumerate(contents):
        trail, sender = f"trail-{number}", ("web1", "web1", None)[number]
        numbered = []
        for event in events:
            serial += 1
            numbered.append(msgspec.structs.replace(event, serial=serial, text=f"event {serial}."))
        put_events(store, *numbered[: len(numbered) // 2], trail=trail, sender=sender)
        put_events(store, *numbered[len(numbered) // 2 :], trail=trail, sender=sender)
        naive.events += [StoredEvent(trail, sender, event, 0, 0) for event in numbered]
    return naive


def _join_some(store: Store, naive: NaiveEvents, data: st.DataObject) -> None:
    """Join some of the recordings: any events may be their own, of any part of the trails."""
    for rec, (known, _) in naive.recordings.items():
        if known.boot_id is None or known.audit_session is None or data.draw(st.booleans()):
            continue
        session = SessionKey(known.sender, known.boot_id, known.audit_session)
        looked_at: list[StoredEvent] = []
        seen = {}
        for trail in {stored.trail for stored in naive.events}:
            stored = [one for one in naive.events if one.trail == trail]
            count = data.draw(st.integers(0, len(stored)))
            seen[trail] = 10 * count
            looked_at += stored[:count]
        mine = [one for one in looked_at if data.draw(st.booleans())]
        own = {one.event.serial: data.draw(st.integers(0, 10**8)) for one in mine}
        stamps = [one.event.at_unix_us for one in mine]
        numbers = sorted(own)
        joined = JoinedEvents(
            0, seen, None, min(stamps, default=None), max(stamps, default=None), numbers,
            [own[number] for number in numbers],
        )  # fmt: skip
        store.put_joined(session, 1, {rec: joined})
        naive.joined[rec] = own, frozenset({one.event.serial for one in looked_at} - {*own})


_NONE = JoinedEvents()
_ANY_TEXT = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30),
    st.lists(st.sampled_from([*"aA ß\"'*/\\:()-\u017f\0\n\t\x7f漢é", "x" * 90]), min_size=1)
    .map("".join),
)  # fmt: skip
_NAMES = st.sampled_from(["/etc/passwd", "/etc/shadow", "/tmp/a b", "/etc", "/x/Passwd", "@abs"])
_THINGS = st.one_of(
    _NAMES.map(lambda name: Thing("file", name)),
    _NAMES.map(lambda name: Thing("program", name)),
    st.builds(
        lambda address, port: Thing("address", f"{address}:{port}", address=address, port=port),
        st.sampled_from(["192.0.2.1", "192.0.2.130", "2001:db8::1", "::ffff:192.0.2.1"]),
        st.sampled_from([None, 22, 443]),
    ),
)
_EVENTS = st.builds(
    lambda action, at_ms, session, things, words, result, user: an_event(
        0, action, at_us=at_ms * 1000, audit_session=session, objects=things,
        process=Process(pid=1, program="/usr/bin/curl", arguments=words), result=result,
        error="EACCES" if result == "failure" else None, who=Who(user=user, login_user="avery"),
    ),
    st.sampled_from(["ran", "wrote", "changed mode of"]),
    st.sampled_from([-30, -20, 0, 5_000, 5_000, 6_000, 35_000, 40_000, 40_001, 70_000, 90_000]),
    st.sampled_from([7, 7, 7, 8, None]),
    st.lists(_THINGS, max_size=2),
    st.none() | st.lists(st.sampled_from(["curl", "-s", "a b", "/bin/sh"]), max_size=3),
    st.sampled_from(["success", "failure", "unknown"]),
    st.sampled_from(["root", "avery"]),
)  # fmt: skip
_CONTENTS = st.lists(st.lists(_EVENTS, max_size=8), min_size=1, max_size=3)
_EVENT_LEAVES: st.SearchStrategy[Expression] = st.sampled_from([
    ("ran", "curl"), ("ran", "a b"), ("ran", "sh"), ("ran", "s*"), ("ran", "curl -s"),
    ("file", "/etc/passwd"), ("file", "passwd"), ("file", "/etc/*"), ("file", "*w*"),
    ("file", "/etc/"), ("addr", "192.0.2.1"), ("addr", "192.0.2.0/25"), ("addr", ":443"),
    ("addr", "[2001:db8::1]:22"), ("addr", "@abs*"), ("action", "wrote"), ("action", "changed"),
    ("action", "w*"), ("result", "failure"), ("result", "eacces"), ("result", "unknown"),
]).map(lambda pair: Field(*pair, 0))  # fmt: skip


def _trees(leaves: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    return st.recursive(
        leaves,
        lambda parts: st.one_of(
            st.lists(parts | parts.map(Not), min_size=1, max_size=3).map(And),
            st.lists(parts, min_size=2, max_size=3).map(Or),
            parts.map(Not),
        ),
        max_leaves=6,
    )


_COMMON_LEAVES: st.SearchStrategy[Expression] = st.sampled_from([
    ("action", "wrote"), ("action", "ran"), ("file", "/etc/*"), ("result", "failure"),
    ("result", "success"), ("addr", ":443"),
]).map(lambda pair: Field(*pair, 0))  # fmt: skip
_REFINED: st.SearchStrategy[Expression] = st.builds(
    lambda asked, denied, more: And([asked, Not(denied), *more]),
    _COMMON_LEAVES,
    _COMMON_LEAVES | st.lists(_COMMON_LEAVES, min_size=2, max_size=2).map(Or),
    st.lists(_COMMON_LEAVES, max_size=1),
)
_QUERIES = _REFINED | _trees(st.one_of(
    _EVENT_LEAVES, _EVENT_LEAVES,
    st.sampled_from([Word("err", 0), Word("no", 0), Field("user", "avery", 0)]),
))  # fmt: skip
_EVENT_QUERIES = _trees(st.one_of(
    _EVENT_LEAVES, _EVENT_LEAVES,
    st.sampled_from(["event", "1", "3", "event 2", "vent"]).map(lambda text: Phrase(text, 0)),
    st.sampled_from(["vent 1", "t"]).map(lambda text: Substring(text, 0)),
    st.sampled_from([Field("user", "root", 0), Field("session", "7", 0), Field("host", "w*", 0)]),
))  # fmt: skip
