"""Screen text in chunks of 64 lines: how they are kept, and how the full-text indexes see them."""

from __future__ import annotations

from typing import Any

import apsw
import msgspec
import zstandard

from steno.errors import StoreError
from steno.model import TextLine
from steno.store.folding import fold
from steno.store.index import CHUNK_BITS
from steno.structs import msgpack_decoder

CHUNK_LINES = 64
"""Lines in every chunk but a recording's last."""

CHUNK_MASK = (1 << CHUNK_BITS) - 1


_decode_times = msgpack_decoder(list[int])


class Chunk:
    """Some consecutive lines, unpacked only as far as they are looked at.

    Attributes:
        text: The lines, UTF-8, newline between them.
    """

    __slots__ = ("_times", "text")

    def __init__(self, times: bytes, text: bytes) -> None:
        self._times = times
        self.text = text

    def texts(self) -> list[str]:
        """Return the lines without their instants."""
        return self.text.decode().split("\n")

    def lines(self) -> list[TextLine]:
        """Return the lines one by one."""
        times_us = _decode_times(self._times)
        return [TextLine(*line) for line in zip(times_us, self.texts(), strict=True)]


def pack_chunk(lines: list[TextLine]) -> tuple[str, bytes, bytes]:
    """Return the text of `lines`, and their instants and text as the table has them."""
    # A line of the screen holds no newline; were there one, it must not shift the others.
    text = "\n".join(line.text.replace("\n", " ") for line in lines)
    times = msgspec.msgpack.encode([line.at_us for line in lines])
    return text, times, zstandard.ZstdCompressor(level=3).compress(text.encode())


def read_chunk(
    connection: apsw.Connection,
    chunk_id: int,
    decompressor: zstandard.ZstdDecompressor | None = None,
) -> Chunk | None:
    """Return a chunk, None when there is none with this id.

    Making a decompressor takes longer than using it; one thread may use it again and again.

    Raises:
        StoreError: It is damaged.
    """
    row: Any = connection.execute(
        "SELECT times, body FROM chunks WHERE id = ?", (chunk_id,)
    ).fetchone()
    if row is None:
        return None
    try:
        return Chunk(row[0], (decompressor or zstandard.ZstdDecompressor()).decompress(row[1]))
    except zstandard.ZstdError as error:
        raise StoreError(f"the index is damaged: {error}; run `steno server reindex`") from error


def add_lines(
    connection: apsw.Connection, key: int, line_count: int, lines: list[TextLine], *, is_last: bool
) -> None:
    """Add lines to a recording that has `line_count` so far.

    A chunk that may still grow stays out of the full-text indexes, where rewriting is dear;
    searches look at such chunks one by one. `is_last` says that nothing more is expected.

    Raises:
        StoreError: The recording has more lines than can be numbered.
    """
    number, held = divmod(line_count, CHUNK_LINES)
    if (line_count + len(lines)) // CHUNK_LINES > CHUNK_MASK:
        raise StoreError("a recording has more than a thousand million lines of text")
    first_id = key << CHUNK_BITS | number
    pending = lines
    if held and (lines or is_last):
        chunk = read_chunk(connection, first_id)
        pending = (chunk.lines() if chunk else []) + lines
        remove_chunks(connection, first_id, first_id)
    for start in range(0, len(pending), CHUNK_LINES):
        piece = pending[start : start + CHUNK_LINES]
        chunk_id = first_id + start // CHUNK_LINES
        is_indexed = is_last or len(piece) == CHUNK_LINES
        text, times, body = pack_chunk(piece)
        connection.execute(
            "INSERT INTO chunks VALUES(?, ?, ?, ?)", (chunk_id, is_indexed, times, body)
        )
        if is_indexed:
            folded = fold(text)
            for table in ("words", "trigrams"):
                connection.execute(
                    f"INSERT INTO {table}(rowid, text) VALUES(?, ?)",
                    (chunk_id, folded),
                )


def remove_chunks(connection: apsw.Connection, first_id: int, last_id: int) -> None:
    """Remove a range of chunks, from the full-text indexes too."""
    for table in ("words", "trigrams"):
        connection.execute(
            f"DELETE FROM {table} WHERE rowid IN (SELECT id FROM chunks"  # noqa: S608 - constants
            " WHERE id BETWEEN ? AND ? AND is_indexed)",
            (first_id, last_id),
        )
    connection.execute("DELETE FROM chunks WHERE id BETWEEN ? AND ?", (first_id, last_id))
