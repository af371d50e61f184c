"""How the kernel and libaudit write strings that others chose: quoted, or in hexadecimal.

Source: Linux, kernel/audit.c, audit_log_n_untrustedstring(): a string with a quote, a blank, or
bytes outside 0x21..0x7e is written in hexadecimal, without quotes; all others between quotes.
"""

from __future__ import annotations

import re

_HEX = re.compile(rb"(?:[0-9A-Fa-f]{2})+\Z")
_NEEDS_HEX = re.compile(rb"[^\x21\x23-\x7e]")


def decode_string(raw: bytes) -> bytes | None:
    """Return the bytes that `raw` stands for; None where it is neither quoted nor hexadecimal.

    Such are `(null)`, `(none)`, `?`, and what old programs write: they stand as they are.
    """
    if raw[:1] == b'"':
        end = raw.rfind(b'"')
        return raw[1:end] if end > 0 else raw[1:]
    if _HEX.match(raw):
        return bytes.fromhex(raw.decode("ascii"))
    return None


def encode_string(data: bytes) -> bytes:
    """Write `data` as the kernel does."""
    if _NEEDS_HEX.search(data):
        return data.hex().upper().encode()
    return b'"' + data + b'"'


def text_of(data: bytes) -> str | bytes:
    """Return `data` as text, or as it is where it is not UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data
