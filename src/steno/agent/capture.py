"""A command without a terminal whose streams are recorded: `capture` in the policy's words.

The command gets pipes in the place of its streams, and the agent relays between those and the
session's own. It goes on for as long as somebody holds the pipes and somebody reads what comes out,
as sshd does: a background process that the command left may still write. What ends on one side
ends on the other: the end of input, and a reader that went away.

An agent that leaves in good order hands the streams over with what is in them, and the next one
goes on. Of one that is killed nobody knows what it had passed on: the next one kills the command,
for output with a hole, or input cut short, must not look like success.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence

from steno.agent.command import CommandSession
from steno.agent.handover import WayState, read_handover, write_handover
from steno.agent.handshake import RESTORED
from steno.agent.parts import Parts
from steno.agent.ring_layout import WINDOW_BYTES
from steno.agent.ring_layout import Way as Lane
from steno.agent.shared import SharedSink, SharedSource
from steno.agent.strangers import let_go
from steno.agent.ways import Way
from steno.errors import StoreError
from steno.model import StreamTotal
from steno.recorder.echo import Echo
from steno.recorder.streams import StreamMeter

_DRAIN_US, _LONGEST_DRAIN_US = 2_000, 100_000
"""How soon it is looked at again whether all that a command wrote has been passed on."""
_HANDED_OVER = ("handover", "output", "output-pipe", "error", "error-pipe", "input")
"""What is kept of a session only while no agent runs."""
_LANES = {"output": Lane.OUTPUT, "error": Lane.ERROR, "input": Lane.INPUT}


class CaptureSession(CommandSession):
    """Relays and records one command. Owns its descriptors, ring and destinations.

    Attributes:
        facts: What does not change.
    """

    grace_us = 5_000_000

    def __init__(
        self,
        parts: Parts,
        ways: Sequence[tuple[str, int | None, int]],
        states: Mapping[str, WayState] | None = None,
        *,
        is_broken: bool = False,
    ) -> None:
        """Take everything over; nothing happens before `start` or `take_up`.

        Args:
            parts: What it is made of; of the descriptors `leader` and `connection`.
            ways: Name, source and sink of each stream, see pipes.Pipes.
            states: How the streams stood when another agent left.
            is_broken: Whether that agent was killed, so that the command cannot go on.
        """
        super().__init__(parts)
        self._handover: int | None = None
        self._is_broken = is_broken
        self._is_ended = False
        self._meters: dict[str, StreamMeter] = {}
        self._ways = [self._make_way(*way, (states or {}).get(way[0])) for way in ways]
        for name, state in (states or {}).items():
            if name not in self._meters:  # a stream that was over
                self._resume_meter(name, state)

    def _make_way(self, name: str, source: int | None, sink: int, state: WayState | None) -> Way:
        is_input = name == "input"
        self._meters[name] = StreamMeter(self.facts.capture_bytes)
        if state is not None:
            self._resume_meter(name, state)
        return Way(
            self._host.loop,
            name,
            None if source is None else SharedSource(source, is_nonblocking=not is_input),
            SharedSink(sink, is_nonblocking=is_input),
            take=lambda data: self._record(name, data),
            finish=lambda: self._meet_over(name),
            waiting=b"" if state is None else state.waiting,
        )

    def _resume_meter(self, name: str, state: WayState) -> None:
        self._meters[name] = StreamMeter.resume(
            self.facts.capture_bytes, state.passed_bytes, state.recorded_bytes
        )

    @property
    def descriptors(self) -> dict[str, int]:
        """What must be kept: to end the command if the agent dies, all of it when it leaves.

        Of the streams only the pipe that is the command's input is kept before: were it closed
        by the agent's death, the command would take what it got for the whole.
        """
        kept = self._leader.descriptors | self._ring.descriptors
        for way in self._ways:
            if self._handover is None and way.name != "input":
                continue
            ends = {way.name: way.source, f"{way.name}-pipe": way.sink}
            if way.name != "input":
                ends = {way.name: way.sink, f"{way.name}-pipe": way.source}
            if self._handover is None:
                ends.pop(way.name)
            kept |= {word: fd for word, fd in ends.items() if fd is not None}
        if self._handover is not None:
            kept["handover"] = self._handover
        return kept

    @property
    def passed_bytes(self) -> int:
        """How many bytes went through, both ways."""
        return sum(meter.passed_bytes for meter in self._meters.values())

    def start(self) -> None:
        """Begin to relay."""
        self._leader.start()
        self._is_ended = self._leader.is_unknown
        for way in self._ways:
            way.start()
        self._update()
        self._look_at_ways()

    def take_up(self, lines: list[bytes]) -> None:
        """Go on where an agent that left was, or end what one that was killed cut off.

        Args:
            lines: What the recording lacks.
        """
        self._recording.go_on(lines)
        if not self._is_broken:
            # A kept copy of an end would hold it open when it ends on the other side.
            self._host.release(self, _HANDED_OVER)
            self.start()
            return
        # Nobody knows what had been passed on. Nothing of the streams is closed before the command
        # is dead: it must not take what it got for all there was.
        self._recording.note("lost", {"what": "bytes on their way when the agent was killed"})
        self._reason = "recorder"
        self._leader.start()
        self._leader.await_end(0, self._finish, is_killed=True)

    def leave(self) -> None:
        """Let go of it without ending it: the next agent takes it up."""
        if self._is_over:
            return
        states = {}
        for way in self._ways:
            meter, waiting = self._meters[way.name], way.leave()
            if waiting is None:
                self.end()  # the same as when an agent is killed
                return
            states[way.name] = WayState(meter.passed_bytes, meter.recorded_bytes, waiting)
        try:
            self._handover = write_handover(states)
        except OSError:
            # The next agent would find no word of the streams.
            self.end()
            return
        self._host.keep(self)
        self._is_over = True
        let_go(self._stream_descriptors())
        os.close(self._handover)
        self._leader.close()
        self._recording.leave()

    def _stream_descriptors(self) -> list[int]:
        ends = [fd for way in self._ways for fd in (way.source, way.sink)]
        return [fd for fd in ends if fd is not None]

    def _meet_kill(self) -> None:
        self._is_ended = True
        self._close_ways()
        self._finish()

    def _record(self, name: str, data: bytes) -> bool:
        """Record what was read; return whether more of this stream will be recorded."""
        at_us = self._recording.clock.at_us()
        meter, session = self._meters[name], self._recording.session
        was_whole = meter.recorded_bytes == meter.passed_bytes
        kept = meter.take(data)
        is_input = name == "input"
        if kept:
            self._keep(_LANES[name], at_us, kept)
            if is_input:
                self._recording.take_input(at_us, kept, Echo.SHOWN)
            else:
                self._recording.take_output(at_us, kept, is_stderr=name == "error")
        if is_input:
            session.input_bytes += len(data) - len(kept)
        else:
            session.output_bytes += len(data) - len(kept)
        if was_whole and len(kept) < len(data):
            facts = {"stream": name, "recorded_bytes": meter.recorded_bytes}
            self._recording.note("limit", facts)
        self._update()
        return meter.recorded_bytes == meter.passed_bytes

    def _keep(self, lane: Lane, at_us: int, data: bytes) -> None:
        """Put what is recorded into the session's memory: it outlives the agent from now on."""
        for begin in range(0, len(data), WINDOW_BYTES):
            part = data[begin : begin + WINDOW_BYTES]
            if len(part) > self._ring.room_bytes(lane):
                self._recording.checkpoint()
            self._ring.put(lane, at_us, part)
            self._ring.drop_waiting(lane)

    def _update(self) -> None:
        """Read on, or wait until the recording's destinations have taken more."""
        is_held = not self._recording.may_read()
        for way in self._ways:
            way.hold(is_held)

    def _meet_end(self) -> None:
        self._is_ended = True
        self._let_parent_go()
        self._look_at_ways()

    def _let_parent_go(self, wait_us: int = _DRAIN_US) -> None:
        """Let who waits for the command go on when all that it wrote is where it belongs.

        What a process writes that it left behind may come later.
        """
        if self._is_over:
            return
        if any(way.has_something for way in self._ways if way.name != "input"):
            longer_us = min(2 * wait_us, _LONGEST_DRAIN_US)
            self._host.loop.call_in(wait_us, lambda: self._let_parent_go(longer_us))
        else:
            self._leader.say(RESTORED)

    def _meet_over(self, name: str) -> None:
        """A stream is over: no kept copy may hold it open."""
        if name == "input":
            self._host.release(self, ("input-pipe",))
        self._look_at_ways()

    def _look_at_ways(self) -> None:
        """End when the command has ended and nobody can write any more."""
        outputs = [way for way in self._ways if way.name != "input"]
        if self._is_ended and all(way.is_over for way in outputs):
            self._finish()

    def _close_ways(self) -> None:
        for way in self._ways:
            way.close()

    def _settle(self) -> Mapping[str, StreamTotal]:
        self._close_ways()
        self._leader.say(RESTORED)
        for way in self._ways:
            if way.failure is not None:
                what = f"standard {way.name}: {way.failure.strerror}"
                self._recording.note("lost", {"what": what})
        return {name: meter.total() for name, meter in self._meters.items()}


def resume_capture(parts: Parts, kept: dict[str, int]) -> CaptureSession:
    """Return a command whose agent is gone.

    Takes over the descriptors in `kept`, but the ring's, the spool file's and those in `parts`.
    """
    handover = kept.get("handover")
    states: dict[str, WayState] | None = None
    if handover is not None:
        with contextlib.suppress(StoreError):
            states = read_handover(handover)
        os.close(handover)
    ways: list[tuple[str, int | None, int]] = []
    for name in ("output", "error", "input"):
        ends = kept.get(f"{name}-pipe"), kept.get(name)
        source, sink = ends if name != "input" else (ends[1], ends[0])
        if sink is not None:
            ways.append((name, source, sink))
        elif source is not None:
            let_go([source])
    return CaptureSession(parts, ways, states, is_broken=states is None)
