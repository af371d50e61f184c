"""Real audit logs cut, spliced, damaged and interleaved: no crash, and no byte lost in silence."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from steno.audit.coalescing import Coalescer, RecordGroup
from steno.audit.events import EventBuilder
from steno.audit.reading import EventReader
from steno.audit.records import DamagedLine, LineReader

DATA = Path(__file__).parents[1] / "data" / "audit"
LOGS = ("f1/audit-enriched.log", "f2/plugin-string-zoo.log", "f5/audit-immutable-kernel6.1.log")
LINES = [
    line
    for log in LOGS
    for line in (DATA / log).read_bytes().splitlines(keepends=True)
    if len(line) < 2000
]


@st.composite
def damaged_logs(draw: st.DrawFn) -> bytes:
    """Return stretches of real logs, interleaved, with bytes changed, left out and put in."""
    stretches: list[list[bytes]] = []
    for _ in range(draw(st.integers(1, 3))):
        begin = draw(st.integers(0, len(LINES) - 1))
        stretches.append(LINES[begin : begin + draw(st.integers(1, 12))])
    mixed: list[bytes] = []
    while any(stretches):
        stretch = draw(st.sampled_from([one for one in stretches if one]))
        mixed.append(stretch.pop(0))
    data = bytearray(b"".join(mixed))
    for _ in range(draw(st.integers(0, 5))):
        at = draw(st.integers(0, len(data)))
        gone = draw(st.sampled_from([0, 1, 1, 5, 300]))
        come = draw(
            st.sampled_from([b"", b"\0", b"\n", b"\xff", b"\x1d", b'"', b" msg=audit(", b"="])
        )
        data[at : at + gone] = come
    return bytes(data)


def read(data: bytes, size: int) -> tuple[list[RecordGroup], list[DamagedLine]]:
    """Return all events and damage of `data`, fed in pieces."""
    lines, coalescer = LineReader(), Coalescer(finds_losses=True)
    groups: list[RecordGroup] = []
    for at in range(0, len(data), size):
        groups += coalescer.feed(lines.feed(data[at : at + size]))
    groups += coalescer.feed(lines.finish()) + coalescer.finish()
    return groups, lines.take_damage()


@given(damaged_logs(), st.integers(1, 500))
@settings(max_examples=60)
def test_every_line_is_in_an_event_or_a_damage(data: bytes, size: int) -> None:
    """Each line comes back once, byte for byte, but for EOE, which says nothing, and blank ones."""
    groups, damage = read(data, size)
    found = Counter(record.line for group in groups for record in group.records)
    found += Counter(bad.line for bad in damage)
    said = Counter(line for line in data.split(b"\n") if line.strip())
    missing = said - found
    assert found - said == Counter()
    assert all(b"type=EOE" in line for line in missing)


@given(damaged_logs(), st.integers(1, 500))
@settings(max_examples=60)
def test_events_of_damaged_logs_are_json(data: bytes, size: int) -> None:
    """Whatever the log, its events are valid JSON, the same for every cut."""
    builder = EventBuilder(boot_id="0" * 32)
    lines = [msgspec.json.encode(builder.build(group)) for group in read(data, size)[0]]
    for line in lines:
        event = json.loads(line)
        assert [record["type"] for record in event["records"]]
    reader = EventReader(EventBuilder(boot_id="0" * 32), finds_losses=True)
    events = reader.feed(data) + reader.finish()
    if data[:1] != b"{" and data[4:8] != b"\x10\0\0\0":
        assert [msgspec.json.encode(event) for event in events] == lines
