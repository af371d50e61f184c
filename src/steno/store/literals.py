"""What a regular expression's matches must contain: found in it so that an index can be asked.

Answers are FTS5 queries for the trigram index. They may be too wide, never too narrow: whatever
is not understood counts as "anything". Source: RE2's syntax,
https://github.com/google/re2/wiki/Syntax
"""

from __future__ import annotations

import re

from steno.store.folding import fold

TRIGRAMS_LIMIT = 24
"""Most trigrams of one literal that the index is asked for: more only cost time."""

_REPEAT = re.compile(r"(?:([*+?])|\{(\d{1,4})(,?)(\d{0,4})\})\??")
_GROUP = re.compile(r"\(\?(?:P?<\w+>|[imsU-]*:)|\((?!\?)")
_FLAGS = re.compile(r"\(\?[imsU-]+\)")
_CLASS = re.compile(r"\[\^?\]?(?:\[:\^?\w+:\]|\\[pP]\{[^}]*\}|\\.|[^\]\\])*\]", re.S)
_ESCAPED_CLASS = re.compile(r"\\(?:[pP](?:\{[^}]*\}|.)|[dDsSwWbBAzCafnrtv]|[0-7]{1,3})")
_HEX = re.compile(r"\\x(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]{1,6})\})")
_DEPTH_LIMIT = 100


def trigram_query(literal: str) -> str | None:
    """Return what finds texts that contain `literal`, None when it is too short."""
    query = []
    for piece in fold(literal).split("\0"):
        query += [
            '"' + piece[start : start + 3].replace('"', '""') + '"'
            for start in range(len(piece) - 2)
        ]
    return " AND ".join(query[:TRIGRAMS_LIMIT]) or None


def literals_query(pattern: str) -> str | None:
    """Return what finds all texts in which `pattern` may match; None when any text may."""
    reader = _Reader(pattern)
    try:
        query = reader.alternatives(0)
    except _NotUnderstoodError:
        return None
    return query if reader.position == len(pattern) else None


class _NotUnderstoodError(Exception):
    """Raised to give up."""


class _Sequence:
    """The necessary parts of what stands between two `|`."""

    def __init__(self) -> None:
        self._conditions: list[str] = []
        self._run = ""
        self._last: str | None = None
        self._is_repeatable = False

    def character(self, character: str) -> None:
        """Add a literal character."""
        self._add_pending()
        self._run += character
        self._is_repeatable = True

    def other(self, condition: str | None) -> None:
        """Add something else, which contains `condition` if that is known."""
        self._add_pending()
        self._flush()
        self._last = condition
        self._is_repeatable = True

    def repeat(self, least: int) -> None:
        """Make what came last happen `least` times or more."""
        if not self._is_repeatable:
            raise _NotUnderstoodError
        self._is_repeatable = False
        if self._run:
            if least == 0:
                self._run = self._run[:-1]
            self._flush()
        elif least == 0:
            self._last = None

    def query(self) -> str | None:
        """Return all conditions together."""
        self._add_pending()
        self._flush()
        if not self._conditions:
            return None
        return "(" + " AND ".join(self._conditions) + ")"

    def _add_pending(self) -> None:
        if self._last is not None:
            self._conditions.append(self._last)
            self._last = None

    def _flush(self) -> None:
        query = trigram_query(self._run)
        if query is not None:
            self._conditions.append(query)
        self._run = ""


class _Reader:
    """Reads a pattern from left to right."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self.position = 0

    def alternatives(self, depth: int) -> str | None:
        """Read up to the end, or to the parenthesis that closes this group."""
        if depth > _DEPTH_LIMIT:
            raise _NotUnderstoodError
        queries: list[str | None] = []
        while True:
            queries.append(self._sequence(depth))
            if self._pattern[self.position : self.position + 1] != "|":
                break
            self.position += 1
        known = [query for query in queries if query is not None]
        if len(known) < len(queries):
            return None
        return "(" + " OR ".join(known) + ")"

    def _sequence(self, depth: int) -> str | None:
        sequence = _Sequence()
        while self.position < len(self._pattern):
            character = self._pattern[self.position]
            if character in "|)":
                break
            repeat = _REPEAT.match(self._pattern, self.position)
            if repeat:
                self.position = repeat.end()
                sequence.repeat(_least(repeat))
            elif character == "(":
                self._group(sequence, depth)
            elif character in "[\\":
                self._class_or_escape(sequence)
            else:
                self.position += 1
                if character in ".^$":
                    sequence.other(None)
                else:
                    sequence.character(character)
        return sequence.query()

    def _group(self, sequence: _Sequence, depth: int) -> None:
        if flags := _FLAGS.match(self._pattern, self.position):
            self.position = flags.end()
            return
        opening = _GROUP.match(self._pattern, self.position)
        if opening is None:
            raise _NotUnderstoodError
        self.position = opening.end()
        inner = self.alternatives(depth + 1)
        if self._pattern[self.position : self.position + 1] != ")":
            raise _NotUnderstoodError
        self.position += 1
        sequence.other(inner)

    def _class_or_escape(self, sequence: _Sequence) -> None:
        for wide in (_CLASS, _ESCAPED_CLASS):
            if match := wide.match(self._pattern, self.position):
                self.position = match.end()
                sequence.other(None)
                return
        if match := _HEX.match(self._pattern, self.position):
            self.position = match.end()
            code = int(match[1] or match[2], 16)
            if code > 0x10FFFF or 0xD800 <= code < 0xE000:
                raise _NotUnderstoodError
            sequence.character(chr(code))
            return
        escaped = self._pattern[self.position + 1 : self.position + 2]
        if not escaped or escaped.isalnum() or escaped == "_":
            raise _NotUnderstoodError
        self.position += 2
        sequence.character(escaped)


def _least(repeat: re.Match[str]) -> int:
    if repeat[1]:
        return 1 if repeat[1] == "+" else 0
    return int(repeat[2])
