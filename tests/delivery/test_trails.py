"""Audit trails in the spool: written, gone on with after a crash, limited, ended."""

from __future__ import annotations

import itertools
import resource
import signal
from pathlib import Path

import pytest
from processes import open_files

from steno.audit.event import Event
from steno.audit.trail import (
    Lost,
    Placed,
    TrailDecoder,
    TrailEncoder,
    TrailEnd,
    TrailHead,
    TrailItem,
    make_trail_id,
)
from steno.delivery.condition import SpoolCondition
from steno.delivery.recovery import recover
from steno.delivery.spool import Spool
from steno.delivery.spool_limits import SpoolLimits
from steno.delivery.trail_recovery import read_boot_id
from steno.delivery.trails import TrailOrigin, TrailWriter
from steno.errors import NoSpaceError, StoreError
from steno.integrity.chain import verify_stream

OLD_BOOT = "0" * 32


def make_event(serial: int) -> Event:
    """Return some event."""
    return Event(serial, 1_760_000_000_000_000 + serial * 1000, "ran", text="x" * 200)


def make_origin(boot_id: str | None = None) -> TrailOrigin:
    """Return this host's origin, of this boot or another."""
    return TrailOrigin("web1", boot_id or read_boot_id(), "steno test", "session")


def read_trails(spool: Spool) -> dict[str, list[TrailItem]]:
    """Return what the spool's trails say, in the order in which they were begun; all verify."""
    found: dict[str, list[TrailItem]] = {}
    for entry in spool.entries():
        reader = spool.open(entry.rec)
        data = reader.read(0, entry.size_bytes)
        reader.close()
        placed = TrailDecoder().feed(data)
        assert all(isinstance(item, Placed) for item in placed)
        found[entry.rec] = [item.item for item in placed if isinstance(item, Placed)]
        state = verify_stream([data]).state
        assert state == ("complete" if entry.is_finished else "so_far")
    return dict(sorted(found.items(), key=lambda one: head_of(one[1]).started_unix_us))


def head_of(items: list[TrailItem]) -> TrailHead:
    """Return a trail's head."""
    assert isinstance(items[0], TrailHead)
    return items[0]


def serials(items: list[TrailItem]) -> list[int]:
    """Return the serial numbers of the events in a trail."""
    return [item.serial for item in items if isinstance(item, Event)]


def test_a_trail_is_written_ended_and_followed(tmp_path: Path) -> None:
    """A trail holds what was appended; the next one names it and the digest of its last line."""
    spool = Spool(tmp_path / "spool")
    for first in (1, 10):
        writer = TrailWriter(spool, make_origin())
        writer.append([make_event(first), make_event(first + 1)])
        writer.append([Lost(5, 3, "gap", 7, 9)])
        writer.end("stopped")
    trails = read_trails(spool)
    one, two = trails.values()
    assert serials(one) == [1, 2]
    assert serials(two) == [10, 11]
    assert isinstance(one[-1], TrailEnd)
    assert one[-1].why == "stopped"
    assert head_of(one).follows is None
    assert head_of(two).follows == next(iter(trails))
    data = (tmp_path / "spool" / f"{head_of(one).id}.done").read_bytes()
    assert head_of(two).follows_head == verify_stream([data]).head


def test_nothing_is_begun_for_nothing(tmp_path: Path) -> None:
    """A writer that has nothing to say leaves no trail."""
    spool = Spool(tmp_path / "spool")
    writer = TrailWriter(spool, make_origin())
    writer.append([])
    writer.end("stopped")
    assert spool.entries() == []


@pytest.mark.parametrize("torn", [b"", b'{"prev":"12', b"no line\nnone either\n"])
def test_a_crash_is_gone_on_from(tmp_path: Path, torn: bytes) -> None:
    """Who writes next goes on in the trail that a crash left, behind its last good line."""
    spool = Spool(tmp_path / "spool")
    writer = TrailWriter(spool, make_origin())
    writer.append([make_event(1), make_event(2)])
    writer.close()
    assert writer.trail is not None
    with spool.path(writer.trail, ".open").open("ab") as file:
        file.write(torn)
    assert recover(spool) == []
    again = TrailWriter(spool, make_origin())
    assert again.trail == writer.trail
    assert again.resumed is not None
    assert (again.resumed.last_serial, again.resumed.cut_bytes) == (2, len(torn))
    again.append([make_event(3)])
    again.end("stopped")
    [items] = read_trails(spool).values()
    assert serials(items) == [1, 2, 3]


def test_what_an_earlier_boot_left_is_ended_and_followed(tmp_path: Path) -> None:
    """Recovery ends a trail of an earlier boot; this boot's follows it, with its digest."""
    spool = Spool(tmp_path / "spool")
    writer = TrailWriter(spool, make_origin(OLD_BOOT))
    writer.append([make_event(1)])
    writer.close()
    assert writer.trail is not None
    with spool.path(writer.trail, ".open").open("ab") as file:
        file.write(b"half a li")
    [recovery] = recover(spool)
    assert (recovery.rec, recovery.cut_bytes) == (writer.trail, 9)
    spool.complete(writer.trail)  # delivered, and so gone
    again = TrailWriter(spool, make_origin())
    again.append([make_event(1)])
    again.end("stopped")
    [items] = read_trails(spool).values()
    assert head_of(items).follows == writer.trail
    assert head_of(items).follows_head is not None


def test_recovery_says_what_it_cut(tmp_path: Path) -> None:
    """The trail that recovery ends says that a line was torn, and that the boot is over."""
    spool = Spool(tmp_path / "spool")
    writer = TrailWriter(spool, make_origin(OLD_BOOT))
    writer.append([make_event(1)])
    writer.close()
    assert writer.trail is not None
    with spool.path(writer.trail, ".open").open("ab") as file:
        file.write(b"half a li")
    recover(spool)
    [items] = read_trails(spool).values()
    assert [item.why for item in items if isinstance(item, Lost | TrailEnd)] == ["torn", "boot"]


def test_a_trail_without_a_whole_line_is_set_aside(tmp_path: Path) -> None:
    """A trail of which not even the head is whole is kept aside, and cannot be gone on with."""
    spool = Spool(tmp_path / "spool")
    rec = make_trail_id(OLD_BOOT, "1")
    file = spool.begin(rec)
    file.close()
    spool.path(rec, ".open").write_bytes(b'{"prev":null,"tr')
    [recovery] = recover(spool)
    assert recovery.kept_as == spool.path(rec, ".torn")


def test_one_process_writes_the_hosts_trail(tmp_path: Path) -> None:
    """A second writer is refused while the first is there, and takes over when it is gone."""
    spool = Spool(tmp_path / "spool")
    writer = TrailWriter(spool, make_origin())
    with pytest.raises(StoreError, match="another process"):
        TrailWriter(spool, make_origin())
    writer.close()
    TrailWriter(spool, make_origin()).close()


def test_a_full_disk_at_the_start_is_tried_again(tmp_path: Path) -> None:
    """What keeps a writer from opening keeps no later one in its process from it."""
    spool = Spool(tmp_path / "spool")
    writer = TrailWriter(spool, make_origin())
    writer.append([make_event(1)])
    writer.close()
    spool.directory.joinpath(".trail").unlink()  # so that it has to be ended
    descriptors = open_files(tmp_path)
    size_bytes = spool.entries()[0].size_bytes
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, limits[1]))
    try:
        for _ in range(2):
            with pytest.raises(NoSpaceError):
                TrailWriter(spool, make_origin())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert open_files(tmp_path) == descriptors
    TrailWriter(spool, make_origin()).end("stopped")
    [items] = read_trails(spool).values()
    assert isinstance(items[-1], TrailEnd)
    assert items[-1].why == "gone"


def test_a_full_trail_is_followed_by_another(tmp_path: Path) -> None:
    """A trail that is large or old enough is ended, and the next one names it."""
    spool = Spool(tmp_path / "spool")
    now_us = 1_760_000_000_000_000

    def now() -> int:
        return now_us

    writer = TrailWriter(
        spool, make_origin(), trail_bytes=2000, trail_us=1_000_000, now_unix_us=now
    )
    for serial in range(20):
        now_us += 10_000
        writer.append([make_event(serial)])
    now_us += 2_000_000
    writer.append([make_event(20)])
    writer.end("stopped")
    trails = list(read_trails(spool).values())
    assert [serial for items in trails for serial in serials(items)] == list(range(21))
    ends = [items[-1] for items in trails]
    assert [end.why for end in ends if isinstance(end, TrailEnd)] == [
        *["full"] * (len(trails) - 1),
        "stopped",
    ]
    assert serials(trails[-1]) == [20]
    for one, two in itertools.pairwise(trails):
        assert head_of(two).follows == head_of(one).id


def test_trails_leave_room_for_recordings(tmp_path: Path) -> None:
    """Undelivered trails take their share of the spool; a batch is kept whole or not at all."""
    limits = SpoolLimits(total_bytes=8 << 20, trails_bytes=1 << 20, free_bytes=0)
    spool = Spool(tmp_path / "spool", limits)
    writer = TrailWriter(spool, make_origin())
    kept = 0

    def fill() -> None:
        nonlocal kept
        while True:
            writer.append([make_event(kept), make_event(kept + 1)])
            kept += 2

    with pytest.raises(NoSpaceError, match="audit trails"):
        fill()
    assert (1 << 20) * 9 // 10 < sum(entry.size_bytes for entry in spool.entries()) <= 1 << 20
    spool.begin("a-recording").close()
    writer.end("stopped")
    spool.path("a-recording", ".open").unlink()
    [items] = read_trails(spool).values()
    assert serials(items) == list(range(kept))


def test_heartbeats_name_no_trail_as_a_recording(tmp_path: Path) -> None:
    """What hosts tell of their spool counts a trail's bytes, and lists it as no open recording."""
    spool = Spool(tmp_path / "spool")
    writer = TrailWriter(spool, make_origin())
    writer.append([make_event(1)])
    facts = SpoolCondition(spool).look()
    assert (facts.open, facts.undelivered, facts.waiting_numbers) == ((), 0, ())
    assert facts.undelivered_bytes == spool.entries()[0].size_bytes
    assert facts.oldest_undelivered_unix_us == make_event(1).at_unix_us
    writer.close()


def test_the_encoder_is_the_writers(tmp_path: Path) -> None:
    """What lies in the spool is byte for byte what the trail's encoder makes."""
    spool = Spool(tmp_path / "spool")
    writer = TrailWriter(spool, make_origin(), now_unix_us=lambda: 7)
    writer.append([make_event(1)])
    writer.end("stopped")
    [entry] = spool.entries()
    head = TrailHead(entry.rec, "web1", read_boot_id(), 7, "steno test", "session")
    encoder = TrailEncoder()
    lines = [encoder.encode(item) for item in (head, make_event(1), TrailEnd(7, "stopped"))]
    assert spool.path(entry.rec, ".done").read_bytes() == b"".join(lines)


@pytest.mark.parametrize(
    ("ends", "expected"),
    [([1, 2, 3], 3), ([1, 3, 2], 3), ([1, 2, 4], 2), ([5], 5), ([1, 30, 31, 33, 32, 35], 18)],
)
def test_what_was_on_its_way_at_a_crash_counts_as_missing(
    tmp_path: Path, ends: list[int], expected: int
) -> None:
    """Events stand in the order of their ends: one that is missing before the last is not told."""
    spool = Spool(tmp_path / "spool")
    writer = TrailWriter(spool, make_origin())
    writer.append([make_event(serial) for serial in ends])
    writer.close()
    again = TrailWriter(spool, make_origin())
    assert again.resumed is not None
    assert again.resumed.last_serial == expected
    again.close()
