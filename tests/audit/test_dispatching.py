"""auditd's binary protocol: both versions, with slots and without, however cut, also damaged."""

from __future__ import annotations

import itertools
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.audit.dispatching import BinaryReader
from steno.audit.records import DamagedLine, Record

DATA = Path(__file__).parents[1] / "data" / "audit" / "f2"
SLOTS = (DATA / "plugin-binary-v1-enriched-40slots.bin").read_bytes()
LINES = (DATA / "plugin-string-zoo.log").read_bytes().splitlines()[:60]


def packed(version: int, kind: int, data: bytes, slot: bytes | None = None) -> bytes:
    """Return a record as the dispatcher writes it; `slot`: what is in the rest of its slot."""
    piece = struct.pack("=4I", version, 16, kind, len(data)) + data
    return piece if slot is None else (piece + slot * 8986)[:8986]


def read(data: bytes, cuts: list[int] | None = None) -> tuple[list[Record], list[DamagedLine]]:
    """Return what is read of `data`, fed in pieces."""
    reader = BinaryReader()
    places = [0, *sorted(cuts or []), len(data)]
    records = [
        record
        for begin, end in itertools.pairwise(places)
        for record in reader.feed(data[begin:end])
    ]
    return records + reader.finish(), reader.take_damage()


def shown(result: tuple[list[Record], list[DamagedLine]]) -> object:
    """Return what can be compared."""
    return [(record.offset_bytes, record.line) for record in result[0]], result[1]


def test_real_slots() -> None:
    """Forty real slots, with remains of older records in them, are forty records, no damage."""
    records, damage = read(SLOTS)
    assert damage == []
    assert [record.offset_bytes for record in records] == [8986 * n for n in range(40)]
    assert [record.type for record in records[:4]] == [
        "DAEMON_START",
        "CONFIG_CHANGE",
        "SYSCALL",
        "PROCTITLE",
    ]
    for number, record in enumerate(records):
        assert SLOTS[8986 * number + 16 :].startswith(record.line)


@given(st.lists(st.integers(0, len(SLOTS)), max_size=12))
def test_real_slots_however_cut(cuts: list[int]) -> None:
    """Every cut gives the same records."""
    assert shown(read(SLOTS, cuts)) == shown(read(SLOTS))


@pytest.mark.parametrize("slot", [None, b"\0", b"msg=audit(1.234:5): type", b"\1\0\0\0\x10\0\0\0"])
@pytest.mark.parametrize("version", [0, 1])
def test_both_versions(version: int, slot: bytes | None) -> None:
    """Version 0 carries the kernel's message, version 1 auditd's line; slots may hold anything."""
    bodies = [line.partition(b" msg=")[2] if version == 0 else line for line in LINES]
    kinds = {b"SYSCALL": 1300, b"PATH": 1302, b"CWD": 1307, b"EXECVE": 1309}
    kinds |= {b"PROCTITLE": 1327, b"EOE": 1320, b"LOGIN": 1006, b"BPRM_FCAPS": 1321}
    kinds |= {b"SOCKADDR": 1306, b"MMAP": 1323, b"FD_PAIR": 1317, b"IPC": 1303}
    of_lines = [kinds[line.partition(b" ")[0][5:]] for line in LINES]
    data = b"".join(
        packed(version, kind, body, slot) for kind, body in zip(of_lines, bodies, strict=True)
    )
    for cuts in ([], list(range(0, len(data), 777)), list(range(3, len(data), 8986))):
        records, damage = read(data, cuts)
        assert [record.line for record in records] == LINES
        assert damage == []


def test_types_without_a_name() -> None:
    """What libaudit does not know is UNKNOWN with its number, as in auditd's logs."""
    (record,), _ = read(packed(0, 1999, b"audit(1.234:5): a=b\0\0"))
    assert (record.type, record.line) == (
        "UNKNOWN[1999]",
        b"type=UNKNOWN[1999] msg=audit(1.234:5): a=b",
    )


def test_damage_is_kept_and_passed() -> None:
    """What is no header is damage with its place; the next record is read."""
    good = packed(1, 1300, b"type=SYSCALL msg=audit(1.234:5): a=b")
    data = good + good + b"rubbish" + good + packed(1, 1300, b"no record") + good + good[:30]
    records, damage = read(data)
    assert len(records) == 4
    assert [(bad.offset_bytes, bad.line, bad.reason) for bad in damage] == [
        (2 * len(good), b"rubbish", "no header"),
        (3 * len(good) + 7, packed(1, 1300, b"no record"), "not an audit record"),
        (4 * len(good) + 32, good[:30], "no header"),
    ]


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.sampled_from(LINES).map(lambda line: packed(1, 1300, line)),
            st.sampled_from(LINES).map(lambda line: packed(1, 1300, line, b"\0")),
            st.sampled_from([struct.pack("=4I", 1, 16, 1300, 50), b"\x10\0\0\0"]),
        ),
        max_size=12,
    ),
    st.lists(st.integers(0, 60_000), max_size=6),
)
def test_any_bytes(pieces: list[bytes], cuts: list[int]) -> None:
    """Any mixture is read without a crash, each byte once: in a record, its slot or a damage."""
    data = b"".join(pieces)
    records, damage = read(data, [min(cut, len(data)) for cut in cuts])
    places = [(record.offset_bytes, 16 + len(record.line)) for record in records]
    places += [(bad.offset_bytes, len(bad.line)) for bad in damage]
    places.sort()
    for (begin, length), (after, _) in itertools.pairwise(places):
        assert begin + length <= after
    for bad in damage:
        assert data[bad.offset_bytes : bad.offset_bytes + len(bad.line)] == bad.line
    ends = [0, *(begin + length for begin, length in places)]
    starts = [*(begin for begin, _ in places), len(data)]
    for end, start in zip(ends, starts, strict=True):
        assert start - end <= 8970
