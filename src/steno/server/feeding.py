"""One turn's bytes of a recording or a trail, from the store to what derives its index."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from steno.errors import StenoError
from steno.store.protocol import Store

_SLICE_BYTES = 64 * 1024


class UnderivableError(StenoError):
    """A recording made the derivation fail in a way that nobody foresaw; others are not hurt."""


@contextmanager
def naming_failures() -> Iterator[None]:
    """Tell what fails because of a recording from what fails because of the store."""
    try:
        yield
    except Exception as error:
        raise UnderivableError(f"{type(error).__name__}: {error}") from error


class Deriving(Protocol):
    """What derives an index, of a recording or of a trail."""

    @property
    def next_bytes(self) -> int:
        """Where the bytes for the next `feed` begin."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""


def feed_turn(
    store: Store,
    rec: str,
    derivation: Deriving,
    *,
    end_bytes: int,
    turn_bytes: int,
    turn_s: float,
    monotonic_s: Callable[[], float],
) -> int:
    """Give a derivation its next bytes, at most `turn_bytes` of them; return how many it took.

    It ends early after `turn_s`; `end_bytes` is where what the store has ends.

    Raises:
        UnderivableError: They make the derivation fail.
        StenoError: What the store raises.
    """
    start_bytes = derivation.next_bytes
    stop_bytes = min(end_bytes, start_bytes + turn_bytes)
    if stop_bytes <= start_bytes:
        return 0
    stop_s = monotonic_s() + turn_s
    for data in store.read(rec, start_bytes, stop_bytes):
        for start in range(0, len(data), _SLICE_BYTES):
            with naming_failures():
                derivation.feed(data[start : start + _SLICE_BYTES])
            if monotonic_s() >= stop_s:
                return derivation.next_bytes - start_bytes
    return derivation.next_bytes - start_bytes
