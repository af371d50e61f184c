"""A session with a terminal: its beginning and end, and what people at a distance do to it."""

from __future__ import annotations

import msgspec

from steno.agent import outer
from steno.agent.exits import reason_of
from steno.agent.handshake import RESTORED, TAKEN, Report
from steno.agent.leader import Leader
from steno.agent.loop import now_us
from steno.agent.parts import Parts
from steno.agent.pty import read_leader
from steno.agent.recording import Recording
from steno.agent.relay import Relay
from steno.agent.ring_layout import Way
from steno.recorder.destinations import Failure
from steno.recorder.foreground import explain

_QUIET_US = 30_000
"""After the session's leader has ended, so long without output means that there is none left."""
_DRAIN_US = 10_000_000
"""How long, after the end, a terminal may take nothing of what is left for it."""
_REST_BYTES = 1 << 20
"""And what others go on writing after the end is not awaited beyond this."""
_HELD_BYTES = 1 << 14
"""Nor, after `_DRAIN_US`, beyond what a terminal holds: so much was written before the end."""
_BEGIN_US = 2_000_000
"""How long a session that was taken up may take to show that it had begun."""
_LOOK_US = 50_000
"""How often that is looked at."""
_FULL_READS = 4
"""So many turns of reading empty a terminal whose writer has stopped."""
_STATUS_US = 2_000_000
"""How long to wait for the exit status; and after a hang-up for the end, before killing."""


class TerminalSession:
    """Relays one session until it ends. Owns its descriptors, ring and destinations.

    Attributes:
        facts: What does not change.
    """

    def __init__(self, parts: Parts) -> None:
        """Take everything over; nothing happens before `start`."""
        facts, descriptors = parts.facts, parts.descriptors
        self.facts = facts
        self._host = parts.hosting
        self._loop = parts.hosting.loop
        self._ring = parts.ring
        self._recording = Recording(
            parts, self, on_change=self._update, on_loss=self._lose_destination
        )
        self._relay = Relay(
            self._loop, (descriptors.outer, descriptors.master), self._ring, self._recording,
            facts.settings.input, on_hang_up=self.hang_up, on_end=self._meet_end,
            on_output=self._check_end, on_fault=self.end,
        )  # fmt: skip
        self._relay.is_suspended = facts.is_suspended
        self._leader = Leader(
            self._loop, facts, descriptors, on_report=self._obey, on_end=self._begin_end,
            on_orphaned=self.hang_up, on_parent=self._note_parent,
        )  # fmt: skip
        self._is_over = False
        self._is_killed = False
        self._reason: str | None = None
        self._ended_bytes = 0
        self._ended_us = 0
        self._check_at_us = 0

    @property
    def active_us(self) -> int:
        """When something last passed, on the loop's clock."""
        return self._relay.active_us

    @property
    def passed_bytes(self) -> int:
        """How many bytes went through, both ways."""
        session = self._recording.session
        return session.output_bytes + session.input_bytes

    @property
    def descriptors(self) -> dict[str, int]:
        """What must be kept for the session to be taken up by another process."""
        return self._relay.descriptors | self._leader.descriptors | self._ring.descriptors

    def start(self) -> None:
        """Begin to relay."""
        self._leader.start()
        self._relay.look_at_window()
        self._update()

    def take_up(self, lines: list[bytes]) -> None:
        """Go on where an agent that has died was; `lines` are what it left undone."""
        self._recording.go_on(lines)
        has_lost_parent = self._leader.has_lost_parent()
        self._leader.start()
        if self.facts.ending is not None or has_lost_parent:
            self._end_given_back()
        elif self._relay.outer is not None and outer.read_window(self._relay.outer) is None:
            self.hang_up()
        else:
            self._await_begin(now_us() + _BEGIN_US)

    def _end_given_back(self) -> None:
        """End: the outer terminal has been somebody else's since; what is left is recorded only."""
        relay = self._relay
        self._reason = self.facts.ending or None
        relay.is_ending = True
        relay.close_outer()
        self._ring.drop_waiting(Way.OUTPUT)
        seen_bytes = -1
        while seen_bytes < relay.output_bytes <= _REST_BYTES:
            seen_bytes = relay.output_bytes
            relay.pump_output()
        self._close_terminals(is_returned=True)
        self._await_status()

    def _await_begin(self, until_us: int) -> None:
        """Relay once there is a session within: until then the person's keys may not be ours."""
        relay = self._relay
        if self._is_over or relay.is_ending or relay.master is None:
            return
        if read_leader(relay.master) is not None or self._leader.is_gone():
            relay.look_at_window()
            relay.pass_output()
            relay.pass_input()
            self._update()
        elif now_us() < until_us:
            self._loop.call_in(_LOOK_US, lambda: self._await_begin(until_us))
        else:
            self.end()

    def _update(self) -> None:
        if not self._is_over:
            self._relay.update()

    def look_at_window(self) -> None:
        """Look whether the outer terminal's size has changed."""
        self._relay.look_at_window()

    def rest(self) -> None:
        """Give memory back to the system: nothing has passed for a while."""
        if not self._is_over:
            self._ring.shrink()

    # What people at a distance do.

    def send_message(self, text: str, by: str) -> None:
        """Show a line to the person and note it in the recording."""
        self._relay.show(f"\r\n*** {by}: {text}\r\n")
        self._recording.note("message", {"text": text, "by": by})
        self._update()

    def kill(self, by: str) -> None:
        """Hang the session up; a little later, kill what leads it."""
        if self._is_over or self._relay.is_ending:
            return
        self._relay.show(f"\r\n*** this session is ended by {by}\r\n")
        self._recording.note("kill", {"by": by})
        self._is_killed = True
        self.hang_up()

    def _lose_destination(self, failure: Failure, is_last: bool) -> None:
        if is_last and self.facts.on_failure == "deny":
            self._relay.show(explain(failure, is_raw=True))
            self._reason = "recorder"
            self._loop.post(self.hang_up)

    # What steno-shell reports.

    def _obey(self, report: Report) -> None:
        if report.kind == "stopped":
            # The shell has stopped itself: the outer terminal is its parent's for a while.
            # What it printed before may not have been read yet, as much as a terminal holds.
            for _ in range(_FULL_READS):
                if self._relay.has_input:
                    self._relay.pump_output()
            self._relay.pass_output()
            self._suspend(is_suspended=True)
            self._restore()
            self._leader.say(RESTORED)
        elif report.kind == "continued":
            self._suspend(is_suspended=False)
            if self._relay.outer is not None:
                outer.take(self._relay.outer)
            self._leader.say(TAKEN)
            self._relay.look_at_window()
        self._update()

    def _suspend(self, *, is_suspended: bool) -> None:
        self._relay.is_suspended = is_suspended
        self._change_facts(is_suspended=is_suspended)

    def _note_parent(self) -> None:
        self._change_facts(has_parent=True)
        self._host.keep(self)

    def _change_facts(self, **changes: bool | str) -> None:
        """Note what the next agent would have to know."""
        self.facts = msgspec.structs.replace(self.facts, **changes)
        self._ring.set_facts(msgspec.json.encode(self.facts))

    def _restore(self) -> None:
        if self._relay.outer is not None and self.facts.attributes is not None:
            outer.give_back(self._relay.outer, self.facts.attributes)

    # The end.

    def _meet_end(self) -> bool:
        """Nobody has the inner terminal open; return whether the session is over."""
        if not self._relay.is_ending and not self._leader.is_gone():
            return False
        self._relay.close_master()
        self._begin_end()
        self._check_end()
        return True

    def _begin_end(self) -> None:
        """What leads the session has ended: pass on what is left."""
        relay = self._relay
        if relay.is_ending or self._is_over:
            return
        relay.is_ending = True
        relay.is_suspended = False
        relay.stop_waiting()
        self._ended_us = relay.drained_us = now_us()
        self._ended_bytes = relay.output_bytes
        relay.pump_output()
        self._update()
        self._check_end()

    def _check_end(self) -> None:
        """Go on to the end once all output has come and was passed on."""
        relay = self._relay
        if self._is_over or not relay.is_ending or relay.outer is None:
            return
        now = now_us()
        has_waiting = bool(self._ring.waiting_bytes(Way.OUTPUT))
        if not has_waiting and not self._recording.is_backlogged:
            relay.drained_us = now  # only a limit may hold what is left, and it lets it through
        is_stuck = now - relay.drained_us > _DRAIN_US
        is_drained = is_stuck or not has_waiting
        rest_bytes = _REST_BYTES if now - self._ended_us <= _DRAIN_US else _HELD_BYTES
        is_quiet = relay.master is None or relay.output_bytes - self._ended_bytes > rest_bytes
        if not is_quiet and now - relay.output_us >= _QUIET_US:
            is_quiet = is_stuck or not relay.has_input
        if is_drained and is_quiet:
            self._close_terminals()
            self._await_status()
        elif self._check_at_us <= now:
            self._check_at_us = now + _QUIET_US
            self._loop.call_in(_QUIET_US, self._check_end)

    def hang_up(self) -> None:
        """The person's terminal has vanished, or is to: the session within gets to know."""
        if self._is_over or self._relay.outer is None:
            return
        self._relay.is_ending = True
        self._reason = self._reason or "hangup"
        self._ring.drop_waiting(Way.OUTPUT)
        self._close_terminals()
        self._await_status()

    def _close_terminals(self, *, is_returned: bool = False) -> None:
        """Close the inner terminal, which hangs up what is left there; give the outer one back."""
        self._relay.close_master()
        if not is_returned:
            self._restore()
            self._change_facts(ending=self._reason or "")
            self._leader.say(RESTORED)
        self._relay.close_outer()
        self._host.release_terminals(self)

    def _await_status(self) -> None:
        self._leader.await_end(_STATUS_US, self._end, is_killed=self._is_killed)

    def _end(self) -> None:
        """End the recording: how the session ended is known, or will not be."""
        if self._is_over:
            return
        self._is_over = True
        exit_ = self._leader.exit
        self._leader.close()
        self._recording.end(self._reason or reason_of(exit_), exit_)

    def end(self) -> None:
        """End the recording now: nobody will take it up."""
        self._reason = self._reason or "recorder"
        self.hang_up()
        self._end()

    def leave(self) -> None:
        """Let go of it without ending it: the next agent takes it up."""
        if self._is_over:
            return
        self._is_over = True
        self._relay.close_master()
        self._relay.close_outer()
        self._leader.close()
        self._recording.leave()
