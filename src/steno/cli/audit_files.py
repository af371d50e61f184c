"""Audit logs as commands are given them: files, sets of rotated files, pipes; packed or growing."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import re
import sys
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol

import zstandard

from steno.cli.input_files import explain_input, open_input
from steno.errors import FormatError, NotFoundError

LOG_DIRECTORY = Path("/var/log/audit")
"""Where auditd writes if nobody tells it otherwise."""

PIECE_BYTES = 400 * 1024
"""What is read at a time: little enough to stay in the processor's caches on its way."""

_ZSTD_PART_BYTES = 1 << 10
"""So little is unpacked at once that even the densest frame fits into memory: some 32 MB."""
_POLL_SECONDS = 0.25
_STANDARD_INPUT = Path("standard input")

_GZIP, _BZIP2, _XZ, _ZSTD = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd"
"""How packed files begin."""

_ROTATED = re.compile(r"(.+?)(?:\.(\d{1,9}))?(?:\.(?:gz|bz2|xz|zst))?\Z")


def find_logs(targets: Sequence[str]) -> list[Path | None]:
    """Return the files that `targets` stand for, the oldest first; None is standard input.

    A directory stands for its `audit.log` with all that were rotated away; of files that are one
    rotated set (`audit.log.2.gz audit.log`), the oldest comes first in whatever order they are
    named. Without targets it is standard input if something can come from there, else auditd's
    directory.

    Raises:
        NotFoundError: A directory holds no audit log.
    """
    if not targets:
        targets = ["-"] if _is_fed() else [str(LOG_DIRECTORY)]
    found: list[Path | None] = []
    for target in targets:
        if target == "-":
            found.append(None)
        elif os.path.isdir(target):
            found += _logs_in(Path(target))
        else:
            found.append(Path(target))
    places: dict[tuple[Path, str], list[int]] = {}
    for place, path in enumerate(found):
        if path is not None:
            places.setdefault((path.parent, _base(path)), []).append(place)
    for same in places.values():
        ordered = sorted((found[place] for place in same), key=_age, reverse=True)
        for place, path in zip(same, ordered, strict=True):
            found[place] = path
    return found


def _is_fed() -> bool:
    """Return whether standard input is a file or pipe; programs of cron and services have none."""
    if sys.stdin is None or sys.stdin.isatty():
        return False
    return not os.path.samestat(os.fstat(sys.stdin.fileno()), os.stat(os.devnull))


def _logs_in(directory: Path) -> list[Path]:
    try:
        logs = [path for path in directory.iterdir() if _base(path) == "audit.log"]
    except OSError as error:
        raise explain_input(directory, error) from error
    if not logs:
        raise NotFoundError(f"{directory}: there is no audit.log")
    return logs


def _base(path: Path) -> str:
    match = _ROTATED.match(path.name)
    return path.name if match is None else match[1]


def _age(path: Path | None) -> int:
    """Return which of its set a file is: audit.log 0, audit.log.1 1 ..."""
    match = _ROTATED.match("" if path is None else path.name)
    return int(match[2] or 0) if match is not None else 0


def read_logs(paths: Sequence[Path | None], *, follow: bool = False) -> Iterator[tuple[str, bytes]]:
    """Yield the name of each log with a piece of it, as they come.

    Args:
        paths: From `find_logs`.
        follow: Wait for more at the end of the last one, also when it is rotated away; then b""
            is yielded each time nothing came for a while, and there is no end.

    Raises:
        NotFoundError: There is no such file.
        FormatError: A packed file ends too early or is damaged; what came before was yielded.
        StenoError: It cannot be read.
    """
    for number, path in enumerate(paths):
        if path is None:
            yield from _read(_STANDARD_INPUT, sys.stdin.buffer)
        elif follow and number == len(paths) - 1:
            yield from _follow(path)
        else:
            with open_input(path) as file:
                yield from _read(path, file)


def _read(path: Path, file: BinaryIO) -> Iterator[tuple[str, bytes]]:
    name = str(path)
    last = b"\n"
    try:
        for piece in _unpack(file):
            if piece:
                yield name, piece
                last = piece[-1:]
    except EOFError as error:
        raise FormatError("the packed file ends too early", source=name) from error
    except (lzma.LZMAError, zstandard.ZstdError, zlib.error) as error:
        raise FormatError(f"damaged where it is packed: {error}", source=name) from error
    except OSError as error:
        if error.errno is None:
            raise FormatError(f"damaged where it is packed: {error}", source=name) from error
        raise explain_input(path, error) from error
    if last != b"\n":
        # The next file's first line is a line of its own.
        yield name, b"\n"


class _Readable(Protocol):
    def read1(self, size: int, /) -> bytes: ...


def _unpack(file: BinaryIO) -> Iterator[bytes]:
    """Yield the bytes of a file, unpacked if it is packed; what a pipe holds, at once."""
    begin = file.peek(8)[:8] if isinstance(file, io.BufferedReader) else b""
    if begin.startswith(_GZIP):
        yield from _gather(_read_parts(gzip.GzipFile(fileobj=file)))  # not ours
    elif begin.startswith(_BZIP2):
        yield from _gather(_read_parts(bz2.BZ2File(file)))
    elif begin.startswith(_XZ):
        yield from _gather(_read_parts(lzma.LZMAFile(file)))  # noqa: SIM115  # not ours to close
    elif begin.startswith(_ZSTD):
        yield from _gather(_unpack_zstd(file))
    elif isinstance(file, io.BufferedReader):
        yield from _read_parts(file)
    else:
        while piece := file.read(PIECE_BYTES):
            yield piece


def _read_parts(file: _Readable) -> Iterator[bytes]:
    while part := file.read1(PIECE_BYTES):
        yield part


def _unpack_zstd(file: BinaryIO) -> Iterator[bytes]:
    """Unpack frame after frame; unlike the library's reader, notice that the last one is cut."""
    unpacker = None
    packed = file.read(_ZSTD_PART_BYTES)
    while packed:
        unpacker = unpacker or zstandard.ZstdDecompressor().decompressobj()
        yield unpacker.decompress(packed)
        packed = b""
        if unpacker.eof:
            packed, unpacker = unpacker.unused_data, None
        packed = packed or file.read(_ZSTD_PART_BYTES)
    if unpacker is not None:
        raise EOFError("compressed file ended in the middle of a frame")


def _gather(small: Iterator[bytes]) -> Iterator[bytes]:
    """Yield pieces of some size of small ones; before damage, what came until then."""
    parts: list[bytes] = []
    size_bytes = 0
    try:
        for part in small:
            parts.append(part)
            size_bytes += len(part)
            if size_bytes >= PIECE_BYTES // 4:
                yield b"".join(parts)
                parts, size_bytes = [], 0
    except (EOFError, OSError, lzma.LZMAError, zstandard.ZstdError, zlib.error):
        yield b"".join(parts)
        raise
    yield b"".join(parts)


def _follow(path: Path) -> Iterator[tuple[str, bytes]]:
    """Read a growing file; when another takes its name, what is left of it and then the other."""
    while True:
        with open_input(path) as file:
            while True:
                piece = file.read(PIECE_BYTES)
                if piece:
                    yield str(path), piece
                    continue
                if _is_replaced(path, file):
                    yield from _read(path, file)
                    break
                yield str(path), b""
                time.sleep(_POLL_SECONDS)


def _is_replaced(path: Path, file: BinaryIO) -> bool:
    """Tell whether `path` is another file by now, or was begun anew."""
    opened = os.fstat(file.fileno())
    try:
        named = path.stat()
    except FileNotFoundError:
        return False
    if (named.st_dev, named.st_ino) != (opened.st_dev, opened.st_ino):
        return True
    return named.st_size < file.tell()
