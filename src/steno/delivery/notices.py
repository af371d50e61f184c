"""Hearing from the kernel which recordings of a spool grew: nothing waits for the next look.

Source: inotify(7); `struct inotify_event` is four 32-bit integers (watch, mask, cookie, length of
the name) and the name, padded with NULs.
"""

from __future__ import annotations

import ctypes
import os
import select
import struct
import threading
from collections.abc import Callable
from pathlib import Path

from steno.delivery.names import is_sane_rec
from steno.delivery.spool_file import DONE, OPEN

_MODIFY, _MOVED_TO, _CREATE, _OVERFLOW, _IGNORED = 0x2, 0x80, 0x100, 0x4000, 0x8000
_HEAD = struct.Struct("iIII")
_READ_BYTES = 65536
_GATHER_S = 0.02
"""So long more is waited for, so that a flood wakes us seldom."""


class SpoolNotices:
    """Watches one directory, in a thread of its own. Owns its descriptors.

    Args:
        directory: The spool's.
        heard: Called, in that thread, with the recordings that grew or ended; with None when some
            may have been missed, so that all must be looked at.

    Raises:
        OSError: The kernel has no inotify, or no more of it; the caller looks for itself.
    """

    def __init__(self, directory: Path, heard: Callable[[set[str] | None], None]) -> None:
        self._heard = heard
        libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        if self._descriptor < 0:
            raise _last_error()
        mask = _MODIFY | _MOVED_TO | _CREATE
        if libc.inotify_add_watch(self._descriptor, os.fsencode(directory), mask) < 0:
            error = _last_error()
            os.close(self._descriptor)
            raise error
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name="steno-notices", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread; nothing is called afterwards."""
        os.close(self._wake_write)
        self._thread.join()
        os.close(self._wake_read)
        os.close(self._descriptor)

    def _run(self) -> None:
        while True:
            ready, _, _ = select.select([self._descriptor, self._wake_read], [], [])
            if self._wake_read in ready:
                return
            # A short sleep that the end cuts short.
            if select.select([self._wake_read], [], [], _GATHER_S)[0]:
                return
            try:
                data = os.read(self._descriptor, _READ_BYTES)
            except BlockingIOError:
                continue
            recs = read_events(data)
            if recs is None or recs:
                self._heard(recs)


def read_events(data: bytes) -> set[str] | None:
    """Return the recordings that events speak of; None when some events were lost."""
    recs: set[str] = set()
    at = 0
    while at + _HEAD.size <= len(data):
        _, mask, _, length = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        if mask & (_OVERFLOW | _IGNORED):
            return None
        name = os.fsdecode(data[at : at + length].rstrip(b"\0"))
        at += length
        stem, suffix = os.path.splitext(name)
        if suffix in (OPEN, DONE) and is_sane_rec(stem):
            recs.add(stem)
    return recs


def _last_error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
