"""Who writes the host's trail where auditd's plugin and the journal's reader both run: the plugin.

The kernel's word is better than a program's. The plugin holds a lock on a file in the spool as
long as it lives; the journal's reader lets go of the trail when it sees that, and takes it up again
later.
"""

from __future__ import annotations

import fcntl
import logging
import os
import time
from contextlib import suppress
from pathlib import Path

from steno.delivery.trails import is_written
from steno.files import is_locked

_FILE = ".dispatched"
_GIVEN_WAY_S = 5.0
_LOOK_S = 0.1

log = logging.getLogger("steno.audit")


class Precedence:
    """The plugin's side: holds the lock until it is closed, or the process ends."""

    def __init__(self, spool: Path, *, patience_s: float = _GIVEN_WAY_S) -> None:
        """Take the lock, and wait a few seconds until a reader of the journal has given way.

        What auditd writes meanwhile waits in its socket. Where there can be no lock, nobody waits.
        """
        self._descriptor: int | None = None
        with suppress(OSError):
            spool.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._descriptor = os.open(spool / _FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            until_s = time.monotonic() + patience_s
            # Who looks whether it is taken holds it for a moment.
            while not _take(self._descriptor) and time.monotonic() < until_s:
                time.sleep(_LOOK_S)
            while is_written(spool) and time.monotonic() < until_s:
                time.sleep(_LOOK_S)

    def close(self) -> None:
        """Let go of the lock."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_taken(spool: Path) -> bool:
    """Return whether auditd's plugin runs, so that others write no trail."""
    return is_locked(spool / _FILE)
