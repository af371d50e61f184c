"""Checks and hashes passwords with argon2id, a few at a time and off the event loop."""

from __future__ import annotations

import anyio
import anyio.to_thread
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from steno.web.problems import Problem

MAX_CHARACTERS = 1024
_QUEUE_PER_CHECK = 16


def hash_password(password: str) -> str:
    """Return what is kept of a password: argon2id, 64 MiB, RFC 9106's second choice."""
    return PasswordHasher().hash(password)


class PasswordChecker:
    """Says whether a password is right; takes as long for names that nobody has.

    Args:
        parallel: How many checks may run at the same time; each takes a core and 64 MiB.
    """

    def __init__(self, parallel: int) -> None:
        self._hasher = PasswordHasher()
        self._limiter = anyio.CapacityLimiter(parallel)
        self._queue_limit = parallel * _QUEUE_PER_CHECK
        self._unknown_hash = self._hasher.hash("nobody's password")

    async def check(self, password: str, password_hash: str | None) -> tuple[bool, str | None]:
        """Check `password` against `password_hash`, or in vain when that is None.

        Returns:
            Whether it is right, and a new hash to keep if the old one's parameters are outdated.

        Raises:
            Problem: 503, too many checks are waiting.
        """
        if self._limiter.statistics().tasks_waiting >= self._queue_limit:
            raise Problem(503, "too many sign-ins at once", headers={"Retry-After": "2"})
        return await anyio.to_thread.run_sync(
            self._check, password, password_hash, limiter=self._limiter
        )

    def _check(self, password: str, password_hash: str | None) -> tuple[bool, str | None]:
        try:
            self._hasher.verify(password_hash or self._unknown_hash, password)
        except (VerificationError, InvalidHashError):
            return False, None
        if password_hash is None:
            return False, None
        is_outdated = self._hasher.check_needs_rehash(password_hash)
        return True, self._hasher.hash(password) if is_outdated else None

    async def hash(self, password: str) -> str:
        """Return the hash to keep of a new password."""
        return await anyio.to_thread.run_sync(self._hasher.hash, password, limiter=self._limiter)
