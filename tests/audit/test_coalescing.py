"""Records to events: interleaved, ended by what ends them, with losses found."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.audit.coalescing import Coalescer, RecordGroup
from steno.audit.records import LineReader, Record

DATA = Path(__file__).parents[1] / "data" / "audit"
T = 1_795_161_724


def read(path: str) -> list[Record]:
    """Return the records of a real log."""
    reader = LineReader()
    return reader.feed((DATA / path).read_bytes())


def record(kind: str, serial: int, at_s: float = T, node: str = "", extra: str = "") -> Record:
    """Return a record."""
    head = f"node={node} " if node else ""
    return Record(f"{head}type={kind} msg=audit({at_s:.3f}:{serial}): {extra}".encode())


def event(serial: int, at_s: float = T, node: str = "") -> list[Record]:
    """Return the records of a system call."""
    return [record(kind, serial, at_s, node) for kind in ("SYSCALL", "CWD", "PROCTITLE")]


def run(records: list[Record], **options: bool | int) -> list[RecordGroup]:
    """Return all events of the records."""
    coalescer = Coalescer(**options)  # type: ignore[arg-type]
    return coalescer.feed(records) + coalescer.finish()


def shown(groups: list[RecordGroup]) -> list[tuple[str, int, int, list[bytes]]]:
    """Return what identifies events, and their lines, in the order of their serials."""
    return sorted(
        (group.node, group.at_unix_us, group.serial, [one.line for one in group.records])
        for group in groups
    )


@pytest.mark.parametrize(
    ("path", "count"),
    [
        ("f1/audit-enriched.log", 409),
        ("f2/audit-enriched-zoo.log", 146),
        ("f2/plugin-string-zoo.log", 146),
        ("f5/audit-immutable-kernel6.1.log", 23),
    ],
)
def test_real_logs(path: str, count: int) -> None:
    """Every event of a real log comes once, with all its records in order, EOE left out."""
    records = read(path)
    groups = run(records)
    assert len({(group.at_unix_us, group.serial) for group in groups}) == len(groups) == count
    kept = [one.line for one in records if one.type != "EOE"]
    assert sorted(one.line for group in groups for one in group.records) == sorted(kept)
    for group in groups:
        of_event = [one.line for one in records if one.serial == group.serial]
        lines = [one.line for one in group.records]
        assert lines == [line for line in of_event if b"type=EOE" not in line]


def test_login_stays_with_its_system_call() -> None:
    """LOGIN comes first in its event, and does not end it."""
    (group,) = [group for group in run(read("f1/audit-enriched.log")) if group.serial == 84]
    assert [one.type for one in group.records] == ["LOGIN", "SYSCALL", "PROCTITLE"]
    assert group.is_whole


@given(st.randoms(use_true_random=False), st.booleans())
def test_interleaved_events(chance: random.Random, finds_losses: bool) -> None:
    """However events that are open together interleave, the same events come out, none lost."""
    records = read("f2/plugin-string-zoo.log")[:120]
    by_event: dict[int, list[Record]] = {}
    for one in records:
        by_event.setdefault(one.serial, []).append(one)
    mixed: list[Record] = []
    pending: list[list[Record]] = []
    waiting = list(by_event.values())
    while pending or waiting:
        if waiting and (not pending or chance.random() < 0.3):
            pending.append(waiting.pop(0))
        taken = chance.choice(pending)
        mixed.append(taken.pop(0))
        pending = [rest for rest in pending if rest]
    groups = run(mixed, finds_losses=finds_losses)
    assert shown(groups) == shown(run(records))
    assert sum(group.lost_before for group in groups) == 0


@given(st.sets(st.integers(1, 28)), st.randoms(use_true_random=False))
def test_finds_what_is_missing(missing: set[int], chance: random.Random) -> None:
    """Every serial that never comes counts once, at the event right after it, also out of order."""
    serials = [serial for serial in range(30) if serial not in missing]
    order = sorted(serials, key=lambda serial: serial + chance.random() * 3 - 3 * (serial == 0))
    records = [one for serial in order for one in event(100 + serial)]
    groups = run(records, finds_losses=True)
    assert sorted(group.serial - 100 for group in groups) == serials
    for group in groups:
        before = 0
        while group.serial - 100 - before - 1 in missing:
            before += 1
        assert group.lost_before == before
    assert all(group.lost_before == 0 for group in run(records))


def test_an_event_after_a_gap_waits_for_the_answer() -> None:
    """It comes when the gap is filled, or when two seconds have passed in the trail: lost."""
    coalescer = Coalescer(finds_losses=True)
    assert [group.serial for group in coalescer.feed(event(1))] == [1]
    assert coalescer.feed(event(3)) == []
    assert [group.serial for group in coalescer.feed(event(2))] == [2, 3]
    assert coalescer.feed(event(6)) == []
    assert [group.serial for group in coalescer.feed(event(7, T + 2))] == [7]
    late = coalescer.feed(event(8, T + 2.001))
    assert [(group.serial, group.lost_before) for group in late] == [(6, 2), (8, 0)]
    assert coalescer.feed(event(10, T + 3)) == []
    assert [(group.serial, group.lost_before) for group in coalescer.expire()] == [(10, 1)]


def test_a_boot_begins_numbers_anew() -> None:
    """Serials that begin again after a pause are a boot, no loss; losses are found after it."""
    before = [one for serial in range(5000, 5003) for one in event(serial)]
    for later_s in (30, -100_000):
        after = [one for serial in (*range(2, 90), 91) for one in event(serial, T + later_s)]
        groups = run(before + after, finds_losses=True)
        lost = {group.serial: group.lost_before for group in groups if group.lost_before}
        assert lost == {91: 1}
        assert len(groups) == 3 + 89


def test_the_daemon_counts_by_itself() -> None:
    """DAEMON records have serials of their own, which say nothing about losses."""
    records = [
        *event(10),
        record("DAEMON_START", 5406),
        *event(11),
        record("DAEMON_END", 77),
        *event(12),
    ]
    groups = run(records, finds_losses=True)
    assert [(group.serial, group.lost_before) for group in groups] == [
        (10, 0),
        (5406, 0),
        (11, 0),
        (77, 0),
        (12, 0),
    ]


@pytest.mark.parametrize(
    "kind", ["USER_AUTH", "USER", "DAEMON_END", "ANOM_LOGIN_FAILURES", "VIRT_CONTROL", "KERNEL"]
)
def test_records_that_stand_alone(kind: str) -> None:
    """Messages from user space and the daemon are events at once."""
    groups = Coalescer().feed([record(kind, 5)])
    assert [(group.serial, group.is_whole) for group in groups] == [(5, True)]


def test_time_ends_events() -> None:
    """An event without an end ends when two seconds of the trail have passed since it began."""
    coalescer = Coalescer()
    long_ago = record("SYSCALL", 4, T - 3600)
    assert coalescer.feed([record("SECCOMP", 5), long_ago, record("AVC", 6, T + 2)]) == []
    ended = coalescer.feed([record("SYSCALL", 7, T + 2.001)])
    assert [(group.serial, group.is_whole) for group in ended] == [(5, False), (4, False)]
    ended = coalescer.feed([record("PROCTITLE", 7, T + 2.001)])
    assert [(group.serial, len(group.records)) for group in ended] == [(7, 2)]
    assert [group.serial for group in coalescer.finish()] == [6]


def test_hosts_have_clocks_of_their_own() -> None:
    """Hosts in one log, hours apart, with the same serials, disturb each other in nothing."""
    for gap_s in (0, 7200):
        one, other = event(1, T, "one"), event(1, T + gap_s, "other")
        mixed = [part for pair in zip(one, other, strict=True) for part in pair]
        groups = run(mixed, finds_losses=True)
        assert [(group.node, group.serial, len(group.records)) for group in groups] == [
            ("one", 1, 3),
            ("other", 1, 3),
        ]


def test_open_events_are_bounded() -> None:
    """Beyond the limit the oldest event ends, not whole; its late records come by themselves."""
    records = [record("SYSCALL", serial) for serial in range(1, 12)]
    coalescer = Coalescer(max_open=10)
    ended = coalescer.feed(records)
    assert [(group.serial, group.is_whole) for group in ended] == [(1, False)]
    ended = coalescer.feed([record("PATH", 1), record("PROCTITLE", 5)])
    assert [group.serial for group in ended] == [2, 5]
    assert [group.serial for group in coalescer.finish()] == [3, 4, 6, 7, 8, 9, 10, 11, 1]


def test_hosts_are_bounded() -> None:
    """So are the hosts that are followed: the one seen first is given up, with its open events."""
    records = [record("SYSCALL", 1, T, f"host{number}") for number in range(1025)]
    assert [group.node for group in Coalescer().feed(records)] == ["host0"]


def test_eoe_ends_what_is_open_only() -> None:
    """EOE ends an event without PROCTITLE; after one, or for an unknown event, it is nothing."""
    coalescer = Coalescer()
    groups = coalescer.feed([record("SYSCALL", 1), record("EOE", 1), record("EOE", 1)])
    assert [(group.serial, len(group.records)) for group in groups] == [(1, 1)]
    assert coalescer.feed([record("EOE", 9)]) == coalescer.finish() == []
