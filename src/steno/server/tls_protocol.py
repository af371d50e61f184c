"""Let applications see a connection's client certificate, which uvicorn does not show them.

Uvicorn has no TLS extension yet; https://github.com/Kludex/uvicorn/pull/3133 proposes one, and
this module goes when such a thing is released. Source of the extension:
https://asgi.readthedocs.io/en/latest/specs/tls.html, version 0.2.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from uvicorn.config import Config

from steno.server.http_protocol import BoundedHttpProtocol


class TlsHttpProtocol(BoundedHttpProtocol):
    """The HTTP protocol that also fills in the scope's `extensions["tls"]`."""

    _tls: dict[object, object] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Look at the connection's certificate once: it cannot change."""
        super().connection_made(transport)
        ssl_object = transport.get_extra_info("ssl_object")
        if ssl_object is not None:
            self._tls = tls_extension(ssl_object)

    def on_message_begin(self) -> None:
        """Give each request what is known of its connection."""
        super().on_message_begin()
        if self._tls is not None:
            self.scope["extensions"] = {**(self.scope.get("extensions") or {}), "tls": self._tls}


class AlertingSslObject(ssl.SSLObject):
    """Lets the peer read why a handshake failed.

    asyncio and uvloop drop the connection at once when a handshake fails, and with it the alert
    that OpenSSL has just put into the outgoing buffer: a host whose certificate has expired would
    see a connection that breaks, and no reason. So the failure is first given out as "more must
    be read", upon which both flush that buffer, and only then as what it is. Needed as long as
    `SSLProtocol._do_handshake` in CPython's asyncio/sslproto.py does not flush on errors.
    """

    _failure: ssl.SSLError | None = None

    def do_handshake(self) -> None:
        """Do or go on with the handshake."""
        if self._failure is not None:
            raise self._failure
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError, ssl.SSLSyscallError, ssl.SSLEOFError):
            raise
        except ssl.SSLError as error:
            self._failure = error
            raise ssl.SSLWantReadError from error


def _make_context(_: Config, make_default: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    context = make_default()
    context.sslobject_class = AlertingSslObject
    return context


def tls_extension(ssl_object: ssl.SSLObject) -> dict[object, object]:
    """Return the ASGI `tls` extension of a connection whose handshake is done."""
    der = ssl_object.getpeercert(binary_form=True)
    return {
        "server_cert": None,
        "client_cert_chain": (ssl.DER_cert_to_PEM_cert(der),) if der else (),
        "client_cert_name": None,
        "client_cert_error": None,
        "tls_version": None,
        "cipher_suite": None,
    }


def tls_options(certificate: Path, key: Path, clients_ca: Path | None) -> dict[str, Any]:
    """Return uvicorn's options for HTTPS; with `clients_ca` hosts may show their certificates.

    They are asked for, not demanded: people's browsers have none. One that is shown must be good.
    """
    options: dict[str, Any] = {
        "http": TlsHttpProtocol,
        "ssl_context_factory": _make_context,
        "ssl_certfile": str(certificate),
        "ssl_keyfile": str(key),
    }
    if clients_ca is not None:
        options["ssl_ca_certs"] = str(clients_ca)
        options["ssl_cert_reqs"] = ssl.CERT_OPTIONAL
    return options
