"""Trails: events to chained lines and back."""

from __future__ import annotations

import itertools

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from steno.audit.event import Event, Process, Thing, Who
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
from steno.model import Damage, digest_of_line, is_trail
from steno.structs import decode_json

BOOT_ID = "0123456789abcdef0123456789abcdef"
HEAD = TrailHead(
    id=make_trail_id(BOOT_ID, "a1"),
    host="web1",
    boot_id=BOOT_ID,
    started_unix_us=1_760_000_000_000_000,
    steno="steno 0.1.0",
    level="session",
)
EVENT = Event(
    serial=12,
    at_unix_us=1_760_000_000_123_000,
    action="ran",
    result="success",
    audit_session=4,
    who=Who(login_uid=1501, login_user="avery"),
    process=Process(pid=77, program="/usr/bin/cat", arguments=["cat", "na\u00efve\n"]),
    objects=[Thing("file", "/etc/shadow", role="target")],
    text="avery ran cat",
    records=msgspec.Raw(b'[{"type":"EXECVE","fields":{"a0":{"raw":"\\"cat\\""}}}]'),
)
ITEMS: list[TrailItem] = [
    HEAD,
    EVENT,
    Lost(1_760_000_000_200_000, 3, "gap", 13, 15),
    TrailEnd(1_760_000_001_000_000, "stopped"),
]


def encode(items: list[TrailItem]) -> bytes:
    """Return the trail that holds `items`."""
    encoder = TrailEncoder()
    return b"".join(map(encoder.encode, items))


def items_of(found: list[Placed | Damage]) -> list[TrailItem]:
    """Return what was read, which must be without damage."""
    assert not [item for item in found if isinstance(item, Damage)]
    return [placed.item for placed in found if isinstance(placed, Placed)]


def test_what_is_read_is_what_was_written() -> None:
    """All that a trail says comes back, an event with its head's host and boot id."""
    decoder = TrailDecoder()
    items = items_of(decoder.feed(encode(ITEMS)))
    assert items[0] == HEAD
    assert items[1] == msgspec.structs.replace(EVENT, host="web1", boot_id=BOOT_ID)
    assert items[2:] == ITEMS[2:]
    assert decoder.head == HEAD
    assert decoder.finish() == []


def test_each_line_names_the_one_before() -> None:
    """A trail is a chain: `prev` is the digest of the line before, null in the first."""
    lines = encode(ITEMS).splitlines(keepends=True)
    previous = [decode_json(line, dict[str, object])["prev"] for line in lines]
    assert previous == [None, *map(digest_of_line, lines[:-1])]


def test_writing_goes_on_behind_a_known_line() -> None:
    """An encoder that is told the last line's digest makes the lines that another would have."""
    whole = encode(ITEMS)
    first = TrailEncoder()
    begun = first.encode(ITEMS[0]) + first.encode(ITEMS[1])
    second = TrailEncoder(first.head)
    assert begun + second.encode(ITEMS[2]) + second.encode(ITEMS[3]) == whole


@given(st.lists(st.integers(0, 2000), max_size=8))
def test_any_cut_reads_the_same(cuts: list[int]) -> None:
    """However a trail's bytes are cut, the same items come, at the same places."""
    data = encode(ITEMS)
    whole = TrailDecoder().feed(data)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    decoder = TrailDecoder()
    found = [
        item for begin, end in itertools.pairwise(edges) for item in decoder.feed(data[begin:end])
    ]
    assert found == whole
    assert decoder.offset_bytes == len(data)


@given(st.binary(max_size=200))
def test_damage_costs_no_other_line(garbage: bytes) -> None:
    """A line that is no trail's is told as damage, and all others are read."""
    lines = encode(ITEMS).splitlines(keepends=True)
    bad = garbage.replace(b"\n", b"?") + b"\n"
    decoder = TrailDecoder()
    found = decoder.feed(lines[0] + bad + b"".join(lines[1:]))
    damages = [item for item in found if isinstance(item, Damage)]
    assert [(damage.line, damage.offset_bytes, damage.length_bytes) for damage in damages] == [
        (2, len(lines[0]), len(bad))
    ]
    assert len(found) == len(lines) + 1


def test_a_torn_last_line_is_damage() -> None:
    """What has no newline at the end is told when no more comes, not before."""
    data = encode(ITEMS)
    decoder = TrailDecoder()
    assert len(decoder.feed(data[:-5])) == 3
    [damage] = decoder.finish()
    assert isinstance(damage, Damage)
    assert "torn" in damage.reason


def test_trails_are_known_by_their_ids() -> None:
    """A trail's id says that it is one; ids that recorders make do not."""
    assert is_trail(HEAD.id)
    assert not is_trail("0123456789abcdef0123456789abcdef-1f2-3a")
