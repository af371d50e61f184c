"""Screen text in chunks of 64 lines: how they are kept, and how the full-text indexes see them."""

from __future__ import annotations

import apsw
import msgspec
import zstandard

from steno.errors import StoreError
from steno.model import TextLine
from steno.store.index import CHUNK_BITS

CHUNK_LINES = 64
"""Lines in every chunk but a recording's last."""

CHUNK_MASK = (1 << CHUNK_BITS) - 1


class Chunk(msgspec.Struct, frozen=True, array_like=True):
    """Some consecutive lines.

    Attributes:
        times_us: Each line's instant.
        text: The lines, newline between them.
    """

    times_us: list[int]
    text: str

    def lines(self) -> list[TextLine]:
        """Return the lines one by one."""
        return [
            TextLine(at_us, text)
            for at_us, text in zip(self.times_us, self.text.split("\n"), strict=True)
        ]


def fold(text: str) -> str:
    """Return `text` as the full-text indexes see it: the same for capital and small letters."""
    return text.casefold()


def pack_chunk(lines: list[TextLine]) -> tuple[str, bytes]:
    """Return the text of `lines` and their body for the table."""
    # A line of the screen holds no newline; were there one, it must not shift the others.
    text = "\n".join(line.text.replace("\n", " ") for line in lines)
    chunk = Chunk([line.at_us for line in lines], text)
    return text, zstandard.ZstdCompressor(level=3).compress(msgspec.msgpack.encode(chunk))


def unpack_chunk(body: bytes, decompressor: zstandard.ZstdDecompressor) -> Chunk:
    """Return what `pack_chunk` packed.

    Making a decompressor takes longer than using it; one thread may use it again and again.

    Raises:
        StoreError: It is damaged.
    """
    try:
        return msgspec.msgpack.decode(decompressor.decompress(body), type=Chunk)
    except (zstandard.ZstdError, msgspec.MsgspecError) as error:
        raise StoreError(f"the index is damaged: {error}; run `steno server reindex`") from error


def read_chunk(
    connection: apsw.Connection,
    chunk_id: int,
    decompressor: zstandard.ZstdDecompressor | None = None,
) -> Chunk | None:
    """Return a chunk, None when there is none with this id."""
    row = connection.execute("SELECT body FROM chunks WHERE id = ?", (chunk_id,)).fetchone()
    if row is None:
        return None
    return unpack_chunk(row[0], decompressor or zstandard.ZstdDecompressor())


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
        text, body = pack_chunk(piece)
        connection.execute("INSERT INTO chunks VALUES(?, ?, ?)", (chunk_id, is_indexed, body))
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
