"""Typed objects from bytes and plain values: all typed decoding of Steno begins here.

msgspec gathers what it must know of a type when the type is first decoded. It keeps what it has
gathered with the type before that is complete, so that types may contain themselves, and hands it
to any other thread that asks meanwhile: that thread reads a null pointer, and the process dies
(msgspec 0.22; `tests/test_structs.py` shows it within a second). So types are gathered under one
lock here, and the linter lets no other module call msgspec's decoders.
"""

import threading
from collections.abc import Callable
from typing import TypeAlias, TypeVar

import msgspec

T = TypeVar("T")
Data: TypeAlias = bytes | bytearray | memoryview

_gathering = threading.Lock()


def json_decoder(kind: type[T]) -> Callable[[Data | str], T]:
    """Return what decodes JSON as `kind`, for modules to make once.

    It raises `msgspec.ValidationError` for JSON of another shape, `msgspec.DecodeError` (which is
    a ValueError) for what is no JSON, and UnicodeDecodeError for what is no UTF-8.
    """
    with _gathering:
        return msgspec.json.Decoder(kind).decode  # noqa: TID251


def msgpack_decoder(kind: type[T]) -> Callable[[Data], T]:
    """Return what decodes MessagePack as `kind`; it raises what that of `json_decoder` does."""
    with _gathering:
        return msgspec.msgpack.Decoder(kind).decode  # noqa: TID251


def decode_json(data: Data | str, kind: type[T]) -> T:
    """Return JSON as `kind`, for who learns only then which kind it is.

    Raises:
        msgspec.DecodeError: It is no JSON, or (ValidationError) not of that shape.
        UnicodeDecodeError: It is no UTF-8.
    """
    return json_decoder(kind)(data)


def decode_msgpack(data: Data, kind: type[T]) -> T:
    """Return MessagePack as `kind`; it raises what `decode_json` does."""
    return msgpack_decoder(kind)(data)


def convert(values: object, kind: type[T], *, strict: bool = True) -> T:
    """Return plain values (of TOML, of a query) as `kind`.

    Args:
        values: Numbers, texts, lists and tables of such.
        kind: What they shall be.
        strict: Whether a text is never taken for a number.

    Raises:
        msgspec.ValidationError: They are of another shape.
    """
    json_decoder(kind)  # gathers
    return msgspec.convert(values, kind, strict=strict)  # noqa: TID251
