"""Descriptors that others handed over: what they are, and letting go of them, without waiting.

Whoever serves a file answers when they like: the user's own program (FUSE), a server that is
away (NFS), the other side of a socket that lingers. Where fstat(2) asks them and close(2) waits for
them, not even a signal ends that. So nothing is asked but what the kernel knows by itself, and
what may wait is closed in a thread of its own.

Source: statx(2) (AT_STATX_DONT_SYNC); Linux, fs/fuse/file.c (fuse_flush), fs/nfs/file.c
(nfs_file_flush), net/ipv4/af_inet.c (inet_release).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import stat
import struct
import threading
from collections.abc import Callable, Iterable

import msgspec

_EMPTY_PATH, _DONT_SYNC = 0x1000, 0x4000
_TYPE_AND_INODE = 0x1 | 0x100
_STATX = struct.Struct("=28xH2xQ88x4I")
"""Of struct statx, <linux/stat.h>: the mode, the inode, the device that it is, the one it is on."""
_STATX_BYTES = 256


class Inode(msgspec.Struct, frozen=True):
    """What the kernel knows of an open file.

    Attributes:
        mode: Its type and rights, as st_mode.
        number: Its inode's number.
        device: The device that it is, as st_rdev.
        place: The device that it is on, as st_dev.
    """

    mode: int
    number: int
    device: int
    place: int

    @property
    def is_device(self) -> bool:
        """Whether it is a character device: a terminal perhaps, and never a stranger's program."""
        return stat.S_ISCHR(self.mode)


def look_at(fd: int) -> Inode:
    """Return what the kernel knows of an open file; who serves it is not asked.

    Raises:
        OSError: There is no such descriptor.
    """
    buffer = ctypes.create_string_buffer(_STATX_BYTES)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.statx(fd, b"", _EMPTY_PATH | _DONT_SYNC, _TYPE_AND_INODE, buffer) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    mode, inode, major, minor, place_major, place_minor = _STATX.unpack_from(buffer)
    device, place = os.makedev(major, minor), os.makedev(place_major, place_minor)
    return Inode(mode, inode, device, place)


def let_go(descriptors: Iterable[int], then: Callable[[], None] | None = None) -> None:
    """Close descriptors, each at once where that cannot wait for anybody.

    Args:
        descriptors: What to close. What closing says, a full disk say, is their writers' matter.
        then: Called when all are closed, now or in another thread.
    """
    slow = [fd for fd in descriptors if not _close_at_once(fd)]
    if slow:
        # A daemon: one that waits must not keep the process from ending.
        threading.Thread(target=_close, args=(slow, then), name="steno-close", daemon=True).start()
    elif then is not None:
        then()


def _close_at_once(fd: int) -> bool:
    """Close `fd` if that waits for nobody; return whether it did."""
    inode = look_at(fd)
    is_quick = inode.is_device or stat.S_ISFIFO(inode.mode) or _is_local_socket(fd, inode)
    if is_quick:
        with contextlib.suppress(OSError):
            os.close(fd)
    return is_quick


def _is_local_socket(fd: int, inode: Inode) -> bool:
    if not stat.S_ISSOCK(inode.mode):
        return False
    try:
        probe = socket.socket(fileno=fd)
    except OSError:
        return False  # nothing that is a socket by its type only
    family = probe.family
    probe.detach()
    return family == socket.AF_UNIX


def _close(descriptors: list[int], then: Callable[[], None] | None) -> None:
    for fd in descriptors:
        with contextlib.suppress(OSError):
            os.close(fd)
    if then is not None:
        then()
