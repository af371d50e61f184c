"""What sentences say of records that the sample logs do not have, and of any others."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import pytest
from audit_logs import DATA, F1, F2, F5, read_events
from hypothesis import given
from hypothesis import strategies as st

from steno.audit.ecs import to_ecs
from steno.audit.event import Event
from steno.audit.events import EventBuilder
from steno.audit.reading import EventReader
from steno.audit.values.names import Names
from steno.audit.words.actions import WORDS
from steno.structs import decode_json

NAMES = Names({0: "root", 1501: "avery", 1502: "blake"}.get, {1501: "avery"}.get)
MORE = (DATA / "made" / "more-records.txt").read_text()


def read_examples() -> list[tuple[bytes, str]]:
    """Return records, and the sentence and the objects that they are said to make."""
    found = []
    for block in MORE.split("\n\n"):
        *records, expected = [line for line in block.splitlines() if not line.startswith("#")]
        found.append(("\n".join(records).replace("~", "\x1d").encode() + b"\n", expected))
    return found


@pytest.mark.parametrize(("records", "expected"), read_examples())
def test_more_records_are_told(records: bytes, expected: str) -> None:
    """Action, result, sentence and objects of an event of each sort that the logs lack."""
    [event] = read_events(records, NAMES)
    assert describe(event) == expected


def describe(event: Event) -> str:
    """Return what an example expects of an event, on one line."""
    things = ", ".join(f"{thing.role or thing.kind} {thing.name}" for thing in event.objects)
    return f"= {event.action} | {event.result} | {event.text} | {things}"


def lines_of(path: Path) -> list[bytes]:
    """Return the bodies of a log's records: type, and what follows the stamp."""
    return [line for line in path.read_bytes().split(b"\n") if line]


LINES = [line for path in (F1, F2, F5) for line in lines_of(path)] + [
    line for records, _ in read_examples() for line in records.split(b"\n") if line
]


@given(st.randoms(use_true_random=False), st.integers(1, 12))
def test_any_mixture_of_records_makes_an_event(randomness: random.Random, count: int) -> None:
    """Records of all sorts in one event, whole, cut or damaged: it says something, and is JSON."""
    lines = [damage(restamp(randomness.choice(LINES)), randomness) for _ in range(count)]
    reader = EventReader(EventBuilder(names=NAMES))
    events = reader.feed(b"\n".join(lines) + b"\n") + reader.finish()
    for event in events:
        assert event.text
        assert event.action in WORDS
        data = msgspec.json.encode(event)
        assert msgspec.json.encode(decode_json(data, Event)) == data
        data.decode()
        msgspec.json.encode(to_ecs(event)).decode()
    assert len(events) + len(reader.take_damage()) > 0


def restamp(line: bytes) -> bytes:
    """Return the record as one of the event 1.000:7."""
    head, _, rest = line.partition(b" msg=audit(")
    return head + b" msg=audit(1.000:7)" + rest.partition(b")")[2]


def damage(line: bytes, randomness: random.Random) -> bytes:
    """Return the record as it is, cut somewhere, or with some bytes changed behind its stamp."""
    begin = line.index(b":7)") + 4
    kind = randomness.randrange(4)
    if kind == 0 or len(line) <= begin:
        return line
    if kind == 1:
        return line[: randomness.randrange(begin, len(line) + 1)]
    changed = bytearray(line)
    for _ in range(randomness.randrange(1, 6)):
        changed[randomness.randrange(begin, len(line))] = randomness.choice(
            b"\"=' x0-\x1d\xff{}[]()7"
        )
    return bytes(changed)


@given(st.binary(max_size=200), st.sampled_from(["PATH", "EXECVE", "SOCKADDR", "AVC", "USER_AUTH"]))
def test_any_bytes_in_a_record_make_an_event(body: bytes, record_type: str) -> None:
    """Whatever stands in a record, it makes an event or is damage, and nothing else happens."""
    line = f"type={record_type} msg=audit(1.000:7): ".encode() + body.replace(b"\n", b" ") + b"\n"
    reader = EventReader()
    events = reader.feed(line) + reader.finish()
    assert len(events) + len(reader.take_damage()) == 1


def test_a_host_whose_name_is_no_text_is_named() -> None:
    """A `node=` that is not UTF-8 is shown, and does not break the JSON."""
    [event] = read_events(b"node=h\xff type=LOGIN msg=audit(1.000:7): pid=1 ses=3 res=1\n")
    assert event.host == "h\ufffd"
    assert b"h\xef\xbf\xbd" in msgspec.json.encode(event)
