"""The agent's listening sockets: handed in by a service manager, or made here."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from pathlib import Path

from steno.errors import AddressInUseError, StoreError, UsageError

_BACKLOG = 4096


def listen(path: str, kind: socket.SocketKind, mode: int) -> socket.socket:
    """Return a socket that listens at `path`, made anew; nobody may listen there.

    It is made beside that and moved there: who calls in this moment, as logins do while an agent
    is started again, never finds nothing, nor what may not be used yet.

    Raises:
        AddressInUseError: Another agent listens there.
        StoreError: It cannot be made.
    """
    listener = socket.socket(socket.AF_UNIX, kind)
    aside = Path(path).parent / f".{Path(path).name}"
    try:
        aside.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        _check_unused(path, kind)
        aside.unlink(missing_ok=True)
        listener.bind(str(aside))
        aside.chmod(mode)
        listener.listen(_BACKLOG)
        aside.rename(path)
    except OSError as error:
        listener.close()
        reason = "the path is too long" if error.strerror is None else error.strerror
        raise StoreError(f"socket {path}: {reason}") from error
    except BaseException:
        listener.close()
        raise
    return listener


def take_listener(fd: int, kind: socket.SocketKind) -> socket.socket:
    """Return the socket that a service manager has handed over.

    Raises:
        UsageError: It is of another kind.
    """
    listener = socket.socket(fileno=fd)
    if listener.family != socket.AF_UNIX or listener.type != kind:
        raise UsageError(f"descriptor {fd} is not the socket that is expected")
    return listener


def lock_agent(directory: Path) -> int:
    """Return a descriptor that makes this process the only agent on a spool, until it is closed.

    Raises:
        AddressInUseError: There is another.
        StoreError: The directory cannot be used.
    """
    path = directory / ".agent"
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        with contextlib.suppress(OSError):
            pid = os.pread(fd, 32, 0).decode("ascii", "replace").strip()
        os.close(fd)
        raise AddressInUseError(
            f"another agent, process {pid or '?'}, runs on {directory}"
        ) from None
    os.ftruncate(fd, 0)
    os.pwrite(fd, b"%d\n" % os.getpid(), 0)
    return fd


def _check_unused(path: str, kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_UNIX, kind) as probe:
        try:
            probe.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            return
    raise AddressInUseError(f"another agent listens at {path}")
