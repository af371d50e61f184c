"""Text in pieces that can be cut to a size: what aushape does with events that are too large.

A piece is text, which stays whole or goes, or more pieces. Each has a rank; when all do not fit,
the highest ranks go first. Within the one rank that fits only in part, the pieces that can be cut
share what is left in proportion to their sizes.
"""

from __future__ import annotations


class Pieces:
    """Pieces of text, in the order in which they are shown.

    What has rank 0 (brackets, tags) is never cut, so that what is left can still be parsed.
    """

    def __init__(self) -> None:
        self._pieces: list[tuple[int, bytes | Pieces]] = []

    def add(self, piece: bytes | Pieces, rank: int = 0) -> None:
        """Show `piece` after all others; a higher `rank` goes earlier."""
        self._pieces.append((rank, piece))

    def size_bytes(self) -> int:
        """Return the size of the whole."""
        return sum(_size(piece) for _, piece in self._pieces)

    def render(self) -> bytes:
        """Return the whole as text."""
        parts: list[bytes] = []
        self._render(parts)
        return b"".join(parts)

    def _render(self, parts: list[bytes]) -> None:
        for _, piece in self._pieces:
            if isinstance(piece, bytes):
                parts.append(piece)
            else:
                piece._render(parts)

    def cut(self, limit_bytes: int) -> int:
        """Drop what makes the whole larger than `limit_bytes`, and return its size then.

        It can still be larger: rank 0 always stays.
        """
        kept_bytes = 0
        for rank in sorted({rank for rank, _ in self._pieces}):
            members = [piece for at, piece in self._pieces if at == rank]
            left_bytes = limit_bytes - kept_bytes
            size_bytes = sum(map(_size, members))
            if size_bytes > left_bytes:
                size_bytes = _share(members, left_bytes)
                fits = size_bytes <= left_bytes or rank == 0
                self._drop_above(rank if fits else rank - 1)
                return kept_bytes + size_bytes if fits else kept_bytes
            kept_bytes += size_bytes
        return kept_bytes

    def _drop_above(self, rank: int) -> None:
        self._pieces = [(at, piece) for at, piece in self._pieces if at <= rank]


def _size(piece: bytes | Pieces) -> int:
    return len(piece) if isinstance(piece, bytes) else piece.size_bytes()


def _share(members: list[bytes | Pieces], limit_bytes: int) -> int:
    """Cut each of `members` that can be cut by the same part; return the size of all then."""
    sizes = [_size(piece) for piece in members]
    soft = [at for at, piece in enumerate(members) if isinstance(piece, Pieces)]
    while soft and sum(sizes) > limit_bytes:
        soft_bytes = sum(sizes[at] for at in soft)
        for_soft_bytes = max(0, limit_bytes - (sum(sizes) - soft_bytes))
        stiff: list[int] = []
        for at in soft:
            piece = members[at]
            share_bytes = sizes[at] * for_soft_bytes // soft_bytes if soft_bytes else 0
            assert isinstance(piece, Pieces)  # noqa: S101  # chosen so above
            sizes[at] = piece.cut(share_bytes)
            if sizes[at] > share_bytes:
                stiff.append(at)
        if not stiff:
            break
        soft = [at for at in soft if at not in stiff]
    return sum(sizes)
