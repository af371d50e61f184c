"""Taking recordings in: "append these bytes at offset N to recording R".

docs/formats/wire.md specifies it. What comes in is evidence: it is stored as it is, whether
its lines can be read or not; only the id, the sender and the offset are checked.
"""

from __future__ import annotations

import anyio
import anyio.to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from steno.delivery.names import is_sane_rec
from steno.delivery.wire import DIFFERENT_BYTES, ENCODING, INGEST_PATH, OTHER_OWNER
from steno.errors import FormatError, RefusedError, StenoError
from steno.metrics import Metrics
from steno.server.bodies import decompress, read_body
from steno.server.problems import problem, problem_of
from steno.server.senders import authenticate, bearer_token, peer_certificate
from steno.store.hosts import Host, HostRegistry
from steno.store.protocol import OffsetError, Store

BODY_LIMIT_BYTES = 16 << 20
_THREADS = 8
"""Uploads that are stored at the same time; they leave other requests their threads."""
_OFFSET_DIGITS = 15


class Ingest:
    """The routes that hosts deliver to.

    Args:
        store: Where recordings go.
        registry: Which hosts may deliver.
        metrics: Where requests and bytes are counted.
        body_limit_bytes: The largest body, as it comes and decompressed.
    """

    def __init__(
        self,
        store: Store,
        registry: HostRegistry,
        metrics: Metrics,
        *,
        body_limit_bytes: int = BODY_LIMIT_BYTES,
    ) -> None:
        self._store = store
        self._registry = registry
        self._body_limit_bytes = body_limit_bytes
        self._threads = anyio.CapacityLimiter(_THREADS)
        self._requests = metrics.counter(
            "steno_ingest_requests_total", "Requests of hosts, by the answer's status.", ["status"]
        )
        self._bytes = metrics.counter(
            "steno_ingest_bytes_total", "Original bytes of recordings that hosts delivered."
        )
        self._wire_bytes = metrics.counter(
            "steno_ingest_wire_bytes_total", "The same as they came, compressed."
        )

    def routes(self) -> list[Route]:
        """Return the routes, with absolute paths."""
        path = INGEST_PATH + "/{rec}"
        return [
            Route(path, self._answer_append, methods=["POST"], name="ingest_append"),
            Route(path, self._answer_offset, methods=["GET"], name="ingest_offset"),
        ]

    async def _answer_append(self, request: Request) -> Response:
        try:
            response = await self._append(request)
        except ClientDisconnect:
            # Nothing was stored, and nobody is there to be told.
            response = problem(400, "the body is incomplete")
        except FormatError as error:
            response = problem(400, str(error))
        except StenoError as error:
            response = problem_of(error)
        self._requests.add(status=str(response.status_code))
        return response

    async def _append(self, request: Request) -> Response:
        rec = request.path_params["rec"]
        given = request.query_params.get("offset", "")
        if not is_sane_rec(rec):
            return problem(400, "this cannot be a recording's id")
        if not given.isascii() or not given.isdigit() or len(given) > _OFFSET_DIGITS:
            return problem(400, "`offset` must say where in the recording the body begins")
        encoding = request.headers.get("content-encoding", "identity").lower()
        if encoding not in (ENCODING, "identity"):
            return problem(415, "bodies are plain or zstd", headers={"Accept-Encoding": ENCODING})
        # Before the body is read: nobody unknown gets this server to hold megabytes.
        host = await self._authenticated(request)
        if isinstance(host, Response):
            return host
        body = await read_body(request, self._body_limit_bytes)
        if body is None:
            return self._too_large()
        return await anyio.to_thread.run_sync(
            self._store_body,
            rec,
            int(given),
            body,
            encoding == ENCODING,
            host,
            limiter=self._threads,
        )

    def _store_body(
        self, rec: str, offset_bytes: int, body: bytes, is_compressed: bool, host: Host
    ) -> Response:
        data = decompress(body, self._body_limit_bytes) if is_compressed else body
        if data is None:
            return self._too_large()
        try:
            if data:
                durable_bytes = self._store.append(rec, offset_bytes, data, sender=host.name)
            else:
                durable_bytes = self._durable_bytes(rec, host)
        except OffsetError as error:
            return self._conflict(rec, offset_bytes, error)
        except RefusedError as error:
            return problem(403, str(error), code=OTHER_OWNER)
        self._bytes.add(len(data))
        self._wire_bytes.add(len(body))
        self._registry.saw(host.name)
        return JSONResponse({"offset": durable_bytes})

    def _too_large(self) -> Response:
        limit_bytes = self._body_limit_bytes
        detail = f"a body may have {limit_bytes} bytes, as it comes and decompressed"
        return problem(413, detail, limit=limit_bytes)

    def _conflict(self, rec: str, offset_bytes: int, error: OffsetError) -> Response:
        durable_bytes = error.durable_bytes
        if offset_bytes <= durable_bytes:
            detail = f"recording {rec} has other bytes at offset {offset_bytes}"
            return problem(409, detail, code=DIFFERENT_BYTES, offset=durable_bytes)
        detail = f"recording {rec} has {durable_bytes} bytes; append there"
        return problem(409, detail, offset=durable_bytes)

    async def _answer_offset(self, request: Request) -> Response:
        try:
            response = await self._offset(request)
        except StenoError as error:
            response = problem_of(error)
        self._requests.add(status=str(response.status_code))
        return response

    async def _offset(self, request: Request) -> Response:
        rec = request.path_params["rec"]
        if not is_sane_rec(rec):
            return problem(400, "this cannot be a recording's id")
        host = await self._authenticated(request)
        if isinstance(host, Response):
            return host
        return await anyio.to_thread.run_sync(self._tell_offset, rec, host, limiter=self._threads)

    def _tell_offset(self, rec: str, host: Host) -> Response:
        try:
            durable_bytes = self._durable_bytes(rec, host)
        except RefusedError as error:
            return problem(403, str(error), code=OTHER_OWNER)
        self._registry.saw(host.name)
        return JSONResponse({"offset": durable_bytes})

    def _durable_bytes(self, rec: str, host: Host) -> int:
        durable_bytes = self._store.durable_bytes(rec)
        if durable_bytes and self._store.sender_of(rec) != host.name:
            raise RefusedError(f"recording {rec} was begun by another sender")
        return durable_bytes

    async def _authenticated(self, request: Request) -> Host | Response:
        token, der = bearer_token(request), peer_certificate(request)
        return await anyio.to_thread.run_sync(
            authenticate, self._registry, token, der, limiter=self._threads
        )
