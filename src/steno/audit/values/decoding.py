"""What the values in audit records mean; docs/formats/event.md, section Values.

The only decoder: the lexer in C asks it once for each (kind, raw value, fact) and remembers.
It takes any bytes and raises nothing.
"""

from __future__ import annotations

from steno.audit.values import numbers
from steno.audit.values.escaping import text_of
from steno.audit.values.kinds import NEEDS_NAMES, Kind
from steno.audit.values.meanings import DEPENDENT, MEANINGS, Value, decode_text
from steno.audit.values.names import Names
from steno.audit.values.syscalls import name_of_architecture, name_of_syscall


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
        decode = MEANINGS.get(kind)
        if decode is not None:
            return decode(raw)
        if kind in NEEDS_NAMES:
            return text_of(suffix) if suffix is not None else self._name(kind, raw)
        if kind in (Kind.SYSCALL, Kind.ARCH):
            return _name_of_machine(kind, raw, fact, suffix)
        dependent = DEPENDENT.get(kind)
        if dependent is not None:
            before, number = numbers.hexadecimal(fact), numbers.hexadecimal(raw)
            return None if number is None else dependent(before or 0, number)
        return decode_text(raw) if raw[:1] == b'"' else None

    def _name(self, kind: int, raw: bytes) -> str | None:
        if kind in (Kind.UID, Kind.GID):
            number = numbers.decimal(raw)
        else:
            number = numbers.hexadecimal(raw)
            number = None if number is None else number & 0xFFFFFFFF
        if number is None:
            return None
        names = self._names
        is_user = kind in (Kind.UID, Kind.A_UID)
        return names.user_text(number) if is_user else names.group_text(number)


def _name_of_machine(kind: int, raw: bytes, fact: bytes, suffix: bytes | None) -> Value:
    name = name_of_architecture(raw) if kind == Kind.ARCH else name_of_syscall(fact, raw)
    if name is None and suffix is not None and not suffix.startswith(b"unknown"):
        return text_of(suffix)
    return name


def shown(value: str | bytes) -> str:
    """Return a value as text: U+FFFD for each piece that is not UTF-8."""
    return value if isinstance(value, str) else value.decode(errors="replace")
