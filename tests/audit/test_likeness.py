"""Events that are told from memory: the same, to the byte, as those that are told anew."""

from __future__ import annotations

import random
import re
from pathlib import Path

import msgspec
import pytest

from steno.audit.coalescing import Coalescer, RecordGroup
from steno.audit.event import Event
from steno.audit.events import EventBuilder
from steno.audit.likeness import LIMIT_BYTES, LIMIT_SEEN, REST, WINDOW, Likenesses
from steno.audit.records import LineReader, Record
from steno.audit.values.names import Names
from steno.audit.values.tables import syscalls_x86_64
from steno.audit.words.actions import CALLS

DATA = Path(__file__).parents[1] / "data" / "audit"
LOGS = [
    "f1/audit-enriched.log",
    "f2/plugin-string-zoo.log",
    "f5/audit-immutable-kernel6.1.log",
    "made/more-records.txt",
]
NUMBER = re.compile(rb"(?<=[ '])(pid|ppid|ses|inode|a[0-3]|exit|dev|comm|name|acct)=([^ ']+)")
VALUES = [
    b"0", b"1", b"7", b"4294967295", b"ffffff9c", b"7ffe9d427c60", b"0012", b"1_0", b"-1", b"x",
    b"", b"999999999999999999", b"9999999999999999999", b"99999999999999999999", b'"inode 7"',
    b"696E6F64652037", b"(null)", b"241",
]  # fmt: skip
NUMBERS = {name: number for number, name in syscalls_x86_64.NAMES.items()}


def groups_of(data: bytes) -> list[RecordGroup]:
    """Return the events of a log."""
    coalescer = Coalescer()
    return coalescer.feed(LineReader().feed(data)) + coalescer.finish()


def vary(group: RecordGroup, chance: random.Random, share: float) -> RecordGroup:
    """Return the same event with some other numbers, arguments and names."""

    def replace(match: re.Match[bytes]) -> bytes:
        value = match[2] if chance.random() > share else chance.choice(VALUES)
        return match[1] + b"=" + value

    records = [Record(NUMBER.sub(replace, record.line)) for record in group.records]
    return msgspec.structs.replace(group, records=records)


def tell(builder: EventBuilder, group: RecordGroup) -> bytes:
    """Return an event's JSON."""
    return msgspec.json.encode(builder.build(group))


@pytest.mark.parametrize("log", LOGS)
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
def test_any_event_is_told_as_if_it_were_the_first(log: str, share: float) -> None:
    """However often its like was told before: one that remembers says what one says that cannot."""
    chance = random.Random(log)
    groups = groups_of((DATA / log).read_bytes())
    remembering = EventBuilder(with_records=False)
    for _ in range(6):
        for group in groups:
            varied = vary(group, chance, share)
            assert tell(remembering, varied) == tell(EventBuilder(with_records=False), varied)


@pytest.mark.parametrize("is_failed", [False, True])
def test_the_arguments_of_every_call_count_where_they_are_told(is_failed: bool) -> None:
    """Two calls whose arguments differ are told alike only if nothing is told of the arguments."""
    chance = random.Random(is_failed)
    remembering = EventBuilder()
    for name in [*CALLS, "socketcall", "nothing"] * 40:
        # An architecture without a table, for names that only auditd's part says.
        arch, number = (b"c000003e", NUMBERS[name]) if name in NUMBERS else (b"12345678", 1)
        arguments = [chance.choice([b"1", b"41", b"ffffff9c"]) for _ in "0123"]
        lines = [
            b"SYSCALL msg=audit(1.234:5): arch=%s syscall=%d success=%s exit=%d a0=%s a1=%s a2=%s"
            b' a3=%s ppid=1 pid=2 auid=0 uid=0 gid=0 euid=0 tty=pts1 ses=3 comm="x" exe="/bin/x"'
            b" key=(null)\x1dSYSCALL=%s"
            % (arch, number, b"no" if is_failed else b"yes", -13 if is_failed else 0, *arguments,
               name.encode()),
            b'CWD msg=audit(1.234:5): cwd="/home"',
            b'PATH msg=audit(1.234:5): item=0 name="a" inode=5 mode=0100644 nametype=NORMAL',
            b'PATH msg=audit(1.234:5): item=1 name="b" inode=6 mode=0100644 nametype=CREATE',
        ]  # fmt: skip
        kept = lines[: chance.choice([1, 4])]
        (group,) = groups_of(b"".join(b"type=%s\n" % line for line in kept))
        assert tell(remembering, group) == tell(EventBuilder(), group)


def test_who_it_was_is_looked_up_anew_when_names_are_forgotten() -> None:
    """An account that got another name is called so from then on."""
    names = {0: "root"}
    builder = EventBuilder(names=Names(names.get))
    (group,) = groups_of(
        b"type=SYSCALL msg=audit(1.234:5): arch=c000003e syscall=231 ppid=1 pid=2 uid=0 ses=3\n"
    )
    assert [builder.build(group).who.user for _ in range(3)] == ["root"] * 3
    names[0] = "toor"
    builder.forget_names()
    assert [builder.build(group).who.user for _ in range(3)] == ["toor"] * 3


def test_a_file_that_is_called_like_an_inode() -> None:
    """Its name is its name, whatever inode it has."""
    builder = EventBuilder()
    for inode in (7, 7, 7, 8, 9):
        for name in (b'"inode 7"', b"696e6f64652037", b"(null)"):
            (group,) = groups_of(
                b"type=SYSCALL msg=audit(1.234:5): arch=c000003e syscall=87 ppid=1 pid=2 ses=3\n"
                b"type=PATH msg=audit(1.234:5): item=0 name=%s inode=%d nametype=DELETE\n"
                % (name, inode)
            )
            event = builder.build(group)
            assert event.objects[0].name == (f"inode {inode}" if name == b"(null)" else "inode 7")
            assert event.objects[0].inode == inode
            assert tell(builder, group) == tell(EventBuilder(), group)


def test_what_is_remembered_has_an_end() -> None:
    """After so many events that are like no other, it begins anew."""
    known = Likenesses({(b"", b""): 0})
    event = Event(1, 2, "ran")
    for number in range(3 * LIMIT_SEEN):
        known.keep(b"%d" % number, (1, 1, 1), event)
    for number in range(4 * LIMIT_BYTES // 4000):
        for _ in range(2):
            known.keep(b"%4000d" % number, (1, 1, 1), event)
    held = sum(
        known.get(b"%4000d" % number) is not None for number in range(4 * LIMIT_BYTES // 4000)
    )
    assert 0 < held * 4000 <= LIMIT_BYTES + 4000


def test_what_is_too_long_has_no_likeness() -> None:
    """Long arguments hardly ever come twice."""
    known = Likenesses({(b"", b""): 0})
    long = Record(b"type=SYSCALL msg=audit(1.234:5): pid=1 ppid=1 ses=1 x=" + b"y" * 5000)
    assert known.find([long]) is None
    assert known.find([Record(long.line[:500])]) is not None


def test_nobody_looks_where_nothing_is_alike() -> None:
    """After a time without likenesses, none are looked for; later they are found again."""
    builder = EventBuilder(with_records=False)
    lines = b"type=USER_LOGIN msg=audit(1.234:5): pid=%d uid=0 ses=3 msg='op=%d res=success'\n"
    (alike,) = groups_of(lines % (7, 0))
    looked = []
    for number in range(3 * (WINDOW + REST)):
        (group,) = groups_of(lines % (number, number if number < WINDOW + REST else 0))
        looked.append(builder._likenesses.find(group.records) is not None)
        assert builder.build(group).process.pid == number
    # One that asked here, and one within the builder.
    assert looked[:WINDOW] == [True] * WINDOW
    assert sum(looked[WINDOW : WINDOW + REST // 2]) == 0
    assert looked[-WINDOW:] == [True] * WINDOW
    assert builder.build(alike).process.pid == 7
