"""The upload protocol: what to send where and when, and what an answer means. Does no I/O.

A recording is delivered by "append these bytes at offset N": the server answers with the
offset up to which it has the recording safe on disk. Sending twice changes nothing, so any
doubt (a lost answer, a time-out, another server) is settled by sending again. One request per
recording is on its way at a time, a few over all. A recording is complete when the server has
said so after its end: what it said while the recording grew is not enough to remove the host's
copy, nor is what is remembered. docs/formats/wire.md has the bytes.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from steno.errors import ProtocolError, StenoError

REQUEST_LIMIT_BYTES = 1 << 20
_LEAST_REQUEST_BYTES = 4096
LASTING_US = 3_600_000_000
"""What will not mend by itself (bytes that differ, another owner) is tried again after an hour."""


class Backoff(msgspec.Struct, frozen=True):
    """How long to wait after failures: doubling, with jitter so that hosts do not come in step.

    Attributes:
        random: Returns numbers from 0 to below 1.
        first_us: The wait after one failure, at most; at least half of it.
        most_us: The longest wait.
    """

    random: Callable[[], float]
    first_us: int = 500_000
    most_us: int = 60_000_000

    def delay_us(self, failures: int) -> int:
        """Return the wait after so many failures in a row."""
        whole_us = min(self.most_us, self.first_us << min(failures - 1, 40))
        return whole_us // 2 + int(self.random() * (whole_us - whole_us // 2))


class Send(msgspec.Struct, frozen=True):
    """Send these bytes of a recording; report what comes of it under this number.

    Attributes:
        number: The request's number; every request gets a new one.
        server: Which of the servers, from 0.
        rec: The recording.
        offset_bytes: Where in the recording the body begins.
        end_bytes: Where it ends. The body is empty when this only asks for confirmation.
    """

    number: int
    server: int
    rec: str
    offset_bytes: int
    end_bytes: int


class Wait(msgspec.Struct, frozen=True):
    """Nothing can be sent now; ask again at `until_us`, or when anything is reported before.

    `until_us` is None when only a report can change that.
    """

    until_us: int | None


class Durable(msgspec.Struct, frozen=True):
    """The server has the recording safe up to here (200)."""

    offset_bytes: int


class Elsewhere(msgspec.Struct, frozen=True):
    """The server has the recording up to here and took nothing; send from here (409)."""

    offset_bytes: int


class TooLarge(msgspec.Struct, frozen=True):
    """The server takes no bodies of this size (413)."""


class Failure(msgspec.Struct, frozen=True):
    """The request came to nothing, or nobody knows what came of it.

    Attributes:
        error: What to tell the user.
        concerns: `server`: nothing can be delivered there for now. `recording`: this recording
            cannot be delivered; others can.
        is_lasting: Trying again soon is of no use.
        retry_after_us: The server asked for at least this much patience.
    """

    error: StenoError
    concerns: str = "server"
    is_lasting: bool = False
    retry_after_us: int = 0


Answer = Durable | Elsewhere | TooLarge | Failure


class _Trouble:
    """Failures in a row of a server or of a recording, and when to try again."""

    def __init__(self) -> None:
        self.failures = 0
        self.until_us = 0
        self.failure: Failure | None = None

    def add(self, failure: Failure, now_us: int, backoff: Backoff) -> None:
        self.failures += 1
        self.failure = failure
        delay_us = max(backoff.delay_us(self.failures), failure.retry_after_us)
        if failure.is_lasting and failure.concerns == "recording":
            delay_us = max(delay_us, LASTING_US)
        self.until_us = now_us + delay_us

    def clear(self) -> None:
        self.failures = 0
        self.until_us = 0
        self.failure = None


class _Upload:
    """What is known of one recording."""

    def __init__(self, rec: str, delivered_bytes: int) -> None:
        self.rec = rec
        self.upto_bytes = 0
        self.is_finished = False
        self.delivered_bytes = delivered_bytes
        self.pending: Send | None = None
        self.is_confirming = False
        self.is_confirmed = False
        self.corrections = 0
        self.trouble = _Trouble()

    @property
    def is_waiting(self) -> bool:
        """Whether there is something to send and nothing on its way."""
        is_settled = self.is_confirmed if self.is_finished else True
        return self.pending is None and (self.delivered_bytes < self.upto_bytes or not is_settled)


class Standing(msgspec.Struct, frozen=True):
    """How far a recording is.

    Attributes:
        upto_bytes: What the host has safe.
        delivered_bytes: What the server has said to have safe.
        is_settled: There is nothing to send and nothing on its way.
        is_complete: The recording is finished, and the server has said since that it has all of it.
        error: What stands in the way at the moment.
        failures: How many failures in a row there were, 0 when all is well.
        is_lasting: Whether trying again soon is of no use.
    """

    upto_bytes: int
    delivered_bytes: int
    is_settled: bool
    is_complete: bool
    error: StenoError | None
    failures: int
    is_lasting: bool


class Uploads:
    """The state machine for a set of recordings, several servers and a few connections.

    Report what is known with `offer`, `answered` and `forget`, then call `next` until it
    returns a Wait. Instants are microseconds on any clock that only goes forward.

    Args:
        servers: How many servers there are; they are tried in turn.
        backoff: How long to wait after failures.
        connections: How many requests may be on their way at a time.
        request_limit_bytes: The longest body, before compression.
    """

    def __init__(
        self,
        servers: int,
        backoff: Backoff,
        *,
        connections: int = 2,
        request_limit_bytes: int = REQUEST_LIMIT_BYTES,
    ) -> None:
        self._backoff = backoff
        self._connections = connections
        self.request_limit_bytes = request_limit_bytes
        self._servers = [_Trouble() for _ in range(servers)]
        self._server = 0
        self._uploads: dict[str, _Upload] = {}
        self._pending: dict[int, _Upload] = {}
        self._next_number = 1

    def offer(
        self, rec: str, upto_bytes: int, *, is_finished: bool, delivered_bytes: int = 0
    ) -> None:
        """Say that the host has `rec` safe up to `upto_bytes`.

        `delivered_bytes` is what is remembered from before; it is used when `rec` is new here,
        and may be wrong: the server's word counts.
        """
        upload = self._uploads.get(rec)
        if upload is None:
            upload = _Upload(rec, min(delivered_bytes, upto_bytes))
            self._uploads[rec] = upload
        upload.upto_bytes = max(upload.upto_bytes, upto_bytes)
        upload.is_finished = upload.is_finished or is_finished

    def forget(self, rec: str) -> None:
        """Deliver `rec` no longer; an answer that still comes for it is ignored."""
        upload = self._uploads.pop(rec, None)
        if upload is not None and upload.pending is not None:
            del self._pending[upload.pending.number]

    def next(self, now_us: int) -> Send | Wait:
        """Return what to do now."""
        if len(self._pending) >= self._connections:
            return Wait(None)
        waiting = [upload for upload in self._uploads.values() if upload.is_waiting]
        ready = [upload for upload in waiting if upload.trouble.until_us <= now_us]
        if not ready:
            return Wait(min((upload.trouble.until_us for upload in waiting), default=None))
        server = self._ready_server(now_us)
        if server is None:
            return Wait(min(trouble.until_us for trouble in self._servers))
        if self._servers[server].failures and self._is_busy(server):
            return Wait(None)  # one probe at a time tells whether it is back
        return self._send(ready[0], server)

    def _ready_server(self, now_us: int) -> int | None:
        for step in range(len(self._servers)):
            server = (self._server + step) % len(self._servers)
            if self._servers[server].until_us <= now_us:
                self._server = server
                return server
        return None

    def _is_busy(self, server: int) -> bool:
        return any(
            upload.pending is not None and upload.pending.server == server
            for upload in self._pending.values()
        )

    def _send(self, upload: _Upload, server: int) -> Send:
        end_bytes = min(upload.upto_bytes, upload.delivered_bytes + self.request_limit_bytes)
        send = Send(self._next_number, server, upload.rec, upload.delivered_bytes, end_bytes)
        self._next_number += 1
        upload.pending = send
        upload.is_confirming = upload.is_finished
        self._pending[send.number] = upload
        # To the end of the line: a long recording must not hold up the others.
        self._uploads[upload.rec] = self._uploads.pop(upload.rec)
        return send

    def answered(self, number: int, answer: Answer, now_us: int) -> bool:
        """Say what came of a request; return whether its recording's standing changed.

        The answer to a request that is not awaited (any more) is ignored.
        """
        upload = self._pending.pop(number, None)
        if upload is None or upload.pending is None:
            return False
        send, upload.pending = upload.pending, None
        match answer:
            case Failure():
                self._fail(upload, send, answer, now_us)
            case TooLarge():
                self._shrink(upload, send, now_us)
            case Durable() | Elsewhere() if not 0 <= answer.offset_bytes <= upload.upto_bytes:
                self._servers[send.server].clear()
                error = ProtocolError(
                    f"the server has {answer.offset_bytes} bytes of recording {upload.rec},"
                    f" of which the host has {upload.upto_bytes}"
                )
                self._fail(upload, send, Failure(error, "recording"), now_us)
            case Durable() | Elsewhere():
                self._servers[send.server].clear()
                self._move(upload, send, answer.offset_bytes, now_us)
        return True

    def _move(self, upload: _Upload, send: Send, offset_bytes: int, now_us: int) -> None:
        upload.delivered_bytes = offset_bytes
        upload.is_confirmed = upload.is_confirming and offset_bytes == upload.upto_bytes
        if offset_bytes > send.offset_bytes or offset_bytes == send.end_bytes:
            upload.corrections = 0
            upload.trouble.clear()
            return
        # The server has less than it said before, or took nothing. Once is a correction (we did not
        # know, or it lost what it had not synced); again and again is no progress.
        upload.corrections += 1
        if upload.corrections > 1:
            error = ProtocolError(
                f"the server takes nothing of recording {upload.rec} beyond byte {offset_bytes}"
            )
            self._fail(upload, send, Failure(error, "recording"), now_us)

    def _shrink(self, upload: _Upload, send: Send, now_us: int) -> None:
        length_bytes = send.end_bytes - send.offset_bytes
        if length_bytes <= _LEAST_REQUEST_BYTES:
            error = ProtocolError(f"the server does not even take {length_bytes} bytes at a time")
            self._fail(upload, send, Failure(error), now_us)
            return
        self._servers[send.server].clear()
        smaller_bytes = max(_LEAST_REQUEST_BYTES, length_bytes // 2)
        self.request_limit_bytes = min(self.request_limit_bytes, smaller_bytes)

    def _fail(self, upload: _Upload, send: Send, failure: Failure, now_us: int) -> None:
        if failure.concerns == "recording":
            upload.trouble.add(failure, now_us, self._backoff)
            return
        self._servers[send.server].add(failure, now_us, self._backoff)
        if self._server == send.server:
            self._server = (send.server + 1) % len(self._servers)

    def standing(self, rec: str) -> Standing:
        """Return how far `rec` is.

        Raises:
            KeyError: It was never offered, or forgotten.
        """
        upload = self._uploads[rec]
        trouble = upload.trouble
        failure = trouble.failure
        return Standing(
            upto_bytes=upload.upto_bytes,
            delivered_bytes=upload.delivered_bytes,
            is_settled=upload.pending is None and not upload.is_waiting,
            is_complete=upload.is_confirmed,
            error=failure.error if failure else None,
            failures=trouble.failures,
            is_lasting=failure is not None and failure.is_lasting,
        )

    def recs(self) -> list[str]:
        """Return the recordings that were offered and not forgotten."""
        return list(self._uploads)

    def backlog(self) -> int:
        """Return how many recordings have something to send, those in trouble left out."""
        return sum(
            upload.is_waiting and not upload.trouble.failures for upload in self._uploads.values()
        )

    def server_failures(self) -> list[Failure | None]:
        """Return each server's latest failure; None if its last request went well."""
        return [trouble.failure for trouble in self._servers]

    def least_server_failures(self) -> int:
        """Return how often in a row the best server has failed; 0 when one works."""
        return min(trouble.failures for trouble in self._servers)
