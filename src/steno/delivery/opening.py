"""The way to the servers that this host is enrolled with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from steno.delivery.credentials import client_context, load
from steno.delivery.renewal import Renewal
from steno.delivery.transport import TIMEOUT_S, HttpTransport


def open_ways(
    directory: Path, servers: Sequence[str] = (), *, timeout_s: float = TIMEOUT_S
) -> tuple[list[HttpTransport], Renewal]:
    """Return a transport for each server, and what keeps the certificate they show from expiring.

    Args:
        directory: Where the host's credentials are.
        servers: Addresses to use in place of those the host is enrolled with, to be tried in order.
        timeout_s: How long to wait for a server at any one point.

    Raises:
        ConfigError: The host is not enrolled, or its credentials are damaged.
        UsageError: An address cannot be a server's.
    """
    credentials = load(directory)
    context = client_context(credentials, directory)
    transports = [
        HttpTransport(url, context, credentials.token, timeout_s=timeout_s)
        for url in servers or credentials.servers
    ]
    return transports, Renewal(directory, context)
