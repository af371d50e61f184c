"""Which typed line began which process.

Lines and the shell's children are both in order, so they are aligned: of all alignments that keep
both orders the best is taken, by what the line says and what ran, and by when.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import gcd

from steno.audit.session.lineages import Image, Life
from steno.audit.session.shell_lines import BUILTINS, Part, split_line
from steno.audit.session.shells import base_name
from steno.audit.session.typed_lines import TypedLine

TICK_US = 11_000
"""An event's stamp lies before its instant by less than this: a tick of 10 ms at most (kernels with
100 ticks a second), and the milliseconds that auditd cuts off."""

_TICKS_MS = (10, 4)
_STAMPS_TO_KNOW = 8

_LATE_US = 500_000
"""A recorder on a busy machine may see a line that late after the shell had it."""

_LATE_RUNNING_US = 3_000_000
"""A line may be known that late that began a program which took the screen at once."""

_BEGINNING_US = 150_000
"""A line that names a shell and comes so soon after its beginning, or seems to, began it."""

_AT_ONCE_US = 300_000
"""So soon after a line, or what it ran, its shell begins what the line does not name."""

_PAUSE_US = 50_000
_APART = 0.75
"""What begins so long after all before it has ended is probably another line's."""

_NAMED = 3.0
_ALL_ARGUMENTS = 2.0
_LATEST = 1.0
_SOURCING = frozenset({".", "source", "eval", "fc"})
_MISSING = frozenset({126, 127})
_LOOK_BACK = 8
"""So many lines may have been typed ahead of the shell."""

_COMM_CHARACTERS = 15


@dataclass(frozen=True)
class Begun:
    """Something that the shell began.

    Attributes:
        at_unix_us: Its first sign.
        names: The names it went by: of the executable, its argument zero, the script.
        arguments: All arguments but the first.
        ended_unix_us: When it ended, where that was seen.
        is_missing: Whether the shell found nothing to run, and said so by its fork's exit status.
    """

    at_unix_us: int
    names: frozenset[str] = frozenset()
    arguments: tuple[str, ...] = ()
    ended_unix_us: int | None = None
    is_missing: bool = False


@dataclass(frozen=True)
class SplitLine:
    """A typed line, split."""

    line: TypedLine
    parts: tuple[Part, ...]
    names: frozenset[str]
    words: frozenset[str]

    @classmethod
    def of(cls, line: TypedLine) -> SplitLine:
        """Split `line`."""
        parts = tuple(split_line(line.text))
        words = frozenset(word for part in parts for word in part.words)
        names = frozenset(base_name(word)[:_COMM_CHARACTERS] for word in words)
        return cls(line, parts, names, words)

    def says(self, begun: Begun) -> bool:
        """Return whether the line names what was begun."""
        return not self.names.isdisjoint(begun.names)

    @property
    def sources_script(self) -> bool:
        """Whether the shell itself reads commands from a file for it."""
        return any(part.name in (".", "source") for part in self.parts)

    @property
    def runs_builtins_only(self) -> bool:
        """Whether every command in it is one that shells run themselves."""
        return all(part.name in BUILTINS or not part.name for part in self.parts)


def leave_out_own(
    lines: Sequence[SplitLine], begun: Sequence[Begun], owners: Sequence[int | None]
) -> list[int | None]:
    """Return `owners` without what the shell began by itself right after a line's programs.

    That is for its prompt, mostly. A line may own what it does not name as long as something in it
    is accounted for by nothing else: an alias, a function, a file that is sourced.
    """
    named: dict[int, set[str]] = {}
    for one, owner in zip(begun, owners, strict=True):
        if owner is not None:
            named.setdefault(owner, set()).update(one.names)
    found: list[int | None] = []
    for one, owner in zip(begun, owners, strict=True):
        is_own = owner is None or not one.names or lines[owner].says(one)
        if not is_own and owner is not None and not _has_more(lines[owner], named[owner]):
            owner = None
        found.append(owner)
    return found


def _has_more(line: SplitLine, names: set[str]) -> bool:
    for part in line.parts:
        if part.name in _SOURCING:
            return True
        name = base_name(part.name)[:_COMM_CHARACTERS]
        if name and part.name not in BUILTINS and name not in names:
            return True
    return False


def names_of(
    program: str | None, name: str | None, arguments: Sequence[str] | None
) -> frozenset[str]:
    """Return the names that a program that was run may have in a line."""
    found = {base_name(program)[:_COMM_CHARACTERS], (name or "").removeprefix("-")}
    if arguments:
        found.add(base_name(arguments[0])[:_COMM_CHARACTERS])
        found |= {base_name(word)[:_COMM_CHARACTERS] for word in arguments[1:2] if "/" in word}
    return frozenset(found - {""})


def may_have_read(image: Image, line: SplitLine) -> bool:
    """Return whether a shell may have read a line: it lived, and it is not the line that began it.

    Args:
        image: The shell.
        line: A line that was not typed before the shell began.
    """
    life, typed = image.life, line.line
    if typed.pid is not None and typed.pid != life.pid:
        return False
    if typed.is_exact and image.begun_by is not None:
        names = _names_of_image(image) | _names_of_image(life.parent_image)
        is_just_there = typed.at_unix_us < image.at_unix_us + _BEGINNING_US
        if is_just_there and not line.names.isdisjoint(names):
            return False
    until_us = typed.until_unix_us
    if (
        until_us is not None
        and image.begun_by is not None
        and image.at_unix_us > until_us + TICK_US
    ):
        return False
    return not is_gone(image, typed)


def is_gone(image: Image, line: TypedLine) -> bool:
    """Return whether a shell had ended before a line was typed."""
    ended_us = image.life.ended_unix_us
    if image is not image.life.image:
        ended_us = image.life.images[image.number + 1].at_unix_us
    return ended_us is not None and ended_us + TICK_US < line.at_unix_us


def _names_of_image(image: Image | None) -> frozenset[str]:
    if image is None or image.event is None:
        return frozenset()
    process = image.event.process
    return names_of(process.program, process.name, process.arguments)


def describe(life: Life) -> Begun:
    """Return by what a line may name a process."""
    names: set[str] = set()
    arguments: list[str] = []
    at_us = life.at_unix_us
    for image in life.images[1:]:
        event = image.event
        if event is not None:
            process = event.process
            names |= names_of(process.program, process.name, process.arguments)
            arguments = arguments or [*(process.arguments or [])[1:]]
    tried = life.image.tried
    if tried is not None and not names:
        names |= {base_name(thing.name)[:15] for thing in tried.objects}
    if not names:
        for child in life.children[:8]:
            names |= describe(child).names if len(child.images) > 1 else set()
    is_missing = not names and life.exit_status in _MISSING
    return Begun(at_us, frozenset(names), tuple(arguments), life.ended_unix_us, is_missing)


def measure_tick(stamps_unix_us: Iterable[int]) -> int:
    """Return by how much stamps may lie before their instants, from the stamps themselves.

    Kernels tick 100, 250, 300 or 1000 times a second. Where all stamps lie 4 or 10 ms, or a
    multiple of it, apart, that is the tick; else the longest is taken.
    """
    stamps = sorted({stamp // 1000 for stamp in stamps_unix_us})
    if len(stamps) < _STAMPS_TO_KNOW:
        return TICK_US
    common = gcd(*(later - stamp for stamp, later in pairwise(stamps)))
    return next((tick * 1000 + 1000 for tick in _TICKS_MS if common % tick == 0), TICK_US)


def match(
    lines: Sequence[SplitLine], begun: Sequence[Begun], tick_us: int = TICK_US
) -> list[int | None]:
    """Return for each of `begun` the number of the line that it belongs to; None: no line's.

    Args:
        lines: In the order in which they were entered.
        begun: In the order in which the shell began them.
        tick_us: By how much their stamps may lie before their instants.
    """
    if not lines:
        return [None] * len(begun)
    return _Alignment(lines, tick_us).align(begun)


class _Alignment:
    """Finds the best of all alignments, one thing begun after the other."""

    def __init__(self, lines: Sequence[SplitLine], tick_us: int) -> None:
        self._lines = lines
        self._tick_us = tick_us
        self._since = [line.line.at_unix_us for line in lines]
        for number in range(1, len(lines)):
            self._since[number] = max(self._since[number], self._since[number - 1])
        # For each line from where on to look: lines without an instant may be far behind.
        self._until = [
            since if line.line.until_unix_us is None else line.line.until_unix_us
            for line, since in zip(lines, self._since, strict=True)
        ]
        for number in range(1, len(lines)):
            self._until[number] = max(self._until[number], self._until[number - 1])
        # For lines from 1; 0 stands for none. exact[n]: the best in which line n began the last
        # thing; best[n]: the best with lines up to n, and which one began the last thing there.
        self._exact: list[float] = [0.0]
        self._best: list[tuple[float, int]] = [(0.0, 0)]
        self._quiet_us = 0

    def align(self, begun: Sequence[Begun]) -> list[int | None]:
        steps: list[tuple[int, list[int | None]]] = []
        at_us = 0
        for one in begun:
            at_us = max(at_us, one.at_unix_us)  # What stands later in order did not begin before.
            steps.append(self._take(one, at_us))
            self._quiet_us = max(self._quiet_us, one.ended_unix_us or at_us)
        number = self._best[-1][1]
        found: list[int | None] = []
        for low, before in reversed(steps):
            came_from = before[number - low] if 0 <= number - low < len(before) else None
            found.append(None if came_from is None else number - 1)
            number = number if came_from is None else came_from
        return found[::-1]

    def _take(self, one: Begun, at_us: int) -> tuple[int, list[int | None]]:
        """Go one step on.

        Returns:
            The first line that may have begun it; and for each line from there on, which one began
            what was before if this line began it, None if it is better that it did not.
        """
        low, high, latest = self._candidates(at_us)
        penalty = _APART if self._quiet_us and at_us > self._quiet_us + _PAUSE_US else 0.0
        exact, best = self._exact, self._best
        while len(exact) <= high:
            exact.append(float("-inf"))
            best.append(best[-1])
        before: list[int | None] = []
        reached = best[low - 1]
        for number in range(low, high + 1):
            score = self._score(number, one, at_us, latest)
            other, same = best[number - 1] if number > low else reached, exact[number] - penalty
            came_from = other[1] if other[0] >= same else number
            total = max(other[0], same) + score
            if total > exact[number]:
                before.append(came_from)
            else:
                total = exact[number]
                before.append(None)
            exact[number] = total
        for number in range(low, high + 1):
            reached = max(reached, (exact[number], number), key=lambda pair: pair[0])
            best[number] = reached
        return low, before

    def _candidates(self, at_us: int) -> tuple[int, int, int]:
        """Return the first and the last line, from 1, that may have begun it, and the latest."""
        high = bisect_right(self._since, at_us + _LATE_RUNNING_US)
        latest = bisect_right(self._since, at_us + self._tick_us)
        while latest > 1 and not self._lines[latest - 1].line.is_exact:
            latest -= 1
        possible = bisect_left(self._until, at_us - TICK_US) + 1
        return max(1, min(latest - _LOOK_BACK, possible, high)), high, latest

    def _score(self, number: int, one: Begun, at_us: int, latest: int) -> float:
        line = self._lines[number - 1]
        score = 0.0
        if line.says(one):
            words = [word for word in one.arguments[:8] if word]
            said = sum(word in line.words for word in words)
            score = _NAMED + (_ALL_ARGUMENTS * said / len(words) if words else _ALL_ARGUMENTS)
        until_us = line.line.until_unix_us
        if until_us is not None:
            if until_us + TICK_US < at_us:
                return -1.0
            is_missing = one.is_missing and not line.runs_builtins_only
            return score or (_LATEST if is_missing else -1.0)
        if number > latest:
            # Seen by the recorder after it began: only if there is no doubt about it.
            seen_us = line.line.at_unix_us
            is_running = one.ended_unix_us is None or one.ended_unix_us >= seen_us
            is_possible = is_running or seen_us <= at_us + _LATE_US
            is_missing = one.is_missing and not line.runs_builtins_only
            # A virtual machine's clock misses ticks: even an alias's line may seem a bit late.
            is_near = score > _NAMED and seen_us <= at_us + TICK_US
            has_no_doubt = (
                is_near
                or score >= _NAMED + _ALL_ARGUMENTS
                or (is_missing and seen_us <= at_us + _LATE_US)
            )
            return score + _LATEST / 2 if is_possible and has_no_doubt else -1.0
        if score:
            return score + _LATEST if number == latest else score - 0.1 * (latest - number)
        is_at_once = at_us <= max(self._quiet_us, line.line.at_unix_us) + _AT_ONCE_US
        is_at_once = is_at_once or (one.is_missing and not line.runs_builtins_only)
        return _LATEST if number == latest and is_at_once else -1.0
