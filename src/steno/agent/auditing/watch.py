"""Asking the kernel now and then how its audit system is, with the one right that this needs.

The process that reads and decodes events has no rights at all. A small child of it keeps
CAP_AUDIT_CONTROL, reads nothing that others write, and says what the kernel answers.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time

import msgspec

from steno.agent.auditing.kernel import read_status
from steno.agent.privileges import become
from steno.audit.rules.text import AuditStatus
from steno.errors import StenoError
from steno.structs import json_decoder

_CAP_AUDIT_CONTROL = 30
_EVERY_S = 2.0
_PR_SET_PDEATHSIG = 1
_LINE_BYTES = 4096
_decode = json_decoder(AuditStatus)


class KernelWatch:
    """The kernel's status as the child says it. Owns the child and a pipe."""

    def __init__(self, user: tuple[int, int] | None) -> None:
        """Start the child, as this user and group. No thread may have been started yet.

        Raises:
            OSError: There can be no child.
        """
        self._descriptor, theirs = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        parent = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            _be_child(self._descriptor, theirs, parent, user)
        os.close(theirs)
        self._rest = b""

    def read(self) -> AuditStatus | None:
        """Return what was said last since the call before; None: nothing."""
        found: AuditStatus | None = None
        try:
            while data := os.read(self._descriptor, _LINE_BYTES):
                *lines, self._rest = (self._rest + data).split(b"\n")
                for line in lines:
                    found = _decode(line)
        except (BlockingIOError, msgspec.MsgspecError, UnicodeDecodeError):
            pass
        return found

    def close(self) -> None:
        """End the child."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self._pid, 0)
        os.close(self._descriptor)


def _be_child(ours: int, theirs: int, parent: int, user: tuple[int, int] | None) -> None:
    """Say the status until the parent is gone; never returns."""
    status = 1
    try:
        os.close(ours)
        empty = os.open(os.devnull, os.O_RDWR)
        os.dup2(empty, 0)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        if user is not None:
            become(*user, [_CAP_AUDIT_CONTROL])
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        while os.getppid() == parent:
            with contextlib.suppress(BlockingIOError):
                os.write(theirs, msgspec.json.encode(read_status()) + b"\n")
            time.sleep(_EVERY_S)
        status = 0
    except (StenoError, OSError) as error:
        with contextlib.suppress(OSError):
            sys.stderr.write(f"steno: {error}\n")
    finally:
        os._exit(status)
