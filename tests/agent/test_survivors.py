"""Taking up what was kept of a session, whatever state that is in."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from killed_agent import REC, Agent, Fuse, Sides

from steno.agent.ring import Ring
from steno.agent.ring_layout import RECORDS_AT, SIZE_BYTES, Way
from steno.agent.session import SessionFacts
from steno.agent.survivors import take_up
from steno.delivery.recovery import recover
from steno.delivery.spool_file import DONE, OPEN
from steno.errors import NotFoundError, StoreError
from steno.structs import decode_json


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    """An agent with a session, in which something was printed and not put into a line yet."""
    sides = Sides()
    made = Agent(tmp_path, sides)
    os.write(sides.program, b"printed")
    made.turn()
    yield made
    sides.close()
    for fd in made.kept.values():
        os.close(fd)


def _kept(agent: Agent) -> dict[str, int]:
    return {word: os.dup(fd) for word, fd in agent.kept.items()}


def _close(descriptors: dict[str, int]) -> None:
    for fd in descriptors.values():
        os.close(fd)


def _change_facts(agent: Agent, **changes: object) -> None:
    facts = decode_json(agent.ring.facts, SessionFacts)
    agent.ring.set_facts(msgspec.json.encode(msgspec.structs.replace(facts, **changes)))


def test_a_session_of_another_boot_is_void(agent: Agent) -> None:
    """Its clock and its processes mean nothing any more."""
    facts = decode_json(agent.ring.facts, SessionFacts)
    start = msgspec.structs.replace(facts.identity.start, boot_id="0" * 32)
    _change_facts(agent, identity=msgspec.structs.replace(facts.identity, start=start))
    descriptors = _kept(agent)
    with pytest.raises(NotFoundError, match="another boot"):
        take_up(agent.spool, descriptors)
    _close(descriptors)


def test_a_session_that_has_ended_is_void(agent: Agent) -> None:
    """An agent that died after the last line has left nothing to do but to finish the file."""
    for line in agent.session.end(agent.clock.at_us(), "exit"):
        agent.file.append(line)
    descriptors = _kept(agent)
    with pytest.raises(NotFoundError, match="has ended"):
        take_up(agent.spool, descriptors)
    _close(descriptors)


@pytest.mark.parametrize("word", ["ring", "spool", "outer", "master"])
def test_a_session_of_which_not_all_was_kept_is_void(agent: Agent, word: str) -> None:
    """An agent that died while it stored the descriptors had not begun the session."""
    descriptors = _kept(agent)
    os.close(descriptors.pop(word))
    with pytest.raises(NotFoundError, match="kept"):
        take_up(agent.spool, descriptors)
    _close(descriptors)


def test_descriptors_of_a_later_version_are_refused(agent: Agent) -> None:
    """What a newer agent keeps besides means that this one cannot go on."""
    descriptors = _kept(agent) | {"Z": os.dup(0)}
    with pytest.raises(StoreError, match="not known what \\['Z'\\] are for"):
        take_up(agent.spool, descriptors)
    _close(descriptors)


def test_sessions_of_an_unknown_kind_are_refused(agent: Agent) -> None:
    """A newer agent's kinds of sessions wait for one that knows them."""
    _change_facts(agent, kind="hologram")
    descriptors = _kept(agent)
    with pytest.raises(StoreError, match="'hologram' is not known"):
        take_up(agent.spool, descriptors)
    _close(descriptors)


def test_a_session_whose_terminals_were_given_back_needs_none(agent: Agent) -> None:
    """It only ends yet."""
    _change_facts(agent, ending="hangup")
    descriptors = _kept(agent)
    os.close(descriptors.pop("outer"))
    os.close(descriptors.pop("master"))
    survivor = take_up(agent.spool, descriptors)
    assert survivor.facts.ending == "hangup"
    survivor.ring.close()
    assert survivor.file is not None
    survivor.file.close()


def test_a_recording_that_was_replaced_is_not_written_to(agent: Agent) -> None:
    """A file of the same name that somebody else has made stays as it is."""
    path = agent.spool.path(REC, OPEN)
    other = path.read_bytes()
    path.rename(path.with_suffix(".moved"))
    path.write_bytes(other)
    descriptors = _kept(agent)
    with pytest.raises(StoreError, match="not the file that was kept open"):
        take_up(agent.spool, descriptors)
    assert path.read_bytes() == other
    _close(descriptors)


def test_memory_of_another_size_is_refused(agent: Agent) -> None:
    """A memfd that is no ring is not mapped."""
    descriptors = _kept(agent)
    os.close(descriptors["ring"])
    descriptors["ring"] = os.memfd_create("other")
    os.ftruncate(descriptors["ring"], SIZE_BYTES // 2)
    with pytest.raises(StoreError, match="size of a ring"):
        take_up(agent.spool, descriptors)
    os.ftruncate(descriptors["ring"], SIZE_BYTES)
    with pytest.raises(StoreError, match="is no ring"):
        take_up(agent.spool, descriptors)
    _close(descriptors)


@pytest.mark.parametrize("word", range(8, 56, 8))
@pytest.mark.parametrize("value", [b"\xff" * 8, b"\x01" + bytes(7), bytes(7) + b"\x40"])
def test_damaged_words_are_refused_or_harmless(agent: Agent, word: int, value: bytes) -> None:
    """No value of any word makes the agent fail in another way than with one line."""
    descriptors = _kept(agent)
    os.pwrite(descriptors["ring"], value, word)
    try:
        survivor = take_up(agent.spool, descriptors)
    except (StoreError, NotFoundError):
        _close(descriptors)
        return
    survivor.ring.close()
    assert survivor.file is not None
    survivor.file.close()
    _close(survivor.descriptors)


@pytest.mark.parametrize("word", [0, 6, 0x301, 0xFFFFFFFF00000001, 2**64 - 1])
def test_damaged_records_are_refused(agent: Agent, word: int) -> None:
    """A record that says nothing that can be is not believed."""
    descriptors = _kept(agent)
    os.pwrite(descriptors["ring"], word.to_bytes(8, sys.byteorder), RECORDS_AT + 8)
    with pytest.raises(StoreError, match="damaged"):
        take_up(agent.spool, descriptors)
    _close(descriptors)


def test_a_kept_recording_is_no_orphan(agent: Agent) -> None:
    """While a copy of its descriptor is kept, recovery leaves the file; afterwards it closes it."""
    agent.file.close()
    assert recover(agent.spool) == []
    os.close(agent.kept.pop("spool"))
    [recovery] = recover(agent.spool)
    assert recovery.rec == REC
    assert agent.spool.path(REC, DONE).exists()


def test_a_quiet_session_takes_one_page(agent: Agent) -> None:
    """What was touched in a flood is given back when nothing waits."""
    for _ in range(30):
        os.write(agent.sides.program, b"x" * 3000)
        agent.turn()
        agent.sides.look(65536)
    agent.turn()
    agent.sides.look(65536)
    agent.tick()
    assert agent.ring.shrink()
    assert os.fstat(agent.ring.descriptors["ring"]).st_blocks * 512 <= 4096


def test_what_was_typed_does_not_stay_in_the_memory(agent: Agent) -> None:
    """Once it is passed on and judged, a password is nowhere in the ring any more."""
    for word in (b"hunter2\r", b"correct horse " * 2000):
        os.write(agent.sides.person, word[:3000])
        agent.turn()
        assert word[:7] in _memory(agent)
        agent.sides.receive(65536)
        agent.turn()
        agent.sides.look(65536)
        agent.tick()
        assert word[:7] not in _memory(agent)


def _memory(agent: Agent) -> bytes:
    return os.pread(agent.ring.descriptors["ring"], SIZE_BYTES, 0)


def test_reading_stops_while_nobody_takes_what_was_read(agent: Agent) -> None:
    """What waits is bounded, and all of it arrives once somebody does."""
    printed = b"printed"
    while agent.ring.room_bytes(Way.OUTPUT):
        piece = b"%d," % len(printed) * 500
        printed += piece[: os.write(agent.sides.program, piece)]
        agent.turn()
    assert agent.ring.read(Way.OUTPUT, agent.sides.master, int) is None
    agent.take_up(Fuse(None))
    agent.settle(printed, b"")
    assert agent.sides.shown == printed


def test_facts_of_any_size_are_kept_or_refused() -> None:
    """Large ones take more memory; too large ones are refused, and those before stay."""
    ring = Ring.create(b"small", b"state", is_terminal=False)
    ring.set_facts(b"x" * 100_000)
    with pytest.raises(ValueError, match="too many to be kept"):
        ring.set_facts(b"y" * 200_000)
    with pytest.raises(ValueError, match="too many to be kept"):
        ring.checkpoint(b"y" * 300_000)
    assert ring.facts == b"x" * 100_000
    assert ring.state == b"state"
    ring.close()


def test_the_clock_is_asked_behind_the_bytes() -> None:
    """However long reading takes, no byte is kept with an instant at which it had not come yet."""
    ring = Ring.create(b"facts", b"state", is_terminal=False)
    source, program = os.pipe()
    os.write(program, b"come")

    def clock() -> int:
        left, _, _ = select.select([source], [], [], 0)
        return 1 if left else 2

    assert ring.read(Way.OUTPUT, source, clock) == b"come"
    assert ring.read_us == 2
    assert [entry.at_us for entry in ring.entries()] == [2]
    for fd in (source, program):
        os.close(fd)
    ring.close()


def test_pipes_are_passed_on_without_lending_the_ring(tmp_path: Path) -> None:
    """What waits in a pipe does not change when the ring goes round."""
    ring = Ring.create(b"facts", b"state", is_terminal=False)
    source, program = os.pipe()
    person, sink = os.pipe()
    passed = b""
    for number in range(200):
        os.write(program, b"%04d" % number * 1000)
        data = ring.read(Way.OUTPUT, source, lambda at_us=number: at_us)  # type: ignore[misc]
        assert data is not None
        assert not ring.pass_on(Way.OUTPUT, sink)
        ring.checkpoint(b"state")
        if number % 10 == 9:
            passed += os.read(person, 65536)
    assert passed == b"".join(b"%04d" % number * 1000 for number in range(200))
    for fd in (source, program, person, sink):
        os.close(fd)
    ring.close()
