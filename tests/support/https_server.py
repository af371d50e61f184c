"""Ingest and enrolment over real TLS on loopback, in a thread, with certificates of the test."""

from __future__ import annotations

import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType

import uvicorn
from starlette.applications import Starlette

from steno.metrics import Metrics
from steno.server.certificates import Authority
from steno.server.enrolment import enrolment_routes, open_registry
from steno.server.fleet import Fleet
from steno.server.ingest import Ingest
from steno.server.tls_protocol import tls_options
from steno.store.accounts_file import AccountsFile
from steno.store.opening import open_store
from steno.store.orders import Orders

LONG_AGO = datetime.now(UTC) - timedelta(days=4000)
"""Everything that is issued then has expired by now."""


class HttpsServer:
    """Hosts' routes behind uvicorn. `issued` is when the server's certificate was made."""

    def __init__(
        self,
        directory: Path,
        *,
        names: list[str] | None = None,
        issued: datetime | None = None,
        loop: str = "uvloop",
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.authority = Authority.create("Test CA")
        key, certificate = self.authority.issue_server(names or ["127.0.0.1"], issued)
        for name, content in (("ca", self.authority.pem), ("key", key), ("cert", certificate)):
            (directory / f"{name}.pem").write_bytes(content)
        self.store = open_store(directory / "store")
        self.file = AccountsFile(directory / "accounts.sqlite")
        self.registry = open_registry(self.file, self.authority)
        self.orders = Orders(self.file)
        self._files = [self.file]
        metrics = Metrics()
        ingest = Ingest(self.store, self.registry, metrics)
        self.fleet = Fleet(self.store, self.registry, self.orders, self.authority, metrics)
        routes = [*ingest.routes(), *self.fleet.routes()]
        routes += enrolment_routes(self.registry, self.authority)
        options = tls_options(directory / "cert.pem", directory / "key.pem", directory / "ca.pem")
        self._server = uvicorn.Server(
            uvicorn.Config(
                Starlette(routes=routes), loop=loop, log_level="critical", lifespan="off", **options
            )
        )
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.url = f"https://127.0.0.1:{self.port}"
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True
        )

    def open_orders(self) -> Orders:
        """Open the orders as another process would."""
        self._files.append(AccountsFile(self.file.path))
        return Orders(self._files[-1])

    def __enter__(self) -> HttpsServer:
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive()
            time.sleep(0.01)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.should_exit = True
        self.fleet.end_all()
        self._thread.join(60)
        self._socket.close()
        self.store.close()
        for file in self._files:
            file.close()
