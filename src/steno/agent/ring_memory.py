"""A session's memory as it is mapped: words, records, and what they point to."""

from __future__ import annotations

import mmap
import os

import msgspec

from steno.agent.ring_lane import Lane
from steno.agent.ring_layout import (
    LENGTH_SHIFT,
    RECORD_BYTES,
    RECORDS_AT,
    RECORDS_COUNT,
    SIZE_BYTES,
    Kind,
    Places,
    Word,
)
from steno.recorder.echo import Echo


class Entry(msgspec.Struct, frozen=True):
    """Something that happened since the state was kept.

    Attributes:
        kind: What.
        at_us: When, in the recording.
        data: The bytes, of data.
        echo: What the terminal did with typed bytes.
        size: The window's columns and rows.
    """

    kind: Kind
    at_us: int
    data: bytes = b""
    echo: Echo = Echo.SHOWN
    size: tuple[int, int] = (0, 0)


class RingMemory:
    """What a ring's memory is read and written through. Owns its descriptors.

    Attributes:
        descriptors: By name, what must be kept for the memory to be mapped again.
    """

    def __init__(self, fd: int, input_fd: int | None) -> None:
        """Map the memory."""
        self.descriptors = {"ring": fd}
        if input_fd is not None:
            self.descriptors["ring-input"] = input_fd
        self._map = mmap.mmap(fd, SIZE_BYTES)
        self._bytes = memoryview(self._map)
        self._words = self._bytes[: len(Word) * 8].cast("Q")
        records = self._bytes[RECORDS_AT : RECORDS_AT + RECORDS_COUNT * RECORD_BYTES]
        self._records = records.cast("Q")

    def close(self) -> None:
        """Let go of the memory; whoever keeps the descriptors still has it."""
        self.release()
        for fd in self.descriptors.values():
            os.close(fd)
        self.descriptors = {}

    def release(self) -> None:
        """Unmap the memory; the descriptors stay open, for who handed them in."""
        self._records.release()
        self._words.release()
        self._bytes.release()
        self._map.close()

    def _keep_blob(self, word: int, places: Places, data: bytes) -> None:
        used_at, used_bytes = self._words[word] >> LENGTH_SHIFT, self._words[word] & 0xFFFFFFFF
        for at, size_bytes in places:
            if at != used_at and len(data) <= size_bytes:
                self._bytes[at : at + len(data)] = data
                self._words[word] = at << LENGTH_SHIFT | len(data)
                # It may have held what was typed.
                self._bytes[used_at : used_at + used_bytes] = bytes(used_bytes)
                return
        raise ValueError(f"{len(data)} bytes are too many to be kept")

    def _blob(self, word: int, places: Places) -> bytes:
        at, length_bytes = self._words[word] >> LENGTH_SHIFT, self._words[word] & 0xFFFFFFFF
        if not any(at == place and length_bytes <= size_bytes for place, size_bytes in places):
            raise ValueError(f"{length_bytes} bytes at {at}")
        return bytes(self._bytes[at : at + length_bytes])

    def _record(self, index: int) -> tuple[int, int]:
        at = index % RECORDS_COUNT * 2
        return self._records[at], self._records[at + 1]

    def _data(self, lane: Lane, position: int, length_bytes: int) -> bytes:
        spans = lane.spans(position, length_bytes)
        if len(spans) == 1:
            return bytes(self._bytes[spans[0][0] : spans[0][1]])
        return b"".join([self._bytes[begin:end] for begin, end in spans])
