"""How an enrolment code names the CA by which a host shall know the server."""

from __future__ import annotations

import base64
import hashlib

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

_CHARACTERS = 24
"""120 bits: nobody finds another certificate with the same ones."""


def fingerprint(ca: bytes) -> str:
    """Return the first 120 bits of the SHA-256 of a certificate (PEM), base32 in groups of four.

    Raises:
        ValueError: `ca` is no PEM certificate.
    """
    der = x509.load_pem_x509_certificate(ca).public_bytes(Encoding.DER)
    text = base64.b32encode(hashlib.sha256(der).digest()).decode("ascii")[:_CHARACTERS]
    return "-".join(text[at : at + 4] for at in range(0, _CHARACTERS, 4))


def split_code(code: str) -> tuple[str, str]:
    """Return an enrolment code's secret and the CA's fingerprint in it ("" when it has none)."""
    secret, _, print_ = code.strip().partition(".")
    return secret, print_.upper()
