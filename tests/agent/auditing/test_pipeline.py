"""From records to a trail: nothing is lost silently."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from steno.agent.auditing.intake import Dropped
from steno.agent.auditing.pipeline import Pipeline, WordSource
from steno.agent.auditing.wanted import Wanted
from steno.audit.coalescing import RecordGroup
from steno.audit.event import Event
from steno.audit.events import EventBuilder
from steno.audit.records import LineReader
from steno.audit.trail import Lost, Placed, TrailDecoder, TrailEnd, TrailHead, TrailItem
from steno.delivery.spool import Spool
from steno.delivery.spool_limits import SpoolLimits
from steno.delivery.trail_recovery import read_boot_id
from steno.delivery.trails import TrailOrigin, TrailWriter
from steno.errors import StoreError
from steno.integrity.chain import verify_stream
from steno.policy.decision import AuditWord
from steno.policy.rules import Contents, Policy

ZOO = Path(__file__).parents[2] / "data" / "audit" / "f2" / "plugin-string-zoo.log"
SECOND_NS = 1_000_000_000


class Nobody:
    """There is no agent: all is kept."""

    is_agent_there = False

    def level_of(self, session: int) -> AuditWord | None:
        """Nothing was decided."""
        return None


class ForgetfulBuilder(EventBuilder):
    """Cannot make one of the events."""

    def build(self, group: RecordGroup) -> Event:
        """Make an event, but for number 744."""
        if group.serial == 744:
            raise ValueError("not foreseen")
        return super().build(group)


class Bench:
    """A pipeline on a spool of its own, with a clock that is moved by hand."""

    def __init__(
        self,
        directory: Path,
        limits: SpoolLimits | None = None,
        builder: EventBuilder | None = None,
    ) -> None:
        self.spool = Spool(directory, limits)
        self.builder = builder or EventBuilder()
        self.now_ns = SECOND_NS
        self.open_writer: Callable[[], TrailWriter] = self._open
        self.pipeline = self.make()

    def make(
        self,
        marks: Pages | None = None,
        words: WordSource | None = None,
        after_serial: int | None = None,
    ) -> Pipeline:
        """Return another pipeline on the same spool, as after a restart."""
        wanted = Wanted(lambda: Policy(Contents()), Nobody(), lambda: 0)
        return Pipeline(
            LineReader,
            lambda: self.open_writer(),
            wanted,
            self.builder,
            marks=marks,
            words=words,
            after_serial=after_serial,
            clock_ns=lambda: self.now_ns,
            now_unix_us=lambda: 7,
        )

    def _open(self) -> TrailWriter:
        return TrailWriter(self.spool, TrailOrigin("web1", read_boot_id(), "steno test"))

    def turn(self, *taken: bytes | Dropped) -> None:
        """Give it something, and let a second pass."""
        self.pipeline.turn([*taken])
        self.now_ns += SECOND_NS
        self.pipeline.turn([])

    def items(self) -> list[TrailItem]:
        """Return what all trails of the spool say; they verify."""
        found: list[TrailItem] = []
        for entry in self.spool.entries():
            suffix = ".done" if entry.is_finished else ".open"
            data = self.spool.path(entry.rec, suffix).read_bytes()
            assert verify_stream([data]).state in ("complete", "so_far")
            placed = TrailDecoder().feed(data)
            found += [one.item for one in placed if isinstance(one, Placed)]
            assert len(placed) == len([one for one in placed if isinstance(one, Placed)])
        return found

    def serials(self) -> list[int]:
        """Return the serial numbers of all events."""
        return [item.serial for item in self.items() if isinstance(item, Event)]

    def lost(self) -> list[tuple[str, int, int | None, int | None]]:
        """Return what was lost: why, how many, from, to."""
        losses = [item for item in self.items() if isinstance(item, Lost)]
        return [(one.why, one.count, one.from_serial, one.to_serial) for one in losses]


def zoo_events() -> list[bytes]:
    """Return the zoo's events, each with all its lines."""
    found: dict[bytes, bytes] = {}
    for line in ZOO.read_bytes().splitlines(keepends=True):
        key = line.partition(b"msg=audit(")[2].partition(b")")[0]
        found[key] = found.get(key, b"") + line
    return [*found.values()]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A pipeline that nothing has come to yet."""
    return Bench(tmp_path / "spool")


@pytest.mark.parametrize("piece_bytes", [1, 977, 1 << 20])
def test_all_events_come_into_the_trail(bench: Bench, piece_bytes: int) -> None:
    """However the dispatcher's bytes are cut, each event is in the trail once."""
    data = ZOO.read_bytes()
    if piece_bytes == 1:
        data = b"".join(zoo_events()[:20])
    pieces = [data[at : at + piece_bytes] for at in range(0, len(data), piece_bytes)]
    for piece in pieces:
        bench.pipeline.turn([piece])
    bench.pipeline.finish("stopped")
    serials = sorted(bench.serials())  # they stand in the order of their ends
    assert serials == list(range(744, 744 + len(serials)))
    assert len(serials) == (20 if piece_bytes == 1 else 146)
    assert bench.lost() == []
    assert isinstance(bench.items()[0], TrailHead)
    assert isinstance(bench.items()[-1], TrailEnd)


def test_an_event_is_written_within_a_second(bench: Bench) -> None:
    """Also one whose end does not come, and though nothing else comes."""
    bench.turn(zoo_events()[0])
    assert bench.serials() == [744]
    torn = zoo_events()[1].splitlines(keepends=True)[0]
    assert b"SYSCALL" in torn
    bench.turn(torn)
    bench.turn()
    assert bench.serials() == [744, 745]


def test_unreadable_records_are_told(bench: Bench) -> None:
    """What is no record is counted in the trail."""
    bench.turn(b"rubbish\n" + zoo_events()[0] + b"more rubbish\n")
    assert bench.lost() == [("damaged", 2, None, None)]
    assert bench.serials() == [744]


def test_an_event_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """Should making one event fail, that event is counted, and the next one is kept."""
    bench = Bench(tmp_path / "spool", builder=ForgetfulBuilder())
    bench.turn(*zoo_events()[:2])
    assert bench.serials() == [745]
    assert bench.lost() == [("damaged", 1, 744, 744)]


def test_what_the_kernel_lost_is_told(bench: Bench) -> None:
    """The kernel's own losses are in the trail, though no event comes with them."""
    bench.pipeline.note_kernel_loss(17)
    bench.turn()
    bench.turn()
    assert bench.lost() == [("kernel", 17, None, None)]


def test_thrown_away_bytes_cost_no_more_than_their_events(bench: Bench) -> None:
    """Behind a gap in the bytes reading goes on with the next whole line: nothing is spliced."""
    events = zoo_events()
    whole = b"".join(events)
    # From the middle of one event's record to the middle of another's.
    first = whole.index(events[30]) + len(events[30]) // 2
    last = whole.index(events[60]) + 10
    dropped = Dropped(last - first, whole[first:last].count(b"\n"))
    bench.turn(whole[:first], dropped, whole[last:])
    bench.pipeline.finish("stopped")
    serials = bench.serials()
    assert len(serials) == len(set(serials))
    assert set(range(744, 774)) <= set(serials)
    assert set(range(744 + 62, 744 + 146)) <= set(serials)
    assert not set(serials) & set(range(744 + 31, 744 + 60))
    assert bench.pipeline.losses.totals.keys() <= {"behind"}


def test_a_full_spool_costs_only_what_has_no_room(tmp_path: Path) -> None:
    """Without room events are counted, with their numbers; with room again that is written."""
    limits = SpoolLimits(total_bytes=64 << 20, trails_bytes=1 << 20, free_bytes=0)
    bench = Bench(tmp_path / "spool", limits)
    events = zoo_events()
    filler = bench.spool.begin(f"trail-{'0' * 32}-1")
    filler.append(b"x" * ((1 << 20) - 2000) + b"\n")
    bench.turn(events[0])
    bench.turn(events[1])
    assert bench.pipeline.losses.totals["full"] >= 1
    filler.close()
    bench.spool.path(filler.rec, ".open").unlink()
    bench.spool.clock = lambda: 10**15  # time to count anew what trails take
    bench.turn()
    bench.turn(events[2])
    kept = bench.serials()
    [(why, count, first, last)] = bench.lost()
    assert (why, count + len(kept)) == ("full", 3)
    assert first is not None
    assert last is not None
    assert sorted([*range(first, last + 1), *kept]) == [744, 745, 746]


def test_a_spool_that_cannot_be_opened_is_tried_again(bench: Bench) -> None:
    """While the trail cannot be opened events are counted; then it goes on, and says so."""
    works = bench.open_writer

    def fail() -> TrailWriter:
        raise StoreError("another process writes this host's audit trail")

    bench.open_writer = fail
    bench.pipeline.start()
    bench.turn(zoo_events()[0])
    bench.open_writer = works
    bench.turn(zoo_events()[1])
    bench.turn()
    assert bench.serials() == [745]
    assert bench.lost() == [("unwritable", 1, 744, 744)]


def test_a_crash_is_told_by_the_next(bench: Bench) -> None:
    """Who goes on after a crash says between which events nobody listened."""
    events = zoo_events()
    bench.turn(*events[:10])
    bench.pipeline.close()
    bench.pipeline = bench.make()
    bench.pipeline.start()
    bench.turn(*events[15:20])
    bench.pipeline.finish("stopped")
    assert len(bench.spool.entries()) == 1
    assert bench.serials() == [*range(744, 754), *range(759, 764)]
    assert bench.lost() == [("away", 0, 754, 758)]


DAEMON = (
    b"type=DAEMON_START msg=audit(1795161000.123:%d): op=start ver=3.0.9 format=enriched auid=0"
    b" pid=812 uid=0 ses=1 res=success\n"
)
"""auditd's own events have numbers of their own."""


@pytest.mark.parametrize("own", [12, 9_999])
def test_what_happened_while_auditd_was_stopped_is_told(bench: Bench, own: int) -> None:
    """The trail of the next auditd says between which events nobody listened."""
    events = zoo_events()
    bench.turn(DAEMON % own, *events[:10])
    bench.pipeline.finish("stopped")
    for entry in bench.spool.entries():
        bench.spool.complete(entry.rec)  # delivered, and so gone
    bench.pipeline = bench.make()
    bench.pipeline.start()
    bench.turn(DAEMON % (own + 1))
    bench.turn(*events[15:20])
    bench.pipeline.finish("stopped")
    assert bench.serials() == [own + 1, *range(759, 764)]
    assert bench.lost() == [("away", 0, 754, 758)]


def test_auditds_own_numbers_tell_nothing_of_a_crash(bench: Bench) -> None:
    """What both auditd's and the plugin's crash missed is told by the kernel's numbers alone."""
    events = zoo_events()
    bench.turn(*events[:10], DAEMON % 9_999)
    bench.pipeline.close()
    bench.pipeline = bench.make()
    bench.pipeline.start()
    bench.turn(DAEMON % 20_000, *events[15:20])
    bench.pipeline.finish("stopped")
    assert bench.lost() == [("away", 0, 754, 758)]


def test_nothing_is_told_where_nothing_was_missed(bench: Bench) -> None:
    """A restart between two events that follow each other leaves no word about a loss."""
    events = zoo_events()
    bench.turn(*events[:10])
    bench.pipeline.close()
    bench.pipeline = bench.make()
    bench.pipeline.start()
    bench.turn(*events[10:20])
    bench.pipeline.finish("stopped")
    assert bench.serials() == list(range(744, 764))
    assert bench.lost() == []


class Pages:
    """Marks of a source that can be read again."""

    def __init__(self) -> None:
        self.taken = 0
        self.kept = 0

    def take(self, group: RecordGroup) -> bool:
        """Count an event."""
        self.taken += 1
        return True

    def written(self) -> None:
        """Count what is safe."""
        self.kept = self.taken


def test_what_can_be_read_again_is_not_given_up(tmp_path: Path) -> None:
    """Where nothing can be written it ends, and what it took counts as unread, not as lost."""
    bench, pages = Bench(tmp_path / "spool"), Pages()
    bench.pipeline = bench.make(pages)
    bench.turn(zoo_events()[0])
    assert (pages.taken, pages.kept) == (1, 1)
    works, bench.pipeline.writer = bench.pipeline.writer, None
    assert works is not None

    def fail() -> TrailWriter:
        raise StoreError("the disk failed")

    bench.open_writer = fail
    with pytest.raises(StoreError):
        bench.turn(zoo_events()[1])
    assert (pages.taken, pages.kept) == (2, 1)
    assert bench.pipeline.losses.totals == {}
    works.close()


def test_what_comes_just_after_a_mark_is_marked_soon(tmp_path: Path) -> None:
    """While somebody else writes the trail, what is passed over last is not read again either."""
    bench, pages = Bench(tmp_path / "spool"), Pages()
    bench.pipeline = bench.make(pages)
    bench.pipeline.stand_aside()
    events = zoo_events()
    bench.pipeline.turn([events[0]])
    bench.pipeline.turn([events[1]])
    bench.now_ns += SECOND_NS
    bench.pipeline.turn([])
    assert (pages.taken, pages.kept) == (2, 2)


def test_what_is_missing_across_a_restart_is_told(tmp_path: Path) -> None:
    """A source that is gone on with, and lacks what came in between, has lost it."""
    bench = Bench(tmp_path / "spool")
    events = zoo_events()
    bench.pipeline = bench.make(Pages(), after_serial=743)
    bench.turn(*events[:10])
    bench.pipeline.close()
    bench.pipeline = bench.make(Pages(), after_serial=753)
    bench.turn(*events[15:20])
    bench.turn()
    assert sorted(bench.serials()) == [*range(744, 754), *range(759, 764)]
    assert bench.lost() == [("gap", 5, 754, 758)]


def test_an_event_that_is_late_across_a_restart_is_no_loss(tmp_path: Path) -> None:
    """Events may come out of order: what came before is not taken to be missing."""
    bench = Bench(tmp_path / "spool")
    events = zoo_events()
    bench.pipeline = bench.make(Pages(), after_serial=746)
    bench.turn(events[1], *events[3:10])
    bench.turn()
    assert bench.serials() == [745, *range(747, 754)]
    assert bench.lost() == []


class Teller(Pages):
    """A source whose program told of one loss; notes what was safe when it was marked."""

    def __init__(self, bench: Bench) -> None:
        super().__init__()
        self.losses = [Lost(5, 0, "deaf")]
        self.safe: list[list[tuple[str, int, int | None, int | None]]] = []
        self._bench = bench

    def take_events(self) -> list[Event]:
        """Return none."""
        return []

    def take_losses(self) -> list[Lost]:
        """Return it once."""
        losses, self.losses = self.losses, []
        return losses

    def written(self) -> None:
        """Note what the trail says of losses by now."""
        self.safe.append(self._bench.lost())


def test_a_loss_is_in_the_trail_before_its_source_is_gone_on_with(tmp_path: Path) -> None:
    """What a program tells of a loss is read again, until it is written."""
    bench = Bench(tmp_path / "spool")
    teller = Teller(bench)
    bench.pipeline = bench.make(teller, teller)
    bench.turn(b"\n")
    bench.turn()
    assert teller.safe
    assert all(safe == [("deaf", 0, None, None)] for safe in teller.safe)
    assert bench.pipeline.losses.totals == {"deaf": 1}
