"""Audit records out of the journal: both of journalctl's forms, as real journals have them."""

from __future__ import annotations

import itertools
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.audit.journaling import JournalExportReader, JournalJsonReader
from steno.audit.reading import EventReader
from steno.audit.record_types import name_of, number_of
from steno.audit.records import LineReader, Record
from steno.audit.sources import GuessingReader, RecordReader

DATA = Path(__file__).parents[1] / "data" / "audit"
REMOTE = shutil.which("systemd-journal-remote", path="/lib/systemd:/usr/lib/systemd")


def records_of(log: str) -> list[Record]:
    """Return a real log's records without auditd's part, which journald does not have, and EOE."""
    reader = LineReader()
    lines = (DATA / log).read_bytes().splitlines()
    data = b"".join(line.partition(b"\x1d")[0] + b"\n" for line in lines)
    return [record for record in reader.feed(data) if record.type != "EOE"]


def field(name: bytes, value: bytes) -> bytes:
    """Return a field in the export format."""
    if b"\n" not in value and value.isascii():
        return name + b"=" + value + b"\n"
    return name + b"\n" + len(value).to_bytes(8, "little") + value + b"\n"


def entry_of(record: Record, number: int) -> bytes:
    """Return a record as journald keeps it."""
    kind = number_of(record.type)
    name = record.type.encode() if not record.type.startswith("UNKNOWN") else b"AUDIT%04d" % kind
    body = record.line.partition(b"): ")[2]
    at_us = b"%d" % record.at_unix_us
    fields = {
        b"__CURSOR": b"s=%032x;i=%x" % (number, number),
        b"__REALTIME_TIMESTAMP": at_us,
        b"__MONOTONIC_TIMESTAMP": b"%d" % (number * 1000 + 1),
        b"_BOOT_ID": b"0" * 31 + b"1",
        b"_TRANSPORT": b"audit",
        b"_HOSTNAME": b"web1",
        b"_AUDIT_TYPE": b"%d" % (kind or 0),
        b"_AUDIT_TYPE_NAME": name,
        b"_AUDIT_ID": b"%d" % record.serial,
        b"_SOURCE_REALTIME_TIMESTAMP": at_us,
        b"SYSLOG_IDENTIFIER": b"audit",
        b"MESSAGE": name + b" " + body,
    }
    return b"".join(field(*item) for item in fields.items()) + b"\n"


OTHER = b"__CURSOR=s=1\n__REALTIME_TIMESTAMP=1\n_TRANSPORT=syslog\nMESSAGE=type=X\n\n"


def read(reader: RecordReader, pieces: list[bytes]) -> object:
    """Return what records stand where in the pieces together, and what is none."""
    records = [record for piece in pieces for record in reader.feed(piece)] + reader.finish()
    return [(one.offset_bytes, one.line) for one in records], reader.take_damage()


def check(records: list[Record], originals: list[Record]) -> None:
    """Hold what was read to what it was made of."""
    expected = [
        b"node=web1 type=%s msg=audit(%s): %s"
        % (
            name_of(number_of(one.type) or 0).encode(),
            one.line.partition(b"audit(")[2].partition(b")")[0],
            body,
        )
        for one in originals
        for body in [one.line.partition(b"): ")[2].lstrip(b" ")]
    ]
    assert [record.line for record in records] == expected


@pytest.mark.parametrize(
    "log",
    ["f1/audit-enriched.log", "f2/audit-enriched-zoo.log", "f5/audit-immutable-kernel6.1.log"],
)
def test_export_format(log: str) -> None:
    """Records of a real log come back from their entries, others are passed over."""
    originals = records_of(log)
    data = OTHER.join(entry_of(record, n) for n, record in enumerate(originals))
    reader = GuessingReader()
    check(reader.feed(data) + reader.finish(), originals)
    assert reader.take_damage() == []


@pytest.mark.real
@pytest.mark.skipif(REMOTE is None, reason="systemd-journal-remote is not installed")
@pytest.mark.parametrize("form", ["export", "json"])
def test_what_journalctl_writes(form: str, tmp_path: Path) -> None:
    """From a journal file that systemd made, journalctl's output gives the same records."""
    originals = records_of("f2/audit-enriched-zoo.log")
    stream = b"".join(entry_of(record, n) for n, record in enumerate(originals, 1))
    journal = tmp_path / "audit.journal"
    subprocess.run(
        [str(REMOTE), "--output", str(journal), "-"], input=stream, check=True, capture_output=True
    )
    done = subprocess.run(
        ["journalctl", "--file", str(journal), "--all", "-o", form], capture_output=True, check=True
    )
    reader = GuessingReader()
    records = reader.feed(done.stdout) + reader.finish()
    assert reader.take_damage() == []
    check(records, originals)


def test_events_out_of_the_journal() -> None:
    """Events come out as from a log, with the entry's host."""
    originals = records_of("f2/audit-enriched-zoo.log")
    reader = EventReader()
    data = b"".join(entry_of(record, n) for n, record in enumerate(originals))
    events = reader.feed(data) + reader.finish()
    assert len(events) == 146
    assert {event.host for event in events} == {"web1"}


@given(st.lists(st.integers(0, 20_000), max_size=8), st.sampled_from(["export", "json"]))
def test_any_cut(cuts: list[int], form: str) -> None:
    """However the bytes are cut, the records, their places and the damage are the same."""
    originals = records_of("f2/audit-enriched-zoo.log")[:20]
    data = OTHER + b"".join(entry_of(record, n) for n, record in enumerate(originals))
    data += field(b"MESSAGE", b"two\nlines\n\n") + b"_TRANSPORT=audit\n\n" + b"_TRANSPORT=aud"
    if form == "json":
        line = b'{"__CURSOR":"s","_TRANSPORT":"audit","_AUDIT_ID":"%d","_AUDIT_TYPE":"1300",'
        line += b'"_SOURCE_REALTIME_TIMESTAMP":"1234000","MESSAGE":[97,61,255]}\n'
        data = b"".join(line % number for number in range(9)) + b'x\n{"a":1}\n{"__CURSOR":"s"}\n'
        data += b'{"_TRANSPORT":"audit"}'
    make = JournalJsonReader if form == "json" else JournalExportReader
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[a:b] for a, b in itertools.pairwise(places)]
    assert read(make(), pieces) == read(make(), [data])


def test_damage_keeps_entries_whole() -> None:
    """An audit entry without what makes a record is damage, with all its bytes."""
    bad = b"__CURSOR=s=1\n_TRANSPORT=audit\n" + field(b"MESSAGE", b"a\nb") + b"\n"
    good = entry_of(Record(b"type=USER msg=audit(1.234:5): a=b"), 1)
    reader = JournalExportReader()
    assert len(reader.feed(good + bad + good + b"MESSAGE\n\x05\0\0") + reader.finish()) == 2
    damage = reader.take_damage()
    assert [(one.offset_bytes, one.line) for one in damage] == [
        (len(good), bad[:-1]),
        (2 * len(good) + len(bad), b"MESSAGE\n\x05\0\0"),
    ]
    lines = JournalJsonReader()
    assert lines.feed(b'{"a":1}\n[]\n{"_TRANSPORT":"audit","MESSAGE":null}\n') == []
    assert [(one.offset_bytes, one.line) for one in lines.take_damage()] == [
        (0, b'{"a":1}'),
        (8, b"[]"),
        (11, b'{"_TRANSPORT":"audit","MESSAGE":null}'),
    ]


def test_large_values_are_passed_over() -> None:
    """A core dump in the journal is neither kept in memory nor taken for entries."""
    good = entry_of(Record(b"type=USER msg=audit(1.234:5): a=b"), 1)
    dump = b"COREDUMP\n" + (3_000_000).to_bytes(8, "little") + good * 3
    dump = dump.ljust(3_000_000 + 17, b"\n") + b"\n_TRANSPORT=syslog\n\n"
    data = good + dump + good
    reader = JournalExportReader()
    records = []
    for at in range(0, len(data), 50_000):
        records += reader.feed(data[at : at + 50_000])
        assert len(reader._rest) < 60_000
    assert [record.offset_bytes for record in records] == [0, len(good) + len(dump)]


READERS: list[type[RecordReader]] = [JournalExportReader, JournalJsonReader, GuessingReader]
PIECES = [
    b"_TRANSPORT=audit\n", b"\n", b"{", b'{"_TRANSPORT":"audit"}\n', b"MESSAGE\n", bytes(7), b"\1",
    OTHER, entry_of(Record(b"type=USER msg=audit(1.234:5): a=b"), 1),
]  # fmt: skip


@pytest.mark.parametrize("make", READERS)
@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=30)))
def test_any_bytes(make: type[RecordReader], pieces: list[bytes]) -> None:
    """Whatever comes, and however it is cut: the same records from the same places, and damage."""
    data = b"".join(pieces)
    whole = read(make(), [data])
    assert read(make(), pieces) == whole
    assert read(make(), [data[at : at + 1] for at in range(len(data))]) == whole
