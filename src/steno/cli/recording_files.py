"""Open recordings in any format: files, directories, standard input."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, Protocol

from steno.cli.input_files import STANDARD_INPUT, explain_input, name_input, open_input
from steno.errors import FormatError, UsageError
from steno.formats import asciicast, guess, sudoio, tlog, tlog_track, ttyrec, typescript
from steno.formats.track import Item

READABLE = ("tlog", "asciicast", "typescript", "ttyrec", "sudo")
"""The formats that can be read; asciicast is v2 and v3, typescript classic and advanced."""
_CHUNK_BYTES = 256 * 1024
_MAX_FACTS_BYTES = 1024 * 1024
_SUDO_FILES = ("log.json", "log", "timing", *sudoio.STREAMS)


class _Decoder(Protocol):
    def feed(self, data: bytes) -> list[Item]: ...
    def finish(self) -> list[Item]: ...


class RecordingFile:
    """A recording that is being read; owns the files it opens. Use it in a `with`.

    Attributes:
        source: What it is called in messages.
        format: One of READABLE.
    """

    def __init__(
        self, path: str, *, format_name: str | None, rec: str | None, timing: str | None
    ) -> None:
        """Open `path`, "-" for standard input.

        Args:
            path: A file, or the directory of a sudo I/O log.
            format_name: One of READABLE; None to find out.
            rec: Which recording of a file that holds several; a beginning of its id will do.
            timing: The timing file of a typescript; None for PATH.timing if there is one.

        Raises:
            NotFoundError: There is no such file, or no such recording in it.
            StenoError: It cannot be read.
            AmbiguousError: `rec` fits several recordings.
            FormatError: It is in no known format.
            UsageError: An option does not go with the format.
        """
        self.source = name_input(path)
        self._path = Path(path)
        self._stack = ExitStack()
        try:
            self._main = None if os.path.isdir(path) else self._open_main(path)
            self.format = format_name or self._guess()
            self._check(timing, rec)
            self._timing = self._open_beside(timing, ".timing")
            self._rec = self._resolve(rec)
        except OSError as error:
            self._stack.close()
            raise explain_input(Path(self.source), error) from error
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> RecordingFile:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def digest(self) -> str:
        """Return hex SHA-256 of what the recording is made of; before `items`."""
        digest = hashlib.sha256()
        files = [file for file in (self._main, self._timing) if file is not None]
        if self._main is None:
            # Its files differ in their names only.
            names = [name for name in _SUDO_FILES if (self._path / name).is_file()]
            files = [self._open(self._path / name) for name in names]
            digest.update(repr(names).encode())
        for file in files:
            for data in _chunks(file):
                digest.update(data)
            file.seek(0)
        return digest.hexdigest()

    def items(self, *, is_original: bool = False) -> Iterator[Item]:
        """Yield the recording's items, once.

        With `is_original` the pieces of a terminal with another charset hold what that had.

        Raises:
            FormatError: It is no recording in this format.
            StenoError: It cannot be read.
            AmbiguousError: It holds several recordings, and none was chosen.
        """
        try:
            if self.format == "typescript":
                yield from self._read_typescript()
            elif self.format == "sudo":
                yield from self._read_sudo()
            else:
                yield from self._read_single(is_original)
        except FormatError as error:
            if error.source:
                raise
            place = {"line": error.line, "offset_bytes": error.offset_bytes}
            raise FormatError(error.reason, source=self.source, **place) from error
        except OSError as error:
            raise explain_input(Path(self.source), error) from error

    def _open_main(self, path: str) -> BinaryIO:
        if path == STANDARD_INPUT:
            return self._spool(sys.stdin.buffer)
        file = self._open(self._path)
        return file if stat.S_ISREG(self._path.stat().st_mode) else self._spool(file)

    def _files(self) -> dict[str, Path]:
        """Return the files in the directory, by their names."""
        try:
            return {path.name: path for path in self._path.iterdir() if path.is_file()}
        except OSError as error:
            raise explain_input(self._path, error) from error

    def _open(self, path: Path) -> BinaryIO:
        return self._stack.enter_context(open_input(path))

    def _spool(self, file: BinaryIO) -> BinaryIO:
        """Return a copy of `file` that can be read twice."""
        limit_bytes = 16 * 1024 * 1024
        made = tempfile.SpooledTemporaryFile(limit_bytes)  # noqa: SIM115  # the stack closes it
        spooled = self._stack.enter_context(made)
        shutil.copyfileobj(file, spooled)
        spooled.seek(0)
        return spooled  # type: ignore[return-value]  # it has all that is used of a file

    def _guess(self) -> str:
        if self._main is None:
            found = guess.guess_directory(self._files())
            if found is None:
                raise FormatError("no I/O log of sudo in this directory", source=self.source)
            return found
        head = self._main.read(guess.HEAD_BYTES)
        self._main.seek(0)
        found = guess.guess_format(head)
        if found == guess.TIMING:
            reason = "this is a timing file; name the typescript, and this one with --timing"
            raise FormatError(reason, source=self.source)
        if found is None:
            reason = "no recording in a known format; name it with --from"
            raise FormatError("the file is empty" if not head else reason, source=self.source)
        return found

    def _check(self, timing: str | None, rec: str | None) -> None:
        if (self.format == "sudo") != (self._main is None):
            kind = "a directory" if self._main is None else "a file"
            raise UsageError(f"{self.source}: {kind} cannot be read as {self.format}")
        if timing is not None and self.format != "typescript":
            raise UsageError(f"--timing goes with typescripts, not with {self.format}")
        if rec is not None and self.format != "tlog":
            raise UsageError(f"--rec goes with tlog's format, not with {self.format}")

    def _open_beside(self, named: str | None, suffix: str) -> BinaryIO | None:
        """Open the file that belongs to the main one: as named, or by its suffix if it is there."""
        if named is not None:
            return self._open(Path(named))
        path = Path(f"{self._path}{suffix}")
        is_there = self.format == "typescript" and path.is_file()
        return self._open(path) if is_there else None

    def _resolve(self, rec: str | None) -> str | None:
        if rec is None or self._main is None:
            return rec
        decoder = tlog.Decoder()
        recs: dict[str, None] = {}
        found = [placed for data in _chunks(self._main) for placed in decoder.feed(data)]
        for placed in [*found, *decoder.finish()]:
            if isinstance(placed, tlog.Placed):
                recs[placed.message.rec] = None
        self._main.seek(0)
        if not recs:
            raise FormatError("there is no message", source=self.source)
        return tlog_track.resolve_rec(list(recs), rec)

    def _read_single(self, is_original: bool) -> Iterator[Item]:
        decoder: _Decoder
        if self.format == "tlog":
            decoder = tlog_track.Reader(self._rec, is_original=is_original)
        elif self.format == "ttyrec":
            decoder = ttyrec.Decoder()
        else:
            decoder = asciicast.Decoder()
        assert self._main is not None  # noqa: S101  # _check has seen to it
        for data in _chunks(self._main):
            yield from decoder.feed(data)
        yield from decoder.finish()

    def _read_typescript(self) -> Iterator[Item]:
        decoder = typescript.Decoder()
        assert self._main is not None  # noqa: S101  # _check has seen to it
        streams: dict[str, Iterator[bytes]] = {}
        if self._timing is not None:
            for data in _chunks(self._timing):
                yield from decoder.feed("timing", data)
        streams["output"] = _chunks(self._main)
        if decoder.has_input:
            beside = self._open_beside(None, ".in")
            if beside is not None:
                streams["input"] = _chunks(beside)
        yield from _feed_in_turn(decoder, streams)
        yield from decoder.finish()

    def _read_sudo(self) -> Iterator[Item]:
        files = self._files()
        facts: dict[str, bytes | None] = {}
        for name in ("log.json", "log"):
            file = self._open(files[name]) if name in files else None
            facts[name] = file.read(_MAX_FACTS_BYTES) if file else None
        decoder = sudoio.Decoder(log_json=facts["log.json"], log=facts["log"])
        if "timing" in files:
            for data in _chunks(self._open(files["timing"])):
                yield from decoder.feed("timing", data)
        names = [name for name in sudoio.STREAMS if name in files]
        streams = {name: _chunks(self._open(files[name])) for name in names}
        yield from _feed_in_turn(decoder, streams)
        yield from decoder.finish()


class _StreamsDecoder(Protocol):
    def feed(self, stream: str, data: bytes) -> list[Item]: ...


def _feed_in_turn(decoder: _StreamsDecoder, streams: dict[str, Iterator[bytes]]) -> Iterator[Item]:
    """Feed all streams side by side, so that the decoder need hold little of one for another."""
    while streams:
        for name in list(streams):
            data = next(streams[name], None)
            if data is None:
                del streams[name]
            else:
                yield from decoder.feed(name, data)


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while data := file.read(_CHUNK_BYTES):
        yield data
