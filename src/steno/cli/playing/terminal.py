"""The player's own terminal: raw keys in, drawing out, restored whatever happens."""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import time
import tty
from types import FrameType, TracebackType

from steno.errors import TerminalError

_LEAVE = b"\x1b[!p\x1b[0m\x1b[?25h\x1b[?7h\x1b[?1l\x1b>\x1b(B\x1b[r"


class Terminal:
    """Use as a context manager; keys come from the controlling terminal, so stdin may be a file.

    Raises:
        TerminalError: There is no terminal.
    """

    def __init__(self) -> None:
        try:
            self._keys_fd = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise TerminalError(f"playing needs a terminal: {error.strerror}") from error
        self._out_fd = sys.stdout.fileno()
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.is_resized = False
        self._saved_mode = termios.tcgetattr(self._keys_fd)

    def __enter__(self) -> Terminal:
        tty.setraw(self._keys_fd)
        self._old_wakeup = signal.set_wakeup_fd(self._wake_write)
        self._old_handler = signal.signal(signal.SIGWINCH, self._note_resize)
        self._old_stops = {
            number: signal.signal(number, _raise_exit) for number in (signal.SIGTERM, signal.SIGHUP)
        }
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        signal.signal(signal.SIGWINCH, self._old_handler)
        for number, handler in self._old_stops.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._old_wakeup)
        try:
            rows = self.size()[1]
            self.write(_LEAVE + b"\x1b[%d;1H\r\n" % rows)
            termios.tcsetattr(self._keys_fd, termios.TCSAFLUSH, self._saved_mode)
        except (OSError, termios.error, TerminalError):
            pass  # The terminal has vanished: there is nothing left to restore.
        for fd in (self._keys_fd, self._wake_read, self._wake_write):
            os.close(fd)

    def size(self) -> tuple[int, int]:
        """Return columns and rows; 80 and 24 where the terminal does not know (serial lines)."""
        size = os.get_terminal_size(self._keys_fd)
        return size.columns or 80, size.lines or 24

    def write(self, data: bytes) -> None:
        """Write all of `data`.

        Raises:
            TerminalError: The terminal has vanished.
        """
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._out_fd, view) :]
        except OSError as error:
            raise TerminalError(f"the terminal has vanished: {error.strerror}") from error

    def wait_keys(self, timeout_us: int | None) -> str:
        """Return what was typed, as soon as something is, or "" after the time or a resize.

        Raises:
            TerminalError: The terminal has vanished.
        """
        timeout_s = None if timeout_us is None else timeout_us / 1e6
        ready, _, _ = select.select([self._keys_fd, self._wake_read], [], [], timeout_s)
        if self._wake_read in ready:
            os.read(self._wake_read, 512)
        if self._keys_fd not in ready:
            return ""
        try:
            data = os.read(self._keys_fd, 1024)
        except OSError as error:
            raise TerminalError(f"the terminal has vanished: {error.strerror}") from error
        if not data:
            raise TerminalError("the terminal has vanished")
        return data.decode(errors="replace")

    def now_us(self) -> int:
        """Return a steady clock's time."""
        return time.monotonic_ns() // 1000

    def _note_resize(self, _number: int, _frame: FrameType | None) -> None:
        self.is_resized = True


def _raise_exit(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
