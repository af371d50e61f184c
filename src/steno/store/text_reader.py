"""Screen text in the index, read for a search: which chunks may match, and their lines."""

from __future__ import annotations

from typing import Any

import apsw
import zstandard

from steno.model import TextLine
from steno.store.chunks import CHUNK_LINES, CHUNK_MASK, Chunk, read_chunk
from steno.store.index import CHUNK_BITS
from steno.store.terms import TextTerm

_CACHED_CHUNKS = 256


class TextReader:
    """Reads recordings' lines on one connection, within one read transaction.

    Attributes:
        chunks_read: How many chunks were unpacked so far: what the work was.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._chunks: dict[int, Chunk | None] = {}
        self._occurrences: dict[tuple[int, int], bool] = {}
        self._decompressor = zstandard.ZstdDecompressor()
        self.chunks_read = 0

    def occurs(self, term: TextTerm, key: int) -> bool:
        """Return whether some line of a recording matches."""
        known = self._occurrences.get((id(term), key))
        if known is None:
            known = False
            for chunk_id in self.candidates([term], key):
                chunk = self.chunk(chunk_id)
                if chunk is not None and _any_line(term, chunk):
                    known = True
                    break
            self._occurrences[id(term), key] = known
        return known

    def candidates(self, terms: list[TextTerm], key: int) -> list[int]:
        """Return the ids of a recording's chunks that may match any of `terms`, newest first."""
        span = (key << CHUNK_BITS, (key << CHUNK_BITS) + CHUNK_MASK)
        if any(term.candidates is None for term in terms):
            return self._ids("SELECT id FROM chunks WHERE id BETWEEN ? AND ?", span)
        ids = set(
            self._ids("SELECT id FROM chunks WHERE NOT is_indexed AND id BETWEEN ? AND ?", span)
        )
        for term in terms:
            if term.candidates is not None:
                table = term.candidates.table
                sql = f"SELECT rowid FROM {table}(?) WHERE rowid BETWEEN ? AND ?"  # noqa: S608 - constants
                ids.update(self._ids(sql, (term.candidates.query, *span)))
        return sorted(ids, reverse=True)

    def _ids(self, sql: str, values: tuple[Any, ...]) -> list[int]:
        return sorted((row[0] for row in self._connection.execute(sql, values)), reverse=True)

    def matches(
        self, chunk: Chunk, terms: list[TextTerm]
    ) -> list[tuple[int, list[tuple[int, int]]]]:
        """Return (index, highlights) of the chunk's lines that match any term, in order."""
        terms = [term for term in terms if term.may_match_within(chunk.text)]
        matches = []
        for index, line in enumerate(chunk.texts() if terms else []):
            found = [spans for term in terms if (spans := term.spans(line)) is not None]
            if found:
                matches.append((index, _merged([span for spans in found for span in spans])))
        return matches

    def around(
        self, key: int, number: int, context_lines: int
    ) -> tuple[list[TextLine], TextLine, list[TextLine]]:
        """Return a line by its number, and so many lines before it and after it."""
        before = self._lines(key, number - context_lines, number)
        line = self._lines(key, number, number + 1)[0]
        return before, line, self._lines(key, number + 1, number + 1 + context_lines)

    def _lines(self, key: int, first: int, end: int) -> list[TextLine]:
        lines: list[TextLine] = []
        first = max(0, first)
        while first < end:
            chunk = self.chunk((key << CHUNK_BITS) + first // CHUNK_LINES)
            if chunk is None:
                break
            start = first // CHUNK_LINES * CHUNK_LINES
            lines += chunk.lines()[first - start : end - start]
            first = start + CHUNK_LINES
        return lines

    def chunk(self, chunk_id: int) -> Chunk | None:
        """Return a chunk of lines, None when there is none with this id."""
        if chunk_id in self._chunks:
            return self._chunks[chunk_id]
        self.chunks_read += 1
        if len(self._chunks) >= _CACHED_CHUNKS:
            del self._chunks[next(iter(self._chunks))]
        chunk = self._chunks[chunk_id] = read_chunk(self._connection, chunk_id, self._decompressor)
        return chunk


def _any_line(term: TextTerm, chunk: Chunk) -> bool:
    return term.may_match_within(chunk.text) and any(
        term.spans(line) is not None for line in chunk.texts()
    )


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the stretches in order, overlapping ones made one."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
