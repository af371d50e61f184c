"""Terms that look for text: where they match in a line, and what the indexes know of them."""

from __future__ import annotations

import unicodedata

import msgspec

from steno.store.expressions import Phrase, Regex, Substring, Word
from steno.store.folding import fold
from steno.store.literals import literals_query, trigram_query
from steno.store.patterns import Pattern, compile_pattern, escape

TextExpression = Word | Phrase | Substring | Regex
"""The parts of a query that look for text."""

_WORD_LIMIT = "\u0500"
"""From here on SQLite's idea of what is a letter may be older than Python's."""

_BLANKS = r"[\s\p{Z}]+"


class Candidates(msgspec.Struct, frozen=True):
    """A question to a full-text index that finds all chunks that may match, and some more."""

    table: str
    query: str


class TextTerm:
    """One term, ready for matching.

    Attributes:
        candidates: What finds chunks that may match; None when all may.
    """

    def __init__(self, expression: TextExpression) -> None:
        self._is_bounded = isinstance(expression, Word | Phrase)
        match expression:
            case Regex(pattern, ignores_case):
                self._pattern = compile_pattern(pattern, ignores_case=ignores_case)
                self.candidates = _trigrams(literals_query(pattern))
            case Substring(text):
                self._pattern = compile_pattern(escape(text), ignores_case=True)
                self.candidates = _trigrams(trigram_query(text))
            case Word(text) | Phrase(text):
                words = text.split() or [text]
                self._pattern = _spaced(words)
                self.candidates = _words(words)
                self._starts_in_word = is_word_character(words[0][:1])
                self._ends_in_word = is_word_character(words[-1][-1:])

    def may_match_within(self, text: bytes) -> bool:
        """Return False only if no line of `text`, UTF-8 with newlines, matches."""
        return self._pattern.may_match_within(text)

    def spans(self, line: str) -> list[tuple[int, int]] | None:
        """Return the stretches of `line` to highlight; None when it does not match."""
        if not self._is_bounded:
            return self._pattern.spans(line)
        found = []
        start = 0
        while (span := self._pattern.first_span(line, start)) is not None:
            if self._is_whole(line, *span):
                found.append(span)
                start = span[1]
            else:
                start = span[0] + 1
        return found or None

    def _is_whole(self, line: str, start: int, end: int) -> bool:
        """Return whether a match neither begins nor ends within a word."""
        if self._starts_in_word and start > 0 and is_word_character(line[start - 1]):
            return False
        return not (self._ends_in_word and end < len(line) and is_word_character(line[end]))


def is_word_character(character: str) -> bool:
    """Return whether a character belongs to a word: a letter, a digit, or a mark on one."""
    if not character:
        return False
    category = unicodedata.category(character)
    return category[0] in "LNM" or category == "Co"


def _spaced(words: list[str]) -> Pattern:
    return compile_pattern(_BLANKS.join(escape(word) for word in words), ignores_case=True)


def _trigrams(query: str | None) -> Candidates | None:
    return None if query is None else Candidates("trigrams", query)


def _words(words: list[str]) -> Candidates | None:
    text = fold(" ".join(words))
    if "\0" not in text and max(text) < _WORD_LIMIT and any(map(str.isalnum, text)):
        return Candidates("words", '"' + text.replace('"', '""') + '"')
    # Trigrams would have to span the blanks, and those may be several: the longest word will do.
    return _trigrams(trigram_query(max(words, key=len)))
