"""One of a ring's circles of bytes: where they are, and how far they were passed on."""

from __future__ import annotations

import errno
import os

from steno.agent.ring_layout import LANES, WINDOW_BYTES, Way, Word


class Lane:
    """Positions in a circle of bytes; they count for ever.

    `kept` is up to where the kept state covers the bytes, `passed` up to where they were passed
    on, `head` up to where there are any. The window behind `head`, WINDOW_BYTES long, is all zeros
    whenever a record is committed: what a killed process had read into it can be told.

    Attributes:
        fd: Whose file position says how far was passed on; None where a word does. The lane
            does not own it.
        word: The index of that word.
        dirty_bytes: How far from its beginning the circle may hold something else than zeros.
    """

    def __init__(self, way: Way, fd: int | None) -> None:
        self.base_bytes, self.size_bytes = LANES[way]
        self.word = int(Word.OUTPUT_PASSED) + way
        self.fd = fd
        self.kept = self.passed = self.head = 0
        self.dirty_bytes = self.size_bytes
        self._at: int | None = None

    def spans(self, position: int, length_bytes: int) -> list[tuple[int, int]]:
        """Return where these bytes are in the memory: (begin, end), one or two."""
        base_bytes, size_bytes = self.base_bytes, self.size_bytes
        begin = position % size_bytes
        end = begin + length_bytes
        if end <= size_bytes:
            return [(base_bytes + begin, base_bytes + end)]
        return [
            (base_bytes + begin, base_bytes + size_bytes),
            (base_bytes, base_bytes + end - size_bytes),
        ]

    def spans_to_clear(self, count_bytes: int) -> list[tuple[int, int]]:
        """Return what must become zeros before the head may move on by so much: up to a window.

        That is what the window gets in addition: what it has is zeros already.
        """
        size_bytes = self.size_bytes
        begin = self.head % size_bytes
        end = begin + count_bytes
        if end > size_bytes:
            self.dirty_bytes = size_bytes
        elif end > self.dirty_bytes:
            self.dirty_bytes = end
        if end + WINDOW_BYTES <= size_bytes and begin + WINDOW_BYTES >= self.dirty_bytes:
            return []
        return self._dirty_spans(self.head + WINDOW_BYTES, count_bytes)

    def spans_to_begin(self, *, is_all: bool) -> list[tuple[int, int]]:
        """Return what must become zeros before the circle's beginning may be the head.

        With `is_all` that is whatever may be something else.
        """
        if not is_all:
            return self._dirty_spans(0, WINDOW_BYTES)
        length_bytes, self.dirty_bytes = self.dirty_bytes, 0
        return [(self.base_bytes, self.base_bytes + length_bytes)] if length_bytes else []

    def _dirty_spans(self, position: int, length_bytes: int) -> list[tuple[int, int]]:
        until = self.base_bytes + self.dirty_bytes
        spans = self.spans(position, length_bytes)
        return [(begin, min(end, until)) for begin, end in spans if begin < until]

    def begin_anew(self) -> int:
        """Return the head's position once it has moved to the circle's beginning."""
        return -(-self.head // self.size_bytes) * self.size_bytes

    def write(self, fd: int, memory: memoryview, begin: int, end: int) -> int:
        """Write a span to `fd`; return how many bytes were taken.

        Raises:
            OSError: None was.
        """
        if self.fd is None:
            return os.write(fd, memory[begin:end])
        if begin != self._at:
            # The circle's end counts as its beginning until then.
            os.lseek(self.fd, begin, os.SEEK_SET)
            self._at = begin
        try:
            taken = os.sendfile(fd, self.fd, None, end - begin)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            # Linux 5.10 cannot do that to a terminal. A kill between the two calls shows the
            # bytes again.
            taken = os.write(fd, memory[begin:end])
            os.lseek(self.fd, begin + taken, os.SEEK_SET)
        self._at += taken
        return taken

    def seek(self, position: int) -> None:
        """Make the file position say that all before `position` was passed on."""
        if self.fd is not None:
            self._at = self.base_bytes + position % self.size_bytes
            os.lseek(self.fd, self._at, os.SEEK_SET)

    def told_passed(self) -> int:
        """Return up to where bytes were passed on, as the file position says, 0 without one."""
        if self.fd is None:
            return 0
        at_bytes = os.lseek(self.fd, 0, os.SEEK_CUR) - self.base_bytes
        return self.head - (self.head - at_bytes) % self.size_bytes
