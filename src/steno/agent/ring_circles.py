"""A session's memory as circles: records of what happened, and the bytes of each way."""

from __future__ import annotations

from steno.agent.ring_lane import Lane
from steno.agent.ring_layout import (
    ECHO_SHIFT,
    LENGTH_SHIFT,
    RECORDS_COUNT,
    RESERVED_RECORDS,
    STATE_HEAD,
    WINDOW_BYTES,
    Kind,
    Way,
    Word,
)
from steno.agent.ring_memory import Entry, RingMemory
from steno.recorder.echo import Echo

_ZEROS = memoryview(bytes(WINDOW_BYTES))
_ECHOES = (Echo.SHOWN, Echo.HIDDEN, Echo.DRAWN)
_RECORDS = int(Word.RECORDS)


class RingCircles(RingMemory):
    """Records and lanes, with how far each has come. Owns its descriptors.

    Records count for ever: `_kept` is up to where the kept state covers them, `_head` up to where
    there are any.
    """

    def __init__(self, fd: int, input_fd: int | None) -> None:
        """Map the memory."""
        super().__init__(fd, input_fd)
        # The first descriptor counts what was shown, the second what was handed to the program.
        counting = (None, None, None) if input_fd is None else (fd, None, input_fd)
        self._lanes = tuple(Lane(way, counting[way]) for way in Way)
        self._head = self._kept = 0

    def entries(self) -> list[Entry]:
        """Return what happened since the state was kept, in order."""
        found = []
        positions = [lane.kept for lane in self._lanes]
        for index in range(self._kept, self._head):
            at_us, word = self._record(index)
            kind, value = Kind(word & 0xFF), word >> LENGTH_SHIFT
            if kind is Kind.WINDOW:
                found.append(Entry(kind, at_us, size=(value >> 16, value & 0xFFFF)))
            elif kind is Kind.TICK:
                found.append(Entry(kind, at_us))
            else:
                way = Way(kind - 1)
                data = self._data(self._lanes[way], positions[way], value)
                positions[way] += value
                found.append(Entry(kind, at_us, data, _ECHOES[word >> ECHO_SHIFT & 3]))
        return found

    @property
    def is_pressed(self) -> bool:
        """Whether it is time for lines and a `checkpoint`, so that there is room."""
        if self._head - self._kept > RECORDS_COUNT // 2:
            return True
        return any(lane.head - lane.kept > lane.size_bytes // 4 for lane in self._lanes)

    def room_bytes(self, way: Way) -> int:
        """Return how much may be read or put now."""
        if self._head - self._kept >= RECORDS_COUNT - RESERVED_RECORDS:
            return 0
        lane = self._lanes[way]
        used_bytes = lane.head - (lane.kept if lane.kept < lane.passed else lane.passed)
        # Never into the window that the next read needs.
        room_bytes = lane.size_bytes - used_bytes - 2 * WINDOW_BYTES
        return WINDOW_BYTES if room_bytes >= WINDOW_BYTES else max(0, room_bytes)

    @property
    def _is_empty(self) -> bool:
        return self._head == self._kept and all(
            lane.head == lane.passed == lane.kept for lane in self._lanes
        )

    def _commit_data(self, way: Way, at_us: int, count_bytes: int, echo: Echo) -> None:
        lane = self._lanes[way]
        for begin, end in lane.spans_to_clear(count_bytes):
            self._bytes[begin:end] = _ZEROS[: end - begin]
        echo_bits = 0 if echo is Echo.SHOWN else _ECHOES.index(echo) << ECHO_SHIFT
        self._commit(at_us, way + 1 | echo_bits | count_bytes << LENGTH_SHIFT)
        lane.head += count_bytes

    def _commit(self, at_us: int, word: int) -> None:
        if self._head - self._kept >= RECORDS_COUNT:
            return
        at = self._head % RECORDS_COUNT * 2
        self._records[at] = at_us
        self._records[at + 1] = word
        self._head += 1
        self._words[_RECORDS] = self._head

    def _take_up(self, kept_head: bytes) -> None:
        """Find out how far all has come, from what the kept state begins with.

        Raises:
            ValueError: The memory is damaged.
            struct.error: So is the state.
        """
        positions = STATE_HEAD.unpack_from(kept_head)
        self._kept, heads, passed = positions[0], positions[1:4], positions[4:7]
        # Of a state that began anew the records' word may not know yet.
        self._head = max(self._words[_RECORDS], self._kept)
        if self._head - self._kept > RECORDS_COUNT:
            raise ValueError(f"{self._head - self._kept} records")
        for lane, head in zip(self._lanes, heads, strict=True):
            lane.kept = lane.head = head
        for index in range(self._kept, self._head):
            word = self._record(index)[1]
            kind = Kind(word & 0xFF)
            if (word >> ECHO_SHIFT & 3) >= len(_ECHOES):
                raise ValueError(f"a record {word:#x}")
            if kind in (Kind.OUTPUT, Kind.ERROR, Kind.INPUT):
                self._lanes[kind - 1].head += word >> LENGTH_SHIFT
        for lane, floor in zip(self._lanes, passed, strict=True):
            if lane.head - min(lane.kept, floor) > lane.size_bytes:
                raise ValueError(f"{lane.head - lane.kept} bytes in a circle")
            lane.passed = max(floor, lane.told_passed(), self._words[lane.word])
            if not lane.head - lane.size_bytes < lane.passed <= lane.head:
                raise ValueError(f"{lane.passed} of {lane.head} bytes passed on")
