"""A recording in a plain file."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence

from steno.errors import DISK_FULL, FormatError, NoSpaceError, NotFoundError, StenoError, StoreError
from steno.formats.lines import MAX_LINE_BYTES
from steno.formats.tlog import decode_message

_MOST_AT_ONCE = os.sysconf("SC_IOV_MAX")


class FileWriter:
    """Appends lines to a file, which may hold other recordings already.

    Each line is in the file whole or not at all. It is on disk once `close` has returned.
    """

    def __init__(self, path: str) -> None:
        """Open the file, or make it with mode 0600.

        Raises:
            NotFoundError: Its directory does not exist.
            FormatError: It exists and holds something else than recordings.
            StoreError: It cannot be written.
        """
        self.name = f"file {path}"
        self._handed_bytes = 0
        # Not to wait for somebody at the other end, where a path turns out not to be a file.
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
        try:
            self._fd = os.open(path, flags, 0o600)
        except FileNotFoundError as error:
            raise NotFoundError(f"{path}: no such directory") from error
        except OSError as error:
            raise StoreError(f"{path}: {error.strerror}") from error
        try:
            os.set_blocking(self._fd, True)
            self._check_content(path)
        except BaseException:
            os.close(self._fd)
            raise

    @property
    def pending_bytes(self) -> int:
        """Nothing: a file takes all, or fails."""
        return 0

    @property
    def handed_bytes(self) -> int:
        """How much was written."""
        return self._handed_bytes

    def fileno(self) -> None:
        """Return nothing to wait for."""

    def write(self, lines: Sequence[bytes]) -> None:
        """Append the lines; see Writer."""
        try:
            written = os.writev(self._fd, lines[:_MOST_AT_ONCE])
        except OSError as error:
            raise self._explained(error) from error
        self._handed_bytes += written
        if written < sum(map(len, lines)):
            self._write_rest(memoryview(b"".join(lines))[written:])

    def _write_rest(self, data: memoryview) -> None:
        while data:
            try:
                written = os.write(self._fd, data)
            except OSError as error:
                self._cut_torn_line(data)
                raise self._explained(error) from error
            data = data[written:]
            self._handed_bytes += written

    def flush(self) -> None:
        """Do nothing: nothing is ever pending."""

    def close(self) -> None:
        """Put the file on disk and close it; see Writer."""
        if self._fd < 0:
            return
        try:
            os.fsync(self._fd)
        except OSError as error:
            # Pipes and devices cannot be synced, and need not be.
            if error.errno not in (errno.EINVAL, errno.EROFS):
                raise self._explained(error) from error
        finally:
            os.close(self._fd)
            self._fd = -1

    def _check_content(self, path: str) -> None:
        """Refuse to append to what is no recording; end a torn last line."""
        size_bytes = os.fstat(self._fd).st_size
        if not size_bytes:
            return
        begin = os.pread(self._fd, MAX_LINE_BYTES, 0)
        try:
            decode_message(begin[: begin.find(b"\n") + 1] or begin)
        except FormatError as error:
            raise FormatError(
                f"is no recording, nothing was appended: {error.reason}", source=path
            ) from error
        if os.pread(self._fd, 1, size_bytes - 1) != b"\n":
            try:
                self.write([b"\n"])
            except StenoError as error:
                raise StoreError(f"{path}: {error}") from error

    def _cut_torn_line(self, rest: memoryview) -> None:
        """Remove the part of a line that was written before an error.

        Left alone when somebody else has appended behind it: readers skip a torn line.
        """
        whole = bytes(rest.obj)
        written = len(whole) - len(rest)
        torn_bytes = written - (whole.rfind(b"\n", 0, written) + 1)
        if not torn_bytes:
            return
        try:
            size_bytes = os.fstat(self._fd).st_size
            tail = os.pread(self._fd, torn_bytes, size_bytes - torn_bytes)
            if tail == whole[written - torn_bytes : written]:
                os.ftruncate(self._fd, size_bytes - torn_bytes)
        except OSError:
            # The disk fails altogether; the error that brought us here tells of it.
            return

    def _explained(self, error: OSError) -> StenoError:
        kind = NoSpaceError if error.errno in DISK_FULL else StoreError
        return kind(f"{self.name}: {error.strerror}")
