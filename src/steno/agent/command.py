"""A command without a terminal that is recorded by who, what, when, and how it ended.

It runs on the session's own streams; the agent only waits for its end.
"""

from __future__ import annotations

from collections.abc import Sequence

from steno.agent.hosting import Hosting
from steno.agent.leader import Leader
from steno.agent.recording import Recording
from steno.agent.ring import Ring
from steno.agent.session import Descriptors, SessionFacts
from steno.delivery.writers.protocol import Writer
from steno.recorder.clock import RecordingClock
from steno.recorder.session import Session

_PATIENCE_US = 2_000_000


class CommandSession:
    """Waits for a command's end. Owns its descriptors, ring and destinations.

    Attributes:
        facts: What does not change.
    """

    def __init__(
        self,
        hosting: Hosting,
        facts: SessionFacts,
        descriptors: Descriptors,
        session: Session,
        clock: RecordingClock,
        writers: Sequence[Writer],
        ring: Ring,
    ) -> None:
        """Take everything over; nothing happens before `start`."""
        self.facts = facts
        self.passed_bytes = 0
        self._is_over = False
        self._reason: str | None = None
        self._ring = ring
        self._recording = Recording(
            hosting, self, session, clock, writers, ring,
            on_change=lambda: None, on_loss=lambda _failure, _is_last: None,
        )  # fmt: skip
        self._leader = Leader(
            hosting.loop, facts, descriptors, on_report=lambda _report: None, on_end=self._finish,
            on_orphaned=self._finish, on_parent=lambda: None,
        )  # fmt: skip

    @property
    def descriptors(self) -> dict[str, int]:
        """What must be kept for the session to be taken up by another process."""
        return self._leader.descriptors | self._ring.descriptors

    def start(self) -> None:
        """Begin to wait."""
        self._leader.start()
        if self._leader.is_unknown:
            self._finish()

    def take_up(self, lines: list[bytes]) -> None:
        """Go on where an agent that has died was; `lines` are what it left undone."""
        self._recording.go_on(lines)
        self.start()

    def send_message(self, text: str, by: str) -> None:
        """Note a message in the recording; there is no terminal to show it on."""
        self._recording.note("message", {"text": text, "by": by, "shown": False})

    def kill(self, by: str) -> None:
        """End the command; a little later, kill it."""
        if self._is_over:
            return
        self._recording.note("kill", {"by": by})
        self._reason = "hangup"
        self._leader.hang_up()
        self._leader.await_end(_PATIENCE_US, self._finish, is_killed=True)

    def leave(self) -> None:
        """Let go of it without ending it: the next agent takes it up."""
        if not self._is_over:
            self._is_over = True
            self._leader.close()
            self._recording.leave()

    def end(self) -> None:
        """End the recording now: nobody will take it up."""
        self._reason = self._reason or "recorder"
        self._finish()

    def _finish(self) -> None:
        if self._is_over:
            return
        self._is_over = True
        exit_ = self._leader.exit
        self._leader.close()
        if self._reason is None:
            self._reason = "unknown"
            if exit_ is not None:
                self._reason = "exit" if exit_.signal is None else "signal"
        self._recording.end(self._reason, exit_)
