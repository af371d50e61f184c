"""Which typed line began which process.

Lines and the shell's children are both in order, so they are aligned: of all alignments that keep
both orders the best is taken, by what the line says and what ran, and by when.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from steno.audit.shell_lines import BUILTINS, Part, split_line
from steno.audit.shells import base_name
from steno.audit.typed_lines import TypedLine

TICK_US = 11_000
"""An event's stamp lies before its instant by less than this: a tick of 10 ms at most (kernels with
100 ticks a second), and the milliseconds that auditd cuts off."""

_LATE_US = 100_000
"""A recorder on a busy machine may see a line that late after the shell had it."""

_NAMED = 3.0
_ALL_ARGUMENTS = 2.0
_LATEST = 1.0
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
    """

    at_unix_us: int
    names: frozenset[str] = frozenset()
    arguments: tuple[str, ...] = ()


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
    def runs_builtins_only(self) -> bool:
        """Whether every command in it is one that shells run themselves."""
        return all(part.name in BUILTINS or not part.name for part in self.parts)


def names_of(
    program: str | None, name: str | None, arguments: Sequence[str] | None
) -> frozenset[str]:
    """Return the names that a program that was run may have in a line."""
    found = {base_name(program)[:_COMM_CHARACTERS], (name or "").removeprefix("-")}
    if arguments:
        found.add(base_name(arguments[0])[:_COMM_CHARACTERS])
        found |= {base_name(word)[:_COMM_CHARACTERS] for word in arguments[1:2] if "/" in word}
    return frozenset(found - {""})


def match(lines: Sequence[SplitLine], begun: Sequence[Begun]) -> list[int | None]:
    """Return for each of `begun` the number of the line that it belongs to; None: no line's.

    Args:
        lines: In the order in which they were entered.
        begun: In the order in which the shell began them.
    """
    if not lines:
        return [None] * len(begun)
    return _Alignment(lines).align(begun)


class _Alignment:
    """Finds the best of all alignments, one thing begun after the other."""

    def __init__(self, lines: Sequence[SplitLine]) -> None:
        self._lines = lines
        self._since = [line.line.at_unix_us for line in lines]
        for number in range(1, len(lines)):
            self._since[number] = max(self._since[number], self._since[number - 1])
        self._is_exact = all(line.line.is_exact for line in lines)
        # best[j]: what is reached by lines up to j; beyond the last entry it is that entry's.
        self._best: list[float] = [0.0]

    def align(self, begun: Sequence[Begun]) -> list[int | None]:
        steps: list[tuple[int, list[int | None]]] = []
        at_us = 0
        for one in begun:
            at_us = max(at_us, one.at_unix_us)  # What stands later in order did not begin before.
            steps.append(self._take(one, at_us))
        found: list[int | None] = []
        number = len(self._lines)
        for low, choices in reversed(steps):
            choice = choices[min(number - low, len(choices) - 1)] if number >= low else None
            found.append(None if choice is None else choice - 1)
            number = number if choice is None else choice
        return found[::-1]

    def _take(self, one: Begun, at_us: int) -> tuple[int, list[int | None]]:
        """Return the best choice for each number of lines used up: a line, from 1, or None."""
        low, high, latest = self._candidates(at_us)
        best = self._best
        while len(best) <= high:
            best.append(best[-1])
        chosen: list[int | None] = []
        reached, choice = float("-inf"), None
        updated: list[float] = []
        for number in range(low, high + 1):
            score = best[number] + self._score(number - 1, one, at_us, latest)
            if score > reached:
                reached, choice = score, number
            if reached > best[number]:
                updated.append(reached)
                chosen.append(choice)
            else:
                updated.append(best[number])
                chosen.append(None)
        best[low : high + 1] = updated
        return low, chosen

    def _candidates(self, at_us: int) -> tuple[int, int, int]:
        """Return the first and the last line, from 1, that may have begun it, and the latest."""
        high = bisect_right(self._since, at_us + _LATE_US)
        latest = bisect_right(self._since, at_us + TICK_US)
        if self._is_exact:
            return max(1, min(latest, high) - _LOOK_BACK), high, latest
        low = bisect_left(
            self._lines, at_us, key=lambda line: (line.line.until_unix_us or 0) + TICK_US
        )
        return low + 1, high, latest

    def _score(self, number: int, one: Begun, at_us: int, latest: int) -> float:
        line = self._lines[number]
        score = 0.0
        if line.says(one):
            words = [word for word in one.arguments[:8] if word]
            said = sum(word in line.words for word in words)
            score = _NAMED + (_ALL_ARGUMENTS * said / len(words) if words else _ALL_ARGUMENTS)
        if not line.line.is_exact:
            return score
        if number + 1 > latest:
            return score - _LATEST if score else -1.0
        distance = latest - number - 1
        return score + (_LATEST if distance == 0 else -0.1 * distance if score else -1.0)
