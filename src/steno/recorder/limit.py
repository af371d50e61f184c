"""How much may be recorded in a time: a token bucket, and what happens beyond it."""

from __future__ import annotations

import enum

import msgspec


class Action(enum.Enum):
    """What happens to what exceeds the limit; the words are tlog.conf's."""

    PASS = "pass"  # noqa: S105  # a word of tlog.conf, no password
    DELAY = "delay"
    DROP = "drop"


class Limit(msgspec.Struct, frozen=True):
    """A limit on what is recorded.

    Attributes:
        rate_bytes: Bytes a second that may be recorded for long.
        burst_bytes: Bytes by which that may be exceeded for a moment.
        action: What happens beyond: nothing, the terminal is slowed down, or bytes pass unrecorded.
        counts_messages: Whether the bytes of messages count, as they are written, instead of the
            bytes that passed; messages are checked when they are done, so that one may be too much.
    """

    rate_bytes: int = 16384
    burst_bytes: int = 32768
    action: Action = Action.PASS
    counts_messages: bool = False


class TokenBucket:
    """Counts what a limit still allows. Full at first; instants must not go back.

    A piece larger than the whole bucket is let through when the bucket is full, and leaves a debt.
    """

    def __init__(self, limit: Limit) -> None:
        self._rate_bytes = limit.rate_bytes
        self._burst_bytes = limit.burst_bytes
        self._tokens = float(limit.burst_bytes)
        self._at_us = 0

    def state(self) -> tuple[float, int]:
        """Return how full it is, and when it was."""
        return self._tokens, self._at_us

    def resume(self, state: tuple[float, int]) -> None:
        """Go on where another one was."""
        self._tokens, self._at_us = state

    def admit(self, at_us: int, size_bytes: int) -> bool:
        """Return whether `size_bytes` may pass now; if so, they are counted."""
        if not self.has_room(at_us, size_bytes):
            return False
        self._tokens -= size_bytes
        return True

    def has_room(self, at_us: int, size_bytes: int) -> bool:
        """Return whether `size_bytes` may pass now, without counting them."""
        self._refill(at_us)
        return self._tokens >= min(size_bytes, self._burst_bytes)

    def spend(self, size_bytes: int) -> None:
        """Count bytes that passed already."""
        self._tokens -= size_bytes

    def charge(self, at_us: int, size_bytes: int) -> int:
        """Count `size_bytes`; return for how many microseconds nothing more should pass."""
        self._refill(at_us)
        self._tokens -= size_bytes
        return 0 if self._tokens >= 0 else int(-self._tokens * 1_000_000 / self._rate_bytes) + 1

    def _refill(self, at_us: int) -> None:
        grown = self._tokens + (at_us - self._at_us) * self._rate_bytes / 1_000_000
        self._tokens = min(grown, float(self._burst_bytes))
        self._at_us = at_us
