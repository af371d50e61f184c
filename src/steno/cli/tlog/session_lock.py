"""Who records which login: one recorder for each audit session.

A recorder listens on a socket in the abstract namespace, unix(7), by the session's name. That
leaves nothing behind, however the recorder ends. Anybody can take such a name, so whoever finds it
taken asks the kernel who listens (SO_PEERCRED), and believes only a process of the same audit
session: nobody gets into that who was not recorded at its beginning. Where there is no audit
session, only an ancestor is believed.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Iterator

from steno.recorder.facts import read_audit_id, read_line

_PREFIX = b"\0steno/tlog-rec-session/"
_CREDENTIALS = struct.Struct("iII")  # struct ucred: process, user, group
_BACKLOG = 4096
"""Who asks is never answered: so many may ask before another one isn't sure and records, too."""


def lock_session(session: int | None) -> socket.socket | None:
    """Note that this process records the audit session `session`, None where there is none.

    Returns:
        What keeps it noted until it is closed, or None: the session is being recorded already.
    """
    if _is_recorded(session):
        return None
    holder = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        holder.bind(_name(session, os.getpid()))
    except OSError:
        if _is_recorded(session):
            holder.close()
            return None
        # A stranger has taken the name: recording twice is better than not at all.
        return holder
    holder.listen(_BACKLOG)
    return holder


def _name(session: int | None, pid: int) -> bytes:
    return _PREFIX + (b"%d" % session if session is not None else b"process-%d" % pid)


def _is_recorded(session: int | None) -> bool:
    if session is not None:
        pid = _find_listener(_name(session, 0))
        return pid is not None and read_audit_id(f"/proc/{pid}/sessionid") == session
    return any(_find_listener(_name(None, pid)) == pid for pid in _ancestors())


def _find_listener(name: bytes) -> int | None:
    """Return the process that listens at `name`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as asking:
        asking.setblocking(False)
        with contextlib.suppress(OSError):
            asking.connect(name)
            data = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
            pid: int = _CREDENTIALS.unpack(data)[0]
            return pid
    return None


def _ancestors() -> Iterator[int]:
    pid = os.getppid()
    while pid > 0:
        yield pid
        # The command's name stands in parentheses and may hold anything.
        fields = (read_line(f"/proc/{pid}/stat") or "").rpartition(")")[2].split()
        pid = int(fields[1]) if len(fields) > 1 else 0
