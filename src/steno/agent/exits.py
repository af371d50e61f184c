"""How a process ended that is not our child.

Source: Linux, include/uapi/linux/pidfd.h (PIDFD_GET_INFO, struct pidfd_info) and fs/pidfs.c. A
pidfd polls readable when its process has ended, and hangs up when the parent has reaped it; from
then on Linux 6.15 and later tell its exit status to whoever holds the descriptor.
"""

from __future__ import annotations

import fcntl
import os
import select
import struct
from collections.abc import Callable

from steno.agent.loop import GONE, READABLE, Loop, Timer
from steno.recorder.child import Exit as Exit

_INFO = struct.Struct("=QQ11Ii")
"""struct pidfd_info as Linux 6.13 began it (PIDFD_INFO_SIZE_VER0, 64 bytes): the mask, the
cgroup's id, eleven ids, and the status in the form of wait(2). Later kernels take it too."""
_GET_INFO = 0xC000FF0B | _INFO.size << 16
"""PIDFD_GET_INFO: _IOWR(0xFF, 11, struct pidfd_info)."""
_HAS_EXIT = 1 << 3
"""PIDFD_INFO_EXIT in the mask: asks for the status, and says that it is there."""
_PATIENCE_US = 10_000_000
"""So long a parent may take to reap, and then the status is not waited for any more."""


def watch_process(pid: int) -> int | None:
    """Return a pidfd, the caller's to close, of process `pid`.

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


def reason_of(exit_: Exit | None) -> str:
    """Return why a recording ended whose leader ended so, in model.End's words."""
    if exit_ is None:
        return "unknown"
    return "exit" if exit_.signal is None else "signal"


class ExitWatch:
    """Tells once how a process has ended.

    The status is there when the parent has reaped the process. Where it does not, or the kernel is
    older than 6.9 and does not say so, the watch tells None after a while.
    """

    def __init__(self, loop: Loop, pidfd: int, tell: Callable[[Exit | None], None]) -> None:
        """Watch `pidfd`, which stays its owner's, until `tell` was called or `cancel` is.

        Raises:
            OSError: The system has no room for it.
        """
        self._loop = loop
        self._pidfd = pidfd
        self._tell = tell
        self._timer: Timer | None = None
        # By edges: a process that is dead and not reaped would wake the loop in every turn.
        loop.watch(pidfd, READABLE | select.EPOLLET, self._look)

    def cancel(self) -> None:
        """Watch no longer."""
        self._loop.ignore(self._pidfd)
        if self._timer is not None:
            self._timer.cancel()

    def _look(self, events: int) -> None:
        if events & GONE:
            self._finish()
        elif self._timer is None:
            self._timer = self._loop.call_in(_PATIENCE_US, self._finish)

    def _finish(self) -> None:
        self.cancel()
        self._tell(read_exit(self._pidfd))
