"""What a session wants of the agent that hosts it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from steno.agent.loop import Loop
from steno.agent.session import LiveSession


class Hosting(Protocol):
    """The agent, as its sessions see it."""

    @property
    def loop(self) -> Loop:
        """The loop that calls the session back."""

    def keep(self, session: LiveSession) -> None:
        """Keep the session's descriptors beyond this process: they have changed."""

    def release_terminals(self, session: LiveSession) -> None:
        """Have kept copies of the session's terminals closed: a copy would keep them up."""

    def release(self, session: LiveSession, words: Iterable[str]) -> None:
        """Have kept copies of some of the session's descriptors closed."""

    def finish(self, session: LiveSession, work: Callable[[], None]) -> None:
        """Do `work`, which makes the recording safe, in a thread; then forget the session."""

    def admit(self, size_bytes: int) -> int | None:
        """Count bytes against the limit of the whole host.

        Returns for how many microseconds nothing more should be read, 0 when they may pass; None
        when they must not be recorded.
        """

    def count_dropped(self, size_bytes: int) -> None:
        """Take note that so much was not recorded."""

    def report_failure(self, session: LiveSession, why: str) -> None:
        """Take note that a recording lost a destination."""
