"""A recording's files for a mail, made from its lines and kept small enough."""

from __future__ import annotations

import contextlib
import gzip
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Protocol

from steno.delivery.mail.composing import Contents, File
from steno.delivery.mail.settings import MailSettings
from steno.formats.export import Exporter
from steno.formats.tlog_track import Reader
from steno.formats.track import Finish, Header, Item, unknown_start
from steno.model import Input

_IN_MEMORY_BYTES = 1 << 20


Maker = Callable[[Item], Iterator[tuple[str, bytes]]]
"""Turns an item into more bytes of some files, each with its name."""


class TextRenderer(Protocol):
    """Makes plain text of items; the server's package has one (steno.web.renderings)."""

    def write(self, item: Item) -> bytes:
        """Return the text that became complete."""


class _Draft:
    """One attachment as it grows: plain and compressed, each no further than it may be sent."""

    def __init__(self, name: str, limit_bytes: int, stack: contextlib.ExitStack) -> None:
        self.name = name
        self.size_bytes = 0
        self._limit_bytes = limit_bytes
        self._plain = self._open(stack)
        self._packed = self._open(stack)
        # The same content gives the same mail: no time in it.
        self._packer = gzip.GzipFile("", "wb", 6, self._packed, mtime=0)

    def _open(self, stack: contextlib.ExitStack) -> IO[bytes]:
        return stack.enter_context(tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES))

    def write(self, data: bytes) -> None:
        self.size_bytes += len(data)
        if self.size_bytes <= self._limit_bytes:
            self._plain.write(data)
        if self._packed.tell() <= self._limit_bytes:
            self._packer.write(data)

    def finish(self) -> None:
        self._packer.close()

    @property
    def packed_bytes(self) -> int:
        return self._packed.tell()

    def read(self, *, packed: bool) -> bytes:
        file = self._packed if packed else self._plain
        file.seek(0)
        return file.read()


def make_contents(
    rec: str,
    pieces: Iterable[bytes],
    settings: MailSettings,
    make_renderer: Callable[[], TextRenderer] | None,
) -> Contents:
    """Return what is to be mailed of a recording whose original bytes are `pieces`.

    Args:
        rec: Its id.
        pieces: Its lines, however cut.
        settings: What is attached, and how much of it.
        make_renderer: Makes what renders text; None where that is not installed.

    Raises:
        FormatError: There is no message in it.
    """
    omissions: list[str] = []
    makers = _make_makers(rec, settings, make_renderer, omissions)
    header, finish = Header(start=unknown_start()), None
    with contextlib.ExitStack() as stack:
        drafts: dict[str, dict[str, _Draft]] = {kind: {} for kind in makers}
        for item in _items(rec, pieces):
            if isinstance(item, Header):
                header = item
            elif isinstance(item, Finish):
                finish = item
            elif isinstance(item, Input) and not settings.with_input:
                continue
            for kind, maker in makers.items():
                for name, data in maker(item):
                    if name not in drafts[kind]:
                        drafts[kind][name] = _Draft(name, settings.limit_bytes, stack)
                    drafts[kind][name].write(data)
        files = _choose(drafts, settings.limit_bytes, omissions)
    return Contents(rec, header, finish, files, omissions)


def _make_makers(
    rec: str,
    settings: MailSettings,
    make_renderer: Callable[[], TextRenderer] | None,
    omissions: list[str],
) -> dict[str, Maker]:
    """Return what makes the wanted attachments; add to `omissions` what cannot be made here."""
    makers: dict[str, Maker] = {}
    if "typescript" in settings.attach:
        makers["typescript"] = _script_maker(rec)
    if "text" in settings.attach and make_renderer is not None:
        makers["text"] = _text_maker(rec, make_renderer())
    elif "text" in settings.attach:
        omissions.append("the text of the screen; this host has no steno[server] to render it")
    return makers


def _choose(
    drafts: dict[str, dict[str, _Draft]], limit_bytes: int, omissions: list[str]
) -> list[File]:
    """Return the files that fit: as they are, or compressed; say what does not."""
    files: list[File] = []
    room_bytes = limit_bytes
    for kind, parts in drafts.items():
        for draft in parts.values():
            draft.finish()
        plain_bytes = sum(draft.size_bytes for draft in parts.values())
        packed_bytes = sum(draft.packed_bytes for draft in parts.values())
        is_packed = plain_bytes > room_bytes
        if is_packed and packed_bytes > room_bytes:
            omissions.append(f"the {kind}; it has {plain_bytes} bytes, too many for a mail")
            continue
        room_bytes -= packed_bytes if is_packed else plain_bytes
        for name, draft in parts.items():
            data = draft.read(packed=is_packed)
            is_text = kind == "text" and not is_packed
            files.append(File(f"{name}.gz" if is_packed else name, data, is_text))
    return files


def _items(rec: str, pieces: Iterable[bytes]) -> Iterator[Item]:
    reader = Reader(rec, takes_unnamed=True)
    for data in pieces:
        yield from reader.feed(data)
    yield from reader.finish()


def _script_maker(rec: str) -> Maker:
    exporter = Exporter("typescript")

    def make(item: Item) -> Iterator[tuple[str, bytes]]:
        for part in exporter.write(item):
            yield f"{rec}{part.suffix or '.typescript'}", part.data

    return make


def _text_maker(rec: str, renderer: TextRenderer) -> Maker:
    def make(item: Item) -> Iterator[tuple[str, bytes]]:
        data = renderer.write(item)
        if data:
            yield f"{rec}.txt", data

    return make
