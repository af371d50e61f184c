"""Bytes on their way to a descriptor that does not take them all at once."""

from __future__ import annotations

from collections import deque

_MAX_CHUNKS = 16
"""How many chunks are offered for one writev(2)."""


class Flow:
    """A queue of bytes with a mark above which its source is not read. Does no I/O.

    It never refuses bytes: the bound is `limit_bytes` and one read more.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._chunks: deque[memoryview] = deque()
        self.size_bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether its source should wait."""
        return self.size_bytes >= self._limit_bytes

    def put(self, data: bytes | memoryview) -> None:
        """Queue `data`."""
        if data:
            self._chunks.append(memoryview(data))
            self.size_bytes += len(data)

    def head(self) -> list[memoryview]:
        """Return what is to be written next, as buffers for writev(2)."""
        return [self._chunks[index] for index in range(min(len(self._chunks), _MAX_CHUNKS))]

    def all(self) -> list[memoryview]:
        """Return all that is queued, in order."""
        return [*self._chunks]

    def advance(self, count_bytes: int) -> None:
        """Forget the first `count_bytes`: they were written."""
        self.size_bytes -= count_bytes
        while count_bytes:
            first = self._chunks[0]
            if len(first) > count_bytes:
                self._chunks[0] = first[count_bytes:]
                return
            count_bytes -= len(first)
            self._chunks.popleft()

    def clear(self) -> None:
        """Forget everything."""
        self._chunks.clear()
        self.size_bytes = 0
