"""Derive what can be searched and shown from a recording's output, piece by piece.

The rules for lines, keyframes and commands: docs/formats/derived.md.
"""

from __future__ import annotations

import msgspec

from steno.model import Command, Keyframe, Message, Output, Piece, TextLine, Window
from steno.screen.commands import CommandFinder, FinderState
from steno.screen.emulator import Emulator, clamp_window
from steno.screen.lines import LineTracker, TrackerState
from steno.screen.sequences import (
    Effect,
    ends_like_prompt,
    is_complete,
    split_effects,
    split_unfinished,
)
from steno.structs import msgpack_decoder

GROUP_US = 50_000
"""The screen is looked at when a piece comes this long after the first one since the last look."""
PRIMARY_SETTLE_US = 1_000_000
ALTERNATE_SETTLE_US = 200_000
KEYFRAME_BYTES = 256 * 1024
KEYFRAME_US = 10_000_000
_FORCED_KEYFRAME_BYTES = 4 * 1024 * 1024
"""A parser that found no ground for so long is within rubbish: a keyframe loses nothing."""
_MAX_LOOKS = 64
_LOOK_BYTES = 256
_MAX_LINE_LOOKS = 1024
_LINE_LOOK_BYTES = 16
"""Shells say themselves when they take a line: of what is pasted, each is looked at."""
_TEXT_PER_BYTE = 64
_TEXT_FREE_CHARACTERS = 1024 * 1024
_KEYFRAME_PER_BYTE = 8
_KEYFRAME_FREE_BYTES = 4 * 1024 * 1024


class Findings(msgspec.Struct):
    """What was derived since the last `take`.

    Attributes:
        lines: Screen text that counts, in order.
        keyframes: New keyframes, in order.
        commands: New commands, in order.
        activity: Output bytes per second of recording time.
        lost_lines: Lines that were too much: the recording would fill the index with more text
            than 64 times its own output.
    """

    lines: list[TextLine] = []
    keyframes: list[Keyframe] = []
    commands: list[Command] = []
    activity: dict[int, int] = {}
    lost_lines: int = 0


class DeriverState(msgspec.Struct):
    """All that a deriver knows, to be saved."""

    user: str
    host: str
    terminal: bytes
    primary: TrackerState
    alternate: TrackerState | None
    finder: FinderState
    held: bytes
    is_plain: bool
    last_us: int
    group_us: int | None
    output_bytes: int
    text_characters: int
    looks: int
    line_looks: int
    ends_like_prompt: bool
    keyframe_us: int
    keyframe_at_bytes: int
    keyframes_bytes: int


_encode = msgspec.msgpack.encode
_decode = msgpack_decoder(DeriverState)


def as_terminal_output(data: bytes) -> bytes:
    """Return a pipe's output as a terminal would get it: lines begin at the left edge."""
    return data.replace(b"\n", b"\r\n")


class Deriver:
    """Follow one recording. Does no I/O, reads no clock: only the pieces' instants count.

    A recording that begins with output before any window's size is known is a pipe's: plain lines.
    """

    def __init__(self, user: str = "", host: str = "") -> None:
        primary = TrackerState(PRIMARY_SETTLE_US, skips_seen=False)
        self._adopt(
            DeriverState(
                user=user,
                host=host,
                terminal=b"",
                primary=primary,
                alternate=None,
                finder=FinderState(),
                held=b"",
                is_plain=True,
                last_us=0,
                group_us=None,
                output_bytes=0,
                text_characters=0,
                looks=_MAX_LOOKS,
                line_looks=_MAX_LINE_LOOKS,
                ends_like_prompt=False,
                keyframe_us=0,
                keyframe_at_bytes=0,
                keyframes_bytes=0,
            ),
            Emulator(),
        )

    def _adopt(self, state: DeriverState, emulator: Emulator) -> None:
        self._emulator = emulator
        self._state = state
        self._primary = LineTracker(state.primary)
        self._alternate = None if state.alternate is None else LineTracker(state.alternate)
        self._finder = CommandFinder(state.user, state.host, state.finder)
        self._found = Findings()

    def save(self) -> bytes:
        """Return the state to go on from; what was found must be taken before."""
        state = self._state
        state.terminal = self._emulator.save()
        state.primary = self._primary.state()
        state.alternate = None if self._alternate is None else self._alternate.state()
        state.finder = self._finder.state()
        return _encode(state)

    @classmethod
    def restore(cls, data: bytes) -> Deriver:
        """Return the deriver that `save` saved.

        Raises:
            msgspec.MsgspecError: It is not a saved deriver of this version.
            ScreenStateError: Its terminal is not readable.
        """
        state = _decode(data)
        deriver = cls.__new__(cls)
        deriver._adopt(state, Emulator.restore(state.terminal))
        return deriver

    def close(self) -> None:
        """Free the terminal's memory now; the deriver cannot be used afterwards."""
        self._emulator.close()

    def take(self) -> Findings:
        """Return what was found since the last call."""
        found, self._found = self._found, Findings()
        return found

    # Following.

    def feed(self, message: Message, offset_bytes: int, *, first_piece: int = 0) -> None:
        """Take a message's pieces; its line begins at `offset_bytes` of the recording."""
        start = message.start
        if start is not None and start.columns and start.rows:
            # Windows need not be recorded; the size at the start is known all the same.
            self._resize(Window(0, start.columns, start.rows))
        for number in range(first_piece, len(message.pieces)):
            piece = message.pieces[number]
            if isinstance(piece, (Output, Window)):
                self._feed_piece(piece, offset_bytes, number)

    def settle(self, until_us: int) -> None:
        """Take note that nothing happened up to `until_us`: what stands counts as settled."""
        if self._state.group_us is not None and until_us >= self._state.group_us + GROUP_US:
            self._end_group()
        if self._state.group_us is None:
            self._keep(self._tracker.settle(until_us))

    def finish(self) -> None:
        """Take note of the recording's end: all that is on the screen counts."""
        self._feed_output(self._state.held)
        self._state.held = b""
        self._end_group()
        if self._alternate is not None:
            self._keep(self._alternate.leave())
        self._keep(self._primary.leave())
        self._found.commands += self._finder.finish()

    @property
    def window(self) -> tuple[int, int]:
        """The columns and rows that are emulated."""
        return self._emulator.columns, self._emulator.rows

    @property
    def _tracker(self) -> LineTracker:
        return self._primary if self._alternate is None else self._alternate

    def _feed_piece(self, piece: Piece, offset_bytes: int, number: int) -> None:
        state = self._state
        at_us = max(piece.at_us, state.last_us)
        if state.group_us is not None and at_us >= state.group_us + GROUP_US:
            self._end_group()
        if isinstance(piece, Output):
            if state.group_us is not None and self._is_at_prompt() and self._may_look():
                # Somebody types at once: what follows is the echo.
                self._end_group()
            self._take_keyframe(at_us, offset_bytes, number)
        if state.group_us is None:
            self._keep(self._tracker.settle(at_us))
            state.group_us = at_us
        state.last_us = at_us
        if isinstance(piece, Window):
            self._resize(piece)
        elif isinstance(piece, Output):
            second = at_us // 1_000_000
            activity = self._found.activity
            activity[second] = activity.get(second, 0) + len(piece.data)
            state.output_bytes += len(piece.data)
            state.looks = min(_MAX_LOOKS, state.looks + len(piece.data) // _LOOK_BYTES + 1)
            line_looks = state.line_looks + len(piece.data) // _LINE_LOOK_BYTES + 1
            state.line_looks = min(_MAX_LINE_LOOKS, line_looks)
            data = as_terminal_output(piece.data) if state.is_plain else piece.data
            data, state.held = split_unfinished(state.held + data)
            self._feed_output(data)
            state.ends_like_prompt = ends_like_prompt(data)

    def _resize(self, window: Window) -> None:
        self._state.is_plain = False
        if clamp_window(window.columns, window.rows) != self.window:
            self._scroll(self._emulator.resize(window.columns, window.rows))

    def _feed_output(self, data: bytes) -> None:
        for stretch in split_effects(data):
            self._scroll(self._emulator.feed(stretch.data))
            if stretch.effect is None:
                continue
            self._foresee(stretch.effect)
            self._scroll(self._emulator.feed(stretch.sequence))
            if stretch.effect is Effect.INPUT:
                line, before = self._emulator.text_before_cursor()
                self._finder.mark_input(line, before)
            self._follow_screen()

    def _foresee(self, effect: Effect) -> None:
        """Keep what a sequence is about to take from the screen."""
        if effect in (Effect.EDIT, Effect.ACCEPT):
            if self._state.line_looks > 0:
                self._state.line_looks -= 1
                self._look(effect)
            return
        if effect in (Effect.INPUT, Effect.PROMPT) or not self._may_look():
            return
        is_alternate = self._alternate is not None
        if effect is Effect.EXECUTE:
            self._look()
        elif effect is Effect.CLEAR or (
            effect is Effect.CLEAR_BELOW and self._emulator.cursor == (0, 0)
        ):
            self._look()
            self._keep(self._tracker.clear(self._state.last_us))
            self._finder.forget()
        elif is_alternate == (effect is Effect.LEAVE_ALTERNATE):
            self._look()
            self._keep(self._tracker.leave())

    def _may_look(self) -> bool:
        """Bound the work that a stream of nothing but clearings can cause."""
        if self._state.looks <= 0:
            return False
        self._state.looks -= 1
        return True

    def _follow_screen(self) -> None:
        is_alternate = self._emulator.is_alternate
        if is_alternate and self._alternate is None:
            self._finder.forget()
            self._alternate = LineTracker(TrackerState(ALTERNATE_SETTLE_US, skips_seen=True))
        elif not is_alternate and self._alternate is not None:
            self._alternate = None

    def _scroll(self, texts: list[str]) -> None:
        if self._emulator.has_lost_lines:
            self._emulator.has_lost_lines = False
            self._found.lost_lines += 1
        if texts:
            self._keep(self._primary.scroll(texts, self._state.last_us))
            self._finder.scroll(texts)

    def _is_at_prompt(self) -> bool:
        """Return whether the cursor waits behind what looks like a prompt that was not seen yet."""
        state = self._state
        if not state.ends_like_prompt or self._alternate is not None or state.is_plain:
            return False
        return self._finder.is_new_prompt(*self._emulator.text_before_cursor())

    def _end_group(self) -> None:
        if self._state.group_us is not None:
            self._look()
            self._state.group_us = None

    def _look(self, effect: Effect | None = None) -> None:
        """Look at the screen, before a sequence with an effect, if that is why."""
        state = self._state
        since_us = state.last_us if state.group_us is None else state.group_us
        texts = self._emulator.lines()
        cursor_line, before = self._emulator.text_before_cursor()
        self._keep(self._tracker.look(texts, cursor_line, state.last_us, since_us))
        if self._alternate is None and not state.is_plain:
            self._found.commands += self._finder.look(texts, cursor_line, before, since_us, effect)

    def _keep(self, lines: list[TextLine]) -> None:
        if not lines:
            return
        state = self._state
        characters = sum(len(line.text) for line in lines)
        limit = _TEXT_FREE_CHARACTERS + _TEXT_PER_BYTE * state.output_bytes
        if state.text_characters + characters > limit:
            self._found.lost_lines += len(lines)
            return
        state.text_characters += characters
        self._found.lines += lines

    def _take_keyframe(self, next_us: int, offset_bytes: int, piece: int) -> None:
        """Take a keyframe before this piece, if it is time and the parser allows it."""
        state = self._state
        since_bytes = state.output_bytes - state.keyframe_at_bytes
        is_due = since_bytes >= KEYFRAME_BYTES or next_us - state.keyframe_us >= KEYFRAME_US
        if not since_bytes or not is_due:
            return
        is_whole = is_complete(state.held) and self._emulator.is_ground
        if not is_whole and since_bytes < _FORCED_KEYFRAME_BYTES:
            return
        state.keyframe_us = state.last_us
        state.keyframe_at_bytes = state.output_bytes
        data = self._emulator.keyframe() + state.held
        limit = _KEYFRAME_FREE_BYTES + _KEYFRAME_PER_BYTE * state.output_bytes
        if state.keyframes_bytes + len(data) > limit:
            return
        state.keyframes_bytes += len(data)
        columns, rows = self.window
        self._found.keyframes.append(
            Keyframe(state.last_us, offset_bytes, piece, columns, rows, data)
        )
