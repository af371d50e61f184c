"""Record a session in the foreground: what `steno rec` does between its options and its end."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from steno.delivery.writers.protocol import Writer
from steno.errors import StenoError
from steno.formats.cutter import Identity
from steno.recorder import facts
from steno.recorder.channel import Channel, Stream
from steno.recorder.child import (
    Child,
    Pseudoterminal,
    find_program,
    start_between_pipes,
    start_on_terminal,
)
from steno.recorder.clock import RecordingClock
from steno.recorder.destinations import Destinations, Failure
from steno.recorder.relay import Ended, Relay
from steno.recorder.session import InputMode, Session, Settings
from steno.recorder.signals import SignalPipe
from steno.recorder.sink import Sink
from steno.recorder.terminal import OuterTerminal

_READS_PER_TURN = 16
"""So many reads of output, some 64 KiB, then keys and signals get their turn."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be recorded.

    Attributes:
        command: The program and its arguments.
        argv0: What the program gets as its own name; None for the name in `command`.
        service: What let the person in, see model.Start.
        settings: How it is recorded.
        labels: Free labels for the recording.
        numbers: The directory where recordings are counted; None to leave the number out.
        stops_without_destination: Whether the session ends when no destination is left.
    """

    command: list[str]
    argv0: str | None = None
    service: str = "rec"
    settings: Settings = Settings()
    labels: list[str] = []
    numbers: Path | None = None
    stops_without_destination: bool = False


class Outcome(msgspec.Struct, frozen=True):
    """What became of it.

    Attributes:
        rec: The recording's id.
        ended: How the session ended.
        failures: The destinations that were given up.
        uncounted: Why the recording has no number, if it was to get one.
    """

    rec: str
    ended: Ended
    failures: list[Failure]
    uncounted: StenoError | None = None


def has_terminal() -> bool:
    """Return whether there is a person's terminal to record: on standard input and output."""
    return os.isatty(0) and os.isatty(1)


def record(
    request: Request,
    open_writers: Callable[[Identity], Sequence[Writer]],
    on_failure: Callable[[Failure], None] | None = None,
    on_ready: Callable[[], None] | None = None,
) -> Outcome:
    """Run the command and record it; return when it has ended. Call it in the main thread.

    With a terminal on standard input and output the command gets a pseudo-terminal; else pipes.
    `open_writers` opens the destinations once it is known what the recording is. `on_failure` is
    told at once when one has to be given up, while the terminal is raw. `on_ready` is called when
    the command runs and what passes is about to be relayed; a StenoError of it ends the session.

    Raises:
        ProgramNotFoundError, ProgramNotExecutableError: Nothing was recorded.
        TerminalError: The same where no pseudo-terminal is left; else as for RecorderError.
        RecorderError: The recording says that the recorder gave up.
        StenoError: A destination could not be opened; nothing was started.
    """
    find_program(request.command)
    terminal = OuterTerminal(0, 1) if has_terminal() else None
    inner = None
    try:
        inner = Pseudoterminal() if terminal is not None else None
        clock = RecordingClock()
        number, uncounted = _take_number(request.numbers)
        identity = facts.gather(
            account=facts.read_account(os.getuid()),
            clock=clock,
            command=request.command,
            settings=request.settings,
            terminal=terminal,
            inner_terminal=None if inner is None else inner.name,
            term=facts.term_of(os.environ),
            number=number,
            labels=request.labels,
            service=request.service,
        )
        session = Session(identity, request.settings)
        destinations = Destinations(open_writers(identity), on_failure)
        try:
            terminals = None if terminal is None or inner is None else (terminal, inner)
            ended = _run(request, session, destinations, clock, terminals, on_ready)
        finally:
            destinations.finish(clock)
    finally:
        if inner is not None:
            inner.close()
        if terminal is not None:
            terminal.close()
    return Outcome(identity.rec, ended, destinations.failures, uncounted)


def _take_number(directory: Path | None) -> tuple[int | None, StenoError | None]:
    """Return the recording's number, or why it has none: that must not keep it from being made."""
    if directory is None:
        return None, None
    try:
        return facts.take_number(directory), None
    except StenoError as error:
        return None, error


def _run(
    request: Request,
    session: Session,
    destinations: Destinations,
    clock: RecordingClock,
    terminals: tuple[OuterTerminal, Pseudoterminal] | None,
    on_ready: Callable[[], None] | None,
) -> Ended:
    """Start the command, relay it, and end the recording whatever happens."""
    terminal = None if terminals is None else terminals[0]
    ended = Ended("recorder")
    at_us = clock.at_us()
    destinations.write(session.begin(at_us, terminal.window() if terminal else None), at_us)
    try:
        with SignalPipe(catches_stop=terminal is not None) as signals:
            child = _start(request, terminals)
            relay = Relay(
                child,
                make_channels(child, terminal),
                session,
                destinations,
                clock,
                settings=request.settings,
                terminal=terminal,
                stops_without_destination=request.stops_without_destination,
            )
            if terminal is not None:
                terminal.enter_raw()
            try:
                if on_ready is not None:
                    on_ready()
                ended = relay.run(signals)
            except BaseException:
                child.send(signal.SIGHUP)  # nobody relays for it any more
                raise
    finally:
        if terminal is not None:
            terminal.restore()
        at_us = clock.at_us()
        status = ended.exit.status if ended.exit is not None else None
        number = ended.exit.signal if ended.exit is not None else None
        moved = clock.look(at_us)
        lines = [] if moved is None else session.take_note(moved)
        lines += session.end(at_us, ended.reason, exit_status=status, signal=number)
        destinations.write(lines, at_us)
    return ended


def _start(request: Request, terminals: tuple[OuterTerminal, Pseudoterminal] | None) -> Child:
    if terminals is None:
        relays_input = request.settings.input is not InputMode.NONE
        return start_between_pipes(request.command, argv0=request.argv0, relays_input=relays_input)
    keeps_error_apart = not os.isatty(2)
    return start_on_terminal(
        request.command, *terminals, argv0=request.argv0, keeps_error_apart=keeps_error_apart
    )


def make_channels(child: Child, terminal: OuterTerminal | None) -> list[Channel]:
    """Return the ways through the relay between our standard streams and the child's."""
    if terminal is not None:
        output = Sink(terminal.writer, is_nonblocking=terminal.is_nonblocking)
        reader = terminal.reader
    else:
        output = Sink(1, is_nonblocking=False)
        reader = 0
    channels = [Channel(Stream.OUTPUT, child.output, output, reads_per_turn=_READS_PER_TURN)]
    if child.error is not None:
        error = Sink(2, is_nonblocking=False)
        channels.append(Channel(Stream.ERROR, child.error, error, reads_per_turn=_READS_PER_TURN))
    if child.input is not None:
        channels.append(Channel(Stream.INPUT, reader, Sink(child.input, is_nonblocking=True)))
    return channels


def explain(failure: Failure, *, is_raw: bool, program: str = "steno") -> str:
    """Return the line that tells of a failed destination, fit for a raw terminal if need be."""
    newline = "\r\n" if is_raw else "\n"
    begin = newline if is_raw else ""
    return f"{begin}{program}: {_reason(failure.error)}; no longer recorded there{newline}"


def _reason(error: StenoError) -> str:
    return " ".join(str(error).split())
