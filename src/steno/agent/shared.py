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
from pathlib import Path

from steno.agent.strangers import look_at
from steno.recorder.sink import Sink

_REFUSALS = (errno.EOPNOTSUPP, errno.EINVAL, errno.ESPIPE, errno.ENOSYS)
"""What kernels say that do not know RWF_NOWAIT for this kind of file."""


def is_slow(fd: int) -> bool:
    """Return whether reading or writing `fd` may take any time, with nothing to wait for: files.

    Nothing is asked of the file itself: its file system may be served by the user's own program,
    and even fstat(2) would wait for that.
    """
    inode = look_at(fd)
    if stat.S_ISFIFO(inode.mode) or stat.S_ISSOCK(inode.mode):
        return False
    if not inode.is_device:
        return True
    try:
        os.lseek(fd, 0, os.SEEK_CUR)
    except OSError:
        return False  # a terminal
    return True  # /dev/null and the like


def is_null(fd: int) -> bool:
    """Return whether what is written there is gone."""
    return _link(fd) == "/dev/null"


def is_same_file(one: int, other: int) -> bool:
    """Return whether what is written to two descriptors comes to the same place."""
    return _link(one) == _link(other) and _place(one) == _place(other)


def _link(fd: int) -> str:
    return os.readlink(f"/proc/self/fd/{fd}")


def _place(fd: int) -> list[str]:
    """Return the mount and the inode of an open file, as far as the kernel tells."""
    text = Path(f"/proc/self/fdinfo/{fd}").read_text("ascii", "replace")
    return [line for line in text.splitlines() if line.startswith(("mnt_id:", "ino:"))]


class SharedSource:
    """A stream to read from.

    Attributes:
        fd: Its descriptor; stays its owner's.
        is_slow: Whether it is a file, to be read in a thread and not by `read`.
    """

    def __init__(self, fd: int, *, is_nonblocking: bool = False) -> None:
        self.fd = fd
        self.is_slow = is_slow(fd)
        self._reads_plainly = is_nonblocking

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
        is_slow: Whether it is a file, to be written in a thread and not by `write`.
    """

    def __init__(self, fd: int, *, is_nonblocking: bool = False) -> None:
        self.fd = fd
        self.is_slow = is_slow(fd)
        self._is_nonblocking = is_nonblocking
        self._asks_nowait = not is_nonblocking
        self._cautious: Sink | None = None

    def write(self, chunks: Sequence[memoryview]) -> int:
        """Write some of `chunks`, in order; return how many bytes were taken, 0 when none fit now.

        Raises:
            OSError: Nobody reads there any more, or the disk is full.
        """
        if not self._asks_nowait:
            return self._write_cautiously(chunks)
        try:
            return os.pwritev(self.fd, chunks, -1, os.RWF_NOWAIT)
        except BlockingIOError:
            return 0
        except OSError as error:
            if error.errno not in _REFUSALS:
                raise
            self._asks_nowait = False
            return self._write_cautiously(chunks)

    def _write_cautiously(self, chunks: Sequence[memoryview]) -> int:
        if self._cautious is None:
            self._cautious = Sink(self.fd, is_nonblocking=self._is_nonblocking)
        return self._cautious.write_all(chunks)
