"""Terminals: the one that the person sits at, and what is known of the one inside."""

from __future__ import annotations

import contextlib
import os
import termios

from steno.errors import TerminalError
from steno.recorder.echo import Echo

_LOCAL_FLAGS, _SPEEDS, _SPECIALS = 3, 4, 6
_NO_TERMINALS = (OSError, termios.error)


def read_window(fd: int) -> tuple[int, int] | None:
    """Return the terminal's (columns, rows); None when it has vanished."""
    try:
        return termios.tcgetwinsize(fd)[::-1]
    except _NO_TERMINALS:
        return None


def write_window(fd: int, columns: int, rows: int) -> None:
    """Tell the terminal, or a pseudo-terminal's master, its size; quiet when it has vanished."""
    with contextlib.suppress(*_NO_TERMINALS):
        termios.tcsetwinsize(fd, (rows, columns))


def read_echo(fd: int) -> Echo:
    """Return what the terminal, asked through its master, does with what is typed now.

    That it hides what is typed while it assembles lines (ICANON) and does not echo them is how
    the kernel's audit of terminals knows passwords, too (Linux, drivers/tty/tty_audit.c,
    tty_audit_add_data).
    """
    try:
        local = termios.tcgetattr(fd)[_LOCAL_FLAGS]
    except _NO_TERMINALS:
        return Echo.HIDDEN
    if local & termios.ECHO:
        return Echo.SHOWN
    return Echo.HIDDEN if local & termios.ICANON else Echo.DRAWN


def make_raw_flags(input_: int, output: int, control: int, local: int) -> tuple[int, int, int, int]:
    """Return a terminal's flags changed so that every byte passes, both ways.

    Source: termios(3), cfmakeraw.
    """
    input_ &= ~(
        termios.IGNBRK
        | termios.BRKINT
        | termios.PARMRK
        | termios.ISTRIP
        | termios.INLCR
        | termios.IGNCR
        | termios.ICRNL
        | termios.IXON
    )
    output &= ~termios.OPOST
    control = control & ~(termios.CSIZE | termios.PARENB) | termios.CS8
    local &= ~(termios.ECHO | termios.ECHONL | termios.ICANON | termios.ISIG | termios.IEXTEN)
    return input_, output, control, local


class OuterTerminal:
    """The person's terminal: raw while the relay runs, as it was found afterwards.

    `reader` and `writer` are descriptors of our own that do not block, where the system lets us
    open the terminal again; else those that we were given: their flags are shared with other
    processes and stay untouched. `close` closes what was opened here.
    """

    def __init__(self, input_fd: int, output_fd: int) -> None:
        """Take in the terminal's settings.

        Raises:
            TerminalError: It has vanished already.
        """
        try:
            self.name = os.ttyname(input_fd)
            self.attributes = termios.tcgetattr(input_fd)
        except _NO_TERMINALS as error:
            raise TerminalError(f"the terminal cannot be used: {error.args[-1]}") from error
        self._input_fd = input_fd
        reader, writer = _open_again(input_fd), _open_again(output_fd)
        self.is_nonblocking = writer is not None
        self.reader = input_fd if reader is None else reader
        self.writer = output_fd if writer is None else writer
        self._opened = [fd for fd in (reader, writer) if fd is not None]
        self._is_raw = False

    def window(self) -> tuple[int, int] | None:
        """Return (columns, rows) as they are now; None when the terminal has vanished."""
        return read_window(self._input_fd)

    def copy_settings(self, fd: int) -> None:
        """Give another terminal the settings that this one was found with."""
        termios.tcsetattr(fd, termios.TCSANOW, self.attributes)

    def enter_raw(self) -> None:
        """Let every byte through, both ways. What was typed ahead stays."""
        raw = [*self.attributes]
        raw[:_SPEEDS] = make_raw_flags(*self.attributes[:_SPEEDS])
        raw[_SPECIALS] = [*raw[_SPECIALS]]
        raw[_SPECIALS][termios.VMIN] = 1
        raw[_SPECIALS][termios.VTIME] = 0
        self._set(raw)
        self._is_raw = True

    def restore(self) -> None:
        """Make the terminal what it was; harmless when it was never changed or has vanished."""
        if self._is_raw:
            self._is_raw = False
            self._set(self.attributes)

    def close(self) -> None:
        """Restore the terminal and close our own descriptors of it."""
        self.restore()
        while self._opened:
            os.close(self._opened.pop())

    def _set(self, attributes: list[int | list[bytes | int]]) -> None:
        # A terminal that has vanished is noticed by whoever reads it next.
        with contextlib.suppress(*_NO_TERMINALS):
            termios.tcsetattr(self._input_fd, termios.TCSADRAIN, attributes)


def is_in_foreground() -> bool:
    """Return whether we run in the foreground of our controlling terminal."""
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    finally:
        os.close(terminal)


def _open_again(fd: int) -> int | None:
    """Open the terminal behind `fd` once more, not blocking; None where that is not allowed."""
    try:
        return os.open(f"/proc/self/fd/{fd}", os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError:
        return None
