"""A command without a terminal that is recorded by who, what, when, and how it ended.

It runs on the session's own streams; the agent only waits for its end.
"""

from __future__ import annotations

from collections.abc import Mapping

from steno.agent.exits import reason_of
from steno.agent.leader import Leader
from steno.agent.parts import Parts
from steno.agent.recording import Recording
from steno.model import StreamTotal


class CommandSession:
    """Waits for a command's end. Owns its descriptors, ring and destinations.

    Attributes:
        facts: What does not change.
        grace_us: So long a command that was hung up may take to end before it is killed.
    """

    grace_us = 2_000_000

    def __init__(self, parts: Parts) -> None:
        """Take everything over; nothing happens before `start`."""
        self.facts = parts.facts
        self._host = parts.hosting
        self._ring = parts.ring
        self._is_over = False
        self._reason: str | None = None
        self._recording = Recording(
            parts, self, on_change=self._update, on_loss=lambda _failure, _is_last: None
        )
        self._leader = Leader(
            self._host.loop, parts.facts, parts.descriptors, on_report=lambda _report: None,
            on_end=self._meet_end, on_orphaned=self._meet_end,
            on_parent=lambda: self._host.keep(self),
        )  # fmt: skip

    @property
    def passed_bytes(self) -> int:
        """How many bytes went through: the agent sees none of them."""
        return 0

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
        """Hang the command up; a little later, kill it."""
        if self._is_over:
            return
        self._recording.note("kill", {"by": by})
        self._reason = "hangup"
        self._leader.hang_up()
        self._leader.await_end(self.grace_us, self._meet_kill, is_killed=True)

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

    # What a kind of command does besides.

    def _update(self) -> None:
        """Take note that what the recording's `may_read` says may have changed."""

    def _meet_end(self) -> None:
        """Take note that the command has ended."""
        self._finish()

    def _meet_kill(self) -> None:
        """Take note that the command that was to be killed is dead, or was not awaited longer."""
        self._finish()

    def _settle(self) -> Mapping[str, StreamTotal] | None:
        """Bring to an end what else there is; return what went through each stream."""
        return None

    def _finish(self) -> None:
        if self._is_over:
            return
        self._is_over = True
        exit_ = self._leader.exit
        totals = self._settle()
        self._leader.close()
        self._recording.end(self._reason or reason_of(exit_), exit_, totals)
