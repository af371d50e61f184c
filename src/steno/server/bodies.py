"""Request bodies of hosts: bounded before and after decompression."""

from __future__ import annotations

import zstandard
from starlette.requests import Request

from steno.errors import FormatError

_SLICE_BYTES = 256
"""Compressed bytes fed at a time: even 128 KiB from each 4 bytes, zstd's best, make 8 MiB."""
_WINDOW_LIMIT_BYTES = 8 << 20


async def read_body(request: Request, limit_bytes: int) -> bytes | None:
    """Return the body as it came, or None when it is longer than `limit_bytes`.

    Raises:
        ClientDisconnect: The client went away before the body's end.
    """
    stated = request.headers.get("content-length", "")
    if stated.isdigit() and int(stated) > limit_bytes:
        return None
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > limit_bytes:
            return None
    return bytes(body)


def decompress(body: bytes, limit_bytes: int) -> bytes | None:
    """Return what one zstd frame holds, or None when that is more than `limit_bytes`.

    Memory is bounded by the limit and 8 MiB, whatever the frame claims.

    Raises:
        FormatError: It is not exactly one whole frame, or wants a window over 8 MiB.
    """
    decompressor = zstandard.ZstdDecompressor(max_window_size=_WINDOW_LIMIT_BYTES).decompressobj()
    data = bytearray()
    try:
        for at in range(0, len(body), _SLICE_BYTES):
            if decompressor.eof:
                raise FormatError("bytes follow the zstd frame", offset_bytes=at)
            data += decompressor.decompress(body[at : at + _SLICE_BYTES])
            if len(data) > limit_bytes:
                return None
    except zstandard.ZstdError as error:
        raise FormatError(f"the body is no zstd frame: {error}") from error
    if not decompressor.eof:
        raise FormatError("the zstd frame is cut off", offset_bytes=len(body))
    if decompressor.unused_data:
        raise FormatError("bytes follow the zstd frame")
    return bytes(data)
