"""Memory that outlives the agent: what a session has read and not yet put in its recording.

A memfd per session, mapped, laid out as docs/formats/ring.md says. Bytes are read straight into it,
and written to the terminal straight from it, so that neither passes through memory that is
lost with the process. How far they have been written is told by the file position of a
descriptor, which the kernel moves in the very call that writes (sendfile(2)): a process that is
killed at any instant leaves no byte unread, unwritten or written twice.

Every change becomes valid by one store of one aligned 64-bit word. A process may be killed between
any two stores (tests/agent/test_ring_cuts.py does so); the system's own crash loses the memory.
"""

from __future__ import annotations

import errno
import mmap
import os
import stat
import struct
import sys
from collections.abc import Callable, Mapping

from steno.agent.ring_circles import RingCircles
from steno.agent.ring_layout import (
    FACTS_PLACES,
    LENGTH_SHIFT,
    MAGIC,
    RECORDS_AT,
    RECORDS_COUNT,
    RESET_BYTES,
    RESET_RECORDS,
    SIZE_BYTES,
    STATE_HEAD,
    STATE_PLACES,
    VERSION,
    WINDOW_BYTES,
    Kind,
    Way,
    Word,
)
from steno.errors import StoreError
from steno.recorder.echo import Echo

_GONE = (errno.EIO, errno.EPIPE, errno.ECONNRESET, errno.ENXIO, errno.EBADF)
_WINDOW_WORD, _TICK_WORD = int(Kind.WINDOW), int(Kind.TICK)
_STATE, _FACTS, _HANDED = int(Word.STATE), int(Word.FACTS), int(Word.HANDED)


class Ring(RingCircles):
    """The memory of one session. Owns its descriptors; `close` closes them.

    Attributes:
        descriptors: By name, what must be kept for the ring to be opened again.
        read_us: When what `read` returned last was there, by its clock.
    """

    read_us: int = 0

    @classmethod
    def create(cls, facts: bytes, state: bytes, *, is_terminal: bool) -> Ring:
        """Make the memory of a new session.

        Args:
            facts: What whoever takes the session up must know of it.
            state: The recording's state at its beginning.
            is_terminal: Whether both sides are terminals: only with these can the kernel count
                what was written. Pipes and sockets would hold on to the ring's pages themselves.

        Raises:
            OSError: There is no memory, or no descriptor left.
            ValueError: `facts` or `state` is larger than the layout allows.
        """
        fd = os.memfd_create("steno-ring", os.MFD_CLOEXEC)
        input_fd = None
        try:
            os.ftruncate(fd, SIZE_BYTES)
            if is_terminal:
                # A description of its own, with a position of its own.
                input_fd = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC)
            ring = cls(fd, input_fd)
            for lane in ring._lanes:
                lane.dirty_bytes = 0
                lane.seek(0)
            ring.set_facts(facts)
            ring.checkpoint(state)
            ring._words[Word.MAGIC] = MAGIC | VERSION
        except BaseException:
            for each in (fd, input_fd):
                if each is not None:
                    os.close(each)
            raise
        return ring

    @classmethod
    def open(cls, descriptors: Mapping[str, int]) -> Ring:
        """Take up the memory that another process left, and its descriptors with it.

        Raises:
            StoreError: It is damaged, or of a version that this program does not know; the
                descriptors stay their owner's.
        """
        fd = descriptors["ring"]
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_size != SIZE_BYTES:
            raise StoreError("the memory kept for it has not the size of a ring")
        magic = int.from_bytes(os.pread(fd, 8, 0), sys.byteorder)
        if magic & ~0xFF != MAGIC:
            raise StoreError("the memory kept for it is no ring")
        if magic & 0xFF != VERSION:
            version = magic & 0xFF
            raise StoreError(f"its ring has version {version}, and this agent knows {VERSION}")
        ring = cls(fd, descriptors.get("ring-input"))
        try:
            ring._blob(_FACTS, FACTS_PLACES)
            ring._take_up(ring._blob(_STATE, STATE_PLACES))
        except (ValueError, struct.error) as error:
            ring.release()
            raise StoreError(f"the memory kept for it is damaged: {error}") from error
        return ring

    # What is kept.

    @property
    def facts(self) -> bytes:
        """What was kept by `set_facts`."""
        return self._blob(_FACTS, FACTS_PLACES)

    def set_facts(self, facts: bytes) -> None:
        """Keep the session's facts in place of those before.

        Raises:
            ValueError: They are too large; those before stay.
        """
        self._keep_blob(_FACTS, FACTS_PLACES, facts)

    @property
    def state(self) -> bytes:
        """The recording's state before what `entries` holds."""
        return self._blob(_STATE, STATE_PLACES)[STATE_HEAD.size :]

    def checkpoint(self, state: bytes) -> None:
        """Keep the recording's state: all entries so far are in it, or in lines that are written.

        What was not passed on yet stays.

        Raises:
            ValueError: It is too large; the state before stays, and all entries.
        """
        self._keep_state(state)
        if self._head % RECORDS_COUNT > RESET_RECORDS or any(
            lane.head % lane.size_bytes > reset_bytes
            for lane, reset_bytes in zip(self._lanes, RESET_BYTES, strict=True)
        ):
            self._begin_anew(state)

    @property
    def handed(self) -> int:
        """The number of the last message that was handed to the recording's places."""
        return self._words[Word.HANDED]

    def set_handed(self, number: int) -> None:
        """Keep that messages up to this number were handed over; the spool knows by itself."""
        self._words[_HANDED] = number

    # What happens.

    def read(
        self,
        way: Way,
        fd: int,
        clock: Callable[[], int],
        *,
        limit_bytes: int = WINDOW_BYTES,
        echo: Echo = Echo.SHOWN,
    ) -> bytes | None:
        """Read from `fd` and keep; return the bytes, b"" at the end, None when there are none yet.

        Also None without room. Bytes are kept from the instant that they are read; `clock` is asked
        for that behind them, and its answer is `read_us`: they came before, not later.

        Raises:
            OSError: It cannot be read, and that is no end.
        """
        length_bytes = self.room_bytes(way)
        if length_bytes > limit_bytes:
            length_bytes = limit_bytes
        if not length_bytes:
            return None
        lane, memory = self._lanes[way], self._bytes
        spans = lane.spans(lane.head, length_bytes)
        try:
            count_bytes = os.readv(fd, [memory[begin:end] for begin, end in spans])
        except BlockingIOError:
            return None
        except OSError as error:
            # A terminal's other side has closed: Linux says EIO on a master.
            if error.errno in _GONE:
                return b""
            raise
        if not count_bytes:
            return b""
        self.read_us = clock()
        begin, end = spans[0]
        if begin + count_bytes <= end:
            data = bytes(memory[begin : begin + count_bytes])
        else:
            data = self._data(lane, lane.head, count_bytes)
        self._commit_data(way, self.read_us, count_bytes, echo)
        return data

    def put(self, way: Way, at_us: int, data: bytes, echo: Echo = Echo.SHOWN) -> None:
        """Keep bytes that come from elsewhere: a message to the person.

        Raises:
            BlockingIOError: There is no room for them now; nothing was kept.
        """
        if len(data) > self.room_bytes(way):
            raise BlockingIOError(errno.EAGAIN, "no room in the ring")
        lane = self._lanes[way]
        at = 0
        for begin, end in lane.spans(lane.head, len(data)):
            self._bytes[begin:end] = data[at : at + end - begin]
            at += end - begin
        self._commit_data(way, at_us, len(data), echo)

    def put_window(self, at_us: int, columns: int, rows: int) -> None:
        """Keep a window's size; when there is no room it is left out."""
        self._commit(at_us, _WINDOW_WORD | (columns << 16 | rows) << LENGTH_SHIFT)

    def put_tick(self, at_us: int) -> None:
        """Keep that the recording's state was told the time; without room, see `put_window`."""
        self._commit(at_us, _TICK_WORD)

    def salvage(self, at_us: int) -> int:
        """Keep what a killed process had read and not committed; return how many bytes.

        Zeros at its end cannot be told from what was never read, and are lost.
        """
        total_bytes = 0
        for way in Way:
            lane = self._lanes[way]
            data = self._data(lane, lane.head, WINDOW_BYTES).rstrip(b"\0")
            if data and self.room_bytes(way):
                self._commit_data(way, at_us, len(data), Echo.SHOWN)
                total_bytes += len(data)
        return total_bytes

    # What was passed on.

    def waiting_bytes(self, way: Way) -> int:
        """Return how much was read and not passed on."""
        lane = self._lanes[way]
        return lane.head - lane.passed

    def pass_on(self, way: Way, fd: int, limit_bytes: int | None = None) -> int:
        """Write what waits to `fd`, as far as it is taken; return how much still waits.

        Raises:
            OSError: Nobody takes it any more; it still waits.
        """
        lane = self._lanes[way]
        rest_bytes = lane.head - lane.passed
        if limit_bytes is not None:
            rest_bytes = min(rest_bytes, limit_bytes)
        try:
            while rest_bytes:
                begin, end = lane.spans(lane.passed, rest_bytes)[0]
                taken = lane.write(fd, self._bytes, begin, end)
                lane.passed += taken
                rest_bytes -= taken
                if lane.fd is None:
                    self._words[lane.word] = lane.passed
        except BlockingIOError:
            pass
        return lane.head - lane.passed

    def drop_waiting(self, way: Way) -> None:
        """Count all that waits as passed on: nobody takes it any more."""
        lane = self._lanes[way]
        lane.passed = lane.head
        self._words[lane.word] = lane.passed
        lane.seek(lane.passed)

    def shrink(self) -> bool:
        """Give memory back to the system where nothing waits; return whether that was so."""
        if not self._is_empty:
            return False
        self._begin_anew(self.state)
        self._map.madvise(mmap.MADV_REMOVE, RECORDS_AT, SIZE_BYTES - RECORDS_AT)
        for lane in self._lanes:
            lane.dirty_bytes = 0
        return True

    # Stores, in the order that makes each of them harmless.

    def _keep_state(self, state: bytes) -> None:
        heads = [lane.head for lane in self._lanes]
        passed = [lane.passed for lane in self._lanes]
        head = STATE_HEAD.pack(self._head, *heads, *passed)
        self._keep_blob(_STATE, STATE_PLACES, head + state)
        self._kept = self._head
        for lane in self._lanes:
            lane.kept = lane.head

    def _begin_anew(self, state: bytes) -> None:
        """Move all circles to their beginning if nothing is in them."""
        if not self._is_empty:
            return
        for lane in self._lanes:
            for begin, end in lane.spans_to_begin(is_all=lane is self._lanes[Way.INPUT]):
                self._bytes[begin:end] = bytes(end - begin)
            # The state says that all was passed on: until the next one, the position doesn't count.
            lane.seek(0)
            lane.head = lane.passed = lane.begin_anew()
        self._head = -(-self._head // RECORDS_COUNT) * RECORDS_COUNT
        self._keep_state(state)
