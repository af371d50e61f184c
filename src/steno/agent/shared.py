"""Descriptors that other processes share with us, read and written without ever waiting.

Their flags belong to the open file that all share: were O_NONBLOCK set on it, the others would lose
data. RWF_NOWAIT (Linux 5.x for pipes, later for sockets) asks for the same one call at a time.
"""

from __future__ import annotations

import errno
import os
import select
import stat
from collections.abc import Sequence

from steno.recorder.sink import Sink

_REFUSALS = (errno.EOPNOTSUPP, errno.EINVAL, errno.ESPIPE, errno.ENOSYS)
"""What kernels say that do not know RWF_NOWAIT for this kind of file."""


def is_always_ready(fd: int) -> bool:
    """Return whether reading and writing `fd` never waits for anybody: files, /dev/null.

    epoll refuses to watch those.
    """
    epoll = select.epoll()
    try:
        epoll.register(fd, 0)
    except PermissionError:
        return True
    finally:
        epoll.close()
    return False


def is_slow(fd: int) -> bool:
    """Return whether reading or writing `fd` may take any time, with nothing to wait for: files."""
    mode = os.fstat(fd).st_mode
    return stat.S_ISREG(mode) or stat.S_ISBLK(mode) or stat.S_ISDIR(mode)


def is_same_file(one: int, other: int) -> bool:
    """Return whether what is written to two descriptors comes to the same place."""
    return os.path.sameopenfile(one, other)


class SharedSource:
    """A stream to read from.

    Attributes:
        fd: Its descriptor; stays its owner's.
        is_always_ready: Whether a read never waits; such a descriptor cannot be polled for.
    """

    def __init__(self, fd: int, *, is_nonblocking: bool = False) -> None:
        self.fd = fd
        self.is_always_ready = is_always_ready(fd)
        self._reads_plainly = is_nonblocking or self.is_always_ready

    def read(self, size_bytes: int) -> bytes | None:
        """Return what is there, at most `size_bytes`; b"" at the end, None when nothing is yet.

        Raises:
            OSError: It cannot be read.
        """
        try:
            if self._reads_plainly:
                return os.read(self.fd, size_bytes)
            return self._read_shared(size_bytes)
        except BlockingIOError:
            return None

    def _read_shared(self, size_bytes: int) -> bytes | None:
        buffer = bytearray(size_bytes)
        try:
            count = os.preadv(self.fd, [buffer], -1, os.RWF_NOWAIT)
        except OSError as error:
            if error.errno not in _REFUSALS:
                raise
            # An older kernel, or a terminal: ask first, and hope that nobody else reads as well.
            ready = select.poll()
            ready.register(self.fd, select.POLLIN)
            return os.read(self.fd, size_bytes) if ready.poll(0) else None
        return bytes(buffer[:count])


class SharedSink:
    """A stream to write to.

    Attributes:
        fd: Its descriptor; stays its owner's.
        is_always_ready: Whether a write never waits for a reader.
    """

    def __init__(self, fd: int, *, is_nonblocking: bool = False) -> None:
        self.fd = fd
        self.is_always_ready = is_always_ready(fd)
        self._cautious = Sink(fd, is_nonblocking=is_nonblocking)
        mode = os.fstat(fd).st_mode
        self._asks_nowait = not is_nonblocking and (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode))

    def write(self, chunks: Sequence[memoryview]) -> int:
        """Write some of `chunks`, in order; return how many bytes were taken, 0 when none fit now.

        Raises:
            OSError: Nobody reads there any more, or the disk is full.
        """
        if not self._asks_nowait:
            return self._cautious.write_all(chunks)
        try:
            return os.pwritev(self.fd, chunks, -1, os.RWF_NOWAIT)
        except BlockingIOError:
            return 0
        except OSError as error:
            if error.errno not in _REFUSALS:
                raise
            self._asks_nowait = False
            return self._cautious.write_all(chunks)
