"""The index follows audit trails, whatever they hold and whenever it is stopped."""

from __future__ import annotations

import json
from pathlib import Path

import audited_session
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from indexed_recordings import wait_until
from journal_entries import hear, read_entries
from trails import BOOT_ID, LOGS, f1_events, in_order, make_trail, read_events, repeated

from steno.audit.totals.logins import Failure, Logins, Session
from steno.audit.trail import Lost
from steno.metrics import Metrics
from steno.server.index_process import IndexProcess
from steno.server.indexer import Indexer, reindex
from steno.server.indexing import IndexerSettings
from steno.server.trail_derivation import TrailDerivation
from steno.store.events import EventQuery, LoginQuery, SessionKey
from steno.store.opening import open_store
from steno.store.protocol import Store
from steno.store.query import parse

F1_EVENTS = f1_events()
IN_ORDER = [event.serial for event in in_order(F1_EVENTS)]
SESSION = SessionKey("vm", BOOT_ID, 4)


def append(store: Store, trail: str, data: bytes, sender: str = "vm") -> None:
    """Append to a trail's end."""
    store.append(trail, store.durable_bytes(trail), data, sender=sender)


def serials(store: Store, query: str | None = None) -> list[int]:
    """Return the serials of the events that match, oldest first."""
    wanted = EventQuery(None if query is None else parse(query), is_ascending=True)
    return [stored.event.serial for stored in store.events(wanted, limit=50_000).items]


def whole_index(store: Store, trail: str) -> tuple[object, ...]:
    """Return all that is derived from trails."""
    return (
        store.events(EventQuery(is_ascending=True), limit=50_000).items,
        store.trail_summaries(),
        store.losses(trail),
        store.damages(trail),
        store.logins(LoginQuery(service="*"), limit=500).items,
        store.login_failures(LoginQuery(), limit=500).items,
        serials(store, "ran:* result:success"),
    )


@pytest.mark.parametrize("log", ["f1/audit-enriched.log", "f7/audit.log", "journal"])
def test_logins_are_those_of_the_log_s_report(store: Store, log: str) -> None:
    """`steno audit report logins` and the server count the same attempts and sessions."""
    events = hear(read_entries()) if log == "journal" else read_events((LOGS / log).read_bytes())
    trail, lines = make_trail(*events)
    for number, line in enumerate(lines):  # What comes later is told of what is stored.
        append(store, trail, line)
        if number % 20 == 0:
            Indexer(store).drain()
    Indexer(store).drain()
    report = Logins()
    for event in events:
        report.feed(event)
    rows = report.finish()
    failures = store.login_failures(LoginQuery(), limit=500).items
    assert len(failures) >= 1
    assert {
        (one.user, one.service, one.source, one.login_user, one.count, one.last_unix_us)
        for one in failures
    } == {
        (one.account, one.program, one.origin, one.user, one.attempts, one.last_unix_us)
        for one in rows
        if isinstance(one, Failure)
    }
    begun = store.logins(LoginQuery(service="*"), limit=500).items
    told = {
        (one.session.audit_session, one.user, one.service, one.source, one.closed_unix_us)
        for one in begun
        if one.session is not None
    }
    assert len(told) == len(begun)
    assert told == {
        (one.session, one.user, one.program, one.origin, one.ended_unix_us)
        for one in rows
        if isinstance(one, Session)
    }


def test_a_real_session_is_found(store: Store) -> None:
    """Of three real SSH sessions each program, file and address is found, with its moment."""
    trail, lines = make_trail(*F1_EVENTS)
    append(store, trail, b"".join(lines))
    Indexer(store).drain()
    (summary,) = store.trail_summaries()
    assert (summary.host, summary.sender, summary.boot_id) == ("vm", "vm", BOOT_ID)
    assert (summary.events, summary.lost, summary.damages) == (len(F1_EVENTS), 0, 0)
    assert (summary.chain.state, summary.level) == ("complete", "session")
    assert serials(store) == IN_ORDER

    def texts(query: str) -> list[str]:
        page = store.events(EventQuery(parse(query), SESSION, is_ascending=True))
        return [stored.event.text for stored in page.items]

    assert len(texts("ran:curl")) == 3
    assert len(texts("action:wrote file:/etc/passwd ")) == 2
    assert len(texts("addr:127.0.0.1:18080")) == 1
    assert [text for text in texts('ran:"useradd temp9"') if "told" not in text]
    assert texts("file:/etc/shadow result:EACCES") or texts("ran:cat ran:/etc/shadow")
    assert texts("action:deleted file:notes.txt~")
    typed = [json.loads(line) for line in (LOGS / "f1" / "truth-s1-avery.jsonl").open()]
    assert sum(line["kind"] == "command" for line in typed) > 20
    whole = store.event(trail, F1_EVENTS[10].serial)
    assert bytes(whole.event.records) == bytes(F1_EVENTS[10].records)


def test_every_event_of_every_sample_is_indexed_as_it_is(store: Store) -> None:
    """Real logs of all sorts: each event comes back whole, its records from its own line."""
    for number, path in enumerate(
        ["f2/audit-enriched-zoo.log", "f5/audit-immutable-kernel6.1.log", "made/values.log"]
    ):
        events = read_events((LOGS / path).read_bytes())
        trail, lines = make_trail(*events, name=str(number), boot_id=f"{number}" * 32)
        append(store, trail, b"".join(lines))
        Indexer(store).drain([trail])
        assert store.damages(trail) == []
        stored = store.events(EventQuery(trail=trail, is_ascending=True), limit=9999).items
        assert len(stored) == len(events)
        for event in {event.serial: event for event in events}.values():
            assert bytes(store.event(trail, event.serial).event.records) == bytes(event.records)


@settings(max_examples=25)
@given(st.data())
def test_pieces_give_the_same_as_the_whole(data: st.DataObject) -> None:
    """However a trail's bytes come, and however often the state is kept in between."""
    _, lines = make_trail(*F1_EVENTS[:30], Lost(5, 3, "gap", 1, 3))
    content = b"".join(lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=6)))
    trail = make_trail()[0]
    whole, pieces = TrailDerivation(trail), TrailDerivation(trail)
    whole.feed(content)
    expected = whole.take(sender="vm", from_bytes=0, from_serial=0)
    events, logins, lost = [], [], []
    for start, end in zip([0, *cuts], [*cuts, len(content)], strict=True):
        pieces.feed(content[max(start, pieces.next_bytes) : end])
        if data.draw(st.booleans()):
            found = pieces.take(sender="vm", from_bytes=0, from_serial=0)
            events += found.events
            logins += found.logins
            lost += found.lost
            pieces = TrailDerivation.restore(trail, found.state)
            pieces.feed(content[pieces.next_bytes : end])
    found = pieces.take(sender="vm", from_bytes=0, from_serial=0)
    assert events + found.events == expected.events
    assert logins + found.logins == expected.logins
    assert lost + found.lost == expected.lost
    assert found.summary == expected.summary


@settings(max_examples=40)
@given(st.data())
def test_no_bytes_stop_a_trail_s_derivation(data: st.DataObject) -> None:
    """Any damage is accounted for to the last line, and costs no other line's event."""
    trail, lines = make_trail(*F1_EVENTS[:20])
    damaged = data.draw(st.sets(st.integers(1, len(lines) - 1), max_size=5))
    for number in damaged:
        line = bytearray(lines[number][:-1])
        for _ in range(data.draw(st.integers(1, 20))):
            line[data.draw(st.integers(0, len(line) - 1))] = data.draw(
                st.integers(0, 255).filter(lambda byte: byte != 10)
            )
        lines[number] = bytes(line) + b"\n"
    content = b"".join(lines) + data.draw(st.binary(max_size=40))
    derivation = TrailDerivation(trail)
    derivation.feed(content)
    derivation.finish_torn()
    derived = derivation.take(sender="vm", from_bytes=0, from_serial=0)
    assert derived.upto_bytes == len(content)
    good = {number for number in range(1, 21) if number not in damaged}
    kept = {F1_EVENTS[number - 1].serial for number in good}
    assert kept <= {placed.event.serial for placed in derived.events}


def test_damaged_lines_are_noted(store: Store) -> None:
    """Garbage, an event before the beginning, another trail's beginning and a torn end."""
    trail, lines = make_trail(*F1_EVENTS[:4], Lost(7, 2, "kernel"), has_end=False)
    other = make_trail(name="other")[1][0]
    torn = lines[1][:50]
    append(store, trail, lines[1] + lines[0] + b"garbage\n" + b"".join(lines[2:]) + other + torn)
    Indexer(store).drain()
    reasons = [damage.reason for damage in store.damages(trail)]
    assert [reason.partition(":")[0] for reason in reasons] == [
        "an event before the trail's first line",
        "no line of an audit trail",
        "the line begins trail trail-f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1-other",
        "torn line",
    ]
    assert [damage.line for damage in store.damages(trail)] == [1, 3, 8, 9]
    assert serials(store) == [event.serial for event in F1_EVENTS[1:4]]
    assert store.losses(trail) == [Lost(7, 2, "kernel")]
    (summary,) = store.trail_summaries()
    assert (summary.damages, summary.lost, summary.chain.state) == (4, 2, "broken")
    assert store.derived_bytes(trail) == store.durable_bytes(trail)


@pytest.mark.parametrize(
    ("member", "number"),
    [
        ("serial", 2**63), ("audit_session", 2**63), ("exit", -(2**80)),
        ("at_unix_us", -1), ("at_unix_us", 253_402_300_800_000_000),
    ],
)  # fmt: skip
def test_a_number_that_nothing_holds_is_damage(store: Store, member: str, number: int) -> None:
    """A host may say any number: it costs that event only, in the index and on pages."""
    events = audited_session.read_events(4)
    odd = msgspec.structs.replace(events[50], **{member: number})
    lines = audited_session.make_trail("trail-x", [*events[:50], odd, *events[51:]])
    append(store, "trail-x", b"".join(lines))
    append(store, "r", b"".join(audited_session.make_recording("r")))
    Indexer(store).drain()
    (summary,) = store.trail_summaries()
    assert (summary.events, summary.damages) == (len(events) - 1, 1)
    assert store.joined_events("r") is not None


def test_a_trail_s_line_that_was_not_torn_after_all(store: Store) -> None:
    """When the rest of a line comes long after it was given up, the index is set right."""
    trail, lines = make_trail(*F1_EVENTS[:3])
    append(store, trail, b"".join(lines[:2]) + lines[2][:99])
    Indexer(store).drain()
    assert len(store.damages(trail)) == 1
    append(store, trail, lines[2][99:] + b"".join(lines[3:]))
    Indexer(store).drain()
    assert store.damages(trail) == []
    assert serials(store) == [event.serial for event in F1_EVENTS[:3]]
    assert store.trail_summaries()[0].chain.state == "complete"


def test_a_boot_id_in_an_event_changes_no_session(store: Store) -> None:
    """Events belong to the boot that their trail's first line names, whatever they say."""
    claimed = msgspec.structs.replace(F1_EVENTS[50], boot_id="e" * 32)
    trail, lines = make_trail(claimed)
    append(store, trail, b"".join(lines))
    Indexer(store).drain()
    (stored,) = store.events(EventQuery()).items
    assert stored.event.boot_id == BOOT_ID
    assert store.events(EventQuery(session=SessionKey("vm", "e" * 32, 4))).items == []


def test_rebuilding_trails_changes_nothing(store: Store) -> None:
    """The index built in many small turns is the one that is built anew in one go."""
    first, lines = make_trail(*F1_EVENTS, Lost(5, 3, "gap"))
    data = b"".join(lines)
    small = Indexer(store, IndexerSettings(turn_bytes=90_000))
    for start in range(0, len(data), 200_000):
        append(store, first, data[start : start + 200_000])
        small.drain([first])
    second, more = make_trail(*repeated(F1_EVENTS, 2)[len(F1_EVENTS) :], name="2")
    append(store, second, b"".join(more))
    small.drain()
    before = whole_index(store, first)
    told: list[tuple[str, int, int]] = []
    reindex(store, progress=lambda *report: told.append(report))
    assert whole_index(store, first) == before
    assert {rec for rec, done, total in told if done == total} == {first, second}
    assert store.trail_summaries()[0].events == len(F1_EVENTS)


def test_a_trail_that_says_everything_twice(store: Store) -> None:
    """Lines that were sent again, against all rules, give the same however they are cut."""
    trail, lines = make_trail(*F1_EVENTS[-40:], has_end=False)
    append(store, trail, b"".join(lines + lines[1:]))
    for turn_bytes in (20_000, 1_000_000):
        store.clear_derived(trail)
        Indexer(store, IndexerSettings(turn_bytes=turn_bytes)).drain()
        assert len(serials(store)) == 80
        assert store.trail_summaries()[0].chain.state == "broken"
        assert len(store.logins(LoginQuery()).items) == 2
        assert store.login_failures(LoginQuery()).items[0].count == 2


def test_a_trail_s_state_of_another_version_is_built_anew(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an update that changes the rules, an index is rebuilt rather than mixed."""
    trail, lines = make_trail(*F1_EVENTS[:40])
    append(store, trail, b"".join(lines[:20]))
    monkeypatch.setattr("steno.server.trail_derivation.STATE_VERSION", 0)
    Indexer(store).drain()
    monkeypatch.undo()
    append(store, trail, b"".join(lines[20:]))
    Indexer(store).drain()
    assert serials(store) == [event.serial for event in in_order(F1_EVENTS[:40])]


def test_two_indexers_do_not_double_events(tmp_path: Path) -> None:
    """Two servers that index the same trail at once leave each event there once."""
    trail, lines = make_trail(*repeated(F1_EVENTS, 4))
    data = b"".join(lines)
    stores = [open_store(tmp_path / "store") for _ in range(2)]
    indexers = [Indexer(store, IndexerSettings(turn_bytes=20_000)) for store in stores]
    for indexer in indexers:
        indexer.start()
    for start in range(0, len(data), 300_000):
        append(stores[0], trail, data[start : start + 300_000])
    wait_until(lambda: stores[0].derived_bytes(trail) == len(data))
    for indexer in indexers:
        indexer.stop()
    assert serials(stores[0]) == [event.serial for event in in_order(repeated(F1_EVENTS, 4))]
    assert len(serials(stores[0], "ran:*")) == 4 * sum(
        event.action.startswith("ran") for event in F1_EVENTS
    )
    for store in stores:
        store.close()


def test_a_killed_index_process_leaves_no_event_out_or_twice(tmp_path: Path) -> None:
    """Killed again and again in the middle of a trail, it goes on where it was."""
    trail, lines = make_trail(*repeated(F1_EVENTS, 6))
    store = open_store(tmp_path / "store")
    process = IndexProcess(store, tmp_path / "store", IndexerSettings(turn_bytes=50_000))
    process.start()
    part = len(lines) // 3
    for number in range(2):
        known = store.derived_bytes(trail)
        append(store, trail, b"".join(lines[number * part : (number + 1) * part]))
        wait_until(lambda known=known: store.derived_bytes(trail) > known)
        killed = process.pid
        assert process._child is not None
        process._child.kill()
        wait_until(lambda killed=killed: process.pid != killed)
    append(store, trail, b"".join(lines[2 * part :]))
    wait_until(lambda: store.derived_bytes(trail) == store.durable_bytes(trail))
    process.stop()
    assert serials(store) == [event.serial for event in in_order(repeated(F1_EVENTS, 6))]
    assert store.trail_summaries()[0].chain.state == "complete"
    store.close()


def test_a_growing_trail_is_followed(store: Store) -> None:
    """In the background each event is found soon after its line came, half lines included."""
    trail, lines = make_trail(*F1_EVENTS[:10])
    indexer = Indexer(store)
    indexer.start()
    sent = 0
    for number, line in enumerate(lines):
        append(store, trail, line[:7])
        append(store, trail, line[7:])
        sent += len(line)
        wait_until(lambda sent=sent: store.derived_bytes(trail) == sent)
        assert len(serials(store)) == min(number, 10)
    indexer.stop()


def test_a_skipped_trail_is_left_alone(store: Store) -> None:
    """A trail that brought the process down four times does not stop the others; twice is none."""
    bad, lines = make_trail(*F1_EVENTS[:3])
    append(store, bad, b"".join(lines))
    good, more = make_trail(*F1_EVENTS[3:5], name="2")
    append(store, good, b"".join(more))
    indexer = Indexer(store, skipped=[bad])
    indexer.poison(good, "it crashed twice")
    indexer.start()
    wait_until(lambda: store.derived_bytes(good) == store.durable_bytes(good))
    indexer.wake(bad)
    indexer.wake(good)
    indexer.stop()
    assert store.derived_bytes(bad) == 0


def test_a_trail_that_kills_the_process_is_left_alone_until_it_is_reindexed(tmp_path: Path) -> None:
    """After four deaths it is named; what is built anew beside the server is gone on with."""
    trail, lines = make_trail(*repeated(F1_EVENTS, 8), has_end=False)
    store, beside = (open_store(tmp_path / "store") for _ in range(2))
    metrics = Metrics()
    process = IndexProcess(
        store, tmp_path / "store", IndexerSettings(turn_bytes=20_000), metrics=metrics
    )
    process.start()
    # Most at once, and the rest when all is indexed before the process was killed often enough.
    rest = iter(lines[-60:-10])
    append(store, trail, b"".join(lines[:-60]))

    def is_at_it() -> bool:
        if store.derived_bytes(trail) == store.durable_bytes(trail):
            append(store, trail, next(rest))
        return process._turn is not None or bool(store.left_alone())

    try:
        while True:
            # A process that is killed between two turns dies at nothing.
            wait_until(is_at_it)
            if store.left_alone("vm"):
                break
            killed = process._child
            assert killed is not None
            killed.kill()
            killed.wait()
            wait_until(lambda killed=killed: process._child is not killed)
        (left,) = store.left_alone()
        assert (left.rec, left.sender, left.reason) == (
            trail, "vm", "the index process died at it 4 times",
        )  # fmt: skip
        assert "steno_index_left_alone 1" in metrics.expose()
        append(store, trail, b"".join([*rest, lines[-10]]))
        assert store.derived_bytes(trail) < store.durable_bytes(trail)
        reindex(beside, [trail])
        assert store.left_alone() == []
        append(store, trail, b"".join(lines[-9:]))
        wait_until(lambda: store.derived_bytes(trail) == store.durable_bytes(trail))
    finally:
        process.stop()
    assert len(serials(store)) == len(lines) - 1
    for one in (store, beside):
        one.close()
