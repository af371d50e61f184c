"""The files of one recording: its original lines, safe on disk and byte-exact.

docs/formats/store.md describes them. In short: `lines.zst` holds what came first, packed;
`N.tail` holds what came after the first N bytes, as it came. The tail with the highest N counts:
frames beyond its N, and tails with a lower N, are the debris of a crash and of no importance.
"""

from __future__ import annotations

import fcntl
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from steno.errors import DISK_FULL, NoSpaceError, RefusedError, StoreError
from steno.files import sync_directory
from steno.store.frames import FRAME_LIMIT_BYTES, FrameIndex, pack_frames, unpack_frame
from steno.store.protocol import OffsetError
from steno.structs import decode_json

FORMAT = 1
"""Version of the files' format, in every header."""

_PIECE_BYTES = 256 * 1024
_TAIL_NAME = re.compile(r"(\d{1,18})\.tail")


class Header(msgspec.Struct, frozen=True):
    """What a recording's `header.json` says: facts that its lines don't hold."""

    format: int
    rec: str
    sender: str | None


def read_header(directory: Path) -> Header:
    """Return a recording's header.

    Raises:
        FileNotFoundError: There is no such recording.
        StoreError: The header is damaged, or of a newer version.
    """
    path = directory / "header.json"
    try:
        header = decode_json(path.read_bytes(), Header)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StoreError(f"{path}: damaged: {error}") from error
    if header.format > FORMAT:
        raise StoreError(f"{path}: format {header.format} is newer than this program's {FORMAT}")
    return header


def newest_tail(directory: Path) -> tuple[int, list[str]]:
    """Return the tail that counts, by its base offset (-1: none), and the names of older ones."""
    bases = sorted(
        int(match[1]) for name in os.listdir(directory) if (match := _TAIL_NAME.fullmatch(name))
    )
    if not bases:
        return -1, []
    return bases[-1], [f"{base}.tail" for base in bases[:-1]]


class RecordingFiles:
    """One recording's files, kept open. Threads and processes may share a recording.

    Owns its descriptors until `close`.
    """

    def __init__(self, directory: Path, *, is_synced: bool = False) -> None:
        """Open.

        Args:
            directory: Where the recording's files are.
            is_synced: Whether its names are known to survive a power cut, as right after making it.

        Raises:
            FileNotFoundError: There is no such recording.
            StoreError: The header is damaged, or of a newer version.
        """
        self.header = read_header(directory)
        self._directory = directory
        self._thread_lock = threading.Lock()
        self._lock_descriptor = os.open(directory / "header.json", os.O_RDONLY | os.O_CLOEXEC)
        self._tail = -1
        self._base = 0
        self._index = FrameIndex(directory)
        self._is_synced = is_synced
        self._synced_bytes = 0
        self._pack_at_bytes = FRAME_LIMIT_BYTES

    def close(self) -> None:
        """Close all descriptors."""
        with self._thread_lock:
            self._drop_tail()
            if self._lock_descriptor >= 0:
                os.close(self._lock_descriptor)
                self._lock_descriptor = -1

    def append(self, offset_bytes: int, data: bytes, sender: str | None) -> int:
        """Append; see `Store.append`."""
        if sender != self.header.sender:
            raise RefusedError(f"recording {self.header.rec} was begun by another sender")
        with self._locked():
            length = self._length()
            if offset_bytes > length or offset_bytes < 0:
                raise OffsetError(self.header.rec, self._synced_length())
            fresh = self._compare(offset_bytes, data, length)
            if not fresh:
                return self._synced_length()
            tail_bytes = length - self._base
            if tail_bytes + len(fresh) >= self._pack_at_bytes and self._pack(fresh):
                return self._length()
            self._write(fresh, tail_bytes)
            return length + len(fresh)

    def durable_bytes(self) -> int:
        """Return how many bytes survive a power cut; all that there are, once they are synced."""
        with self._locked():
            return self._synced_length()

    def size_bytes(self) -> int:
        """Return how many bytes can be read."""
        with self._locked():
            return self._length()

    def settle(self) -> None:
        """Pack what is in the tail, however little: no more is expected soon."""
        with self._locked():
            if self._length() > self._base:
                self._pack(b"")

    def read(self, offset_bytes: int, end_bytes: int | None) -> Iterator[bytes]:
        """Yield original bytes; what is appended meanwhile is not seen."""
        with self._locked():
            length = self._length()
            base = self._base
            end = length if end_bytes is None else min(end_bytes, length)
            extents = list(self._index.extents(offset_bytes, min(end, base)))
            tail = os.dup(self._tail)
        try:
            yield from self._read_frames(extents, offset_bytes, min(end, base))
            position = max(offset_bytes, base)
            while position < end:
                piece = os.pread(tail, min(_PIECE_BYTES, end - position), position - base)
                if not piece:
                    raise StoreError(f"{self._directory}: the tail was cut from outside")
                yield piece
                position += len(piece)
        finally:
            os.close(tail)

    # Below, all runs under the lock.

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._thread_lock:
            fcntl.flock(self._lock_descriptor, fcntl.LOCK_EX)
            try:
                self._refresh()
                yield
            finally:
                fcntl.flock(self._lock_descriptor, fcntl.LOCK_UN)

    def _refresh(self) -> None:
        """Look at the files anew if another process has replaced the tail, or none is open.

        A process that was killed while it packed may have left a newer tail and the older one
        too: that ours still has its name does not say that it counts.
        """
        try:
            base, older = newest_tail(self._directory)
            if self._tail >= 0 and base == self._base and os.fstat(self._tail).st_nlink:
                return
            self._drop_tail()
            if base < 0:
                raise StoreError(f"{self._directory}: damaged: no tail")
            self._index.load(base)
            path = self._directory / f"{base}.tail"
            self._tail = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
            self._base = base
            self._sync_leftovers()
            for name in older:
                os.unlink(self._directory / name)
        except OSError as error:
            self._drop_tail()
            raise StoreError(f"{self._directory}: {error.strerror}") from error

    def _sync_leftovers(self) -> None:
        """Sync what another process, killed meanwhile, may have left unsynced: bytes and names."""
        if self._is_synced and os.fstat(self._tail).st_size == 0:
            return
        os.fsync(self._tail)
        sync_directory(self._directory)
        sync_directory(self._directory.parent)
        self._synced_bytes = self._length()
        self._is_synced = False

    def _drop_tail(self) -> None:
        if self._tail >= 0:
            os.close(self._tail)
            self._tail = -1

    def _length(self) -> int:
        return self._base + os.fstat(self._tail).st_size

    def _synced_length(self) -> int:
        """Return the length after making sure that all of it is synced.

        Usually it is: who wrote has synced before letting go of the lock. But another process may
        have been killed between the two.
        """
        length = self._length()
        if length > self._synced_bytes:
            try:
                os.fdatasync(self._tail)
            except OSError as error:
                raise StoreError(f"{self._directory}: {error.strerror}") from error
            self._synced_bytes = length
        return length

    def _compare(self, offset_bytes: int, data: bytes, length: int) -> bytes:
        """Return what of `data` is new, once the rest was found to be there already."""
        known = min(length - offset_bytes, len(data))
        if known == 0:
            return data
        position = 0
        extents = list(self._index.extents(offset_bytes, min(offset_bytes + known, self._base)))
        for piece in self._read_frames(extents, offset_bytes, min(length, self._base)):
            expected = data[position : position + len(piece)]
            if piece[: len(expected)] != expected:
                raise OffsetError(self.header.rec, self._synced_length())
            position += len(expected)
        if position < known:
            start = offset_bytes + position - self._base
            if os.pread(self._tail, known - position, start) != data[position:known]:
                raise OffsetError(self.header.rec, self._synced_length())
        return data[known:]

    def _write(self, data: bytes, tail_bytes: int) -> None:
        """Write at the tail's end and sync; on failure the tail is as long as before."""
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._tail, view) :]
            os.fdatasync(self._tail)
            self._synced_bytes = self._base + tail_bytes + len(data)
        except OSError as error:
            try:
                os.ftruncate(self._tail, tail_bytes)
            except OSError:
                self._drop_tail()
            where = f"recording {self.header.rec}"
            if error.errno in DISK_FULL:
                raise NoSpaceError(f"{where}: {error.strerror}: {self._directory}") from error
            raise StoreError(f"{where}: {error.strerror}: {self._directory}") from error

    def _pack(self, fresh: bytes) -> bool:
        """Turn the tail, and `fresh` after it, into frames, and begin a new tail.

        The order keeps every byte in at least one file that counts: frames, sync, new tail,
        sync, only then is the old tail removed. Returns False when the disk has no room for
        frames; then all is as before, and the tail may just grow on.
        """
        tail_bytes = self._length() - self._base
        new_base = self._base + tail_bytes + len(fresh)
        path = self._directory / f"{new_base}.tail"
        try:
            frames = self._append_frames(os.pread(self._tail, tail_bytes, 0) + fresh)
            new_tail = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            self._pack_at_bytes = tail_bytes + len(fresh) + FRAME_LIMIT_BYTES
            return False
        # From here on the new tail counts, for whoever looks.
        known = len(self._index)
        for content_bytes, file_bytes in frames:
            self._index.add(content_bytes, file_bytes)
        old_tail, old_base = self._tail, self._base
        self._tail, self._base = new_tail, new_base
        self._synced_bytes = new_base
        self._pack_at_bytes = FRAME_LIMIT_BYTES
        os.close(old_tail)
        self._index.save_from(known)
        try:
            sync_directory(self._directory)
        except OSError as error:
            self._drop_tail()
            raise StoreError(f"{self._directory}: {error.strerror}") from error
        with suppress(OSError):
            os.unlink(self._directory / f"{old_base}.tail")
        return True

    def _append_frames(self, content: bytes) -> list[tuple[int, int]]:
        """Append `content`, packed and synced, to the frames; return each frame's sizes."""
        path = self._directory / "lines.zst"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        start = self._index.file_bytes
        sizes = []
        try:
            os.ftruncate(descriptor, start)
            position = start
            for content_bytes, packed in pack_frames(content):
                view = memoryview(packed)
                while view:
                    written = os.pwrite(descriptor, view, position)
                    view = view[written:]
                    position += written
                sizes.append((content_bytes, len(packed)))
            os.fdatasync(descriptor)
        except OSError:
            with suppress(OSError):
                os.ftruncate(descriptor, start)
            raise
        finally:
            os.close(descriptor)
        return sizes

    def _read_frames(
        self, extents: list[tuple[int, int, int, int]], offset_bytes: int, end_bytes: int
    ) -> Iterator[bytes]:
        if not extents:
            return
        path = self._directory / "lines.zst"
        with path.open("rb") as file:
            for start, end, file_start, file_end in extents:
                packed = os.pread(file.fileno(), file_end - file_start, file_start)
                content = unpack_frame(packed, end - start, f"{path}, byte {file_start}")
                yield content[max(0, offset_bytes - start) : end_bytes - start]
