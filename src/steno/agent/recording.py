"""A session's recording as the agent makes it: its logic, clock, destinations and ring together.

What happened in the session comes in, after it was kept in the ring; lines go to the destinations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from steno.agent.exits import Exit
from steno.agent.loop import Timer
from steno.agent.parts import Parts
from steno.agent.resume import encode_kept
from steno.agent.session import LiveSession
from steno.agent.spooling import HostSpoolWriter
from steno.model import Note, StreamTotal
from steno.recorder.destinations import RETRY_US, Destinations, Failure
from steno.recorder.echo import Echo

_FULL_RETRY_US = 1_000_000
"""How often a spool that is full is tried again."""


class Recording:
    """Owns the destinations; the ring is closed with it.

    Attributes:
        clock: Tells the recording's instants.
        session: The recording's logic; its counts may be read.
    """

    def __init__(
        self,
        parts: Parts,
        owner: LiveSession,
        *,
        on_change: Callable[[], None],
        on_loss: Callable[[Failure, bool], None],
    ) -> None:
        """Take over the parts' destinations and ring.

        Args:
            parts: What the session is made of.
            owner: Whose recording this is.
            on_change: Called when what `may_read` says may have changed.
            on_loss: Called with a destination that was given up, and whether it was the last.
        """
        self.clock = parts.clock
        self.session = parts.session
        self._host = parts.hosting
        self._owner = owner
        self._on_change = on_change
        self._on_loss = on_loss
        self._destinations = Destinations(parts.writers, self._lose)
        self._spools = [writer for writer in parts.writers if isinstance(writer, HostSpoolWriter)]
        self._ring = parts.ring
        self._timer: Timer | None = None
        self._timer_us = 0
        self._is_over = False

    @property
    def is_full(self) -> bool:
        """Whether there is no room for what is recorded: it is dropped, and counted."""
        return any(writer.is_full for writer in self._spools)

    @property
    def is_backlogged(self) -> bool:
        """Whether a destination is so far behind that it must get no more now."""
        return self._destinations.is_backlogged

    def may_read(self) -> bool:
        """Return whether something that will be recorded should be read now."""
        if self.is_backlogged:
            return False
        held_us = self.session.held_until_us
        return not held_us or held_us <= self.clock.at_us()

    # What happens.

    def take_output(self, at_us: int, data: bytes, *, is_stderr: bool = False) -> None:
        """Record what was shown."""
        held_us = None if self.is_full else self._host.admit(len(data))
        if held_us is None:
            self._drop(at_us, len(data), 0)
        else:
            self._write(self.session.take_output(at_us, data, is_stderr=is_stderr, held_us=held_us))

    def take_input(self, at_us: int, data: bytes, echo: Echo) -> None:
        """Record what was typed."""
        if self.is_full:
            self._drop(at_us, 0, len(data))
        else:
            self._write(self.session.take_input(at_us, data, echo))

    def take_window(self, at_us: int, columns: int, rows: int) -> None:
        """Record the terminal's size."""
        self._write(self.session.take_window(at_us, columns, rows))

    def note(self, kind: str, facts: dict[str, object]) -> None:
        """Record something else, at once."""
        self._write(self.session.take_note(Note(self.clock.at_us(), kind, facts)))
        self.checkpoint()

    def checkpoint(self) -> None:
        """Put all that is pending into lines, and tell the ring that it is there."""
        at_us = self.clock.at_us()
        self._hand_over(self.session.cut(at_us), at_us)
        self._keep_state()
        self._set_timer()

    def go_on(self, lines: list[bytes]) -> None:
        """Begin with what an agent that has died left undone."""
        self._hand_over(lines, self.clock.at_us())
        self._keep_state()
        self._set_timer()

    def _keep_state(self) -> None:
        """Tell the ring that all that happened is in lines, or in the session's state."""
        held = [line for writer in self._spools for line in writer.held]
        try:
            self._ring.checkpoint(encode_kept(self.session.state(), held))
        except ValueError:
            # More lines wait for room than the ring can keep: they live in this process only.
            self._ring.checkpoint(encode_kept(self.session.state()))

    def _drop(self, at_us: int, output_bytes: int, input_bytes: int) -> None:
        self.session.take_dropped(at_us, output_bytes, input_bytes)
        self._host.count_dropped(output_bytes + input_bytes)
        if self._ring.is_pressed:
            if self.session.is_pending:
                self._hand_over(self.session.cut(at_us), at_us)
            self._keep_state()
        self._set_timer()

    def _write(self, lines: list[bytes]) -> None:
        if lines:
            self._hand_over(lines, self.clock.at_us())
        if self._ring.is_pressed:
            self.checkpoint()
        elif self._timer is None or 0 < self.session.held_until_us < self._timer_us:
            self._set_timer()

    def _hand_over(self, lines: list[bytes], at_us: int) -> None:
        if lines:
            self._destinations.write(lines, at_us)
            self._ring.set_handed(self.session.next_id - 1)

    # What is due.

    def _set_timer(self) -> None:
        """Be called when something is due; a timer that is set may come earlier, never later."""
        if self._is_over:
            return
        at_us = self.clock.at_us()
        due = []
        if self.is_full:
            due.append(at_us + _FULL_RETRY_US)
        elif self.session.due_us is not None:
            due.append(self.session.due_us)
        if self.session.held_until_us > at_us:
            due.append(self.session.held_until_us)
        if self._destinations.is_pending:
            due.append(at_us + RETRY_US)
        first_us = min(due, default=None)
        if first_us is None or (self._timer is not None and self._timer_us <= first_us):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_us = first_us
        self._timer = self._host.loop.call_in(max(0, first_us - at_us), self._tick, self._owner.end)

    def _tick(self) -> None:
        self._timer = None
        at_us = self.clock.at_us()
        for writer in self._spools:
            if writer.is_full:
                self._destinations.write([], at_us)
                break
        moved = self.clock.look(at_us)
        if moved is not None:
            self._write(self.session.take_note(moved))
            self.checkpoint()
        due_us = self.session.due_us
        if due_us is not None and due_us <= at_us and not self.is_full:
            self._ring.put_tick(at_us)
            self._hand_over(self.session.tick(at_us), at_us)
            if not self.session.is_pending:
                self._keep_state()
        if self._destinations.is_pending:
            self._destinations.flush(at_us)
        self._set_timer()
        self._on_change()

    def _lose(self, failure: Failure) -> None:
        self._spools = [writer for writer in self._spools if writer.name != failure.name]
        self._host.report_failure(self._owner, f"{failure.name}: {failure.error}")
        self._on_loss(failure, self._destinations.is_empty)

    # The end.

    def end(
        self, reason: str, exit_: Exit | None, streams: Mapping[str, StreamTotal] | None = None
    ) -> None:
        """Write the last lines and make the recording safe, in a thread; harmless when repeated."""
        if self._is_over:
            return
        at_us = self.clock.at_us()
        status = exit_.status if exit_ is not None else None
        number = exit_.signal if exit_ is not None else None
        moved = self.clock.look(at_us)
        if moved is not None:
            self._hand_over(self.session.take_note(moved), at_us)
        lines = self.session.end(at_us, reason, exit_status=status, signal=number, streams=streams)
        self._hand_over(lines, at_us)
        self._stop()
        self._host.finish(self._owner, lambda: self._destinations.finish(self.clock))

    def leave(self) -> None:
        """Let go of the recording without ending it: the next agent goes on with it."""
        if self._is_over:
            return
        self.checkpoint()
        self._stop()
        for writer in self._spools:
            writer.leave()
        self._destinations.finish(self.clock)

    def _stop(self) -> None:
        self._is_over = True
        if self._timer is not None:
            self._timer.cancel()
        self._ring.close()
