"""Write files whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from steno.errors import (
    DISK_FULL,
    NoSpaceError,
    NotFoundError,
    RefusedError,
    StenoError,
    UsageError,
)


class OutputFiles:
    """Files that take their names only when all of them are complete. Use it in a `with`.

    Until `commit`, what stands under the names stays untouched; without it, nothing remains. What
    is no regular file (a pipe, /dev/null) and standard output are written to directly.
    """

    def __init__(self, path: str | None) -> None:
        """Write to `path` and to files whose names begin so; None or "-" is standard output."""
        self._path = None if path in (None, "-") else Path(str(path))
        self._files: dict[str, BinaryIO] = {}
        self._temporary: dict[str, tuple[Path, Path]] = {}

    def __enter__(self) -> OutputFiles:
        return self

    def __exit__(self, *exception: object) -> None:
        for file in self._files.values():
            with contextlib.suppress(OSError):
                file.close()
        for temporary, _ in self._temporary.values():
            temporary.unlink(missing_ok=True)

    def write(self, suffix: str, data: bytes | memoryview) -> None:
        """Append `data` to the file whose name is the path and `suffix`.

        Raises:
            UsageError: Standard output cannot take several files; the main one is there already.
            NotFoundError: There is no such directory.
            NoSpaceError: The disk is full; nothing under the names has changed.
            StenoError: The file cannot be written; nothing under the names has changed.
        """
        if self._path is None:
            if suffix:
                raise UsageError("this format is several files; name one to write to")
            sys.stdout.buffer.write(data)
            return
        self._try(lambda: self._open(suffix).write(data))

    def commit(self) -> None:
        """Give the files their names; the main file comes last.

        Raises:
            NoSpaceError: The disk is full; nothing under the names has changed.
            StenoError: A file cannot be written; files beside the main one may have changed.
        """
        if self._path is None:
            sys.stdout.buffer.flush()
            return
        self._try(self._finish)

    def _finish(self) -> None:
        self._open("")
        for file in self._files.values():
            file.flush()
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                os.fsync(file.fileno())
            file.close()
        for suffix in sorted(self._temporary, reverse=True):
            temporary, path = self._temporary[suffix]
            temporary.replace(path)
        self._temporary.clear()

    def _open(self, suffix: str) -> BinaryIO:
        if suffix in self._files:
            return self._files[suffix]
        path = Path(f"{self._path}{suffix}")
        mode = 0o666
        if path.exists():
            mode = path.stat().st_mode
            if stat.S_ISDIR(mode):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            if not stat.S_ISREG(mode):
                self._files[suffix] = path.open("wb")
                return self._files[suffix]
            path = path.resolve()
        temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(temporary, flags, stat.S_IMODE(mode))
        self._temporary[suffix] = temporary, path
        self._files[suffix] = os.fdopen(descriptor, "wb")
        return self._files[suffix]

    def _try(self, action: Callable[[], object]) -> None:
        try:
            action()
        except FileNotFoundError as error:
            raise NotFoundError(f"{self._path}: there is no such directory") from error
        except OSError as error:
            if error.errno in DISK_FULL:
                raise NoSpaceError(f"{self._path}: the disk is full; nothing was kept") from error
            kind = RefusedError if isinstance(error, PermissionError) else StenoError
            raise kind(f"{self._path}: {error.strerror}") from error
