"""Search as one would write it without an index: what every store's answers are compared with."""

from __future__ import annotations

import re
import unicodedata

from steno.model import TextLine
from steno.store.expressions import And, Expression, Field, Not, Or, Phrase, Regex, Substring, Word
from steno.store.protocol import Summary

NaiveHit = tuple[str, int | None, int | None]
"""A recording, the number of a line on its screen, and that of an event of it."""


class NaiveStore:
    """Recordings' summaries and lines in memory."""

    def __init__(self) -> None:
        self.recordings: dict[str, tuple[Summary, list[TextLine]]] = {}

    def put(self, summary: Summary, lines: list[TextLine]) -> None:
        """Add lines to a recording."""
        known = self.recordings.get(summary.rec, (summary, []))[1]
        self.recordings[summary.rec] = (summary, known + lines)

    def matching(self, query: Expression) -> set[str]:
        """Return the ids of the recordings that match."""
        return {rec for rec in self.recordings if self._holds(query, rec)}

    def hits(self, query: Expression) -> list[NaiveHit]:
        """Return each hit: the newest recording first, in it events then lines, newest first."""
        hits: list[NaiveHit] = []
        for rec in sorted(
            self.matching(query), key=lambda rec: -self.recordings[rec][0].started_unix_us
        ):
            terms = self._positive_terms(query)
            found: list[NaiveHit] = [(rec, None, serial) for serial in self._serials(query, rec)]
            found += [
                (rec, number, None)
                for number, line in reversed(list(enumerate(self.recordings[rec][1])))
                if any(matches(term, line.text) for term in terms)
            ]
            hits += found or [(rec, None, None)]
        return hits

    def _positive_terms(self, query: Expression) -> list[Expression]:
        """Return the terms that look for text and stand under no NOT."""
        return [term for term in _positive(query) if not isinstance(term, Field)]

    def _serials(self, query: Expression, rec: str) -> list[int]:
        """Return the numbers of a recording's events that are hits, newest first: it has none."""
        del query, rec
        return []

    def _holds(self, query: Expression, rec: str) -> bool:
        summary, lines = self.recordings[rec]
        match query:
            case And(parts):
                return all(self._holds(part, rec) for part in parts)
            case Or(parts):
                return any(self._holds(part, rec) for part in parts)
            case Not(part):
                return not self._holds(part, rec)
            case Field("user", value):
                return summary.user == value
            case Field("host", value):
                return summary.host == value
            case Field("is", "live"):
                return summary.is_live
            case _:
                return any(matches(query, line.text) for line in lines)


def matches(term: Expression, line: str) -> bool:
    """Return whether a line matches a term that looks for text."""
    match term:
        case Regex(pattern, ignores_case):
            return re.search(pattern, line, re.IGNORECASE if ignores_case else 0) is not None
        case Substring(text):
            return text.lower() in line.lower()
        case Word(text):
            return _stands_whole(re.escape(text), text, line)
        case Phrase(text):
            return _stands_whole(r"\s+".join(map(re.escape, text.split())), text.strip(), line)
    raise TypeError(term)


def _stands_whole(pattern: str, text: str, line: str) -> bool:
    for start in range(len(line)):
        found = re.compile(pattern, re.IGNORECASE).match(line, start)
        if found is None:
            continue
        before, after = line[:start][-1:], line[found.end() :][:1]
        if not (_is_letter(text[0]) and _is_letter(before)) and not (
            _is_letter(text[-1]) and _is_letter(after)
        ):
            return True
    return False


def _is_letter(character: str) -> bool:
    return bool(character) and unicodedata.category(character)[0] in "LNM"


def _positive(query: Expression, *, is_negated: bool = False) -> list[Expression]:
    match query:
        case And(parts) | Or(parts):
            return [term for part in parts for term in _positive(part, is_negated=is_negated)]
        case Not(part):
            return _positive(part, is_negated=not is_negated)
        case _:
            return [] if is_negated else [query]
