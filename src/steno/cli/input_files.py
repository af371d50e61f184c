"""Files that hold recordings, as commands are given them; `-` is standard input."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import BinaryIO

from steno.errors import FormatError, NotFoundError, RefusedError, StenoError

STANDARD_INPUT = "-"
_NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})


def names_file(target: str) -> bool:
    """Return whether `target` names a file, rather than a recording by its id."""
    return target == STANDARD_INPUT or "/" in target or os.path.isfile(target)


def name_input(target: str | Path) -> str:
    """Return what to call it in a message."""
    return "standard input" if target == STANDARD_INPUT else str(target)


def open_input(target: str | Path) -> BinaryIO:
    """Open a file for reading; the text `-` is standard input, which stays open.

    Raises:
        NotFoundError: There is no such file.
        FormatError: It is a directory.
        RefusedError: This user may not read it.
        StenoError: It cannot be read.
    """
    if target == STANDARD_INPUT:
        return _open_standard_input()
    path = Path(target)
    try:
        return path.open("rb")
    except OSError as error:
        raise explain_input(path, error) from error


def _open_standard_input() -> BinaryIO:
    # Where it was closed from the start, its number may be another file's by now.
    if sys.stdin is None:
        raise StenoError("standard input is closed")
    try:
        return os.fdopen(os.dup(sys.stdin.fileno()), "rb")
    except OSError as error:
        raise explain_input(Path(name_input(STANDARD_INPUT)), error) from error


def read_input(file: BinaryIO, limit_bytes: int = -1) -> bytes:
    """Read from a file that `open_input` opened: up to `limit_bytes`, or all.

    Raises:
        StenoError: It cannot be read.
    """
    try:
        return file.read(limit_bytes)
    except OSError as error:
        # Standard input has a number in place of a name.
        name = file.name if isinstance(file.name, str) else name_input(STANDARD_INPUT)
        raise explain_input(Path(name), error) from error


def explain_input(path: Path, error: OSError) -> StenoError:
    """Return the error that says why `path` cannot be read."""
    if error.errno in _NOT_THERE:
        return NotFoundError(f"{path}: {error.strerror}")
    if error.errno == errno.EISDIR:
        return FormatError("no recording, but a directory", source=str(path))
    kind = RefusedError if isinstance(error, PermissionError) else StenoError
    return kind(f"{path}: {error.strerror}")
