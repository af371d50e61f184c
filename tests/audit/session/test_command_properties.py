"""Whatever the events are, and in whichever order they come: a forest, and nothing is lost."""

from __future__ import annotations

import random

import msgspec
from audited_session import read_events, read_typed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_events import START_US

from steno.audit.event import Event, Process, Thing, Who
from steno.audit.session.commands import Joined, join
from steno.audit.session.ran import Ran
from steno.audit.session.scopes import Root
from steno.audit.session.shell_lines import is_unfinished, split_line
from steno.audit.session.typed_lines import TypedLine, lines_of_keys

EVENTS = read_events(4)
TYPED = read_typed()

PIDS = st.integers(-1, 12)
WORDS = st.sampled_from(["-bash", "bash", "sh", "ls", "sudo", "/bin/x", "a b", "", "-c", "./s.sh"])


@st.composite
def made_up(draw: st.DrawFn) -> Event:
    """Any event at all, of few processes."""
    action, syscall = draw(
        st.sampled_from(
            [
                ("ran", "execve"),
                ("started", "clone"),
                ("ended", "exit_group"),
                ("ended", "exit"),
                ("created", "openat"),
                ("signalled", "kill"),
                ("crashed", None),
                ("typed", None),
                ("logged in", None),
            ]
        )
    )
    arguments = draw(st.none() | st.lists(WORDS, max_size=4))
    program = draw(st.sampled_from([None, "/usr/bin/bash", "/usr/bin/ls", "/usr/bin/sudo"]))
    return Event(
        serial=draw(st.integers(0, 60) | st.integers(2**32 - 60, 2**32 - 1)),
        at_unix_us=START_US + draw(st.integers(-5, 40)) * 4000,
        action=action,
        result=draw(st.sampled_from(["success", "failure", "unknown"])),
        exit=draw(st.none() | st.integers(-2, 12)),
        signal=draw(st.sampled_from([None, 9, 11])),
        syscall=syscall,
        who=Who(uid=draw(st.sampled_from([None, 0, 1])), user=draw(st.sampled_from([None, "u"]))),
        process=Process(
            draw(st.none() | PIDS),
            draw(st.none() | PIDS),
            program,
            None if program is None else program.rpartition("/")[2],
            draw(st.sampled_from([None, "pts/1", "pts/2"])),
            arguments=arguments,
        ),
        objects=[Thing("process", str(draw(PIDS)))] if action == "signalled" else [],
        typed=draw(st.text(max_size=12)) if action == "typed" else None,
    )


LINES = st.lists(
    st.builds(
        TypedLine,
        st.lists(WORDS, max_size=5).map(" ".join),
        st.integers(-5, 40).map(lambda tick: START_US + tick * 4000),
    ),
    max_size=6,
)


def check(joined: Joined, count: int) -> None:
    """Hold a tree to what is promised of all trees."""
    assert len(joined.events) == len(joined.command_of) == len(joined.is_shown) == count
    items = {one.number: one for one in joined.items}
    assert list(items) == list(range(1, len(items) + 1))
    for one in joined.items:
        assert one.parent is None or one.parent < one.number
        assert one.end_unix_us is None or one.end_unix_us >= one.at_unix_us
        assert (one.end_unix_us is None) == (one.ended == "unknown")
    counts = [0] * (len(items) + 1)
    for number in joined.command_of:
        counts[number or 0] += 1
    assert [one.own.events for one in joined.items] == counts[1:]
    for one in joined.items:
        assert one.below.events == sum(items[n].own.events for n in below(joined.items, one))


def below(items: list[Ran], top: Ran) -> list[int]:
    """Return the numbers of a node and of all below it, by their parents."""
    found = {top.number}
    for one in items:
        if one.parent in found:
            found.add(one.number)
    # The order of the list alone must tell the same: that is what the API goes by.
    assert sorted(found) == list(range(top.number, top.number + len(found)))
    return sorted(found)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_part_of_a_real_session_in_any_order_is_a_forest(data: st.DataObject) -> None:
    """Of f1's events any may be missing, and they may come in any order."""
    generator = random.Random(data.draw(st.integers(0, 2**32)))
    share = data.draw(st.floats(0, 1))
    events = [event for event in EVENTS if generator.random() < share]
    generator.shuffle(events)
    if data.draw(st.booleans()):
        events = [
            msgspec.structs.replace(event, serial=number) for number, event in enumerate(events)
        ]
    lines = [line for line in TYPED if generator.random() < share]
    root = data.draw(st.sampled_from([None, Root(21997, "/dev/pts/2", TYPED[0].at_unix_us)]))
    check(join(events, lines, root), len(events))


@settings(max_examples=150, deadline=None)
@given(st.lists(made_up(), max_size=25), LINES, st.booleans())
def test_any_events_are_a_forest(
    events: list[Event], lines: list[TypedLine], has_root: bool
) -> None:
    """Process ids that are used again, cycles of parents, wrapped serials: it never fails."""
    root = Root(1, "/dev/pts/1", START_US) if has_root else None
    others = [Root(2, None, START_US)] if has_root else []
    check(join(events, lines, root, others), len(events))


@settings(max_examples=100, deadline=None)
@given(st.lists(made_up(), max_size=20, unique_by=lambda event: event.serial), st.randoms())
def test_the_order_in_which_events_come_does_not_matter(
    events: list[Event], generator: random.Random
) -> None:
    """Serials order events: the same ones give the same tree however they were delivered."""
    shuffled = [*events]
    generator.shuffle(shuffled)
    assert join(shuffled).items == join(events).items


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="ab '\"\\|&;()`$<>{}#\n\t-=", max_size=40))
def test_any_line_can_be_split(text: str) -> None:
    """Whatever was typed, splitting it ends, and takes no word twice."""
    parts = split_line(text)
    assert sum(len(word) for part in parts for word in part.words) <= len(text)
    assert is_unfinished(text) in (True, False)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="ab'\r\n\x1b[A\x7f\x15\x17\x03\t ", max_size=40))
def test_any_keys_give_lines(keys: str) -> None:
    """Whatever was typed, keystrokes give lines without control characters but newlines."""
    for line, sure in lines_of_keys(keys):
        assert line.strip()
        assert all(one >= " " or one == "\n" for one in line + sure)
