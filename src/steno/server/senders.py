"""Who is sending: a host, by its token or by its client certificate.

The certificate comes in the ASGI scope's `tls` extension, which `tls_protocol` puts there.
Source: the ASGI specification's TLS extension, version 0.2.
"""

from __future__ import annotations

import ssl

from starlette.requests import Request
from starlette.responses import JSONResponse

from steno.server.problems import problem
from steno.store.hosts import Host, HostRegistry

_REALM = {"WWW-Authenticate": 'Bearer realm="steno"'}


def peer_certificate(request: Request) -> bytes | None:
    """Return the verified client certificate (DER) of the request's connection, if it has one."""
    extension = request.scope.get("extensions", {}).get("tls")
    chain = list(extension.get("client_cert_chain", ())) if extension else []
    return ssl.PEM_cert_to_DER_cert(chain[0]) if chain else None


def bearer_token(request: Request) -> str | None:
    """Return the token in the Authorization header, if there is one."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def authenticate(
    registry: HostRegistry, token: str | None, der: bytes | None
) -> Host | JSONResponse:
    """Return the host that the token or the certificate stands for, or the refusal to answer.

    Where both are shown, both must stand for the same host. Reads the registry's file.
    """
    found = []
    if token is not None:
        found.append(registry.by_token(token))
    if der is not None:
        found.append(registry.by_certificate(der))
    if not found:
        return problem(401, "a host's token or client certificate is needed", headers=_REALM)
    host = found[0]
    if host is None or any(other is None or other.name != host.name for other in found):
        detail = "the token or certificate belongs to no host that is enrolled now"
        return problem(401, detail, headers=_REALM)
    if host.revoked_unix_us is not None:
        return problem(403, f"host {host.name} was revoked")
    return host
