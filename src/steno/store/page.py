"""Some of a result, and where the rest is."""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], frozen=True):
    """Some of a result. `cursor` fetches the next page; None after the last."""

    items: list[T]
    cursor: str | None = None
