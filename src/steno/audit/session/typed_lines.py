"""Lines that were typed at a shell: as others found them, or from TTY records' keystrokes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from steno.audit.event import Event
from steno.audit.session.lineages import Image
from steno.audit.session.shell_lines import is_unfinished

_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O.|.)?", re.DOTALL)
_RECALLS = ("\x1b[A", "\x1bOA", "\x1b[B", "\x1bOB", "\x12", "\x10", "\x0e", "\x19")
"""Keys that bring back other lines, of which the keystrokes say nothing."""

_JOIN_LIMIT = 50
_LOOK_AHEAD = 200
_FLUSH_US = 100_000


@dataclass(frozen=True)
class TypedLine:
    """One line that was entered.

    Attributes:
        text: The line, as far as it is known.
        at_unix_us: When it was entered; where `until_unix_us` is given, not before this.
        until_unix_us: Not after this. None: `at_unix_us` is the instant itself.
        pid: The shell that read it; None: whoever was there to read it.
        sure: How it begins for sure, where the rest may have been completed; None: all is sure.
    """

    text: str
    at_unix_us: int
    until_unix_us: int | None = None
    pid: int | None = None
    sure: str | None = None

    @property
    def is_exact(self) -> bool:
        """Whether its instant is known."""
        return self.until_unix_us is None


def lines_of_keys(typed: str) -> list[tuple[str, str]]:
    """Return the lines that keystrokes make, as far as they tell, and how each begins for sure.

    Erased characters are gone. Of a line that was completed or moved about in, only what was typed
    before that is sure; one that was called back from the history is left out.
    """
    lines: list[str] = []
    sure: list[str | None] = [None]
    line: list[str] = []
    at = 0
    while at < len(typed):
        one = typed[at]
        if one in "\x1b\t" and sure[-1] is None:
            sure[-1] = "".join(line)
        if one == "\x1b":
            found = _ESCAPE.match(typed, at)
            if found is not None and found[0] in _RECALLS:
                line.clear()
                sure[-1] = None
            at = at + 1 if found is None else found.end()
            continue
        at += 1
        if one in "\r\n":
            lines.append("".join(line))
            sure.append(None)
            line.clear()
        else:
            _type(line, one)
    lines += ["".join(line)] if line else []
    joined = join_continued(lines)
    number = 0
    found_lines: list[tuple[str, str]] = []
    for text in joined:
        found_lines.append((text, text if sure[number] is None else sure[number] or ""))
        number += text.count("\n") + 1
    return [(text, start) for text, start in found_lines if text.strip()]


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


def lines_of_events(
    events: Sequence[Event], images: Sequence[Image | None], shells: frozenset[str]
) -> list[TypedLine]:
    """Return the lines that TTY records of `events` hold, of programs named in `shells`.

    The kernel writes such a record when the program's buffer is full, another program reads,
    or it ends: its instant is the latest that its keys can have been typed at. The earliest
    is that of the record before, of the same process.

    Args:
        events: One audit session's, in their order.
        images: For each of them, what the process ran that did it.
        shells: Names (`comm`) of the programs that read commands.
    """
    lines: list[TypedLine] = []
    before: dict[int, int] = {}
    rest: dict[int, str] = {}
    for event, image in zip(events, images, strict=True):
        if event.typed is None or image is None or event.process.name not in shells:
            continue
        pid = image.life.pid
        since_us = max(image.at_unix_us, before.get(pid, image.at_unix_us))
        text = rest.pop(pid, "") + event.typed
        end = max(text.rfind("\r"), text.rfind("\n")) + 1
        rest[pid] = text[end:]
        until_us = max(since_us, event.at_unix_us)
        lines += [
            TypedLine(line, since_us, until_us, pid, sure)
            for line, sure in lines_of_keys(text[:end])
        ]
        before[pid] = until_us
    return lines


def merge_lines(seen: Sequence[TypedLine], keys: Sequence[TypedLine]) -> list[TypedLine]:
    """Return what was typed, from lines that stood on the screen and those of TTY records.

    The screen knows the instants, and lines as they were run; the keystrokes know all lines that
    were typed in full, also those that the screen did not show as such. Lines that both have are
    the screen's; the keystrokes' others stand between their neighbours.

    Args:
        seen: The screen's, in order.
        keys: Those of TTY records; of each shell in order.
    """
    by_pid: dict[int | None, list[TypedLine]] = {}
    for line in keys:
        by_pid.setdefault(line.pid, []).append(line)
    # A shell within a shell first: its lines are between the outer one's.
    shells = sorted(by_pid.values(), key=lambda lines: _latest(lines[-1]) - lines[0].at_unix_us)
    merged = [*seen]
    is_free = [True] * len(seen)
    others: list[TypedLine] = []
    for lines in shells:
        pairs = _pair(seen, is_free, lines)
        for number, other in pairs:
            is_free[number] = False
            merged[number] = replace(seen[number], pid=lines[other].pid)
        others += _place_rest(seen, lines, pairs)
    return sorted([*merged, *others], key=lambda line: (line.at_unix_us, not line.is_exact))


def _latest(line: TypedLine) -> int:
    return line.at_unix_us if line.until_unix_us is None else line.until_unix_us


def _pair(
    seen: Sequence[TypedLine], is_free: Sequence[bool], keys: Sequence[TypedLine]
) -> list[tuple[int, int]]:
    """Return the pairs of lines that are the same and keep both orders; near ones first."""
    pairs: list[tuple[int, int]] = []
    at = 0
    for number, line in enumerate(seen):
        if not is_free[number]:
            continue
        for other in range(at, min(len(keys), at + _LOOK_AHEAD)):
            if _is_same(line, keys[other]):
                pairs.append((number, other))
                at = other + 1
                break
    return pairs


def _place_rest(
    seen: Sequence[TypedLine], keys: Sequence[TypedLine], pairs: Sequence[tuple[int, int]]
) -> list[TypedLine]:
    """Return those of `keys` that have no pair, bounded by those around them that have."""
    at_of = {other: seen[number].at_unix_us for number, other in pairs}
    until: dict[int, int] = {}
    next_us: int | None = None
    for other in range(len(keys) - 1, -1, -1):
        next_us = at_of.get(other, next_us)
        if next_us is not None:
            until[other] = next_us
    rest: list[TypedLine] = []
    since_us = 0
    for other, line in enumerate(keys):
        if other in at_of:
            since_us = at_of[other]
            continue
        since = max(since_us, line.at_unix_us)
        latest_us = min(until.get(other, _latest(line)), _latest(line))
        rest.append(replace(line, at_unix_us=since, until_unix_us=max(since, latest_us)))
    return rest


def _is_same(seen: TypedLine, keys: TypedLine) -> bool:
    if not keys.at_unix_us - _FLUSH_US <= seen.at_unix_us <= _latest(keys) + _FLUSH_US:
        return False
    shown = "".join(seen.text.split())
    if keys.sure is not None and keys.sure != keys.text:
        sure = "".join(keys.sure.split())
        return bool(sure) and shown.startswith(sure)
    return shown in ("".join(keys.text.split()), "".join(keys.text.split("\n")[0].split()))
