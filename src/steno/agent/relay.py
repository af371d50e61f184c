"""What passes between the person's terminal and a session's pseudo-terminal.

What is read is kept in the session's ring before it is passed on, and recorded after. Each turn
takes a bounded amount; whoever does not take what is passed on stops this session only.
"""

from __future__ import annotations

import logging
import os
import select
from collections.abc import Callable

from steno.agent import outer
from steno.agent.loop import GONE, READABLE, WRITABLE, Loop, now_us
from steno.agent.recording import Recording
from steno.agent.ring import Ring
from steno.agent.ring_layout import Way
from steno.recorder.echo import Echo
from steno.recorder.session import InputMode
from steno.recorder.terminal import read_echo

_READS_PER_TURN = 4
"""So many reads of output, some 16 KiB, then other sessions get their turn."""
_LONG_BYTES = 1024
"""After a read this long there is likely more."""
_EMPTY_US = 100_000
"""How often a terminal that nobody has open is looked at again while its session lives."""

log = logging.getLogger("steno.agent")


class Relay:
    """Passes bytes and window sizes between two terminals. Owns their descriptors.

    Attributes:
        outer: The person's terminal; None once it is closed.
        master: The pseudo-terminal's near side; None once it is closed.
        is_suspended: The outer terminal is somebody else's for a while: nothing passes.
        is_ending: Nothing more is taken from the person.
        active_us: When something last passed, on the loop's clock.
        drained_us: When the outer terminal last took something that had waited.
        output_us: When output last came.
        output_bytes: How much output came.
    """

    def __init__(
        self,
        loop: Loop,
        terminals: tuple[int | None, int | None],
        ring: Ring,
        recording: Recording,
        input_mode: InputMode,
        *,
        on_hang_up: Callable[[], None],
        on_end: Callable[[], bool],
        on_output: Callable[[], None],
        on_fault: Callable[[], None],
    ) -> None:
        """Take over the `terminals`, outer and master; nothing passes before `update`.

        Args:
            loop: The loop.
            terminals: The descriptors.
            ring: Keeps what passes.
            recording: Records it.
            input_mode: Whether what is typed is recorded.
            on_hang_up: Called when the outer terminal has vanished.
            on_end: Called when nobody has the inner terminal open; returns whether that is the
                end; else it is looked at again.
            on_output: Called when the outer terminal has taken what waited.
            on_fault: Called after an error of the agent's own: this cannot go on.
        """
        self.outer, self.master = terminals
        self.is_suspended = False
        self.is_ending = False
        self.active_us = self.drained_us = self.output_us = now_us()
        self.output_bytes = 0
        self._loop = loop
        self._ring = ring
        self._recording = recording
        self._keeps_input = input_mode is not InputMode.NONE
        self._sees_input = input_mode is InputMode.SEEN
        self._on_hang_up = on_hang_up
        self._on_end = on_end
        self._on_output = on_output
        self._on_fault = on_fault
        self._window = b""
        self._interest: dict[int, int] = {}
        self._empty_until_us = 0
        self._is_flood = False

    @property
    def descriptors(self) -> dict[str, int]:
        """Those that are open, by name."""
        named = {"outer": self.outer, "master": self.master}
        return {name: fd for name, fd in named.items() if fd is not None}

    @property
    def has_input(self) -> bool:
        """Whether output can be read right now, however late it is that we look."""
        ready = select.poll()
        if self.master is not None:
            ready.register(self.master, select.POLLIN)
        return any(events & select.POLLIN for _, events in ready.poll(0))

    # What to wait for.

    def update(self) -> None:
        """Tell the loop what is waited for now."""
        ring = self._ring
        if self.master is not None:
            mask = READABLE if self._may_read_output() else 0
            if ring.waiting_bytes(Way.INPUT):
                mask |= WRITABLE
            self._set_interest(self.master, mask, self._serve_master)
        if self.outer is not None:
            mask = READABLE if self._may_read_input() else 0
            if ring.waiting_bytes(Way.OUTPUT) and not self.is_suspended:
                mask |= WRITABLE
            self._set_interest(self.outer, mask, self._serve_outer)

    def _may_read_output(self) -> bool:
        if self.is_suspended or self._empty_until_us > now_us():
            return False
        # A little is enough to read ahead: what a key should stop must not be far.
        if self._ring.waiting_bytes(Way.OUTPUT) or not self._ring.room_bytes(Way.OUTPUT):
            return False
        return self._recording.may_read()

    def _may_read_input(self) -> bool:
        if self.is_ending or self.is_suspended:
            return False
        if self._ring.waiting_bytes(Way.INPUT) or not self._ring.room_bytes(Way.INPUT):
            return False
        return not self._keeps_input or self._recording.may_read()

    def _set_interest(self, fd: int, mask: int, callback: Callable[[int], None]) -> None:
        if self._interest.get(fd) == mask:
            return
        # That a terminal is closed is told over and over: a master that waits is not watched.
        if mask or fd == self.outer:
            self._loop.watch(fd, mask, callback, self._on_fault)
        else:
            self._loop.ignore(fd)
        self._interest[fd] = mask

    def close_master(self) -> None:
        """Close the inner terminal: that hangs up what is left there."""
        fd, self.master = self.master, None
        self._close(fd)

    def close_outer(self) -> None:
        """Close the outer terminal, whose settings are as they should be by now."""
        fd, self.outer = self.outer, None
        self._close(fd)

    def _close(self, fd: int | None) -> None:
        if fd is not None:
            self._interest.pop(fd, None)
            self._loop.ignore(fd)
            self._loop.mark_flood(fd, is_flood=False)
            os.close(fd)

    # What passes.

    def _serve_master(self, events: int) -> None:
        self.active_us = now_us()
        if events & WRITABLE:
            self.pass_input()
        if events & (READABLE | GONE):
            self.pump_output()
        self.update()

    def pump_output(self) -> None:
        """Read, keep, pass on and record output, as long as that goes on and others may wait."""
        for _ in range(1 if self._loop.is_busy else _READS_PER_TURN):
            if self.master is None or not self._may_read_output():
                return
            data = self._ring.read(Way.OUTPUT, self.master, self._recording.clock.at_us)
            if data is None:
                return
            if not data:
                self._meet_end()
                return
            self.pass_output()
            self._recording.take_output(self._ring.read_us, data)
            self.output_us = self.active_us
            self.output_bytes += len(data)
            self._mark_flood(is_flood=len(data) >= _LONG_BYTES)
            if len(data) < _LONG_BYTES:
                return

    def _mark_flood(self, *, is_flood: bool) -> None:
        """Let keys in other sessions go first."""
        if is_flood != self._is_flood:
            self._is_flood = is_flood
            for fd in (self.master, self.outer):
                if fd is not None:
                    self._loop.mark_flood(fd, is_flood=is_flood)

    def _meet_end(self) -> None:
        """Nobody has the inner terminal open: somebody may open it again."""
        if not self._on_end():
            self._empty_until_us = now_us() + _EMPTY_US
            self._loop.call_in(_EMPTY_US, self.update)

    def stop_waiting(self) -> None:
        """Look at an inner terminal that nobody had open at once."""
        self._empty_until_us = 0

    def pass_output(self) -> None:
        """Hand the outer terminal what waits for it."""
        try:
            if self.outer is not None:
                self._ring.pass_on(Way.OUTPUT, self.outer)
                return
        except OSError:
            self._on_hang_up()
        self._ring.drop_waiting(Way.OUTPUT)

    def _serve_outer(self, events: int) -> None:
        self.active_us = now_us()
        if events & WRITABLE:
            self.pass_output()
            self.drained_us = now_us()
        if events & READABLE:
            self._pump_input()
        if events & GONE:
            self._on_hang_up()
        if events & WRITABLE:
            self._on_output()
        self.update()

    def _pump_input(self) -> None:
        if self.outer is None or self.master is None or not self._may_read_input():
            return
        self.look_at_window()
        echo = read_echo(self.master) if self._sees_input else Echo.SHOWN
        data = self._ring.read(Way.INPUT, self.outer, self._recording.clock.at_us, echo=echo)
        if data:
            self.pass_input()
            self._recording.take_input(self._ring.read_us, data, echo)
        elif data is not None and outer.read_window(self.outer) is None:
            self._on_hang_up()

    def pass_input(self) -> None:
        """Hand the session what waits for it."""
        try:
            if self.master is not None:
                self._ring.pass_on(Way.INPUT, self.master)
                return
        except OSError:
            # Nobody has the terminal open; what it means is found out by reading.
            log.debug("input that nobody takes")
        self._ring.drop_waiting(Way.INPUT)

    def look_at_window(self) -> None:
        """Look whether the outer terminal's size has changed: no signal reaches the agent."""
        if self.outer is None or self.master is None or self.is_suspended:
            return
        window = outer.read_window(self.outer)
        if window is None or window == self._window:
            return
        self._window = window
        outer.write_window(self.master, window)
        size = outer.size_of(window)
        if size is not None:
            at_us = self._recording.clock.at_us()
            self._ring.put_window(at_us, *size)
            self._recording.take_window(at_us, *size)

    def show(self, text: str) -> None:
        """Put a line of ours on the person's terminal, and what is shown into the recording."""
        data = text.encode("utf-8", "replace")
        at_us = self._recording.clock.at_us()
        try:
            self._ring.put(Way.OUTPUT, at_us, data)
        except BlockingIOError:
            return  # the terminal takes nothing; the recording's note tells
        self._recording.take_output(at_us, data)
        if not self.is_suspended:
            self.pass_output()
