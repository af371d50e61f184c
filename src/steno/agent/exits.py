"""How a process ended that is not our child.

Source: Linux, include/uapi/linux/pidfd.h (PIDFD_GET_INFO, struct pidfd_info) and fs/pidfs.c. A
pidfd polls readable when its process has ended, and hangs up when the parent has reaped it; from
then on Linux 6.15 and later tell its exit status to whoever holds the descriptor.
"""

from __future__ import annotations

import fcntl
import os
import struct

import msgspec

_INFO = struct.Struct("=QQ11Ii")
"""struct pidfd_info as Linux 6.13 began it (PIDFD_INFO_SIZE_VER0, 64 bytes): the mask, the
cgroup's id, eleven ids, and the status in the form of wait(2). Later kernels take it too."""
_GET_INFO = 0xC000FF0B | _INFO.size << 16
"""PIDFD_GET_INFO: _IOWR(0xFF, 11, struct pidfd_info)."""
_HAS_EXIT = 1 << 3
"""PIDFD_INFO_EXIT in the mask: asks for the status, and says that it is there."""


class Exit(msgspec.Struct, frozen=True):
    """How a process ended: one of the two is set.

    Attributes:
        status: Its exit status, 0 to 255.
        signal: The number of the signal that ended it.
    """

    status: int | None = None
    signal: int | None = None


def watch_process(pid: int) -> int | None:
    """Return a descriptor, the caller's, that becomes readable when process `pid` ends.

    The status is there a little later, when its parent has reaped it: then the descriptor hangs
    up. So wait with `EPOLLHUP` alone (an event mask of 0) for the status; `EPOLLIN` would
    wake the caller all the time between the two.

    None: there is no such process any more (or another's by that number is not ours to see).
    """
    try:
        return os.pidfd_open(pid)
    except (ProcessLookupError, PermissionError):
        return None


def read_exit(pidfd: int) -> Exit | None:
    """Return how the process of `pidfd` ended.

    None: it lives, was not reaped yet, or this kernel is older than Linux 6.15 and does not tell.
    """
    empty = _INFO.pack(_HAS_EXIT, *(0,) * 13)
    try:
        answer = fcntl.ioctl(pidfd, _GET_INFO, empty)
    except OSError:
        # ENOTTY, EINVAL: an older kernel. ESRCH: an older one than 6.15, after the reaping.
        return None
    mask, *_, code = _INFO.unpack(answer)
    if not mask & _HAS_EXIT:
        return None
    if os.WIFSIGNALED(code):
        return Exit(signal=os.WTERMSIG(code))
    return Exit(status=os.WEXITSTATUS(code))
