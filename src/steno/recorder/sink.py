"""Descriptors that bytes are written to without ever waiting."""

from __future__ import annotations

import os
import select
import stat
from collections.abc import Sequence

_SAFE_BYTES = 4096
"""What a descriptor that blocks takes at once when poll(2) says it is writable (PIPE_BUF)."""


class Sink:
    """Somewhere to write to: takes what fits now.

    Descriptors that were handed to us are shared with other processes, which would lose
    output if they stopped blocking: those are asked first, and given little at a time.

    Attributes:
        fd: The descriptor.
        is_direct: Whether write(2) may be called without asking first.
    """

    def __init__(self, fd: int, *, is_nonblocking: bool) -> None:
        self.fd = fd
        mode = os.fstat(fd).st_mode
        self.is_direct = is_nonblocking or stat.S_ISREG(mode) or stat.S_ISBLK(mode)
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)

    def write(self, data: bytes | memoryview) -> int:
        """Write some of `data`; return how many bytes were taken, 0 when none fit now.

        Raises:
            OSError: Nobody reads there any more, or the disk is full; nothing was written.
        """
        if not self.is_direct:
            if not self._poll.poll(0):
                return 0
            data = data[:_SAFE_BYTES]
        try:
            return os.write(self.fd, data)
        except BlockingIOError:
            return 0

    def write_all(self, chunks: Sequence[memoryview]) -> int:
        """Write some of `chunks`, in order; return how many bytes were taken."""
        if not self.is_direct:
            return self.write(chunks[0]) if chunks else 0
        try:
            return os.writev(self.fd, chunks)
        except BlockingIOError:
            return 0
