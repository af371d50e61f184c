"""Lines that were typed at a shell: as others found them, or from TTY records' keystrokes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from steno.audit.event import Event
from steno.audit.shell_lines import is_unfinished

_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O.|.)?", re.DOTALL)
_RECALLS = ("\x1b[A", "\x1bOA", "\x1b[B", "\x1bOB", "\x12", "\x10", "\x0e", "\x19")
"""Keys that bring back other lines, of which the keystrokes say nothing."""

_JOIN_LIMIT = 50


@dataclass(frozen=True)
class TypedLine:
    """One line that was entered.

    Attributes:
        text: The line, as far as it is known.
        at_unix_us: When it was entered; where `until_unix_us` is given, not before this.
        until_unix_us: Not after this. None: `at_unix_us` is the instant itself.
        pid: The shell that read it; None: whoever was there to read it.
    """

    text: str
    at_unix_us: int
    until_unix_us: int | None = None
    pid: int | None = None

    @property
    def is_exact(self) -> bool:
        """Whether its instant is known."""
        return self.until_unix_us is None


def lines_of_keys(typed: str) -> list[str]:
    """Return the lines that keystrokes make, as far as they tell.

    Erased characters are gone. A line that was called back from the history or completed
    holds what was typed of it.
    """
    lines: list[str] = []
    line: list[str] = []
    at = 0
    while at < len(typed):
        one = typed[at]
        if one == "\x1b":
            found = _ESCAPE.match(typed, at)
            if found is not None and found[0] in _RECALLS:
                line.clear()
            at = at + 1 if found is None else found.end()
            continue
        at += 1
        if one in "\r\n":
            lines.append("".join(line))
            line.clear()
        else:
            _type(line, one)
    if line:
        lines.append("".join(line))
    return [one for one in join_continued(lines) if one.strip()]


def _type(line: list[str], one: str) -> None:
    if one in "\x7f\b":
        del line[-1:]
    elif one in "\x15\x03\x12\x10\x0e\x19":
        line.clear()
    elif one == "\x17":
        while line and line[-1] == " ":
            line.pop()
        while line and line[-1] != " ":
            line.pop()
    elif one >= " ":
        line.append(one)


def join_continued(lines: Iterable[str]) -> list[str]:
    """Join the lines of commands that go on in the next line."""
    joined: list[str] = []
    pending: list[str] = []
    for line in lines:
        pending.append(line)
        text = "\n".join(pending)
        if len(pending) < _JOIN_LIMIT and is_unfinished(text):
            continue
        joined.append(text)
        pending.clear()
    return joined + pending


def lines_of_events(events: Sequence[Event], shells: frozenset[str]) -> list[TypedLine]:
    """Return the lines that TTY records of `events` hold, of programs named in `shells`.

    The kernel writes such a record when the program's buffer is full, another program reads,
    or it ends: its instant is the latest that its keys can have been typed at. The earliest
    is that of the record before, of the same process.

    Args:
        events: One audit session's, in their order.
        shells: Names (`comm`) of the programs that read commands.
    """
    lines: list[TypedLine] = []
    before: dict[int, int] = {}
    rest: dict[int, str] = {}
    for event in events:
        pid, name = event.process.pid, event.process.name
        if event.typed is None or pid is None or name not in shells:
            continue
        since_us = before.get(pid, events[0].at_unix_us)
        text = rest.pop(pid, "") + event.typed
        end = max(text.rfind("\r"), text.rfind("\n")) + 1
        rest[pid] = text[end:]
        lines += [
            TypedLine(line, since_us, event.at_unix_us, pid) for line in lines_of_keys(text[:end])
        ]
        before[pid] = event.at_unix_us
    return lines
