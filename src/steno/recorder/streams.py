"""What a recording keeps of a captured command's streams. Does no I/O and reads no clock."""

from __future__ import annotations

import hashlib

from steno.model import StreamTotal


class StreamMeter:
    """Counts and digests everything that passes through one stream; lets its beginning be recorded.

    Attributes:
        passed_bytes: So much has passed.
        recorded_bytes: So much of it, from the first byte on, was to be recorded.
    """

    def __init__(self, limit_bytes: int) -> None:
        """Begin a stream of which up to `limit_bytes` are recorded."""
        self.passed_bytes = 0
        self.recorded_bytes = 0
        self._limit_bytes = limit_bytes
        self._digest: hashlib._Hash | None = hashlib.sha256()

    @classmethod
    def resume(cls, limit_bytes: int, passed_bytes: int, recorded_bytes: int) -> StreamMeter:
        """Go on with another's counts; the digest is lost with its process."""
        meter = cls(limit_bytes)
        meter.passed_bytes, meter.recorded_bytes = passed_bytes, recorded_bytes
        meter._digest = None
        return meter

    def take(self, data: bytes) -> bytes:
        """Count `data`; return what of it is to be recorded, its beginning or nothing."""
        self.passed_bytes += len(data)
        if self._digest is not None:
            self._digest.update(data)
        kept = data[: self._limit_bytes - self.recorded_bytes]
        self.recorded_bytes += len(kept)
        return kept

    def total(self) -> StreamTotal:
        """Return what has passed so far."""
        digest = None if self._digest is None else self._digest.hexdigest()
        return StreamTotal(self.passed_bytes, digest, self.recorded_bytes)
