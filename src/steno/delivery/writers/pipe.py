"""A recording into a named pipe, for a program that reads it meanwhile."""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from collections.abc import Sequence

from steno.delivery.writers.file import FileWriter
from steno.delivery.writers.protocol import Writer
from steno.errors import StoreError, UnreachableError


class PipeWriter:
    """Hands lines to whoever reads the pipe, and keeps what is not read yet."""

    def __init__(self, path: str) -> None:
        """Open the pipe at `path`.

        Raises:
            UnreachableError: Nobody reads it.
            StoreError: It cannot be written.
        """
        self.name = f"pipe {path}"
        self.pending_bytes = 0
        self.handed_bytes = 0
        self._waiting: deque[memoryview] = deque()
        # Without O_NONBLOCK this would wait for a reader, for ever if need be.
        flags = os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
        try:
            self._fd = os.open(path, flags)
        except OSError as error:
            if error.errno == errno.ENXIO:
                raise UnreachableError(f"{path}: a pipe that nobody reads") from error
            raise StoreError(f"{path}: {error.strerror}") from error

    def fileno(self) -> int | None:
        """Return the pipe's descriptor."""
        return self._fd if self._fd >= 0 else None

    def write(self, lines: Sequence[bytes]) -> None:
        """Hand the lines over as far as they are taken; see Writer."""
        for line in lines:
            self._waiting.append(memoryview(line))
            self.pending_bytes += len(line)
        self.flush()

    def flush(self) -> None:
        """Hand over what is taken now.

        Raises:
            UnreachableError: Nobody reads the pipe any more.
        """
        while self._waiting:
            try:
                taken = os.write(self._fd, self._waiting[0])
            except BlockingIOError:
                return
            except OSError as error:
                raise UnreachableError(f"{self.name}: nobody reads it any more") from error
            self.pending_bytes -= taken
            self.handed_bytes += taken
            rest = self._waiting.popleft()[taken:]
            if rest:
                self._waiting.appendleft(rest)

    def close(self) -> None:
        """Close the pipe: its reader sees the end."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def open_path(path: str) -> Writer:
    """Open what `path` names, a file that is made if need be, or a named pipe.

    Raises:
        StenoError: It cannot be written; see FileWriter and PipeWriter.
    """
    return PipeWriter(path) if is_pipe(path) else FileWriter(path)


def is_pipe(path: str) -> bool:
    """Return whether a named pipe is there."""
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)
    except OSError:
        return False  # what is wrong with it comes out when it is opened
