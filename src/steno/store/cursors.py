"""Where lists and searches go on: opaque text for whoever turns pages."""

from __future__ import annotations

import base64
from typing import TypeVar

import msgspec

from steno.errors import UsageError
from steno.store.derived import fit
from steno.structs import decode_json

T = TypeVar("T", bound=msgspec.Struct)


class LineCursor(msgspec.Struct, frozen=True, array_like=True):
    """Where a search goes on: at the recording with this key, from this line or event on."""

    key: int
    number: int | None
    event: int | None = None


class SortCursor(msgspec.Struct, frozen=True, array_like=True):
    """Where a list goes on: after this value of the order's column, and this recording."""

    sort: str
    value: int | str
    rec: str


def encode_cursor(cursor: msgspec.Struct) -> str:
    """Return a cursor as opaque text."""
    return base64.urlsafe_b64encode(msgspec.json.encode(cursor)).decode().rstrip("=")


def decode_cursor(text: str, kind: type[T]) -> T:
    """Return what `encode_cursor` made text of.

    Raises:
        UsageError: It is no such text.
    """
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        cursor = decode_json(data, kind)
    except ValueError as error:
        raise UsageError(f"not a cursor of this list: {text[:80]}") from error
    for member in msgspec.structs.astuple(cursor):
        if isinstance(member, int) and member != fit(member):
            raise UsageError(f"not a cursor of this list: {text[:80]}")
    return cursor
