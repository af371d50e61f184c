"""Runs a server: opens its parts, binds its address, serves until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import resource
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette

from steno.cli.notify import notify_systemd
from steno.config import ServerConfig
from steno.errors import AddressInUseError, ConfigError, StoreError, UsageError
from steno.metrics import Metrics
from steno.server.alert_watch import watching
from steno.server.certificates import Authority, CertificateFiles
from steno.server.enrolment import enrolment_routes, open_registry
from steno.server.fleet import Fleet
from steno.server.fleet_watch import FleetWatch
from steno.server.http_protocol import BoundedHttpProtocol
from steno.server.index_process import IndexProcess
from steno.server.ingest import Ingest
from steno.server.tls_protocol import tls_options
from steno.store.accounts_file import AccountsFile
from steno.store.fleet import Rules
from steno.store.opening import open_store
from steno.store.orders import Orders
from steno.store.protocol import Store
from steno.web.app import make_app, make_services
from steno.web.services import Services

log = logging.getLogger(__name__)

GRACE_S = 10
MAX_OPEN_FILES = 65536


class Server(uvicorn.Server):
    """Uvicorn's server that ends live streams before it waits for requests to finish.

    Unlike uvicorn's it does not raise the signal again once it has stopped: the store must
    still be closed in good order.
    """

    def __init__(self, config: uvicorn.Config, parts: Parts, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self.services = parts.services
        self._fleet = parts.fleet
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve, then say so."""
        await super().startup(sockets)
        if self.started:
            notify_systemd("READY=1")
            self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop taking connections, end the streams, let requests finish."""
        notify_systemd("STOPPING=1")
        log.info("stopping")
        self.services.streams.end_all()
        self._fleet.end_all()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Stop on SIGTERM and SIGINT; in a thread, where signals never arrive, do nothing."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)


@contextmanager
def bound_socket(config: ServerConfig) -> Iterator[socket.socket]:
    """Take the address that the configuration names.

    Raises:
        AddressInUseError: Another program has it.
        UsageError: It is no address of this machine, or needs a privilege.
    """
    host, port = config.address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        try:
            sock.bind((host, port))
            # Only listening finds out whether another program listens there.
            sock.listen(2048)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise AddressInUseError(
                    f"{config.listen}: another program listens there; choose another with --listen"
                ) from error
            raise UsageError(f"cannot listen on {config.listen}: {error.strerror}") from error
        sock.setblocking(False)
        yield sock


def tls_files(config: ServerConfig) -> dict[str, Any]:
    """Return uvicorn's options for HTTPS; {} for plain HTTP.

    Raises:
        ConfigError: A certificate or key is missing or unusable.
    """
    if not config.is_https:
        return {}
    made = CertificateFiles(config.ca_directory)
    certificate = Path(config.tls.certificate) if config.tls.certificate else made.server
    key = Path(config.tls.key) if config.tls.key else made.server_key
    clients_ca = Path(config.tls.clients_ca) if config.tls.clients_ca else made.ca
    for file in (certificate, key):
        if not file.is_file() or not os.access(file, os.R_OK):
            raise ConfigError(
                f"listening on {config.listen} takes HTTPS, but this file is missing or"
                " unreadable; make it with: steno server init",
                file=str(file),
            )
    options = tls_options(certificate, key, clients_ca if clients_ca.exists() else None)
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        if "ssl_ca_certs" in options:
            context.load_verify_locations(options["ssl_ca_certs"])
    except (OSError, ssl.SSLError) as error:
        # OpenSSL does not say which of the files it is.
        files = ", ".join(
            str(options[name])
            for name in options
            if name.startswith("ssl_") and name != "ssl_cert_reqs"
        )
        raise ConfigError(f"unusable certificate or key: {error}", file=files) from error
    return options


class Parts:
    """The open parts of a server, and the application that they make."""

    def __init__(self, app: Starlette, services: Services, fleet: Fleet) -> None:
        self.app = app
        self.services = services
        self.fleet = fleet


@contextmanager
def open_parts(config: ServerConfig) -> Iterator[Parts]:
    """Open store and accounts, start the indexer; afterwards flush and close all of it.

    Raises:
        StoreError: The store or the accounts are unusable.
        ConfigError: The certificates are damaged.
    """
    metrics = Metrics()
    with contextlib.ExitStack() as stack:
        store = open_store(config.store_directory)
        stack.callback(store.close)
        accounts_file = AccountsFile(config.accounts_path)
        stack.callback(accounts_file.close)
        authority = Authority.load(CertificateFiles(config.ca_directory))
        registry = open_registry(accounts_file, authority)
        indexer = IndexProcess(store, config.store_directory, log=config.log, metrics=metrics)
        indexer.start()
        stack.callback(indexer.stop)
        alert_watch = stack.enter_context(watching(config, store, accounts_file, metrics))
        orders = Orders(accounts_file, expire_us=config.orders.expire_s * 1_000_000)
        rules = Rules(
            silent_after_us=config.hosts.silent_after_s * 1_000_000,
            clock_offset_us=config.hosts.clock_offset_s * 1_000_000,
            since_unix_us=time.time_ns() // 1000,
        )
        services = make_services(
            config,
            store,
            accounts_file,
            metrics,
            hosts=registry,
            orders=orders,
            rules=rules,
            alerts=alert_watch.alerts,
        )
        fleet = Fleet(store, registry, orders, authority, metrics)
        trouble = alert_watch.note_trouble
        watch = FleetWatch(store, registry, rules, metrics, on_trouble=trouble)
        watch.start()
        stack.callback(watch.stop)
        ingest = Ingest(store, registry, metrics, body_limit_bytes=config.limits.ingest_body_bytes)
        _count_recordings(store, metrics)
        routes = [*ingest.routes(), *fleet.routes(), *enrolment_routes(registry, authority)]
        yield Parts(make_app(services, more_routes=routes), services, fleet)


def _count_recordings(store: Store, metrics: Metrics) -> None:
    metrics.gauge("steno_recordings", "Recordings in the index.", lambda: store.counts().recordings)
    metrics.gauge(
        "steno_recordings_live", "Recordings that are being made.", lambda: store.counts().live
    )


def run_server(
    config: ServerConfig,
    *,
    on_ready: Callable[[str, Server], None] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, or until the server's `should_exit` is set.

    Args:
        config: How.
        on_ready: Called with the server's own address (http://127.0.0.1:8040) and the server
            when it accepts requests.

    Raises:
        AddressInUseError: Another program has the address.
        StenoError: A part cannot be opened; nothing was served.
    """
    options = tls_files(config)
    _allow_open_files()
    with bound_socket(config) as sock, open_parts(config) as parts:
        address = server_address(config, sock)

        def tell() -> None:
            log.info("serving", extra={"url": address, "directory": config.directory})
            if on_ready is not None:
                on_ready(address, server)

        settings: dict[str, Any] = {"http": BoundedHttpProtocol, **options}
        server = Server(
            uvicorn.Config(
                parts.app,
                loop="uvloop",
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=bool(config.trusted_proxies),
                forwarded_allow_ips=config.trusted_proxies,
                timeout_graceful_shutdown=GRACE_S,
                h11_max_incomplete_event_size=None,
                **settings,
            ),
            parts,
            tell,
        )
        server.run(sockets=[sock])
        if not server.started:
            raise StoreError("the server could not start; its log says why")


def _allow_open_files() -> None:
    """Use all descriptors that the system grants: recordings and connections take some each.

    The usual soft limit, 1024, is only there for programs that use select(2).
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def server_address(config: ServerConfig, sock: socket.socket) -> str:
    """Return the URL of the socket's address: the port is the real one, also for port 0."""
    host, _ = config.address
    shown = f"[{host}]" if ":" in host else host
    scheme = "https" if config.is_https else "http"
    return f"{scheme}://{shown}:{sock.getsockname()[1]}"
