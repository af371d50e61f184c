"""Renewing this host's certificate before it expires, over the channel that it still opens."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from steno.delivery.credentials import (
    Credentials,
    expiry,
    is_renewal_due,
    load,
    make_request,
    save_renewed,
    show_certificate,
)
from steno.errors import ConfigError, ProtocolError

_ENCODING = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


class Renewal:
    """One host's certificate.

    Args:
        directory: Where its credentials are.
        context: What the connections to the server show; it shows the new certificate once that
            is there.
        now: Reads the calendar.
    """

    def __init__(
        self,
        directory: Path,
        context: ssl.SSLContext,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._directory = directory
        self._context = context
        self._now = now
        self._lock = threading.Lock()

    def expired(self) -> datetime | None:
        """Return when the certificate expired; None while it is good, or where there is none.

        Raises:
            ConfigError: The credentials are damaged.
        """
        until = expiry(load(self._directory))
        return until if until is not None and until <= self._now() else None

    def renew_if_due(self, ask: Callable[[bytes], bytes]) -> datetime | None:
        """Have a new certificate made when it is time; return until when it is good, if so.

        `ask` takes a certificate request and returns the certificate, both PEM; its errors pass.

        Raises:
            ProtocolError: What came is no certificate for the key; the old one stays.
            ConfigError: The credentials are damaged.
            StoreError, NoSpaceError: The new ones cannot be kept; the old ones stay.
        """
        with self._lock:
            credentials = load(self._directory)
            if not is_renewal_due(credentials, self._now()):
                return None
            key, request = make_request(credentials.host)
            certificate = ask(request)
            until = _checked(credentials, key, certificate)
            save_renewed(self._directory, key, certificate)
            try:
                show_certificate(self._context, self._directory)
            except (OSError, ssl.SSLError) as error:
                raise ConfigError(
                    f"the new certificate cannot be used: {error}", file=str(self._directory)
                ) from error
            return until


def _checked(credentials: Credentials, key: bytes, certificate: bytes) -> datetime:
    """Return until when a certificate is good, if it is for the key and from the enrolled CA."""
    try:
        parsed = x509.load_pem_x509_certificate(certificate)
        private = load_pem_private_key(key, password=None)
        if parsed.public_key().public_bytes(*_ENCODING) != private.public_key().public_bytes(
            *_ENCODING
        ):
            raise ValueError("it is for another key")
        if credentials.ca is not None:
            parsed.verify_directly_issued_by(x509.load_pem_x509_certificate(credentials.ca))
    except Exception as error:
        # The library names the ways in which a stranger's bytes can be wrong by many classes.
        raise ProtocolError(f"the server's new certificate cannot be used: {error}") from error
    return parsed.not_valid_after_utc
