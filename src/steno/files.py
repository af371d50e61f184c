"""Small files that are written whole, or not at all, and directories that are nobody else's."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path


def replace_file(
    path: Path, content: bytes, mode: int = 0o600, owner: tuple[int, int] | None = None
) -> None:
    """Make `path` hold `content`; once this returns, it survives a power cut of the machine.

    The file never exists with another mode, or with part of the content.

    Args:
        path: The file; its directory exists.
        content: All of it.
        mode: Its permissions, whatever the umask.
        owner: User and group id; None: who runs this.

    Raises:
        OSError: It could not be written; what was at `path` is still there.
    """
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(new, flags, mode & 0o700)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if owner is not None:
                os.fchown(descriptor, *owner)
            os.fchmod(descriptor, mode)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        new.rename(path)
        sync_directory(path.parent)
    except OSError:
        new.unlink(missing_ok=True)
        raise


def make_private_directory(path: Path, is_ours: Callable[[str], bool]) -> None:
    """Make a directory that only its owner may enter; one that is there becomes that.

    An existing directory that others may enter is left to them if there is anything in it that is
    not Steno's: it was named by mistake.

    Args:
        path: The directory; those above it are made, too.
        is_ours: Whether a file of that name is Steno's.

    Raises:
        OSError: It could not be made or closed to others, or holds what is not ours (ENOTEMPTY).
    """
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = path.stat()
    if found.st_uid != os.geteuid() or not stat.S_IMODE(found.st_mode) & 0o077:
        return
    with os.scandir(path) as entries:
        strange = next((entry.name for entry in entries if not is_ours(entry.name)), None)
    if strange is not None:
        reason = f"holds {strange}, which is not Steno's; name a directory of its own"
        raise OSError(errno.ENOTEMPTY, reason, str(path))
    path.chmod(0o700)


def sync_directory(path: Path) -> None:
    """Make the names in a directory survive a power cut.

    Raises:
        OSError: The disk failed.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def lock(path: Path) -> Iterator[int]:
    """Hold the lock file `path`, which is made if need be; wait for others to let it go.

    Yields its descriptor, which stays ours: a program that inherits it holds the lock, too, until
    it has ended.

    Raises:
        OSError: It cannot be made; nothing is locked.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def is_locked(path: Path) -> bool:
    """Return whether a process holds the lock on a file; looking takes it, shared, for a moment."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
