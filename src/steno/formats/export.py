"""Write a recording in any of the formats, and say what was lost."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from typing import Protocol

import msgspec

from steno.errors import UsageError
from steno.formats import asciicast, tlog_track, ttyrec, typescript_encoder
from steno.formats.track import Finish, Header, Item
from steno.model import Damage, Note, Output

_BARE_END = re.compile(rb"(?<!\r)\n")
_SUFFIXES = {"output": "", "timing": ".timing", "input": ".in"}


class Kind(msgspec.Struct, frozen=True):
    """A format that can be written.

    Attributes:
        name: Its name in commands and in the API.
        extension: What a file of it is called.
        media_type: Its type in HTTP.
        has_parts: Whether a recording is several files; they travel as one zip archive.
    """

    name: str
    extension: str
    media_type: str
    has_parts: bool = False


KINDS = {
    kind.name: kind
    for kind in (
        Kind("tlog", ".jsonl", "application/x-ndjson"),
        Kind("asciicast-v2", ".cast", "application/x-asciicast"),
        Kind("asciicast-v3", ".cast", "application/x-asciicast"),
        Kind("typescript", ".typescript.zip", "application/zip", has_parts=True),
        Kind("typescript-classic", ".typescript.zip", "application/zip", has_parts=True),
        Kind("ttyrec", ".ttyrec", "application/x-ttyrec"),
    )
}


class Part(msgspec.Struct, frozen=True):
    """Some more bytes of one of an export's files.

    Attributes:
        suffix: What the file's name ends in; "" for the main file.
        data: The bytes.
    """

    suffix: str
    data: bytes


class _Encoder(Protocol):
    def write(self, item: Item) -> bytes: ...
    def losses(self) -> list[str]: ...


class Exporter:
    """Turn the items of one recording into the bytes of one format. Does no I/O.

    What was damaged in the source stands in the result as a note `lost`, where there can be notes.
    Lines that came through a pipe end as a terminal shows them, in the formats that are terminals'.
    """

    def __init__(
        self, name: str, *, rec: str = "", recorder: str = "", keeps_bytes: bool = False
    ) -> None:
        """Begin to write the format `name`, one of KINDS.

        Args:
            name: The format.
            rec: The id that a recording in tlog's format gets when the source has none.
            recorder: What it names as recorder when the source does not.
            keeps_bytes: Leave the ends of lines alone, also where no terminal made them.

        Raises:
            UsageError: There is no such format.
        """
        if name not in KINDS:
            raise UsageError(f"unknown format {name!r}; there are {', '.join(KINDS)}")
        self._script: typescript_encoder.Encoder | None = None
        self._encoder: _Encoder
        self._mends_ends = name != "tlog" and not keeps_bytes
        self._ends: _LineEnds | None = None
        if name.startswith("typescript"):
            self._script = typescript_encoder.Encoder(is_advanced=name == "typescript")
        elif name == "tlog":
            self._encoder = tlog_track.Writer(rec=rec, recorder=recorder)
        elif name == "ttyrec":
            self._encoder = ttyrec.Encoder()
        else:
            self._encoder = asciicast.Encoder(2 if name == "asciicast-v2" else 3)
        self._last_us = 0

    def write(self, item: Item) -> list[Part]:
        """Return the bytes for `item`; a Header comes first, a Finish last."""
        if isinstance(item, Damage):
            facts = {"what": item.reason, "line": item.line, "length_bytes": item.length_bytes}
            item = Note(self._last_us, "lost", facts)
        elif isinstance(item, Header):
            self._ends = _LineEnds() if self._mends_ends and not item.is_terminal else None
        elif not isinstance(item, Finish):
            self._last_us = item.at_us
        if self._ends is not None and isinstance(item, Output):
            item = msgspec.structs.replace(item, data=self._ends.feed(item.data))
        if self._script is not None:
            written = self._script.write(item)
            return [Part(_SUFFIXES[stream], data) for stream, data in written.items()]
        data = self._encoder.write(item)
        return [Part("", data)] if data else []

    def losses(self) -> list[str]:
        """Return what could not be written so far, one text each."""
        losses = (self._script or self._encoder).losses()
        if self._ends is None or not self._ends.has_changed:
            return losses
        return ["that there was no terminal: lines end as one shows them", *losses]


class _LineEnds:
    """Ends lines as a terminal's driver does (termios(3), ONLCR), where they do not already.

    Attributes:
        has_changed: Whether a line ended otherwise.
    """

    def __init__(self) -> None:
        self.has_changed = False
        self._after_return = False

    def feed(self, data: bytes) -> bytes:
        """Return `data`, which follows on what was given before."""
        if not data:
            return data
        mended = _BARE_END.sub(b"\r\n", data)
        if self._after_return and data.startswith(b"\n"):
            mended = mended[1:]
        self._after_return = data.endswith(b"\r")
        self.has_changed = self.has_changed or mended != data
        return mended


def export_lines(lines: Iterable[bytes], exporter: Exporter, rec: str) -> Iterator[Part]:
    """Yield recording `rec`, whose original bytes are `lines` however cut, as `exporter` writes it.

    Raises:
        NotFoundError: `rec` is not in them.
        FormatError: There is no message at all in them.
    """
    reader = tlog_track.Reader(rec, takes_unnamed=True)
    for data in lines:
        for item in reader.feed(data):
            yield from exporter.write(item)
    for item in reader.finish():
        yield from exporter.write(item)


def zip_parts(name: str, parts: Iterable[Part]) -> bytes:
    """Return the files of a recording called `name` as one zip archive."""
    files: dict[str, bytearray] = {}
    for part in parts:
        files.setdefault(part.suffix, bytearray()).extend(part.data)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for suffix, data in files.items():
            # A fixed date: the same recording gives the same archive.
            archive.writestr(zipfile.ZipInfo(name + suffix), bytes(data), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
