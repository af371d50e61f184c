"""Commands too long for a recording's first message. Does no I/O.

A command may have megabytes of arguments; what carries messages may not: syslog daemons cut lines
at a few kilobytes, which spoils them.
"""

from __future__ import annotations

from collections.abc import Sequence

from steno.formats.stretches import escape_text

_FRAME_BYTES = 3
"""Quotes and a comma around an argument."""


def cut_command(command: Sequence[str], limit_bytes: int) -> tuple[list[str], int | None]:
    """Return what of `command` fits into `limit_bytes` of JSON, from its beginning.

    Returns:
        The arguments, the last of which may be cut; and how many bytes (UTF-8) were left out of
        all, None when it is whole.
    """
    kept: list[str] = []
    room_bytes = limit_bytes
    for number, argument in enumerate(command):
        room_bytes -= _FRAME_BYTES
        beginning = _fit(argument, room_bytes)
        room_bytes -= len(escape_text(beginning))
        if len(beginning) < len(argument) or room_bytes < 0:
            if beginning:
                kept.append(beginning)
            left_out = [argument[len(beginning) :], *command[number + 1 :]]
            return kept, sum(len(text.encode()) for text in left_out)
        kept.append(argument)
    return kept, None


def _fit(text: str, room_bytes: int) -> str:
    """Return the longest beginning of `text` whose JSON fits, or nearly."""
    beginning = text[: max(0, room_bytes)]
    while (size_bytes := len(escape_text(beginning))) > room_bytes and beginning:
        beginning = beginning[: min(len(beginning) - 1, len(beginning) * room_bytes // size_bytes)]
    return beginning
