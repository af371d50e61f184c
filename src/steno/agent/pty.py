"""The pseudo-terminal that a session gets in the place of the person's terminal."""

from __future__ import annotations

import fcntl
import os
import stat

import msgspec

from steno.agent.outer import write_settings, write_window
from steno.errors import TerminalError

_MODE = 0o620
"""Its owner reads and writes, the group tty (write(1), wall(1)) writes: what login gives."""
_TIOCGSID = 0x5429


class Pair(msgspec.Struct, frozen=True):
    """A new pseudo-terminal. Both descriptors are the caller's to close.

    Attributes:
        master: The agent's side; does not block.
        slave: The session's side.
        name: The slave's path.
    """

    master: int
    slave: int
    name: str


def open_pair(uid: int, tty_gid: int, settings: bytes, window: bytes) -> Pair:
    """Open a pseudo-terminal whose slave belongs to the user, with these settings and size.

    Raises:
        TerminalError: The system has none left, or no descriptors; nothing stays open.
    """
    try:
        master, slave = os.openpty()
    except OSError as error:
        raise TerminalError(f"no pseudo-terminal: {error.strerror}") from error
    try:
        # The mode first: once it is the user's, it is no longer ours to change.
        found = os.fstat(slave)
        if stat.S_IMODE(found.st_mode) != _MODE:
            os.fchmod(slave, _MODE)
        if (found.st_uid, found.st_gid) != (uid, tty_gid):
            os.fchown(slave, uid, tty_gid)
        os.set_blocking(master, False)
        write_settings(slave, settings)
        write_window(master, window)
        return Pair(master, slave, os.ttyname(slave))
    except OSError as error:
        os.close(master)
        os.close(slave)
        raise TerminalError(f"the pseudo-terminal cannot be set up: {error.strerror}") from error


def read_leader(master: int) -> int | None:
    """Return the process that leads the session on the slave; None while there is none."""
    try:
        answer = fcntl.ioctl(master, _TIOCGSID, bytes(4))
    except OSError:
        return None
    return int.from_bytes(answer, "little", signed=True) or None
