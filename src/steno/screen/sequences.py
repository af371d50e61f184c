"""Cut output where something is about to happen to the screen that the index must see coming.

A screen that is cleared is gone once the terminal has read the sequence; so the sequences that
do that are found first. So are those by which shells begin to read a line and take it: line
editors switch bracketed paste on and off there. Source: ECMA-48 and xterm's ctlseqs (ED, RIS,
DECSET 47, 1047, 1049, 2004);
OSC 133: https://gitlab.freedesktop.org/Per_Bothner/specifications, semantic-prompts.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum

import msgspec

_MAX_HELD_BYTES = 64


class Effect(Enum):
    """What a sequence does to the screen."""

    CLEAR = "clear"
    CLEAR_BELOW = "clear_below"
    ENTER_ALTERNATE = "enter_alternate"
    LEAVE_ALTERNATE = "leave_alternate"
    PROMPT = "prompt"
    INPUT = "input"
    EXECUTE = "execute"
    EDIT = "edit"
    ACCEPT = "accept"


class Stretch(msgspec.Struct, frozen=True):
    """Output, and what its last sequence does, if that is one of `Effect`.

    Attributes:
        data: The output before that sequence.
        sequence: The sequence itself; b"" when there is none.
        effect: What it does.
    """

    data: bytes
    sequence: bytes = b""
    effect: Effect | None = None


_SPECIAL = re.compile(
    rb"\x1b(?:"
    rb"(?P<reset>c)"
    rb"|(?P<home>\[(?:1?;1?)?H\x1b)?\[\??(?P<erase>[0-9]{0,3})J"
    rb"|\[\?(?:[0-9;]{0,16};)?(?:47|1047|1049)(?:;[0-9;]{0,16})?(?P<switch>[hl])"
    rb"|\[\?2004(?P<editor>[hl])"
    rb"|\]133;(?P<mark>[ABC])[^\x07\x1b]{0,256}(?:\x07|\x1b\\)"
    rb")"
)
_UNFINISHED = re.compile(
    rb"(?:(?:\x1b\[(?:1?;1?)?H)?\x1b(?:\[[0-?]*[ -/]*|[ -/]+"
    rb"|\](?:1(?:3(?:3(?:;[^\x07\x1b]*\x1b?)?)?)?)?)?"
    rb"|\x1b\[(?:1?;1?)?H"
    rb"|[\xc2-\xdf]|[\xe0-\xef][\x80-\xbf]?|[\xf0-\xf4][\x80-\xbf]{0,2})\Z"
)
_PROMPT_END = re.compile(
    rb"(?:[$#>%]|\xe2\x9d\xaf|\xc2\xbb|\xce\xbb)(?:\x1b[^a-zA-Z\x1b]{1,64}[a-zA-Z])*"
    rb" (?:\x1b[^a-zA-Z\x1b]{1,64}[a-zA-Z])*\Z"
)
_PROMPT_END_BYTES = 256
_MARKS = {b"A": Effect.PROMPT, b"B": Effect.INPUT, b"C": Effect.EXECUTE}


def split_unfinished(data: bytes) -> tuple[bytes, bytes]:
    """Return `data` without the sequence or character that is unfinished at its end, and that.

    What grows beyond 64 bytes is not held back any longer. A move to the top left corner is held
    back too: with a clearing after it, the two are one.
    """
    tail_start = max(0, len(data) - _MAX_HELD_BYTES)
    match = _UNFINISHED.search(data, tail_start)
    return (data[: match.start()], match.group()) if match else (data, b"")


def ends_like_prompt(data: bytes) -> bool:
    """Tell whether output ends as a prompt does that waits: a quick look, which may be wrong."""
    return _PROMPT_END.search(data[-_PROMPT_END_BYTES:]) is not None


def is_complete(held: bytes) -> bool:
    """Tell whether what was held back is a whole sequence, or nothing."""
    return not held or held.endswith(b"H")


def split_effects(data: bytes) -> Iterator[Stretch]:
    """Yield `data` in stretches that end at a sequence with an effect, or at the end."""
    at = 0
    for match in _SPECIAL.finditer(data):
        effect = _effect_of(match)
        if effect is not None:
            yield Stretch(data[at : match.start()], match.group(), effect)
            at = match.end()
    if at < len(data):
        yield Stretch(data[at:])


def _effect_of(match: re.Match[bytes]) -> Effect | None:
    if match["reset"]:
        return Effect.CLEAR
    if match["switch"]:
        return Effect.ENTER_ALTERNATE if match["switch"] == b"h" else Effect.LEAVE_ALTERNATE
    if match["editor"]:
        return Effect.EDIT if match["editor"] == b"h" else Effect.ACCEPT
    if match["mark"]:
        return _MARKS[match["mark"]]
    parameter = int(match["erase"] or b"0")
    if parameter == 0 and match["home"]:
        return Effect.CLEAR
    return {0: Effect.CLEAR_BELOW, 2: Effect.CLEAR}.get(parameter)
