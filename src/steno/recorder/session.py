"""What a session's recording keeps of what passes. Does no I/O and reads no clock.

`steno rec` and the agent hand in what they read, each with its instant, and write the lines
that come back to the recording's destinations.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping

import msgspec

from steno.errors import StoreError
from steno.formats.cutter import DEFAULT_LIMIT_BYTES, Cutter, CutterState, Identity, Room
from steno.formats.stretches import Filled, Row
from steno.model import End, Input, Note, Output, Piece, StreamTotal, Window
from steno.recorder.echo import Echo, EchoWatch, Typed, WatchState
from steno.recorder.limit import Action, Limit, TokenBucket
from steno.structs import decode_msgpack

STATE_VERSION = 1


class InputMode(enum.Enum):
    """Whether what is typed is recorded.

    SEEN leaves out what the terminal does not show; see steno.recorder.echo.
    """

    NONE = "none"
    SEEN = "seen"
    ALL = "all"


class Settings(msgspec.Struct, frozen=True):
    """How a session is recorded.

    Attributes:
        latency_us: How long what passes may stay in memory before it is in a line.
        payload_bytes: How large a message's payload may become.
        output: Whether output is recorded.
        window: Whether window sizes are recorded.
        input: Whether input is recorded.
        limit: The limit on what is recorded.
        charset: What the terminal speaks, in formats.charset's words; None for UTF-8.
    """

    latency_us: int = 1_000_000
    payload_bytes: int = DEFAULT_LIMIT_BYTES
    output: bool = True
    window: bool = True
    input: InputMode = InputMode.NONE
    limit: Limit = Limit()
    charset: str | None = None

    def records(self) -> list[str]:
        """Return what is recorded, in the words of model.Start."""
        kept = {
            "output": self.output,
            "input": self.input is not InputMode.NONE,
            "window": self.window,
        }
        return [word for word, is_kept in kept.items() if is_kept]


class Tally(msgspec.Struct):
    """Counts bytes that a note will tell of, and from when to when they came."""

    from_us: int
    until_us: int
    output_bytes: int = 0
    input_bytes: int = 0
    held_us: int = 0

    def facts(self) -> dict[str, int]:
        """Return the note's facts."""
        counts = {
            "output_bytes": self.output_bytes,
            "input_bytes": self.input_bytes,
            "held_us": self.held_us,
        }
        times = {"from_ms": self.from_us // 1000, "until_ms": self.until_us // 1000}
        return {name: value for name, value in counts.items() if value} | times


class SessionState(msgspec.Struct, frozen=True):
    """What a session knows between two messages: with it another process can go on.

    Attributes:
        output_bytes: Bytes of output that passed.
        input_bytes: Bytes of input that passed.
        held_until_us: See Session.
        cutter: Where the lines were.
        bucket: What the limit still allowed, and when.
        watch: What was typed and not shown yet.
        tallies: What was counted and not noted yet.
        version: A reader refuses a later one.
    """

    output_bytes: int
    input_bytes: int
    held_until_us: int
    cutter: CutterState
    bucket: tuple[float, int]
    watch: WatchState
    tallies: dict[str, Tally]
    version: int = STATE_VERSION


_ENCODER = msgspec.msgpack.Encoder()


def read_state(data: bytes) -> SessionState:
    """Return what `Session.state` gave, in this process or another one.

    Raises:
        StoreError: It is of a newer version of Steno, or damaged.
    """
    try:
        state = decode_msgpack(data, SessionState)
    except msgspec.DecodeError as error:
        raise StoreError(f"the state kept of a recording cannot be read: {error}") from error
    if state.version > STATE_VERSION:
        raise StoreError(
            f"the state kept of a recording has version {state.version}, "
            f"and this program knows {STATE_VERSION}"
        )
    return state


class Session:
    """One recording being made: what passes comes in, lines come out.

    Instants (`at_us`) are microseconds since the recording's start and must not go back.
    `output_bytes` and `input_bytes` count what passed, recorded or not.
    """

    def __init__(self, identity: Identity, settings: Settings) -> None:
        """Begin a recording.

        Raises:
            UsageError: The settings ask for messages that are too small.
        """
        self.output_bytes = 0
        self.input_bytes = 0
        self.held_until_us = 0
        """Nothing recorded should be read before this instant: a limit's delay."""
        self._settings = settings
        self._cutter = Cutter(identity, limit_bytes=settings.payload_bytes)
        self._action = settings.limit.action
        self._is_limited = self._action is not Action.PASS
        self._records_output = settings.output
        self._bucket = TokenBucket(settings.limit)
        self._charged_bytes = 0
        self._watch = EchoWatch()
        self._tallies: dict[str, Tally] = {}

    @classmethod
    def resume(cls, identity: Identity, settings: Settings, state: SessionState) -> Session:
        """Go on where another process was when it took `state`.

        Raises:
            UsageError: The settings ask for messages that are too small.
        """
        session = cls(identity, settings)
        session.output_bytes = state.output_bytes
        session.input_bytes = state.input_bytes
        session.held_until_us = state.held_until_us
        session._cutter = Cutter.resume(identity, state.cutter, limit_bytes=settings.payload_bytes)
        session._bucket.resume(state.bucket)
        session._watch.resume(state.watch)
        session._tallies = {**state.tallies}
        return session

    @property
    def next_id(self) -> int:
        """The next message's number."""
        return self._cutter.next_id

    @property
    def is_pending(self) -> bool:
        """Whether something waits to be cut: then there is no `state`."""
        return self._cutter.pending_since_us is not None

    def state(self) -> bytes:
        """Return what another process needs to go on; `read_state` reads it.

        Raises:
            ValueError: Something is pending; `cut` first.
        """
        state = SessionState(
            self.output_bytes,
            self.input_bytes,
            self.held_until_us,
            self._cutter.state(),
            self._bucket.state(),
            self._watch.state(),
            self._tallies,
        )
        return _ENCODER.encode(state)

    def begin(self, at_us: int, window: tuple[int, int] | None) -> list[bytes]:
        """Return the first line: that the session begins is safe before anything happens in it."""
        lines = [] if window is None else self.take_window(at_us, *window)
        return [*lines, self._cutter.begin(at_us)]

    def take_output(
        self, at_us: int, data: bytes, *, is_stderr: bool = False, held_us: int = 0
    ) -> list[bytes]:
        """Record what the program wrote; return the lines that were completed.

        Args:
            at_us: When it came.
            data: What came.
            is_stderr: Whether it came by a standard error of its own.
            held_us: So long after it nothing more is read, by somebody else's limit.
        """
        self.output_bytes += len(data)
        if self._watch.due_us is None:
            return self._keep_output(at_us, data, is_stderr, held_us)
        seen = self._watch.show(data)
        lines = self._keep_input(at_us, seen) if seen else []
        return lines + self._keep_output(at_us, data, is_stderr, held_us)

    def room(self) -> Room | None:
        """Return what output may be encoded into now; None: it is to be looked at itself."""
        if self._is_limited or not self._records_output or self._watch.due_us is not None:
            return None
        return self._cutter.room()

    def take_filled(self, filled: Filled) -> list[bytes]:
        """Record output that was encoded into `room` and fills it; see `Cutter.add_filled`."""
        return self._cutter.add_filled(filled)

    def take_row(self, row: Row) -> None:
        """Record the output behind that, and count both."""
        self.output_bytes += row.length_bytes
        self._cutter.add_row(row)

    def _keep_output(self, at_us: int, data: bytes, is_stderr: bool, held_us: int) -> list[bytes]:
        if not self._records_output:
            return []
        if not self._is_limited and not held_us:
            return self._cutter.add(Output(at_us, data, is_stderr))
        if not self._admit(at_us, len(data), 0, held_us):
            return []
        return self._flush("drop", at_us) + self._cutter.add(Output(at_us, data, is_stderr))

    def take_input(self, at_us: int, data: bytes, echo: Echo = Echo.SHOWN) -> list[bytes]:
        """Record what was typed; `echo` says what the terminal did with it."""
        self.input_bytes += len(data)
        mode = self._settings.input
        if mode is InputMode.NONE:
            return []
        if mode is InputMode.ALL:
            return self._keep_input(at_us, data)
        if echo is Echo.DRAWN:
            seen = self._watch.type(at_us, data)
            self._count_unseen(self._watch.expire(at_us))
            return self._keep_input(at_us, seen) if seen else []
        self._count_unseen(self._watch.give_up())
        if echo is Echo.HIDDEN:
            self._tally("unseen", at_us, 0, len(data))
            return []
        return self._keep_input(at_us, data)

    def _keep_input(self, at_us: int, data: bytes) -> list[bytes]:
        lines = self._flush("unseen", at_us)
        if self._is_limited and not self._admit(at_us, 0, len(data)):
            return lines
        return lines + self._flush("drop", at_us) + self._cutter.add(Input(at_us, data))

    def _count_unseen(self, unseen: list[Typed]) -> None:
        for typed in unseen:
            self._tally("unseen", typed.at_us, 0, len(typed.data))

    def take_window(self, at_us: int, columns: int, rows: int) -> list[bytes]:
        """Record the window's size from now on."""
        if not self._settings.window:
            return []
        return self._cutter.add(Window(at_us, columns, rows))

    def take_note(self, note: Note) -> list[bytes]:
        """Record something else that happened to the session."""
        return self._cutter.add(note)

    def take_dropped(self, at_us: int, output_bytes: int = 0, input_bytes: int = 0) -> None:
        """Count bytes that passed and that somebody else decided not to record: a note tells."""
        self.output_bytes += output_bytes
        self.input_bytes += input_bytes
        self._tally("drop", at_us, output_bytes, input_bytes)

    def take_pieces(self, pieces: Iterable[Piece]) -> list[bytes]:
        """Record what was counted and judged before; see steno.agent.resume."""
        return [line for piece in pieces for line in self._cutter.add(piece)]

    @property
    def due_us(self) -> int | None:
        """When `tick` must be called at the latest; None while nothing waits to be cut."""
        pending_us = self._cutter.pending_since_us
        if self._tallies:
            counted_us = min(tally.from_us for tally in self._tallies.values())
            pending_us = counted_us if pending_us is None else min(pending_us, counted_us)
        due_us = None if pending_us is None else pending_us + self._settings.latency_us
        watch_us = self._watch.due_us
        if watch_us is None or due_us is None:
            return due_us if watch_us is None else watch_us
        return min(due_us, watch_us)

    def tick(self, at_us: int) -> list[bytes]:
        """Return what has waited long enough as lines."""
        due_us = self.due_us
        if due_us is None or at_us < due_us:
            return []
        if self._watch.due_us is not None:
            self._count_unseen(self._watch.expire(at_us))
            due_us = self.due_us
        return self.cut(at_us) if due_us is not None and at_us >= due_us else []

    def cut(self, at_us: int) -> list[bytes]:
        """Return all that waits as lines, now."""
        lines = self._flush_all(at_us)
        line = self._cutter.cut()
        return lines if line is None else [*lines, line]

    def end(
        self,
        at_us: int,
        reason: str,
        *,
        exit_status: int | None = None,
        signal: int | None = None,
        streams: Mapping[str, StreamTotal] | None = None,
    ) -> list[bytes]:
        """Return the last lines; the words for `reason` and `streams` are model.End's."""
        self._count_unseen(self._watch.give_up())
        totals = dict(streams or {})
        end = End(reason, exit_status, signal, self.output_bytes, self.input_bytes, totals)
        return self._flush_all(at_us) + self._cutter.end(end, at_us)

    def _admit(self, at_us: int, output_bytes: int, input_bytes: int, held_us: int = 0) -> bool:
        size_bytes = output_bytes + input_bytes
        if self._action is Action.DROP and not self._has_room(at_us, size_bytes):
            self._tally("drop", at_us, output_bytes, input_bytes)
            return False
        if self._action is Action.DELAY:
            counts_messages = self._settings.limit.counts_messages
            counted_bytes = self._take_written() if counts_messages else size_bytes
            held_us = max(held_us, self._bucket.charge(at_us, counted_bytes))
        if held_us:
            # Held bytes are those that wait behind this piece; it stands for them.
            until_us = max(at_us + held_us, self.held_until_us)
            tally = self._tally("delay", at_us, output_bytes, input_bytes)
            tally.held_us += until_us - max(at_us, self.held_until_us)
            self.held_until_us = until_us
        return True

    def _has_room(self, at_us: int, size_bytes: int) -> bool:
        if not self._settings.limit.counts_messages:
            return self._bucket.admit(at_us, size_bytes)
        self._bucket.spend(self._take_written())
        return self._bucket.has_room(at_us, size_bytes)

    def _take_written(self) -> int:
        """Return how many bytes of messages were written since the last call."""
        written_bytes = self._cutter.written_bytes - self._charged_bytes
        self._charged_bytes += written_bytes
        return written_bytes

    def _tally(self, kind: str, at_us: int, output_bytes: int, input_bytes: int) -> Tally:
        tally = self._tallies.get(kind)
        if tally is None:
            tally = self._tallies[kind] = Tally(at_us, at_us)
        tally.until_us = at_us
        tally.output_bytes += output_bytes
        tally.input_bytes += input_bytes
        return tally

    def _flush(self, kind: str, at_us: int) -> list[bytes]:
        tally = self._tallies.pop(kind, None)
        return [] if tally is None else self._cutter.add(Note(at_us, kind, tally.facts()))

    def _flush_all(self, at_us: int) -> list[bytes]:
        return [line for kind in [*self._tallies] for line in self._flush(kind, at_us)]
