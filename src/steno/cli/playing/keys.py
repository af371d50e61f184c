"""What a key means to the player."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum, auto

import msgspec


class Action(Enum):
    """What the person asks for."""

    PAUSE = auto()
    STEP = auto()
    FASTER = auto()
    SLOWER = auto()
    NORMAL_SPEED = auto()
    BACK = auto()
    FORWARD = auto()
    FAR_BACK = auto()
    FAR_FORWARD = auto()
    START = auto()
    END = auto()
    GOTO = auto()
    NEXT_MATCH = auto()
    PREVIOUS_MATCH = auto()
    NEXT_COMMAND = auto()
    PREVIOUS_COMMAND = auto()
    FIND = auto()
    IDLE = auto()
    HELP = auto()
    QUIT = auto()
    INTERRUPT = auto()


KEYS: tuple[tuple[Action, tuple[str, ...], str], ...] = (
    (Action.PAUSE, (" ", "p"), "pause, go on"),
    (Action.STEP, (".",), "pause, and show the next piece of output"),
    (Action.FASTER, ("}", "]", "+"), "twice as fast, up to 16 times"),
    (Action.SLOWER, ("{", "[", "-"), "half as fast, down to 1/16"),
    (Action.NORMAL_SPEED, ("\x7f", "\b", "="), "normal speed (Backspace, =)"),
    (Action.BACK, ("\x1b[D", "\x1bOD"), "5 seconds back (left arrow)"),
    (Action.FORWARD, ("\x1b[C", "\x1bOC"), "5 seconds forward (right arrow)"),
    (Action.FAR_BACK, ("\x1b[B", "\x1bOB"), "a minute back (down arrow)"),
    (Action.FAR_FORWARD, ("\x1b[A", "\x1bOA"), "a minute forward (up arrow)"),
    (Action.START, ("\x1b[H", "\x1bOH", "\x1b[1~", "^"), "to the start (Home, ^)"),
    (Action.END, ("\x1b[F", "\x1bOF", "\x1b[4~", "$"), "to the end; follow a live one (End, $, G)"),
    (Action.NEXT_COMMAND, ("c",), "to the next command"),
    (Action.PREVIOUS_COMMAND, ("C",), "to the previous command"),
    (Action.FIND, ("/",), "find text: type it, then Enter"),
    (Action.NEXT_MATCH, ("n",), "to the next match"),
    (Action.PREVIOUS_MATCH, ("N",), "to the previous match"),
    (Action.IDLE, ("i",), "shorten long pauses, or leave them"),
    (Action.HELP, ("?", "h"), "this help"),
    (Action.QUIT, ("q", "\x04"), "end (q, Ctrl-D)"),
    (Action.INTERRUPT, ("\x03",), "end (Ctrl-C)"),
)
"""Every key but those of a time (12G, 1:30G), with what it does; docs/play.md lists them."""

_MEANINGS = {key: action for action, keys, _ in KEYS for key in keys}
_TOKEN = re.compile(r"\x1b(?:\[[0-9;]*[~A-Za-z]|O[A-Za-z])|.", re.DOTALL)
_TIME = re.compile(r"(?:(?:(\d*):)?(\d*):)?(\d*(?:\.\d*)?)\Z")


class Pressed(msgspec.Struct, frozen=True):
    """A request, with the instant or the text that was typed for it."""

    action: Action
    at_us: int = 0
    text: str = ""


def parse_time(text: str) -> int | None:
    """Return the microseconds that `90`, `1:30` or `1:02:03.5` say; None when it says none.

    A part may be left out for zero: `2::` is two hours.
    """
    match = _TIME.match(text)
    if match is None or not any(letter.isdigit() for letter in text):
        return None
    hours, minutes, seconds = (
        part if part not in ("", ".", None) else "0" for part in match.groups()
    )
    return round((int(hours) * 3600 + int(minutes) * 60 + float(f"0{seconds}")) * 1_000_000)


class KeyReader:
    """Turn typed characters into requests; remembers a time or a text that is being typed."""

    def __init__(self) -> None:
        self._time = ""
        self._text: str | None = None

    @property
    def typed(self) -> str:
        """What is being typed: digits of a time, or `/` and the text to find."""
        return self._time if self._text is None else "/" + self._text

    def feed(self, text: str) -> Iterator[Pressed]:
        """Yield the requests that `text` completes."""
        for token in _TOKEN.findall(text):
            pressed = self._read_text(token) if self._text is not None else self._read_key(token)
            if pressed is not None:
                yield pressed

    def _read_key(self, key: str) -> Pressed | None:
        if key in "0123456789:" or (key == "." and self._time):
            self._time += key
            return None
        typed, self._time = self._time, ""
        if key == "G":
            if not typed:
                return Pressed(Action.END)
            at_us = parse_time(typed)
            return None if at_us is None else Pressed(Action.GOTO, at_us)
        action = _MEANINGS.get(key)
        if action is Action.FIND:
            self._text = ""
            return None
        return None if action is None else Pressed(action)

    def _read_text(self, key: str) -> Pressed | None:
        text = self._text or ""
        if key in ("\r", "\n"):
            self._text = None
            return Pressed(Action.FIND, text=text) if text else None
        if key in ("\x03", "\x1b", "\x07"):
            self._text = None
        elif key in ("\x7f", "\b"):
            self._text = text[:-1] if text else None
        elif key.isprintable():
            self._text = text + key
        return None
