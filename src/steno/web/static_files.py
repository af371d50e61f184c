"""Serves the built front end: index.html for the pages' paths, and the files beside it."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from steno.web.problems import Problem

PAGE_PATHS = (
    "/",
    "/search",
    "/logins",
    "/login",
    "/alerts",
    "/hosts",
    "/hosts/{host}",
    "/users",
    "/account",
    "/recordings/{rec}",
)
MISSING = (
    "The front end has not been built: run `npm ci && npm run build` in frontend/.\n"
    "The API under /api/v1 works without it.\n"
)
_COMPRESSIBLE = ("text/", "application/javascript", "application/json", "image/svg+xml")


@dataclass(frozen=True)
class _File:
    body: bytes
    gzipped: bytes | None
    etag: str
    media_type: str
    stamp: tuple[int, int]


class StaticFiles:
    """The files below one directory, kept in memory; a file that changes is read again.

    Names have no hashes, so that browsers ask each time; the ETag spares them the body.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._files: dict[str, _File] = {}

    def _load(self, name: str) -> _File | None:
        path = self._directory / name
        if name.startswith((".", "/")) or "\x00" in name or ".." in Path(name).parts:
            return None
        try:
            stat = path.stat()
            stamp = stat.st_mtime_ns, stat.st_size
            known = self._files.get(name)
            if known is not None and known.stamp == stamp:
                return known
            if not path.is_file():
                return None
            body = path.read_bytes()
        except OSError:
            return None
        media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
        if media_type == "text/javascript":
            media_type = "application/javascript"
        is_compressible = media_type.startswith(_COMPRESSIBLE)
        file = _File(
            body,
            gzip.compress(body, 9, mtime=0) if is_compressible and len(body) > 1024 else None,
            hashlib.sha256(body).hexdigest()[:32],
            media_type,
            stamp,
        )
        self._files[name] = file
        return file

    async def answer(self, request: Request, name: str) -> Response:
        """Return the file `name`.

        Raises:
            Problem: 404, there is none.
        """
        file = await anyio.to_thread.run_sync(self._load, name)
        if file is None:
            raise Problem(404)
        accepts_gzip = "gzip" in request.headers.get("accept-encoding", "")
        is_gzipped = accepts_gzip and file.gzipped is not None
        etag = f'"{file.etag}-gz"' if is_gzipped else f'"{file.etag}"'
        headers = {"ETag": etag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)
        if is_gzipped:
            headers["Content-Encoding"] = "gzip"
        body = file.gzipped if is_gzipped else file.body
        return Response(body, headers=headers, media_type=file.media_type)

    async def answer_page(self, request: Request, status: int = 200) -> Response:
        """Return index.html, or what to do when there is none."""
        try:
            page = await self.answer(request, "index.html")
            page.status_code = page.status_code if page.status_code == 304 else status
            return page
        except Problem:
            return PlainTextResponse(MISSING, 503, {"Cache-Control": "no-store"})
