"""What a heartbeat says of a spool."""

from __future__ import annotations

from pathlib import Path

from steno.delivery.condition import SpoolCondition
from steno.delivery.spool import Spool
from steno.formats.cutter import Cutter, Identity
from steno.heartbeat import SpoolFacts
from steno.model import End, Output, Start

START_US = 1_760_000_000_000_000


def lines_of(rec: str, number: int | None, *seconds: int) -> list[bytes]:
    """Return a recording's lines, one for each second in which something was shown."""
    start = Start("avery", "web1", START_US, "steno 0", number=number)
    cutter = Cutter(Identity("web1", rec, "avery", "xterm", 1, start))
    lines = []
    for second in seconds:
        lines += cutter.add(Output(second * 1_000_000, b"x" * 10))
        if (line := cutter.cut()) is not None:
            lines.append(line)
    return lines + cutter.end(End("exit", exit_status=0), 100_000_000)


def test_an_empty_spool_has_nothing_late(tmp_path: Path) -> None:
    """Only its limits are told; the number is what was counted beside it."""
    condition = SpoolCondition(Spool(tmp_path / "spool"))
    facts = condition.look()
    assert facts.free_bytes > 0
    assert facts == SpoolFacts(
        limit_bytes=1 << 30, free_bytes=facts.free_bytes, least_free_bytes=64 << 20
    )
    (tmp_path / "number").write_text("00000000000000000017\n")
    assert condition.look().number == 17
    (tmp_path / "number").write_bytes(b"\xff nonsense")
    assert condition.look().number is None


def test_what_waits_is_counted_from_its_messages_own_times(tmp_path: Path) -> None:
    """Undelivered bytes, since when the oldest wait, what is open, and what no server knows of."""
    spool = Spool(tmp_path / "spool")
    first, second = lines_of("r1", 5, 0, 10, 20), lines_of("r2", 6, 30)
    file = spool.begin("r1")
    for line in first[:3]:
        file.append(line)
    ended = spool.begin("r2")
    for line in second:
        ended.append(line)
    ended.finish()
    condition = SpoolCondition(spool)
    facts = condition.look()
    assert facts.undelivered_bytes == sum(map(len, first[:3] + second))
    assert (facts.undelivered, facts.open, facts.waiting_numbers) == (2, ("r1",), (5, 6))
    assert facts.oldest_undelivered_unix_us == START_US
    assert facts.used_bytes >= facts.undelivered_bytes
    spool.acknowledge("r1", len(first[0]))
    spool.acknowledge("r2", sum(map(len, second)))
    facts = condition.look()
    assert (facts.undelivered, facts.waiting_numbers) == (1, ())
    assert facts.oldest_undelivered_unix_us == START_US + 10_000_000
    spool.acknowledge("r1", sum(map(len, first[:3])))
    facts = condition.look()
    assert (facts.undelivered_bytes, facts.oldest_undelivered_unix_us) == (0, None)
    assert facts.open == ("r1",)
    file.close()


def test_damaged_recordings_are_counted_all_the_same(tmp_path: Path) -> None:
    """What cannot be read has no number, and waits since its file changed."""
    spool = Spool(tmp_path / "spool")
    spool.path("r1", ".done").write_bytes(b"\x00garbage without end")
    spool.path("r2", ".done").write_bytes(b'{"rec":"r2"}\n')
    spool.path("r3", ".open").touch()
    facts = SpoolCondition(spool).look()
    assert (facts.undelivered, facts.waiting_numbers, facts.open) == (2, (), ("r3",))
    assert facts.oldest_undelivered_unix_us is not None


def test_spools_are_told_apart(tmp_path: Path) -> None:
    """The same directory has the same source, another one another; neither is named in it."""
    one, same, other = (SpoolCondition(Spool(tmp_path / name)) for name in ("a", "a", "b"))
    assert one.source == same.source != other.source
    assert "a" * 3 not in one.source
