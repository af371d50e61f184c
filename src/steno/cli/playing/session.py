"""One person watching one recording: the loop that joins clock, keys, screen and source."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

import msgspec

from steno.cli.playing.contents import Contents
from steno.cli.playing.feed import Feed
from steno.cli.playing.keys import KEYS, Action, KeyReader, Pressed
from steno.cli.playing.notes import describe_note
from steno.cli.playing.playback import Playback, Timeline
from steno.cli.playing.screens import make_screen
from steno.cli.playing.terminal import Terminal
from steno.cli.tables import format_offset
from steno.errors import StenoError

_POLL_US = 300_000
_STATUS_US = 200_000
_MESSAGE_US = 3_000_000
_SHORT_US = 5_000_000
_LONG_US = 60_000_000
_DEFAULT_IDLE_LIMIT_US = 2_000_000
_GRACE_US = 1_500_000
"""So long after a jump, going back is counted from where it led, not from what plays now."""


class Manner(msgspec.Struct, frozen=True):
    """How a player behaves where players differ.

    Attributes:
        steps_on: Whether a step that is made while playing leaves it playing.
        goes_forward_only: Whether going to a time that was passed does nothing, and going to the
            end of what is no live recording ends.
        is_persistent: Whether the keys that end it do nothing.
    """

    steps_on: bool = False
    goes_forward_only: bool = False
    is_persistent: bool = False


class Session:
    """Plays `feed` on `terminal`, beginning at `start_us`, until it ends or the person quits.

    Args:
        feed: The recording, already polled once into `timeline`.
        timeline: What has come of it so far.
        terminal: Where to play.
        speed: How many times as fast as it happened.
        idle_limit_us: Pauses are shortened to this; None: they are left.
        follow: Begin at the end, and wait for more until the recording ends.
        manner: How it behaves.

    Attributes:
        was_interrupted: Whether Ctrl-C ended it.
    """

    def __init__(
        self,
        feed: Feed,
        timeline: Timeline,
        terminal: Terminal,
        *,
        speed: float = 1.0,
        idle_limit_us: int | None = None,
        follow: bool = False,
        manner: Manner | None = None,
    ) -> None:
        self._feed = feed
        self._timeline = timeline
        self._terminal = terminal
        now_us = terminal.now_us()
        self._playback = Playback(timeline, now_us, idle_limit_us=idle_limit_us, speed=speed)
        self._manner = manner or Manner()
        self.was_interrupted = False
        self._screen = make_screen(terminal.write, *terminal.size())
        self._contents = Contents(feed, timeline)
        self._keys = KeyReader()
        self._message = ""
        self._message_until_us = 0
        self._found: list[int] = []
        self._jumped: tuple[int, int] | None = None
        self._noted_us = -1
        self._shows_help = False
        self._is_done = False
        self._polled_us = now_us
        if follow:
            self._playback.follow(now_us)

    def run(self, start_us: int = 0, *, paused: bool = False) -> None:
        """Play from `start_us`.

        Raises:
            TerminalError: The terminal has vanished.
        """
        if paused:
            self._playback.toggle(self._terminal.now_us())
        if self._playback.is_following:
            self._jump_to_next()
        else:
            self._seek(start_us)
        while not self._is_done:
            self._turn()
        self._screen.status([])

    def _turn(self) -> None:
        now_us = self._terminal.now_us()
        if self._playback.is_following and now_us - self._polled_us >= _POLL_US:
            self._polled_us = now_us
            self._timeline.add(self._feed.poll())
        due = self._playback.take_due(now_us)
        if due:
            self._screen.show(due)
        if self._has_ended() and not self._goes_on(now_us):
            self._is_done = True
            return
        self._tell_notes(now_us)
        self._show_status(now_us)
        wait_us = self._playback.wait_us(now_us)
        timeout_us = _STATUS_US if wait_us is None else min(wait_us, _STATUS_US)
        for pressed in self._keys.feed(self._terminal.wait_keys(timeout_us)):
            self._act(pressed)
        if self._terminal.is_resized:
            self._terminal.is_resized = False
            self._screen.redraw(*self._terminal.size())

    def _has_ended(self) -> bool:
        playback = self._playback
        if not (playback.is_playing and playback.is_at_end):
            return False
        if playback.is_following:
            return self._feed.end is not None
        return playback.position_us(self._terminal.now_us()) >= self._timeline.duration_us

    def _goes_on(self, now_us: int) -> bool:
        """At the end of a live recording, look for what has come meanwhile, or wait for it."""
        if not self._feed.is_live or self._feed.end is not None:
            return False
        self._timeline.add(self._feed.poll())
        if self._playback.is_at_end and self._feed.end is None:
            self._playback.follow(now_us)
        return True

    # What keys do.

    def _act(self, pressed: Pressed) -> None:
        now_us = self._terminal.now_us()
        playback = self._playback
        action = pressed.action
        self._shows_help = action is Action.HELP and not self._shows_help
        if action in _MOVES_US:
            self._seek(playback.position_us(now_us) + _MOVES_US[action])
        elif action in _SPEEDS:
            playback.set_speed(_SPEEDS[action] * playback.speed, now_us)
        elif action is Action.NORMAL_SPEED:
            playback.set_speed(1.0, now_us)
        elif action is Action.PAUSE:
            playback.toggle(now_us)
        elif action is Action.STEP:
            self._screen.show(playback.step(now_us, goes_on=self._manner.steps_on))
        elif action in (Action.QUIT, Action.INTERRUPT):
            self._quit(action)
        elif action is Action.IDLE:
            self._toggle_idle_limit(now_us)
        else:
            self._go(pressed, now_us)

    def _go(self, pressed: Pressed, now_us: int) -> None:
        action = pressed.action
        if action is Action.START:
            self._seek(0)
        elif action is Action.GOTO:
            self._go_to_time(pressed.at_us, now_us)
        elif action is Action.END:
            self._go_to_end(now_us)
        elif action is Action.FIND:
            self._find(pressed.text)
        elif action in (Action.NEXT_MATCH, Action.PREVIOUS_MATCH):
            is_next = action is Action.NEXT_MATCH
            self._seek_among(self._found, is_next=is_next, what="match")
        elif action in (Action.NEXT_COMMAND, Action.PREVIOUS_COMMAND):
            try:
                instants = self._contents.command_instants()
            except StenoError as error:
                self._say(str(error))
                return
            is_next = action is Action.NEXT_COMMAND
            self._seek_among(instants, is_next=is_next, what="command")

    def _toggle_idle_limit(self, now_us: int) -> None:
        limit_us = None if self._playback.idle_limit_us else _DEFAULT_IDLE_LIMIT_US
        self._playback.set_idle_limit(limit_us, now_us)
        self._say("pauses as they were" if limit_us is None else "long pauses shortened")

    def _quit(self, action: Action) -> None:
        if not self._manner.is_persistent:
            self.was_interrupted = action is Action.INTERRUPT
            self._is_done = True

    def _go_to_time(self, at_us: int, now_us: int) -> None:
        is_passed = at_us <= self._playback.position_us(now_us)
        if not (is_passed and self._manner.goes_forward_only):
            self._seek(at_us)

    def _go_to_end(self, now_us: int) -> None:
        self._timeline.add(self._feed.poll())
        if self._manner.goes_forward_only and not self._feed.is_live:
            self._seek(self._timeline.duration_us)
        elif self._feed.end is None:
            self._playback.follow(now_us)
            self._say("following; it has not ended")
            self._jump_to_next()
        else:
            self._seek(self._timeline.duration_us)
            if self._playback.is_playing:
                self._playback.toggle(now_us)

    def _find(self, text: str) -> None:
        try:
            self._found = self._contents.match_instants(text)
        except StenoError as error:
            self._say(str(error))
            return
        if self._found:
            self._seek_among(self._found, is_next=True, what="match")
        else:
            self._say(f"not found: {text}")

    def _seek_among(self, instants: list[int], *, is_next: bool, what: str) -> None:
        now_us = self._terminal.now_us()
        at_us = self._playback.position_us(now_us)
        if self._jumped is not None and not is_next:
            instant_us, when_us = self._jumped
            at_us = instant_us if now_us - when_us < _GRACE_US else at_us
        index = bisect_right(instants, at_us) if is_next else bisect_left(instants, at_us) - 1
        if 0 <= index < len(instants):
            self._seek(instants[index])
            self._jumped = instants[index], now_us
            self._say(f"{what} {index + 1} of {len(instants)}")
        else:
            self._say(f"no {'later' if is_next else 'earlier'} {what}")

    def _seek(self, at_us: int) -> None:
        self._jumped = None
        now_us = self._terminal.now_us()
        self._playback.seek(at_us, now_us)
        # What stands at the very instant is told; what was passed over on the way is not.
        self._noted_us = self._playback.position_us(now_us) - 1
        self._jump_to_next()

    def _jump_to_next(self) -> None:
        self._screen.jump(self._timeline, self._playback.next_index)

    # What is said.

    def _tell_notes(self, now_us: int) -> None:
        """Say what happened to the recording where it plays: a gap, a drop, a crash."""
        at_us = self._playback.position_us(now_us)
        notes = self._timeline.notes_between(self._noted_us, at_us)
        self._noted_us = max(self._noted_us, at_us)
        if notes:
            self._say("; ".join(describe_note(note) for note in notes[-2:]))

    def _say(self, text: str) -> None:
        self._message = text
        self._message_until_us = self._terminal.now_us() + _MESSAGE_US

    def _show_status(self, now_us: int) -> None:
        is_saying = now_us < self._message_until_us
        hint = self._screen.hint()
        if self._playback.is_playing and not (
            is_saying or self._keys.typed or self._shows_help or hint
        ):
            self._screen.status([])
            return
        parts = [self._describe_position(now_us)]
        if self._playback.speed != 1:
            parts.append(f"x{self._playback.speed:g}")
        parts += [part for part in (hint, self._message if is_saying else "") if part]
        if self._keys.typed:
            parts.append(self._keys.typed + "_")
        lines = _describe_keys() if self._shows_help else []
        self._screen.status([*lines, " " + "  ".join(parts)])

    def _describe_position(self, now_us: int) -> str:
        playback = self._playback
        state = "live" if playback.is_following else "playing" if playback.is_playing else "paused"
        at_us, duration_us = playback.position_us(now_us), self._timeline.duration_us
        return f"{state} {format_offset(at_us)} / {format_offset(duration_us)}"


_MOVES_US = {
    Action.BACK: -_SHORT_US,
    Action.FORWARD: _SHORT_US,
    Action.FAR_BACK: -_LONG_US,
    Action.FAR_FORWARD: _LONG_US,
}
_SPEEDS = {Action.FASTER: 2.0, Action.SLOWER: 0.5}


def _describe_keys() -> list[str]:
    lines = [" 90G, 1:30G       to this time"]
    for _, keys, meaning in KEYS:
        shown = " ".join("space" if key == " " else key for key in keys if key.isprintable())
        lines.append(f" {shown:<16} {meaning}")
    return lines
