"""Recordings as files of other formats, each with a word on what the format could not hold."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import anyio.to_thread
import msgspec
from starlette.concurrency import iterate_in_threadpool
from starlette.responses import Response, StreamingResponse

from steno import __version__
from steno.formats.export import KINDS, Exporter, export_lines, zip_parts
from steno.formats.tlog_track import Reader
from steno.store.protocol import Store, Summary
from steno.web.endpoint import Call
from steno.web.lanes import PageTrail, describe_for_page
from steno.web.problems import Problem
from steno.web.renderings import PageRenderer
from steno.web.services import Services

_CHUNK_BYTES = 256 * 1024
_SPOOL_BYTES = 4 * 1024 * 1024
_MAX_LOST_CHARACTERS = 2000
MAX_PAGE_BYTES = 32 * 1024 * 1024
"""Longest recording, in original bytes, that goes into one page: pages are made in memory."""


class ExportQuery(msgspec.Struct, frozen=True):
    """Which format; a recording's `exports` names those that there are."""

    format: str


class _Format(msgspec.Struct, frozen=True):
    extension: str
    media_type: str
    write: Callable[[Store, str, IO[bytes]], list[str]]
    """Writes a recording to a file and returns what was lost."""


def _write_original(store: Store, rec: str, file: IO[bytes]) -> list[str]:
    for data in store.read(rec):
        file.write(data)
    return []


def _write_text(store: Store, rec: str, file: IO[bytes]) -> list[str]:
    for line in store.lines(rec):
        file.write(line.text.encode("utf-8", "replace") + b"\n")
    return ["timing", "colours", "input", "window sizes", "notes"]


def _write_page(
    store: Store, rec: str, file: IO[bytes], player: Path, trail: PageTrail | None
) -> list[str]:
    size_bytes = store.size_bytes(rec)
    if size_bytes > MAX_PAGE_BYTES:
        raise Problem(
            422,
            f"format: a page holds recordings up to {MAX_PAGE_BYTES >> 20} MiB, this one has"
            f" {size_bytes >> 20}",
            parameter="format",
        )
    try:
        player_js = player.read_text("utf-8")
    except FileNotFoundError as error:
        raise Problem(503, "the front end has not been built") from error
    renderer = PageRenderer(player_js, title=rec, trail=trail)
    reader = Reader(rec, takes_unnamed=True)
    for data in store.read(rec):
        for item in reader.feed(data):
            file.write(renderer.write(item))
    for item in reader.finish():
        file.write(renderer.write(item))
    return renderer.losses()


def _writer(name: str) -> Callable[[Store, str, IO[bytes]], list[str]]:
    def write(store: Store, rec: str, file: IO[bytes]) -> list[str]:
        exporter = Exporter(name, rec=rec, recorder=f"steno {__version__}")
        parts = export_lines(store.read(rec), exporter, rec)
        if KINDS[name].has_parts:
            file.write(zip_parts(rec, parts))
        else:
            for part in parts:
                file.write(part.data)
        return exporter.losses()

    return write


def _formats() -> dict[str, _Format]:
    formats = {
        kind.name: _Format(kind.extension, kind.media_type, _writer(kind.name))
        for kind in KINDS.values()
    }
    # Not encoded anew: these bytes are the evidence.
    formats["tlog"] = _Format(".jsonl", "application/x-ndjson", _write_original)
    formats["text"] = _Format(".txt", "text/plain; charset=utf-8", _write_text)
    return formats


PAGE = "html"
FORMATS = _formats()
"""Name -> how a recording is written in it."""

NAMES = (*FORMATS, PAGE)
MEDIA_TYPES = tuple(
    dict.fromkeys([*(item.media_type.partition(";")[0] for item in FORMATS.values()), "text/html"])
)


def _format_of(name: str, services: Services, summary: Summary) -> _Format:
    if name != PAGE:
        return FORMATS[name]

    def write(store: Store, rec: str, file: IO[bytes]) -> list[str]:
        trail = describe_for_page(services.trails.find(summary), summary.duration_us)
        return _write_page(store, rec, file, services.static / "player.js", trail)

    return _Format(".html", "text/html; charset=utf-8", write)


def _header_text(losses: list[str]) -> str:
    """Return losses as a header's value: one line of ASCII."""
    text = "; ".join(losses) or "nothing"
    text = re.sub(r"[^ -~]", lambda found: ascii(found.group())[1:-1], text)
    return text[:_MAX_LOST_CHARACTERS]


async def export(call: Call) -> Response:
    """GET /recordings/{rec}/export.

    The file is made before the answer begins: only then is it known what was lost.
    """
    query: ExportQuery = call.query
    store, rec = call.services.store, call.recording.rec
    if query.format not in NAMES:
        known = ", ".join(NAMES)
        raise Problem(422, f"format: there are {known}", parameter="format")
    wanted = _format_of(query.format, call.services, call.recording)

    def write() -> tuple[IO[bytes], int, list[str]]:
        file = tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES)  # noqa: SIM115  # closed once sent
        try:
            losses = wanted.write(store, rec, file)
            size_bytes = file.tell()
            file.seek(0)
        except BaseException:
            file.close()
            raise
        return file, size_bytes, losses

    file, size_bytes, losses = await anyio.to_thread.run_sync(
        write, limiter=call.services.heavy_limiter
    )
    name = re.sub(r"[^A-Za-z0-9._-]", "_", rec) + wanted.extension
    headers = {
        "Content-Length": str(size_bytes),
        "Content-Type": wanted.media_type,
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "no-store",
        "Steno-Lost": _header_text(losses),
        # Whatever was recorded never runs here, even if somebody opens the file in place.
        "Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
    }
    return StreamingResponse(iterate_in_threadpool(_read(file)), headers=headers)


def _read(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while data := file.read(_CHUNK_BYTES):
            yield data
