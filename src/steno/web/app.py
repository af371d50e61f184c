"""The web application: routes from the table, pages, problems, the rim."""

from __future__ import annotations

import contextlib
import ipaddress
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import anyio
import anyio.to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from steno.config import ServerConfig
from steno.errors import StenoError
from steno.metrics import CONTENT_TYPE, Metrics
from steno.store.accounts import Accounts, SessionLimits
from steno.store.accounts_file import AccountsFile
from steno.store.alerts import Alerts
from steno.store.fleet import Rules
from steno.store.hosts import HostRegistry
from steno.store.orders import Orders
from steno.store.protocol import Store
from steno.store.viewings import Attempts, Viewings
from steno.web.callers import find_caller, read_address
from steno.web.changes import ChangeHub
from steno.web.endpoint import Endpoint
from steno.web.openapi import build_document
from steno.web.passwords import PasswordChecker
from steno.web.problems import Problem, answer_error, answer_http_exception, answer_problem
from steno.web.rim import Rim
from steno.web.services import Services
from steno.web.signing import use_link
from steno.web.static_files import PAGE_PATHS, StaticFiles
from steno.web.streams import Streams
from steno.web.table import ENDPOINTS, PREFIX
from steno.web.trail_joining import TrailJoiner

MINUTE_US = 60 * 1_000_000
HEAVY_AT_ONCE = 2
_INTEGERS = re.compile(r"{(number|serial)}")
STATIC = Path(__file__).parent / "static"


def make_services(
    config: ServerConfig,
    store: Store,
    accounts_file: AccountsFile,
    metrics: Metrics,
    *,
    hosts: HostRegistry | None = None,
    orders: Orders | None = None,
    rules: Rules | None = None,
    alerts: Alerts | None = None,
    static: Path | None = None,
) -> Services:
    """Put together what the web application needs; the caller closes store and file."""
    sessions = config.sessions
    limits = SessionLimits(
        idle_us=sessions.idle_minutes * MINUTE_US,
        absolute_us=sessions.absolute_hours * 60 * MINUTE_US,
    )
    streams = Streams(limit=config.limits.streams, limit_per_user=config.limits.streams_per_user)
    metrics.gauge("steno_http_streams", "Event streams that are open.", lambda: len(streams))
    return Services(
        config=config,
        store=store,
        accounts=Accounts(accounts_file, limits=limits),
        hosts=hosts or HostRegistry(accounts_file),
        orders=orders or Orders(accounts_file),
        alerts=alerts or Alerts(accounts_file),
        rules=rules or Rules(),
        viewings=Viewings(accounts_file),
        attempts=Attempts(accounts_file, window_us=config.login.window_minutes * MINUTE_US),
        passwords=PasswordChecker(config.login.parallel_checks),
        streams=streams,
        trails=TrailJoiner(store),
        changes=ChangeHub(store),
        metrics=metrics,
        static=static or STATIC,
        heavy_limiter=anyio.CapacityLimiter(HEAVY_AT_ONCE),
    )


def make_app(services: Services, *, more_routes: Sequence[BaseRoute] = ()) -> Starlette:
    """Return the ASGI application.

    Args:
        services: What answers requests.
        more_routes: Routes of other rooms (ingest); they authenticate by themselves.
    """

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        services.changes.start()
        try:
            yield
        finally:
            services.streams.end_all()
            services.changes.stop()

    files = StaticFiles(services.static)
    app = Starlette(
        routes=[*more_routes, *_api_routes(services), *_other_routes(services, files)],
        exception_handlers={
            Problem: answer_problem,
            StenoError: answer_error,
            HTTPException: _answer_missing(files),
        },
        middleware=[Middleware(Rim, config=services.config, metrics=services.metrics)],
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    app.state.openapi = build_document(ENDPOINTS, PREFIX)
    return app


class _Resource:
    """All methods of one path, so that a wrong one is answered with those that there are."""

    def __init__(self, services: Services, endpoints: dict[str, Endpoint]) -> None:
        self._services = services
        self._endpoints = endpoints

    async def __call__(self, request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        return await self._endpoints[method].serve(request, self._services)


def _api_routes(services: Services) -> list[Route]:
    paths: dict[str, dict[str, Endpoint]] = {}
    for endpoint in ENDPOINTS:
        paths.setdefault(endpoint.path, {})[endpoint.method] = endpoint

    def route(path: str, endpoints: dict[str, Endpoint]) -> Route:
        resource = _Resource(services, endpoints)

        async def answer(request: Request) -> Response:
            return await resource(request)

        pattern = PREFIX + _INTEGERS.sub(r"{\1:int}", path)
        return Route(pattern, answer, methods=list(endpoints))

    return [route(path, endpoints) for path, endpoints in paths.items()]


def _answer_missing(files: StaticFiles) -> Callable[[Request, Exception], Awaitable[Response]]:
    """Return what answers for paths that are none: people get a page, programs a problem."""

    async def answer(request: Request, error: Exception) -> Response:
        is_for_people = "text/html" in request.headers.get("accept", "")
        is_missing = isinstance(error, HTTPException) and error.status_code == 404
        if is_missing and is_for_people and not request.url.path.startswith("/api/"):
            return await files.answer_page(request, status=404)
        return await answer_http_exception(request, error)

    return answer


def _other_routes(services: Services, files: StaticFiles) -> list[Route]:
    """Return what does not belong to the API: pages, files, one-time links, health, metrics."""

    async def once(request: Request) -> Response:
        return await use_link(request, services)

    async def page(request: Request) -> Response:
        return await files.answer_page(request)

    async def static(request: Request) -> Response:
        return await files.answer(request, request.path_params["name"])

    async def health(request: Request) -> Response:
        await anyio.to_thread.run_sync(services.accounts.users)
        return PlainTextResponse("ok\n", headers={"Cache-Control": "no-store"})

    async def metrics(request: Request) -> Response:
        await _check_metrics_reader(request, services)
        text = await anyio.to_thread.run_sync(services.metrics.expose)
        headers = {"Cache-Control": "no-store", "Content-Type": CONTENT_TYPE}
        return Response(text, headers=headers)

    return [
        Route("/once/{secret}", once),
        Route("/healthz", health),
        Route("/metrics", metrics),
        Route("/static/{name:path}", static),
        *(Route(path, page) for path in PAGE_PATHS),
    ]


async def _check_metrics_reader(request: Request, services: Services) -> None:
    """Let in programs on this machine, and auditors' and admins' tokens.

    Raises:
        Problem: 401 or 403.
    """
    caller = await find_caller(request, services)
    if caller is not None and caller.role != "user":
        return
    # A proxy on this machine also comes from loopback, and says for whom it asks.
    is_forwarded = any(name in request.headers for name in ("forwarded", "x-forwarded-for", "via"))
    try:
        is_local = ipaddress.ip_address(read_address(request)).is_loopback
    except ValueError:
        is_local = False
    if is_local and not is_forwarded:
        return
    if caller is not None:
        raise Problem(403, "only for the role auditor")
    raise Problem(401, "a token is needed", headers={"WWW-Authenticate": "Bearer"})
