"""A command without a terminal whose streams are recorded: `capture` in the policy's words.

The command gets pipes in the place of its streams, and the agent relays between those and the
session's own. It goes on for as long as somebody holds the pipes and somebody reads what comes out,
as sshd does: a background process that the command left may still write. What ends on one side
ends on the other: the end of input, and a reader that went away.
"""

from __future__ import annotations

import contextlib
import os
import signal
import stat
from collections.abc import Callable

import msgspec

from steno.agent.exits import ExitWatch
from steno.agent.loop import Loop, Timer
from steno.agent.session import LiveSession, SessionFacts
from steno.agent.shared import SharedSink, SharedSource, is_same_file
from steno.agent.ways import Way
from steno.errors import TerminalError
from steno.model import Note
from steno.recorder.child import Exit
from steno.recorder.clock import RecordingClock
from steno.recorder.destinations import RETRY_US, Destinations
from steno.recorder.session import Session
from steno.recorder.streams import StreamMeter

_GRACE_US = 5_000_000
"""So long a command that was hung up may take to end before it is killed."""

Streams = tuple[int, int, int]
"""Descriptors of input, output and error, in this order."""


class Pipes(msgspec.Struct, frozen=True):
    """What lies between a command and its session's own streams.

    Attributes:
        inner: What the command gets as 0, 1 and 2; when it has them, `close_inner`.
        ways: Name, source and sink of each stream that is relayed; the session owns them.
    """

    inner: Streams
    ways: tuple[tuple[str, int, int], ...]

    def close_inner(self) -> None:
        """Close the command's ends, which it has got by now; also those that it shares with us."""
        for fd in set(self.inner):
            os.close(fd)

    def close(self) -> None:
        """Close all: nothing came of it."""
        self.close_inner()
        for _, source, sink in self.ways:
            os.close(source)
            os.close(sink)


def open_pipes(streams: Streams, uid: int, *, relays_input: bool) -> Pipes:
    """Put pipes between a command and its session's streams; takes over `streams`.

    Standard output and error that go to one place get one pipe, so that they keep their order; they
    cannot be told apart then. The pipes belong to the user, who may open them by name
    (/dev/stderr). Without `relays_input` the command gets the session's own input.

    Raises:
        TerminalError: The system has no descriptors left; all are closed.
    """
    input_, output, error = streams
    opened: list[int] = []
    ways: list[tuple[str, int, int]] = []
    is_one = is_same_file(output, error) and not _is_null(output)
    try:
        inner = [input_, *_open_pipe(uid, opened)]
        inner[1], source = inner[2], inner[1]
        ways.append(("output", source, output))
        if is_one:
            os.close(error)
            inner[2] = inner[1]
        else:
            source, inner[2] = _open_pipe(uid, opened)
            ways.append(("error", source, error))
        if relays_input:
            inner[0], sink = _open_pipe(uid, opened)
            ways.append(("input", input_, sink))
        for name, source, sink in ways:
            os.set_blocking(sink if name == "input" else source, False)
    except OSError as failure:
        for fd in {*streams, *opened}:
            with contextlib.suppress(OSError):  # closed above
                os.close(fd)
        raise TerminalError(f"no pipes for the command: {failure.strerror}") from failure
    return Pipes((inner[0], inner[1], inner[2]), tuple(ways))


def _open_pipe(uid: int, opened: list[int]) -> tuple[int, int]:
    reader, writer = os.pipe()
    opened += [reader, writer]
    os.fchown(reader, uid, -1)
    return reader, writer


def _is_null(fd: int) -> bool:
    """Return whether order does not matter there: in /dev/null and the like."""
    return stat.S_ISCHR(os.fstat(fd).st_mode) and not os.isatty(fd)


class CaptureSession:
    """Relays and records one command. Owns its streams, its pidfd and its destinations.

    Attributes:
        facts: What does not change.
    """

    def __init__(
        self,
        loop: Loop,
        facts: SessionFacts,
        pipes: Pipes,
        leader: int | None,
        recording: Session,
        clock: RecordingClock,
        destinations: Destinations,
        *,
        capture_bytes: int,
        finish: Callable[[LiveSession, Callable[[], None]], None],
    ) -> None:
        """Take over the ways of `pipes` and `leader`, the command's pidfd; `start` begins.

        Args:
            loop: What waits for everything.
            facts: What does not change.
            pipes: Made by `open_pipes`.
            leader: None: the command ended before it could be watched.
            recording: Has given its first line.
            clock: The recording's.
            destinations: Get the lines.
            capture_bytes: How much of each stream is recorded.
            finish: Hosting.finish: told when the recording has its last line.
        """
        self.facts = facts
        self._loop = loop
        self._leader = leader
        self._recording = recording
        self._clock = clock
        self._destinations = destinations
        self._finish_recording = finish
        self._exit: Exit | None = None
        self._watch: ExitWatch | None = None
        self._timer: Timer | None = None
        self._reason: str | None = None
        self._is_over = False
        self._meters = {name: StreamMeter(capture_bytes) for name, _, _ in pipes.ways}
        self._ways = [self._make_way(*way) for way in pipes.ways]

    def _make_way(self, name: str, source: int, sink: int) -> Way:
        is_input = name == "input"
        return Way(
            self._loop,
            name,
            SharedSource(source, is_nonblocking=not is_input),
            SharedSink(sink, is_nonblocking=is_input),
            take=lambda data: self._record(name, data),
            finish=self._look_at_ways,
        )

    @property
    def descriptors(self) -> dict[str, int]:
        """Nothing: pipes end with the process that passes on what is in them."""
        return {}

    @property
    def passed_bytes(self) -> int:
        """How many bytes went through, both ways."""
        return self._recording.output_bytes + self._recording.input_bytes

    def start(self) -> None:
        """Begin to relay."""
        if self._leader is not None:
            self._watch = ExitWatch(self._loop, self._leader, self._take_exit)
        for way in self._ways:
            way.start()
        self._update()

    def send_message(self, text: str, by: str) -> None:
        """Note a message in the recording; there is no terminal to show it on."""
        self._note("message", {"text": text, "by": by, "shown": False})

    def kill(self, by: str) -> None:
        """Hang the command up; a little later kill it, and close what others of it hold."""
        self._note("kill", {"by": by})
        self._reason = "hangup"
        self._send(signal.SIGHUP)
        self._loop.call_in(_GRACE_US, self._kill_now)

    def leave(self) -> None:
        """End the recording: pipes do not outlive the process that relays between them."""
        self.end()

    def end(self) -> None:
        """End the recording now: nobody will take it up."""
        self._reason = self._reason or "recorder"
        self._close_ways()
        self._finish()

    def _kill_now(self) -> None:
        if not self._is_over:
            self._send(signal.SIGKILL)
            self._close_ways()

    def _send(self, number: int) -> None:
        if self._leader is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                signal.pidfd_send_signal(self._leader, number)

    def _record(self, name: str, data: bytes) -> bool:
        """Record what was read; return whether more of this stream will be recorded."""
        at_us = self._clock.at_us()
        meter, recording = self._meters[name], self._recording
        was_whole = meter.recorded_bytes == meter.passed_bytes
        kept = meter.take(data)
        lines: list[bytes] = []
        if name == "input":
            recording.input_bytes += len(data) - len(kept)
            lines += recording.take_input(at_us, kept) if kept else []
        else:
            recording.output_bytes += len(data) - len(kept)
            is_stderr = name == "error"
            lines += recording.take_output(at_us, kept, is_stderr=is_stderr) if kept else []
        if was_whole and len(kept) < len(data):
            facts = {"stream": name, "recorded_bytes": meter.recorded_bytes}
            lines += recording.take_note(Note(at_us, "limit", facts))
        self._write(lines, at_us)
        return meter.recorded_bytes == meter.passed_bytes

    def _note(self, kind: str, facts: dict[str, object]) -> None:
        if not self._is_over:
            at_us = self._clock.at_us()
            self._write(self._recording.take_note(Note(at_us, kind, facts)), at_us)

    def _write(self, lines: list[bytes], at_us: int) -> None:
        if lines:
            self._destinations.write(lines, at_us)
        self._update()

    def _update(self) -> None:
        """Read on or wait; have `_tick` called when the next thing is due."""
        at_us = self._clock.at_us()
        held_us = self._recording.held_until_us
        is_held = self._destinations.is_backlogged or held_us > at_us
        for way in self._ways:
            way.hold(is_held)
        due = [self._recording.due_us] if self._recording.due_us is not None else []
        if held_us > at_us:
            due.append(held_us)
        if self._destinations.is_pending:
            due.append(at_us + RETRY_US)
        if due and self._timer is None and not self._is_over:
            self._timer = self._loop.call_in(max(0, min(due) - at_us), self._tick)

    def _tick(self) -> None:
        self._timer = None
        if self._is_over:
            return
        at_us = self._clock.at_us()
        lines = self._recording.tick(at_us)
        if self._destinations.is_pending:
            self._destinations.flush(at_us)
        self._write(lines, at_us)

    def _take_exit(self, exit_: Exit | None) -> None:
        self._exit = exit_
        if self._leader is not None:
            os.close(self._leader)
            self._leader = None
        self._look_at_ways()

    def _look_at_ways(self) -> None:
        """End when the command has ended and nobody can write any more."""
        outputs = [way for way in self._ways if way.name != "input"]
        if self._leader is None and all(way.is_over for way in outputs):
            self._close_ways()
            self._finish()

    def _close_ways(self) -> None:
        for way in self._ways:
            way.close()

    def _finish(self) -> None:
        if self._is_over:
            return
        self._is_over = True
        if self._timer is not None:
            self._timer.cancel()
        if self._watch is not None:
            self._watch.cancel()
        if self._leader is not None:
            os.close(self._leader)
            self._leader = None
        at_us = self._clock.at_us()
        lines: list[bytes] = []
        for way in self._ways:
            if way.failure is not None:
                facts = {"what": f"standard {way.name}: {way.failure.strerror}"}
                lines += self._recording.take_note(Note(at_us, "lost", facts))
        reason, exit_ = self._reason or _reason_of(self._exit), self._exit
        lines += self._recording.end(
            at_us,
            reason,
            exit_status=None if exit_ is None else exit_.status,
            signal=None if exit_ is None else exit_.signal,
            streams={name: meter.total() for name, meter in self._meters.items()},
        )
        self._destinations.write(lines, at_us)
        self._finish_recording(self, lambda: self._destinations.finish(self._clock))


def _reason_of(exit_: Exit | None) -> str:
    """Return why a command's recording ended, in model.End's words."""
    if exit_ is None:
        return "unknown"
    return "signal" if exit_.signal is not None else "exit"
