"""The agent killed between any two stores, also while it begins anew."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from killed_agent import Agent, Fuse, Killed, Sides, fuse_ring, fused

from steno.formats.tlog import decode_message
from steno.integrity.chain import verify_lines
from steno.model import Input, Note, Output, Piece

_TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1)
_DATA = st.one_of(
    _TEXT.map(str.encode),
    st.binary(min_size=1, max_size=60).map(lambda data: data.replace(b"\0", b"0")),
    st.integers(100, 3000).map(lambda count: b"%d." % count * (count // 4)),
)
_STEP = st.one_of(
    st.tuples(st.just("print"), _DATA),
    st.tuples(st.just("type"), _DATA),
    st.tuples(st.just("look"), st.integers(1, 5000)),
    st.tuples(st.just("receive"), st.integers(1, 5000)),
    st.just(("turn", None)),
    st.just(("turn", None)),
    st.just(("tick", None)),
    st.tuples(st.just("resize"), st.integers(1, 3)),
)


class _Story:
    """A session, and an agent that dies and is followed by others."""

    def __init__(self, directory: Path, fuses: list[int]) -> None:
        self.sides = Sides()
        self.agent = Agent(directory, self.sides)
        self.fuses = fuses
        self.printed = self.typed = b""
        self.deaths = 0
        self.fuse = Fuse(None)
        self._light()

    def _light(self) -> None:
        self.fuse = Fuse(self.fuses.pop(0) if self.fuses else None)
        fuse_ring(self.agent.ring, self.fuse)

    def do(self, step: tuple[str, object]) -> None:
        """Do one step; an agent that dies in it is followed by the next one."""
        name, value = step
        if name == "print":
            self.printed += _put(self.sides.program, value)
        elif name == "type":
            self.typed += _put(self.sides.person, value)
        elif name in ("look", "receive"):
            getattr(self.sides, name)(value)
        else:
            try:
                with fused(self.fuse):
                    if name == "resize":
                        self.agent.resize(80 + value, 24)
                    else:
                        getattr(self.agent, name)()
            except Killed:
                self.succeed()

    def succeed(self) -> None:
        """Let agents take the session up until one lives long enough to."""
        while True:
            self.deaths += 1
            self.fuse = Fuse(self.fuses.pop(0) if self.fuses else None)
            try:
                self.agent.take_up(self.fuse)
            except Killed:
                continue
            return

    def finish(self) -> list[Piece]:
        """Let everything pass; return what was recorded, the chain being whole."""
        self.fuse.stores = None
        self.agent.settle(self.printed, self.typed)
        recording = self.agent.end()
        self.sides.close()
        lines = recording.splitlines(keepends=True)
        assert verify_lines(lines).state == "complete"
        return [piece for line in lines for piece in decode_message(line).pieces]


def _put(fd: int, data: object) -> bytes:
    assert isinstance(data, bytes)
    try:
        return data[: os.write(fd, data)]
    except BlockingIOError:
        return b""


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(_STEP, min_size=1, max_size=40), st.lists(st.integers(0, 60), max_size=6))
def test_a_kill_between_any_two_stores_loses_and_repeats_nothing(
    steps: list[tuple[str, object]], fuses: list[int]
) -> None:
    """Whatever the instants of its deaths, all bytes arrive once, and are recorded once."""
    with tempfile.TemporaryDirectory() as directory:
        story = _Story(Path(directory), fuses)
        for step in steps:
            story.do(step)
        pieces = story.finish()
        assert story.sides.shown == story.printed
        assert story.sides.received == story.typed
        assert b"".join(p.data for p in pieces if isinstance(p, Output)) == story.printed
        assert b"".join(p.data for p in pieces if isinstance(p, Input)) == story.typed
        restarts = [p for p in pieces if isinstance(p, Note) and p.kind == "restart"]
        assert bool(restarts) == bool(story.deaths)
        assert len(restarts) <= story.deaths
