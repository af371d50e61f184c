"""What the values in audit records mean; docs/formats/event.md, section Values.

The only decoder: the lexer in C asks it once for each (kind, raw value, fact) and remembers.
It takes any bytes and raises nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from steno.audit.escaping import decode_string, text_of
from steno.audit.kinds import Kind
from steno.audit.names import UNSET, Names

Value = str | bytes | None
"""What a value means: text; bytes, for a string that is not UTF-8; None: what stands there."""


class Decoder:
    """Decode values. Owns no more than the names that were looked up.

    Args:
        names: Gives ids their names.
    """

    def __init__(self, names: Names) -> None:
        self._names = names

    def value(self, kind: int, raw: bytes, fact: bytes = b"", suffix: bytes | None = None) -> Value:
        """Return what `raw` means.

        Args:
            kind: `fields.kind_of` the field, or one of `fields.kinds_of_arguments`.
            raw: As it stands in the record; a quoted one with its quotes.
            fact: What `kinds.NEEDS_ARCH` and `kinds.NEEDS_ARGUMENT_BEFORE` ask for.
            suffix: What the ENRICHED part of the record says about the field, without
                quotes, where it says something. Counts for ids, and for system calls and
                architectures that are unknown here.
        """
        if kind in (Kind.UID, Kind.GID):
            return text_of(suffix) if suffix is not None else self._name(kind, raw)
        decode = _DECODERS.get(kind)
        if decode is not None:
            return decode(raw)
        if raw[:1] == b'"' and kind == Kind.PLAIN:
            return _decode_text(raw)
        return None

    def _name(self, kind: int, raw: bytes) -> str | None:
        number = _integer(raw)
        if number is None:
            return None
        names = self._names
        return names.user_text(number) if kind == Kind.UID else names.group_text(number)


def _integer(raw: bytes) -> int | None:
    """Read a decimal number of at most 20 digits, perhaps negative."""
    digits = raw[1:] if raw[:1] == b"-" else raw
    return int(raw) if digits.isdigit() and len(digits) <= 20 else None


def _decode_text(raw: bytes) -> Value:
    data = decode_string(raw)
    return None if data is None else text_of(data)


def _decode_key(raw: bytes) -> Value:
    data = decode_string(raw)
    return None if data is None else text_of(data.replace(b"\x01", b" "))


def _decode_title(raw: bytes) -> Value:
    data = decode_string(raw)
    return None if data is None else text_of(data.replace(b"\0", b" ").rstrip(b" "))


def _decode_session(raw: bytes) -> Value:
    return "unset" if _integer(raw) in UNSET else None


_DECODERS: dict[int, Callable[[bytes], Value]] = {
    Kind.TEXT: _decode_text,
    Kind.KEY: _decode_key,
    Kind.TITLE: _decode_title,
    Kind.SESSION: _decode_session,
}


def shown(value: str | bytes) -> str:
    """Return a value as text: U+FFFD for each piece that is not UTF-8."""
    return value if isinstance(value, str) else value.decode(errors="replace")
