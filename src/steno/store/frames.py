"""The closed part of a recording: one file of concatenated zstd frames, and where each begins.

Source: RFC 8878, 3.1.1 (frames), 3.1.1.1 (frame header), 3.1.1.2 (blocks).
"""

from __future__ import annotations

import bisect
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import zstandard

from steno.errors import StoreError

FRAME_LIMIT_BYTES = 256 * 1024
"""Most original bytes in one frame: what a reader must unpack to get at any one byte."""

COMPRESSION_LEVEL = 3

_MAGIC = b"\x28\xb5\x2f\xfd"
_HEADER_LIMIT_BYTES = 18
_ENTRY = struct.Struct("<QQ")


class FrameIndex:
    """Where each frame of a file begins, in original bytes and in the file.

    Kept beside the frames in a file of its own, 16 bytes for each frame, only to save a walk
    through them: it is not synced, and rebuilt from the frames whenever it does not fit them.

    Attributes:
        content_bytes: Original bytes in all frames together.
        file_bytes: Length of the frames in the file; what follows them there is debris.
    """

    def __init__(self, directory: Path) -> None:
        self._frames_path = directory / "lines.zst"
        self._index_path = directory / "lines.index"
        self._content_ends: list[int] = []
        self._file_ends: list[int] = []

    @property
    def content_bytes(self) -> int:
        """Return how many original bytes the frames hold."""
        return self._content_ends[-1] if self._content_ends else 0

    @property
    def file_bytes(self) -> int:
        """Return where in the file the next frame begins."""
        return self._file_ends[-1] if self._file_ends else 0

    def load(self, content_bytes: int) -> None:
        """Learn the frames that hold the first `content_bytes` original bytes.

        Raises:
            StoreError: The file has no such frames: it was cut or overwritten.
        """
        if content_bytes == self.content_bytes:
            return
        self._content_ends, self._file_ends = [], []
        if content_bytes == 0:
            return
        if self._load_index(content_bytes):
            return
        self._walk(content_bytes)
        self._store_index()

    def add(self, content_bytes: int, file_bytes: int) -> None:
        """Note another frame of `content_bytes` original and `file_bytes` packed bytes."""
        self._content_ends.append(self.content_bytes + content_bytes)
        self._file_ends.append(self.file_bytes + file_bytes)

    def save_from(self, number: int) -> None:
        """Write the entries from frame `number` on to the index file; failing does no harm."""
        entries = zip(self._content_ends[number:], self._file_ends[number:], strict=True)
        try:
            descriptor = os.open(self._index_path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return
        try:
            data = b"".join(_ENTRY.pack(*entry) for entry in entries)
            os.pwrite(descriptor, data, number * _ENTRY.size)
            os.ftruncate(descriptor, len(self._content_ends) * _ENTRY.size)
        except OSError:
            return
        finally:
            os.close(descriptor)

    def __len__(self) -> int:
        return len(self._content_ends)

    def extents(self, offset_bytes: int, end_bytes: int) -> Iterator[tuple[int, int, int, int]]:
        """Yield (content start, content end, file start, file end) of the frames in this range."""
        number = bisect.bisect_right(self._content_ends, offset_bytes)
        while number < len(self._content_ends):
            start = self._content_ends[number - 1] if number else 0
            if start >= end_bytes:
                return
            file_start = self._file_ends[number - 1] if number else 0
            yield start, self._content_ends[number], file_start, self._file_ends[number]
            number += 1

    def _load_index(self, content_bytes: int) -> bool:
        """Return whether the index file knows the frames up to exactly `content_bytes`."""
        try:
            data = self._index_path.read_bytes()
            size = self._frames_path.stat().st_size
        except OSError:
            return False
        content_ends: list[int] = []
        file_ends: list[int] = []
        for content_end, file_end in _ENTRY.iter_unpack(data[: len(data) // 16 * 16]):
            last = (content_ends[-1], file_ends[-1]) if content_ends else (0, 0)
            if content_end <= last[0] or file_end <= last[1] or file_end > size:
                return False
            content_ends.append(content_end)
            file_ends.append(file_end)
            if content_end >= content_bytes:
                break
        if not content_ends or content_ends[-1] != content_bytes:
            return False
        if not self._begin_frames(file_ends):
            return False
        self._content_ends, self._file_ends = content_ends, file_ends
        return True

    def _begin_frames(self, file_ends: list[int]) -> bool:
        """Return whether a frame begins at the file's start and after the last but one."""
        with self._frames_path.open("rb") as file:
            starts = {0, file_ends[-2] if len(file_ends) > 1 else 0}
            return all(os.pread(file.fileno(), 4, start) == _MAGIC for start in starts)

    def _walk(self, content_bytes: int) -> None:
        try:
            with self._frames_path.open("rb") as file:
                for content, packed in walk_frames(file.fileno()):
                    self.add(content, packed)
                    if self.content_bytes >= content_bytes:
                        break
        except OSError as error:
            raise StoreError(f"{self._frames_path}: {error.strerror}") from error
        if self.content_bytes != content_bytes:
            found = self.content_bytes
            self._content_ends, self._file_ends = [], []
            raise StoreError(
                f"{self._frames_path}: damaged: {found} original bytes where {content_bytes} belong"
            )

    def _store_index(self) -> None:
        self.save_from(0)


def walk_frames(descriptor: int) -> Iterator[tuple[int, int]]:
    """Yield (original bytes, packed bytes) of each whole frame in a file, without unpacking.

    Ends at the first place where no whole frame follows.
    """
    position = 0
    size = os.fstat(descriptor).st_size
    while position < size:
        header = os.pread(descriptor, _HEADER_LIMIT_BYTES, position)
        if header[:4] != _MAGIC:
            return
        try:
            parameters = zstandard.get_frame_parameters(header)
            header_bytes = zstandard.frame_header_size(header)
        except zstandard.ZstdError:
            return
        end = _end_of_blocks(descriptor, position + header_bytes, size)
        if parameters.has_checksum:
            end += 4
        if parameters.content_size in (0, zstandard.CONTENTSIZE_UNKNOWN) or not end <= size:
            return
        yield parameters.content_size, end - position
        position = end


def _end_of_blocks(descriptor: int, position: int, size: int) -> int:
    """Return where a frame's last block ends; beyond `size` when it is torn."""
    while position + 3 <= size:
        block = int.from_bytes(os.pread(descriptor, 3, position), "little")
        is_last, kind, length = block & 1, block >> 1 & 3, block >> 3
        position += 3 + (1 if kind == 1 else length)
        if is_last:
            return position
    return size + 1


def pack_frames(content: bytes) -> list[tuple[int, bytes]]:
    """Return `content` as frames of about equal size, each with its number of original bytes."""
    count = max(1, -(-len(content) // FRAME_LIMIT_BYTES))
    step = -(-len(content) // count)
    compressor = zstandard.ZstdCompressor(
        level=COMPRESSION_LEVEL, write_checksum=True, write_content_size=True
    )
    pieces = [content[start : start + step] for start in range(0, len(content), step)]
    return [(len(piece), compressor.compress(piece)) for piece in pieces]


def unpack_frame(packed: bytes, content_bytes: int, where: str) -> bytes:
    """Return a frame's original bytes.

    Raises:
        StoreError: It is damaged.
    """
    try:
        content = zstandard.ZstdDecompressor().decompress(packed)
    except zstandard.ZstdError as error:
        raise StoreError(f"{where}: damaged frame: {error}") from error
    if len(content) != content_bytes:
        raise StoreError(f"{where}: damaged frame: {len(content)} bytes, not {content_bytes}")
    return content
