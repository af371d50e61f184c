"""The foreground relay: between our standard streams and the recorded program's.

It reads, passes on, and hands what passed to the session. One poll(2) loop; nothing in it waits
for anything else. What cannot be passed on yet stays in bounded queues, and its source is not read.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Sequence

import msgspec

from steno.errors import StenoError
from steno.formats.stretches import Filled
from steno.recorder.channel import Channel, Stream, find_channel, has_input
from steno.recorder.child import Child, Exit
from steno.recorder.clock import RecordingClock
from steno.recorder.destinations import RETRY_US, Destinations
from steno.recorder.echo import Echo
from steno.recorder.session import InputMode, Session, Settings
from steno.recorder.signals import SignalPipe
from steno.recorder.terminal import OuterTerminal, is_in_foreground, read_echo, write_window
from steno.recorder.traffic import Odd, OutputWay, Traffic, wait_for_traffic

_TURN_BYTES = 262144
"""So much output is passed on in a row, or 10 ms of it; then signals get their turn."""
_QUIET_US = 100_000
"""After the program has ended, its terminal or pipes may be held open by others; when nothing came
for so long, everything that it wrote has arrived."""
_REST_BYTES = 1 << 20
"""And what others go on writing then is not awaited beyond this: pipes hold no more."""
_GRACE_US = 2_000_000
"""How long a program may take to end after a hang-up or SIGTERM, before its terminal is closed."""
_FAREWELL_US = 1_000_000
"""And how long after that, before it is left alone."""
_READABLE = select.POLLIN | select.POLLHUP | select.POLLERR
_WRITABLE = select.POLLOUT | select.POLLHUP | select.POLLERR


class Ended(msgspec.Struct, frozen=True):
    """How a recorded session ended.

    Attributes:
        reason: In the words of model.End.
        exit: How the program ended; None when it was left running.
        ended_by: The signal to us that ended it, for `hangup` and `recorder`.
        lost_output: Why what the program wrote could not be passed on.
    """

    reason: str
    exit: Exit | None = None
    ended_by: int | None = None
    lost_output: StenoError | None = None


class Relay:
    """Relays one session until it ends.

    Owns none of the descriptors, except that it closes the program's ends that it was handed in
    `child` when their streams end.
    """

    def __init__(
        self,
        child: Child,
        channels: Sequence[Channel],
        session: Session,
        destinations: Destinations,
        clock: RecordingClock,
        *,
        settings: Settings,
        terminal: OuterTerminal | None,
        stops_without_destination: bool = False,
    ) -> None:
        self._child = child
        self._channels = list(channels)
        self._session = session
        self._destinations = destinations
        self._clock = clock
        self._settings = settings
        self._terminal = terminal
        self._stops_without_destination = stops_without_destination
        self._keys = find_channel(channels, Stream.INPUT)
        self._output = find_channel(channels, Stream.OUTPUT)
        self._reason: str | None = None
        self._ended_by: int | None = None
        self._close_at_us: int | None = None
        self._leave_at_us: int | None = None
        self._quiet_since_us: int | None = None
        self._rest_bytes = 0
        self._has_vanished = False
        self._window: tuple[int, int] | None = None

    def run(self, signals: SignalPipe) -> Ended:
        """Relay until the program has ended and all its output was passed on."""
        self._note_window()
        while not self._is_over():
            waits = self._waits(signals.fd)
            way = self._output_way()
            traffic = wait_for_traffic(waits, self._timeout_ms(), self._key_way(), way)
            self._record(traffic)
            for fd, event in traffic.ready:
                if fd == signals.fd:
                    self._take_signals(signals)
                else:
                    self._serve(fd, event)
            self._tick()
        exit_ = self._child.exit
        reason = self._reason
        if reason is None:
            reason = "signal" if exit_ is not None and exit_.signal is not None else "exit"
        failures = [channel.failure for channel in self._channels if channel.failure is not None]
        return Ended(reason, exit_, self._ended_by, next(iter(failures), None))

    # What to wait for.

    def _waits(self, signals_fd: int) -> list[tuple[int, int]]:
        wanted = {signals_fd: select.POLLIN}
        if self._terminal is not None and not self._has_vanished:
            wanted[self._terminal.reader] = 0  # a hang-up is always told
        for channel in self._channels:
            if channel.source is not None and self._wants(channel):
                wanted[channel.source] = wanted.get(channel.source, 0) | select.POLLIN
            if channel.sink is not None and channel.flow.size_bytes:
                fd = channel.sink.fd
                wanted[fd] = wanted.get(fd, 0) | select.POLLOUT
        for fd in self._destinations.waiting_fds():
            wanted[fd] = select.POLLOUT
        return [*wanted.items()]

    def _wants(self, channel: Channel) -> bool:
        """Return whether the channel's source should be read now."""
        if channel.flow.is_full or self._destinations.is_backlogged:
            return False
        if not self._session.held_until_us:
            return True
        is_recorded = (
            channel.stream is not Stream.INPUT or self._settings.input is not InputMode.NONE
        )
        return not is_recorded or self._session.held_until_us <= self._clock.at_us()

    def _key_way(self) -> tuple[int, int] | None:
        """Return where keys pass that nobody records."""
        if self._keys is None or self._settings.input is not InputMode.NONE:
            return None
        return self._keys.direct_way()

    def _output_way(self) -> OutputWay | None:
        """Return where output passes in a row; None where more than recording it is to be done."""
        way = None if self._output is None else self._output.direct_way()
        room = None if way is None else self._session.room()
        if way is None or room is None or self._quiet_since_us is not None:
            return None
        return OutputWay(*way, self._clock.base_ns, _TURN_BYTES, room, self._record_filled)

    def _timeout_ms(self) -> int | None:
        """Return how long to wait at most: until the next thing is due."""
        now_us = self._clock.at_us()
        due = [self._session.due_us, self._close_at_us, self._leave_at_us]
        if self._session.held_until_us > now_us:
            due.append(self._session.held_until_us)
        if self._quiet_since_us is not None:
            due.append(self._quiet_since_us + _QUIET_US)
        if self._destinations.is_pending:
            due.append(now_us + RETRY_US)
        times = [at_us for at_us in due if at_us is not None]
        return max(0, (min(times) - now_us + 999) // 1000) if times else None

    # What to do.

    def _record_filled(self, filled: Filled) -> bool:
        """Record output that fills messages; return whether the destinations keep up."""
        self._destinations.write(self._session.take_filled(filled), self._clock.at_us())
        return not self._destinations.is_backlogged

    def _record(self, traffic: Traffic) -> None:
        """Record what passed while we waited, and pass on what did not get through whole."""
        self._session.input_bytes += traffic.key_bytes
        if traffic.row.length_bytes:
            self._session.take_row(traffic.row)
        lines: list[bytes] = []
        for channel, odd in (self._keys, traffic.odd_keys), (self._output, traffic.odd):
            if channel is not None and odd is not None:
                lines += self._pass(channel, odd)
        if lines:
            self._destinations.write(lines, self._clock.at_us())

    def _serve(self, fd: int, event: int) -> None:
        for channel in self._channels:
            if channel.source == fd and event & _READABLE:
                self._pump(channel)
            sink = channel.sink
            is_sink = sink is not None and sink.fd == fd and event & _WRITABLE
            if is_sink and not channel.drain():
                self._lose_reader(channel)
        terminal = self._terminal
        if terminal is not None and fd == terminal.reader and event & ~select.POLLIN:
            self._hang_up()

    def _pump(self, channel: Channel) -> None:
        """Read, pass on and record, as long as that goes on quickly and others may wait."""
        lines: list[bytes] = []
        for _ in range(channel.reads_per_turn):
            data = channel.read()
            if not data:
                if data is not None:
                    self._end_source(channel)
                break
            lines += self._pass(channel, Odd(data))
            if self._session.held_until_us or not channel.has_likely_more(data):
                break
        if lines:
            self._destinations.write(lines, self._clock.at_us())

    def _pass(self, channel: Channel, odd: Odd) -> list[bytes]:
        """Pass on what was read and record it; return the lines that were completed."""
        data, taken_bytes, at_us = odd
        at_us = self._clock.at_us() if at_us is None else at_us
        stream = channel.stream
        echo = self._read_echo() if stream is Stream.INPUT else Echo.SHOWN
        if not channel.pass_on(data[taken_bytes:]):
            self._lose_reader(channel)
        if stream is Stream.INPUT:
            return self._session.take_input(at_us, data, echo)
        if self._quiet_since_us is not None:
            self._quiet_since_us = at_us
            self._rest_bytes += len(data)
        return self._session.take_output(at_us, data, is_stderr=stream is Stream.ERROR)

    def _read_echo(self) -> Echo:
        """Return what the program's terminal does with what is typed now, before it gets it."""
        master = self._child.master
        if self._settings.input is not InputMode.SEEN or master is None:
            return Echo.SHOWN
        return read_echo(master)

    def _end_source(self, channel: Channel) -> None:
        """The source has ended: say so to who reads behind us."""
        if channel.stream is Stream.INPUT:
            if self._terminal is not None:
                self._hang_up()
            channel.source = None
        else:
            channel.close_source(spares=self._child.master)
        self._close_idle_sinks()

    def _close_idle_sinks(self) -> None:
        if self._terminal is None:
            for channel in self._channels:
                channel.close_idle_sink()

    def _lose_reader(self, channel: Channel) -> None:
        """Nobody takes the channel's bytes any more: let its writer find out as usual."""
        if self._terminal is not None and channel.stream is Stream.OUTPUT:
            self._hang_up()
        elif channel.stream is Stream.INPUT:
            channel.source = None
        else:
            channel.close_source(spares=self._child.master)

    def _tick(self) -> None:
        at_us = self._clock.at_us()
        moved = self._clock.look(at_us)
        lines = [] if moved is None else self._session.take_note(moved)
        lines += self._session.tick(at_us)
        if lines:
            self._destinations.write(lines, at_us)
        if self._destinations.is_pending:
            self._destinations.flush(at_us)
        self._close_idle_sinks()
        if self._stops_without_destination and self._destinations.is_empty:
            self._stop("recorder", signal.SIGHUP)
        if self._close_at_us is not None and at_us >= self._close_at_us:
            self._close_terminal(at_us)

    # Signals.

    def _take_signals(self, signals: SignalPipe) -> None:
        for number in signals.read():
            if number == signal.SIGCHLD:
                self._look_at_child(signals)
            elif number in (signal.SIGWINCH, signal.SIGCONT):
                if self._terminal is not None and number == signal.SIGCONT:
                    self._terminal.enter_raw()
                self._note_window()
            elif number == signal.SIGTSTP:
                self._suspend(signals)
            elif number == signal.SIGHUP and self._terminal is not None:
                self._hang_up()
            elif number == signal.SIGTERM and self._terminal is not None:
                self._stop("recorder", signal.SIGTERM)
            elif number in (signal.SIGINT, signal.SIGQUIT):
                self._interrupt(number)
            else:
                self._child.send(number)

    def _look_at_child(self, signals: SignalPipe) -> None:
        is_stopped = self._child.poll()
        if self._child.exit is not None and self._quiet_since_us is None:
            self._quiet_since_us = self._clock.at_us()
            for channel in self._channels:
                if channel.stream is Stream.INPUT:
                    channel.source = None
                    channel.flow.clear()
        elif is_stopped and self._terminal is not None:
            self._suspend(signals)

    def _suspend(self, signals: SignalPipe) -> None:
        """Stop as the program did, or as we were told; go on with it afterwards."""
        at_us = self._clock.at_us()
        self._destinations.write(self._session.cut(at_us), at_us)
        if self._terminal is not None:
            self._terminal.restore()
            signals.stop_here()
            self._terminal.enter_raw()
        self._child.send(signal.SIGCONT)
        self._note_window()
        self._child.send_to_foreground(signal.SIGWINCH)  # draws the screen again

    def _interrupt(self, number: int) -> None:
        """Pass SIGINT or SIGQUIT on, unless the terminal sent it to the program as well."""
        if self._terminal is None and is_in_foreground():
            return
        self._child.send_to_foreground(number)

    def _note_window(self) -> None:
        window = self._terminal.window() if self._terminal is not None else None
        if window not in (None, self._window) and self._child.master is not None:
            self._window = window
            write_window(self._child.master, *window)
            at_us = self._clock.at_us()
            lines = self._session.take_window(at_us, *window)
            if lines:
                self._destinations.write(lines, at_us)

    # The end.

    def _is_over(self) -> bool:
        at_us = self._clock.at_us()
        if self._leave_at_us is not None and at_us >= self._leave_at_us:
            return True
        if self._quiet_since_us is None:
            return False
        outputs = [one for one in self._channels if one.stream is not Stream.INPUT]
        if any(channel.flow.size_bytes for channel in outputs):
            return False
        open_ = [channel for channel in outputs if channel.source is not None]
        if not open_ or self._rest_bytes > _REST_BYTES:
            return True
        if not all(self._wants(channel) for channel in open_):
            # A limit or a slow destination holds us back: what waits there is not silence.
            self._quiet_since_us = at_us
        return at_us - self._quiet_since_us >= _QUIET_US and not has_input(open_)

    def _hang_up(self) -> None:
        """The person's terminal has vanished: the program gets to know, and may say goodbye."""
        if self._has_vanished:
            return
        self._has_vanished = True
        self._stop("hangup", signal.SIGHUP)
        for channel in self._channels:
            if channel.stream is Stream.INPUT:
                channel.source = None
            elif channel.stream is Stream.OUTPUT:
                channel.drop_sink()

    def _stop(self, reason: str, number: int) -> None:
        if self._reason is not None or self._child.exit is not None:
            return
        self._reason, self._ended_by = reason, number
        self._close_at_us = self._clock.at_us() + _GRACE_US
        self._child.send_to_all(number)
        self._child.send(signal.SIGCONT)

    def _close_terminal(self, at_us: int) -> None:
        """The grace is over: hang the program's terminal up, and soon leave it alone."""
        self._close_at_us = None
        self._leave_at_us = at_us + _FAREWELL_US
        self._child.send_to_all(signal.SIGHUP)
        if self._child.master is not None:
            for channel in self._channels:
                if channel.stream is not Stream.ERROR:
                    channel.source = None
                    channel.drop_sink()
            os.close(self._child.master)
            self._child.master = None
