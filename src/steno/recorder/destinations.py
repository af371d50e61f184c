"""The places that a recording's lines go to, several at once."""

from __future__ import annotations

import select
from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from steno.delivery.writers.protocol import Writer
from steno.errors import StenoError, UnreachableError
from steno.recorder.clock import RecordingClock

_BACKLOG_BYTES = 1 << 20
"""With so much pending anywhere, the relay reads no more."""
_STALL_US = 10_000_000
"""A destination that takes nothing for so long is given up."""
RETRY_US = 200_000
"""How often pending lines are tried again where there is nothing to poll for."""


class Failure(msgspec.Struct, frozen=True):
    """A destination that was given up.

    Attributes:
        name: The destination.
        error: Why.
        at_us: When, in the recording; what came later is not there.
    """

    name: str
    error: StenoError
    at_us: int


class Destinations:
    """Hands every line to every writer. One that fails is given up; the others go on."""

    def __init__(
        self, writers: Sequence[Writer], on_failure: Callable[[Failure], None] | None = None
    ) -> None:
        """Take over `writers`: `close` closes them. `on_failure` is told at once."""
        self._writers = list(writers)
        self._on_failure = on_failure
        self._stalled_since: dict[int, tuple[int, int]] = {}
        self.failures: list[Failure] = []

    @property
    def is_empty(self) -> bool:
        """Whether no destination is left."""
        return not self._writers

    @property
    def is_backlogged(self) -> bool:
        """Whether a destination is so far behind that nothing more should be read."""
        return any(writer.pending_bytes > _BACKLOG_BYTES for writer in self._writers)

    @property
    def is_pending(self) -> bool:
        """Whether a destination has not taken everything yet."""
        return any(writer.pending_bytes for writer in self._writers)

    def waiting_fds(self) -> list[int]:
        """Return the descriptors whose becoming writable is worth a `flush`."""
        fds = [writer.fileno() for writer in self._writers if writer.pending_bytes]
        return [fd for fd in fds if fd is not None]

    def write(self, lines: Sequence[bytes], at_us: int) -> None:
        """Hand `lines` to every destination."""
        for writer in [*self._writers]:
            self._try(writer, partial(writer.write, lines), at_us)

    def flush(self, at_us: int) -> None:
        """Try what is pending again; give up who took nothing for too long."""
        for writer in [*self._writers]:
            if not writer.pending_bytes:
                self._stalled_since.pop(id(writer), None)
                continue
            self._try(writer, writer.flush, at_us)
            self._check_stall(writer, at_us)

    def finish(self, clock: RecordingClock) -> None:
        """Wait until all is handed over, unless a destination stalls; make it safe; let go."""
        while self.is_pending:
            ready = select.poll()
            for fd in self.waiting_fds():
                ready.register(fd, select.POLLOUT)
            ready.poll(RETRY_US // 1000)
            self.flush(clock.at_us())
        at_us = clock.at_us()
        for writer in [*self._writers]:
            self._try(writer, writer.close, at_us)
        self._writers.clear()

    def _try(self, writer: Writer, action: Callable[[], None], at_us: int) -> None:
        try:
            action()
        except StenoError as error:
            self._give_up(writer, error, at_us)

    def _check_stall(self, writer: Writer, at_us: int) -> None:
        since_us, before = self._stalled_since.get(id(writer), (at_us, -1))
        if writer.handed_bytes != before:
            since_us = at_us
        self._stalled_since[id(writer)] = since_us, writer.handed_bytes
        if writer in self._writers and at_us - since_us > _STALL_US:
            self._give_up(writer, _not_taken(writer), at_us)

    def _give_up(self, writer: Writer, error: StenoError, at_us: int) -> None:
        self._writers.remove(writer)
        failure = Failure(writer.name, error, at_us)
        self.failures.append(failure)
        try:
            writer.close()
        except StenoError:
            # It failed before; the first reason is the one to tell.
            pass
        finally:
            if self._on_failure is not None:
                self._on_failure(failure)


def _not_taken(writer: Writer) -> UnreachableError:
    return UnreachableError(
        f"{writer.name} does not take what is sent: {writer.pending_bytes} bytes were not delivered"
    )
