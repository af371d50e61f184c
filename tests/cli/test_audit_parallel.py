"""Audit logs converted by several processes: the same output as by one."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from processes import wait_for_end

from steno.audit.coalescing import Coalescer, RecordGroup
from steno.audit.records import LineReader
from steno.cli import audit_parallel
from steno.cli.audit_converting import Conversion, Wanted
from steno.cli.audit_parallel import ParallelConversion, count_workers
from steno.cli.audit_workers import Workers, pack_events
from steno.errors import StenoError

DATA = Path(__file__).parents[1] / "data" / "audit"
F1 = (DATA / "f1" / "audit-enriched.log").read_bytes()
F2 = (DATA / "f2" / "plugin-string-zoo.log").read_bytes()


def pieces_of(data: bytes, size: int) -> Iterator[bytes]:
    """Cut bytes."""
    for at in range(0, len(data), size):
        yield data[at : at + size]


def convert(conversion: Conversion | ParallelConversion, data: bytes, size: int) -> bytes:
    """Return the whole output."""
    try:
        output = b""
        for piece in pieces_of(data, size):
            output += b"".join(map(bytes, conversion.feed_pieces(piece)))
        return output + b"".join(map(bytes, conversion.finish_pieces()))
    finally:
        conversion.close()


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("size", [5_000, 1 << 20])
def test_the_output_is_the_same(workers: int, size: int) -> None:
    """Byte for byte, for however many workers, also when all batches are not yet full."""
    lines = (F1 + F2).splitlines(keepends=True)
    del lines[500:520]  # events are missing
    data = b"".join(lines) + b"no record\n" + F1
    wanted = Wanted(finds_losses=True)
    alone, together = Conversion(wanted), ParallelConversion(wanted, workers)
    output = convert(alone, data, size)
    assert convert(together, data, size) == output
    one, other = alone.take_account(), together.take_account()
    assert (one.events, one.lost, one.damages) == (other.events, other.lost, other.damages)
    assert output.count(b"\n") == one.events > 900
    assert one.lost > 0


def test_interleaved_events_over_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events whose records lie far apart come out whole, whatever batch they began in."""
    monkeypatch.setattr(audit_parallel, "BATCH_BYTES", 3000)
    chance = random.Random(5)
    events: dict[bytes, list[bytes]] = {}
    for line in F2.splitlines(keepends=True):
        events.setdefault(line.split(b"):")[0].rpartition(b"(")[2], []).append(line)
    waiting, pending, mixed = list(events.values()), [], []
    while waiting or pending:
        if waiting and len(pending) < 9:
            pending.append(list(waiting.pop(0)))
        taken = chance.choice(pending)
        mixed.append(taken.pop(0))
        pending = [rest for rest in pending if rest]
    data = b"".join(mixed)
    wanted = Wanted(finds_losses=True)
    expected = convert(Conversion(wanted), data, 1 << 20)
    assert convert(ParallelConversion(wanted, 2), data, 1 << 20) == expected


LINES = [*(F2 + F1[:60_000]).splitlines(keepends=True), b"----\n", b"\n", b"no record\n"]


@given(
    st.lists(
        st.tuples(
            st.integers(0, len(LINES)),
            st.integers(1, 60),
            st.sampled_from(["as is", "as is", "swap", "drop", "twice", "node", "cut"]),
        ),
        max_size=8,
    ),
    st.booleans(),
    st.sampled_from([700, 20_000, 1 << 20]),
)
@settings(max_examples=25)
def test_whatever_the_log_is_like(
    stretches: list[tuple[int, int, str]], finds_losses: bool, size: int
) -> None:
    """Lines out of order, missing, repeated, damaged, of several hosts: the output is the same."""
    data = b"".join(b"".join(alter(LINES[at : at + count], how)) for at, count, how in stretches)
    wanted = Wanted(finds_losses=finds_losses, with_names=False)
    alone, together = Conversion(wanted), ParallelConversion(wanted, 1)
    assert convert(together, data, size) == convert(alone, data, size)
    one, other = alone.take_account(), together.take_account()
    assert (one.events, one.lost, one.damages) == (other.events, other.lost, other.damages)


def alter(lines: list[bytes], how: str) -> list[bytes]:
    """Do something to lines that happens to logs."""
    if how == "swap":
        return [line for pair in zip(lines[1::2], lines[::2], strict=False) for line in pair]
    if how == "drop":
        return lines[::3]
    if how == "twice":
        return [line for line in lines for _ in range(2)]
    if how == "node":
        return [b"node=web1 " + line for line in lines]
    return [b"".join(lines)[:-20]] if how == "cut" else lines


@given(st.lists(st.integers(0, 400_000), max_size=30))
@settings(max_examples=5)
def test_results_of_any_size_keep_their_order(sizes: list[int]) -> None:
    """Neither large batches nor large results block anything or change places."""
    record = b"type=USER msg=audit(1.234:%d): a=%s\n"
    groups = [
        Coalescer().feed(LineReader().feed(record % (number, b"x" * size)))
        for number, size in enumerate(sizes)
    ]

    def copy(groups: list[RecordGroup]) -> bytes:
        return b"".join(record.line for group in groups for record in group.records) * 12

    with Workers(2, lambda: copy) as workers:
        results = [
            bytes(data) for batch in groups for data in workers.convert([pack_events(batch)])
        ]
        results += map(bytes, workers.finish())
    assert results == [copy(batch) for batch in groups]


def test_a_worker_that_dies_is_an_error() -> None:
    """Nothing is passed over in silence when a worker is killed."""
    groups = Coalescer().feed(LineReader().feed(F1))

    def die(groups: list[RecordGroup]) -> bytes:
        os.kill(os.getpid(), signal.SIGKILL)
        return b""

    with Workers(2, lambda: die) as workers:
        assert list(workers.convert([pack_events(groups)])) == []
        with pytest.raises(StenoError, match="has ended"):
            list(workers.finish())


def test_workers_are_for_large_files_only(tmp_path: Path) -> None:
    """Small files, pipes and formats whose documents hang together are converted by one process."""
    large, small = tmp_path / "large", tmp_path / "small"
    large.touch()
    os.truncate(large, 9_000_000)
    small.write_bytes(F1)
    os.mkfifo(pipe := tmp_path / "pipe")
    processors = len(os.sched_getaffinity(0))
    expected = processors if processors > 1 else 0
    assert count_workers(Wanted(), [large]) == count_workers(Wanted(), [small, large]) == expected
    for paths in ([small], [large, None], [large, pipe], [tmp_path / "absent"]):
        assert count_workers(Wanted(), paths) == 0
    assert count_workers(Wanted(format="aushape"), [large]) == 0


def large_log(tmp_path: Path) -> Path:
    """Return a log that is worth several processes."""
    path = tmp_path / "audit.log"
    path.write_bytes(F1 * (9_000_000 // len(F1) + 1))
    return path


def children_of(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one processor: no workers")
@pytest.mark.parametrize("end", ["kill", "close"])
def test_workers_end_with_their_parent(end: str, tmp_path: Path) -> None:
    """Nothing is left of a conversion that is killed, or whose reader has gone."""
    steno = Path(sys.executable).with_name("steno")
    command = [str(steno), "audit", "convert", str(large_log(tmp_path))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert len(process.stdout.read(100)) == 100
        workers = children_of(process.pid)
        assert len(workers) >= 2
        if end == "kill":
            process.kill()
        process.stdout.close()
        process.wait(60)
    for pid in workers:
        wait_for_end(pid)


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    """The exit code says that there is no room, whoever of the processes wrote."""
    steno = Path(sys.executable).with_name("steno")
    command = [str(steno), "audit", "convert", str(large_log(tmp_path))]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 10
    assert b"No space left" in done.stderr
