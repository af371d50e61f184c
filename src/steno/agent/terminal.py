"""A session with a terminal: what passes between the person's terminal and the pseudo-terminal.

What is read is kept in the session's ring before it is passed on, and recorded after. Each turn
takes a bounded amount; whoever does not take what is passed on stops this session only.
"""

from __future__ import annotations

import logging
import os
import select
from collections.abc import Callable, Sequence

import msgspec

from steno.agent import outer
from steno.agent.handshake import RESTORED, TAKEN, Report
from steno.agent.hosting import Hosting
from steno.agent.leader import Leader
from steno.agent.loop import GONE, READABLE, WRITABLE, Timer, now_us
from steno.agent.pty import read_leader
from steno.agent.recording import Recording
from steno.agent.ring import Ring
from steno.agent.ring_layout import Way
from steno.agent.session import Descriptors, SessionFacts
from steno.delivery.writers.protocol import Writer
from steno.recorder.clock import RecordingClock
from steno.recorder.destinations import Failure
from steno.recorder.echo import Echo
from steno.recorder.foreground import explain
from steno.recorder.session import InputMode, Session
from steno.recorder.terminal import read_echo

_READS_PER_TURN = 4
"""So many reads of output, some 16 KiB, then other sessions get their turn."""
_LONG_BYTES = 1024
"""After a read this long there is likely more."""
_EMPTY_US = 100_000
"""How often a terminal that nobody has open is looked at again while its session lives."""
_QUIET_US = 30_000
"""After the session's leader has ended, so long without output means that there is none left."""
_DRAIN_US = 10_000_000
"""How long, after the end, a terminal may take nothing of what is left for it."""
_REST_BYTES = 1 << 20
"""And what others go on writing after the end is not awaited beyond this."""
_BEGIN_US = 2_000_000
"""How long a session that was taken up may take to show that it had begun."""
_LOOK_US = 50_000
"""How often that is looked at."""
_STATUS_US = 2_000_000
"""How long to wait for the exit status; and after a hang-up for the end, before killing."""

log = logging.getLogger("steno.agent")


class TerminalSession:
    """Relays one session until it ends. Owns its descriptors, ring and destinations.

    Attributes:
        facts: What does not change.
        active_us: When something last passed, on the loop's clock.
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
        self.active_us = now_us()
        self._host = hosting
        self._loop = hosting.loop
        self._outer = descriptors.outer
        self._master = descriptors.master
        self._ring = ring
        self._recording = Recording(
            hosting, self, session, clock, writers, ring,
            on_change=self._update, on_loss=self._lose_destination,
        )  # fmt: skip
        self._leader = Leader(
            self._loop, facts, descriptors, on_report=self._obey, on_end=self._begin_end,
            on_orphaned=self.hang_up, on_parent=self._note_parent,
        )  # fmt: skip
        self._keeps_input = facts.settings.input is not InputMode.NONE
        self._sees_input = facts.settings.input is InputMode.SEEN
        self._window = b""
        self._interest: dict[int, int] = {}
        self._timer: Timer | None = None
        self._is_suspended = facts.is_suspended
        self._is_ending = False
        self._is_over = False
        self._is_killed = False
        self._reason: str | None = None
        self._empty_until_us = 0
        self._quiet_at_us = self._drained_at_us = 0
        self._rest_bytes = 0

    @property
    def passed_bytes(self) -> int:
        """How many bytes went through, both ways."""
        session = self._recording.session
        return session.output_bytes + session.input_bytes

    @property
    def descriptors(self) -> dict[str, int]:
        """What must be kept for the session to be taken up by another process."""
        named = {"outer": self._outer, "master": self._master}
        ours = {name: fd for name, fd in named.items() if fd is not None}
        return ours | self._leader.descriptors | self._ring.descriptors

    def start(self) -> None:
        """Begin to relay."""
        self._leader.start()
        self.look_at_window()
        self._update()

    def take_up(self, lines: list[bytes]) -> None:
        """Go on where an agent that has died was; `lines` are what it left undone."""
        self._recording.go_on(lines)
        self._leader.start()
        if self.facts.ending is not None:
            # The outer terminal has been somebody else's since.
            self._reason = self.facts.ending or None
            self._is_ending = True
            self._close_terminals(is_returned=True)
            self._await_status()
        else:
            self._await_begin(now_us() + _BEGIN_US)

    def _await_begin(self, until_us: int) -> None:
        """Relay once there is a session within: until then the person's keys may not be ours."""
        if self._is_over or self._is_ending or self._master is None:
            return
        if read_leader(self._master) is not None or self._leader.is_gone():
            self.look_at_window()
            self._pass_output()
            self._pass_input()
            self._update()
        elif now_us() < until_us:
            self._loop.call_in(_LOOK_US, lambda: self._await_begin(until_us))
        else:
            self.end()

    # What to wait for.

    def _update(self) -> None:
        """Tell the loop what this session waits for now."""
        if self._is_over:
            return
        ring, is_suspended = self._ring, self._is_suspended
        if self._master is not None:
            mask = READABLE if self._may_read_output() else 0
            if ring.waiting_bytes(Way.INPUT):
                mask |= WRITABLE
            self._set_interest(self._master, mask, self._serve_master)
        if self._outer is not None:
            mask = 0
            if not self._is_ending and not is_suspended and self._may_read_input():
                mask = READABLE
            if ring.waiting_bytes(Way.OUTPUT) and not is_suspended:
                mask |= WRITABLE
            self._set_interest(self._outer, mask, self._serve_outer)

    def _may_read_output(self) -> bool:
        if self._is_suspended or self._empty_until_us > now_us():
            return False
        # A little is enough to read ahead: what a key should stop must not be far.
        if self._ring.waiting_bytes(Way.OUTPUT) or not self._ring.room_bytes(Way.OUTPUT):
            return False
        return self._recording.may_read()

    def _may_read_input(self) -> bool:
        if self._ring.waiting_bytes(Way.INPUT) or not self._ring.room_bytes(Way.INPUT):
            return False
        return not self._keeps_input or self._recording.may_read()

    def _set_interest(self, fd: int, mask: int, callback: Callable[[int], None]) -> None:
        if self._interest.get(fd) == mask:
            return
        # That a terminal is closed is told over and over: a master that waits is not watched.
        if mask or fd == self._outer:
            self._loop.watch(fd, mask, callback)
        else:
            self._loop.ignore(fd)
        self._interest[fd] = mask

    def _close(self, fd: int | None) -> None:
        if fd is not None:
            self._interest.pop(fd, None)
            self._loop.ignore(fd)
            os.close(fd)

    # What passes.

    def _serve_master(self, events: int) -> None:
        self.active_us = now_us()
        if events & WRITABLE:
            self._pass_input()
        if events & (READABLE | GONE):
            self._pump_output()
        self._update()

    def _pump_output(self) -> None:
        """Read, keep, pass on and record output, as long as that goes on and others may wait."""
        for _ in range(1 if self._loop.is_busy else _READS_PER_TURN):
            if self._master is None or not self._may_read_output():
                return
            at_us = self._recording.clock.at_us()
            data = self._ring.read(Way.OUTPUT, self._master, at_us)
            if data is None:
                return
            if not data:
                self._meet_end()
                return
            self._pass_output()
            self._recording.take_output(at_us, data)
            if self._is_ending:
                self._quiet_at_us = now_us() + _QUIET_US
                self._rest_bytes += len(data)
            if len(data) < _LONG_BYTES:
                return

    def _pass_output(self) -> None:
        """Hand the outer terminal what waits for it."""
        try:
            if self._outer is not None:
                self._ring.pass_on(Way.OUTPUT, self._outer)
                return
        except OSError:
            self.hang_up()
        self._ring.drop_waiting(Way.OUTPUT)

    def _serve_outer(self, events: int) -> None:
        self.active_us = now_us()
        if events & WRITABLE:
            self._pass_output()
            self._drained_at_us = now_us()
        if events & READABLE:
            self._pump_input()
        if events & GONE:
            self.hang_up()
        if self._is_ending:
            self._check_end()
        self._update()

    def _pump_input(self) -> None:
        if self._outer is None or self._master is None or not self._may_read_input():
            return
        self.look_at_window()
        echo = read_echo(self._master) if self._sees_input else Echo.SHOWN
        at_us = self._recording.clock.at_us()
        data = self._ring.read(Way.INPUT, self._outer, at_us, echo=echo)
        if data:
            self._pass_input()
            self._recording.take_input(at_us, data, echo)
        elif data is not None and outer.read_window(self._outer) is None:
            self.hang_up()

    def _pass_input(self) -> None:
        try:
            if self._master is not None:
                self._ring.pass_on(Way.INPUT, self._master)
                return
        except OSError:
            # Nobody has the terminal open; what it means is found out by reading.
            log.debug("input that nobody takes", extra={"rec": self.facts.rec})
        self._ring.drop_waiting(Way.INPUT)

    def look_at_window(self) -> None:
        """Look whether the outer terminal's size has changed: no signal reaches the agent."""
        if self._outer is None or self._master is None or self._is_suspended:
            return
        window = outer.read_window(self._outer)
        if window is None or window == self._window:
            return
        self._window = window
        outer.write_window(self._master, window)
        size = outer.size_of(window)
        if size is not None:
            at_us = self._recording.clock.at_us()
            self._ring.put_window(at_us, *size)
            self._recording.take_window(at_us, *size)

    def rest(self) -> None:
        """Give memory back to the system: nothing has passed for a while."""
        if not self._is_over:
            self._ring.shrink()

    # What people at a distance do.

    def send_message(self, text: str, by: str) -> None:
        """Show a line to the person and note it in the recording."""
        self._show(f"\r\n*** {by}: {text}\r\n")
        self._recording.note("message", {"text": text, "by": by})
        self._update()

    def kill(self, by: str) -> None:
        """Hang the session up; a little later, kill what leads it."""
        if self._is_over or self._is_ending:
            return
        self._show(f"\r\n*** this session is ended by {by}\r\n")
        self._recording.note("kill", {"by": by})
        self._is_killed = True
        self.hang_up()

    def _show(self, text: str) -> None:
        """Put a line of ours on the person's terminal, and what is shown into the recording."""
        data = text.encode("utf-8", "replace")
        at_us = self._recording.clock.at_us()
        try:
            self._ring.put(Way.OUTPUT, at_us, data)
        except BlockingIOError:
            return  # the terminal takes nothing; the recording's note tells
        self._recording.take_output(at_us, data)
        if not self._is_suspended:
            self._pass_output()

    def _lose_destination(self, failure: Failure, is_last: bool) -> None:
        if not is_last:
            return
        if self.facts.on_failure == "deny":
            self._show(explain(failure, is_raw=True))
            self._reason = "recorder"
            self._loop.post(self.hang_up)

    # What steno-shell reports.

    def _obey(self, report: Report) -> None:
        if report.kind == "stopped":
            # The shell has stopped itself: the outer terminal is its parent's for a while.
            self._pass_output()
            self._suspend(is_suspended=True)
            self._restore()
            self._leader.say(RESTORED)
        elif report.kind == "continued":
            self._suspend(is_suspended=False)
            if self._outer is not None:
                outer.enter_raw(self._outer)
            self._leader.say(TAKEN)
            self.look_at_window()
        self._update()

    def _suspend(self, *, is_suspended: bool) -> None:
        self._is_suspended = is_suspended
        self._change_facts(is_suspended=is_suspended)

    def _note_parent(self) -> None:
        self._change_facts(has_parent=True)
        self._host.keep(self)

    def _change_facts(self, **changes: bool | str) -> None:
        """Note what the next agent would have to know."""
        self.facts = msgspec.structs.replace(self.facts, **changes)
        self._ring.set_facts(msgspec.json.encode(self.facts))

    def _restore(self) -> None:
        if self._outer is not None and self.facts.attributes is not None:
            outer.write_settings(self._outer, self.facts.attributes)

    # The end.

    def _meet_end(self) -> None:
        """Nobody has the inner terminal open: its session is over, or may open it again."""
        if self._is_ending or self._leader.is_gone():
            self._close(self._master)
            self._master = None
            self._begin_end()
            self._check_end()
            return
        self._empty_until_us = now_us() + _EMPTY_US
        self._loop.call_in(_EMPTY_US, self._update)

    def _begin_end(self) -> None:
        """What leads the session has ended: pass on what is left."""
        if self._is_ending or self._is_over:
            return
        self._is_ending = True
        self._is_suspended = False
        self._empty_until_us = 0
        self._quiet_at_us = self._drained_at_us = now_us()
        self._pump_output()
        self._update()
        self._check_end()

    def _check_end(self) -> None:
        """Go on to the end once all output has come and was passed on."""
        if self._is_over or self._outer is None:
            return
        now = now_us()
        is_stuck = now - self._drained_at_us > _DRAIN_US
        is_drained = is_stuck or not self._ring.waiting_bytes(Way.OUTPUT)
        is_quiet = self._master is None or self._rest_bytes > _REST_BYTES
        if not is_quiet and now >= self._quiet_at_us:
            is_quiet = not _has_input(self._master) or is_stuck
        if is_drained and is_quiet:
            self._close_terminals()
            self._await_status()
        else:
            self._loop.call_in(_QUIET_US, self._check_end)

    def hang_up(self) -> None:
        """The person's terminal has vanished, or is to: the session within gets to know."""
        if self._is_over or self._outer is None:
            return
        self._is_ending = True
        self._reason = self._reason or "hangup"
        self._ring.drop_waiting(Way.OUTPUT)
        self._close_terminals()
        self._await_status()

    def _close_terminals(self, *, is_returned: bool = False) -> None:
        """Close the inner terminal, which hangs up what is left there; give the outer one back."""
        self._close(self._master)
        if not is_returned:
            self._restore()
            self._change_facts(ending=self._reason or "")
            self._leader.say(RESTORED)
        self._close(self._outer)
        self._master = self._outer = None
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
        if self._reason is None:
            self._reason = "unknown"
            if exit_ is not None:
                self._reason = "exit" if exit_.signal is None else "signal"
        self._recording.end(self._reason, exit_)

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
        self._close(self._master)
        self._close(self._outer)
        self._master = self._outer = None
        self._leader.close()
        self._recording.leave()


def _has_input(fd: int | None) -> bool:
    ready = select.poll()
    if fd is not None:
        ready.register(fd, select.POLLIN)
    return any(events & select.POLLIN for _, events in ready.poll(0))
