"""The limit on what all sessions of the host together may record."""

from __future__ import annotations

from steno.agent.configuration import Limits
from steno.agent.loop import now_us
from steno.recorder.limit import Action, Limit, TokenBucket


class HostLimit:
    """Counts what all sessions record."""

    def __init__(self, limits: Limits) -> None:
        self._bucket: TokenBucket | None = None
        self._drops = limits.action == "drop"
        self._begin_us = now_us()
        if limits.rate_bytes:
            action = Action(limits.action)
            self._bucket = TokenBucket(Limit(limits.rate_bytes, limits.burst_bytes, action))

    def admit(self, size_bytes: int) -> int | None:
        """Count bytes; see hosting.Hosting."""
        if self._bucket is None:
            return 0
        at_us = now_us() - self._begin_us
        if self._drops:
            return 0 if self._bucket.admit(at_us, size_bytes) else None
        return self._bucket.charge(at_us, size_bytes)
