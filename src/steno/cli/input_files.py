"""Files that hold recordings, as commands are given them."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import BinaryIO

from steno.errors import FormatError, NotFoundError, StenoError

_NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})


def names_file(target: str) -> bool:
    """Return whether `target` names a file, rather than a recording by its id."""
    return "/" in target or os.path.isfile(target)


def open_input(path: Path) -> BinaryIO:
    """Open a file for reading.

    Raises:
        NotFoundError: There is no such file.
        FormatError: It is a directory.
        StenoError: It cannot be read.
    """
    try:
        return path.open("rb")
    except OSError as error:
        raise explain_input(path, error) from error


def read_input(file: BinaryIO, limit_bytes: int = -1) -> bytes:
    """Read from a file that `open_input` opened: up to `limit_bytes`, or all.

    Raises:
        StenoError: It cannot be read.
    """
    try:
        return file.read(limit_bytes)
    except OSError as error:
        raise explain_input(Path(file.name), error) from error


def explain_input(path: Path, error: OSError) -> StenoError:
    """Return the error that says why `path` cannot be read."""
    if error.errno in _NOT_THERE:
        return NotFoundError(f"{path}: {error.strerror}")
    if error.errno == errno.EISDIR:
        return FormatError("no recording, but a directory", source=str(path))
    return StenoError(f"{path}: {error.strerror}")
