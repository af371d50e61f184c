"""Which audit sessions' events are kept: the agent notes it, who writes the audit trail reads it.

One file, `audited` beside the agent's sockets: a line `SESSION LEVEL` for each decision, appended.
The agent holds a lock on it as long as it lives: without it nobody decides, and all is kept.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from steno.policy.decision import AuditWord
from steno.policy.strictness import RANKS

LIMIT_BYTES = 4 << 20
"""A longer file is written anew, with the sessions that were decided about last."""
_MOST_SESSIONS = 100_000
_LOOK_EVERY_NS = 200_000_000
_LOCK_ATTEMPTS, _LOCK_PAUSE_S = 20, 0.01
_LEVELS: tuple[AuditWord, ...] = ("none", "login", "session")
_rank = RANKS["audit"]

log = logging.getLogger("steno.agent")


class SessionLevels:
    """The strictest level that was decided for each audit session; the oldest are forgotten."""

    def __init__(self, most: int = _MOST_SESSIONS) -> None:
        self._levels: OrderedDict[int, AuditWord] = OrderedDict()
        self._most = most

    def raise_to(self, session: int, level: AuditWord) -> bool:
        """Take note of a decision; return whether it changes anything."""
        known = self._levels.get(session)
        if known is not None and _rank(known) >= _rank(level):
            return False
        self._levels[session] = level
        if len(self._levels) > self._most:
            self._levels.popitem(last=False)
        return True

    def get(self, session: int) -> AuditWord | None:
        """Return a session's level; None: nobody has decided."""
        return self._levels.get(session)

    def take_lines(self, data: bytes) -> None:
        """Take whole lines of the file; what is none is passed over."""
        for line in data.splitlines():
            session, _, level = line.decode("ascii", "replace").partition(" ")
            for known in _LEVELS:
                if level == known and session.isdigit():
                    self.raise_to(int(session), known)

    def render(self, last: int) -> bytes:
        """Return the lines of the sessions that were noted last, so many at most."""
        items = [*self._levels.items()][-last:]
        return b"".join(b"%d %s\n" % (session, level.encode()) for session, level in items)


class AuditedNotes:
    """The agent's side: writes the file, and holds its lock until the process ends."""

    def __init__(self, path: Path, limit_bytes: int = LIMIT_BYTES) -> None:
        """Take up the file that an earlier agent left, or make it.

        Raises:
            OSError: It cannot be written; then nobody holds the lock, and all is kept.
        """
        self._path = path
        self._limit_bytes = limit_bytes
        self._levels = SessionLevels()
        self._descriptor: int | None = _open_locked(path)
        data = os.pread(self._descriptor, 2 * limit_bytes, 0)
        self._levels.take_lines(data)
        self._size_bytes = os.fstat(self._descriptor).st_size
        if data and not data.endswith(b"\n"):
            self._append(b"\n")

    def note(self, session: int | None, level: AuditWord) -> None:
        """Note that events of an audit session are to be kept at this level, or a stricter one."""
        if session is None or not self._levels.raise_to(session, level):
            return
        try:
            self._append(b"%d %s\n" % (session, level.encode()))
            if self._size_bytes > self._limit_bytes:
                self._write_anew()
        except OSError as error:
            log.error("audited sessions cannot be noted: all are kept", extra={"why": str(error)})
            self.close()

    def close(self) -> None:
        """Let go of the lock: who reads keeps everything from now on."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _append(self, data: bytes) -> None:
        if self._descriptor is not None:
            _write(self._descriptor, data)
            self._size_bytes += len(data)

    def _write_anew(self) -> None:
        data = self._levels.render(self._limit_bytes // 64)
        new = self._path.with_name(f".{self._path.name}.new")
        new.unlink(missing_ok=True)
        descriptor = _open_locked(new)
        try:
            _write(descriptor, data)
            new.rename(self._path)
        except OSError:
            os.close(descriptor)
            raise
        self.close()
        self._descriptor, self._size_bytes = descriptor, len(data)


def _write(descriptor: int, data: bytes) -> None:
    """Write all of `data`; a line that is cut short would spoil the next one, too."""
    if os.write(descriptor, data) != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _open_locked(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    for _ in range(_LOCK_ATTEMPTS):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_LOCK_PAUSE_S)  # a reader looks whether an agent is there
        else:
            return descriptor
    os.close(descriptor)
    raise BlockingIOError(errno.EAGAIN, "another agent holds it", str(path))


class AuditedSessions:
    """The reader's side: what the agent decided of an audit session.

    Args:
        path: The file.
        clock_ns: A clock that only goes forward.
    """

    def __init__(self, path: Path, clock_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._path = path
        self._clock_ns = clock_ns
        self._levels = SessionLevels()
        self._seen: tuple[int, int] | None = None
        self._read_bytes = 0
        self._looked_ns: int | None = None
        self._is_decided = False

    def level_of(self, session: int) -> AuditWord | None:
        """Return what was decided; None: nothing yet.

        What the agent wrote is looked at when nothing is known of a session, or less than all
        of it is kept; not more often than five times a second.
        """
        level = self._levels.get(session)
        if level == "session" or not self._look():
            return level
        return self._levels.get(session)

    @property
    def is_agent_there(self) -> bool:
        """Whether an agent was there lately to decide."""
        self._look()
        return self._is_decided

    def _look(self) -> bool:
        """Read what was added, if it is time; return whether it was."""
        now_ns = self._clock_ns()
        if self._looked_ns is not None and now_ns - self._looked_ns < _LOOK_EVERY_NS:
            return False
        self._looked_ns = now_ns
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._is_decided = False
            return True
        try:
            self._read(descriptor)
            self._is_decided = not _can_lock(descriptor)
        except OSError:
            self._is_decided = False
        finally:
            os.close(descriptor)
        return True

    def _read(self, descriptor: int) -> None:
        found = os.fstat(descriptor)
        identity = found.st_dev, found.st_ino
        if identity != self._seen or found.st_size < self._read_bytes:
            self._seen, self._read_bytes = identity, 0
        while self._read_bytes < found.st_size:
            data = os.pread(descriptor, 1 << 16, self._read_bytes)
            whole = data[: data.rfind(b"\n") + 1]
            if not whole:
                return
            self._levels.take_lines(whole)
            self._read_bytes += len(whole)


def _can_lock(descriptor: int) -> bool:
    """Return whether nobody holds the file's lock."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
