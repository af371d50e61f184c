"""Signals, turned into bytes that a poll loop reads."""

from __future__ import annotations

import contextlib
import os
import signal
from types import FrameType, TracebackType

_CAUGHT = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGCHLD,
    signal.SIGWINCH,
    signal.SIGCONT,
)


class SignalPipe:
    """Catches signals while it is open; `fd` becomes readable when some came.

    Signals that were ignored when we were started (nohup, background jobs) stay so.
    """

    def __init__(self, *, catches_stop: bool) -> None:
        """Begin to catch signals; `catches_stop` includes the terminal's stop (Ctrl-Z)."""
        self._catches_stop = catches_stop
        self._before: dict[int, object] = {}

    def __enter__(self) -> SignalPipe:
        self.fd, self._writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._wakeup_before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in (*_CAUGHT, *([signal.SIGTSTP] if self._catches_stop else [])):
            before = signal.getsignal(number)
            if before is not signal.SIG_IGN or number == signal.SIGCHLD:
                self._before[number] = before
                signal.signal(number, _note_signal)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)  # type: ignore[arg-type]  # as getsignal returned it
        signal.set_wakeup_fd(self._wakeup_before)
        os.close(self.fd)
        os.close(self._writer)

    def read(self) -> list[int]:
        """Return the signals that came since the last call, each once, in order."""
        with contextlib.suppress(BlockingIOError):
            return list(dict.fromkeys(os.read(self.fd, 4096)))
        return []

    def stop_here(self) -> None:
        """Stop this process as Ctrl-Z does; return when it is continued.

        Where nobody could continue it (an orphaned process group) the kernel doesn't stop it.
        """
        handler = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, handler)


def _note_signal(number: int, frame: FrameType | None) -> None:
    """Do nothing here: the wake-up descriptor has carried the number already."""
