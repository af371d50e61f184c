"""The recorded program: started on a pseudo-terminal of its own, or between pipes."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
from collections.abc import Sequence

import msgspec

from steno.errors import (
    ProgramNotExecutableError,
    ProgramNotFoundError,
    RecorderError,
    TerminalError,
)
from steno.recorder.terminal import OuterTerminal, write_window

_RESET_SIGNALS = (signal.SIGPIPE, signal.SIGXFSZ)
"""Python ignores these; the program gets them as a program expects."""


class Exit(msgspec.Struct, frozen=True):
    """How a program ended: one of `status` and `signal` is set."""

    status: int | None = None
    signal: int | None = None


class Child:
    """The program that was started. Its ends of the streams are ours to close.

    Attributes:
        pid: Its process id.
        output: Where its output is read: the pseudo-terminal's master, or a pipe.
        error: Where its standard error is read when that is apart.
        input: Where its input is written; None when it has ours.
        master: The pseudo-terminal's master, None between pipes.
    """

    def __init__(
        self,
        pid: int,
        *,
        output: int,
        error: int | None = None,
        input: int | None = None,
        master: int | None = None,
    ) -> None:
        self.pid = pid
        self.output = output
        self.error = error
        self.input = input
        self.master = master
        self.exit: Exit | None = None

    def poll(self) -> bool:
        """Take note of a change; return whether the program has stopped (not ended)."""
        if self.exit is not None:
            return False
        pid, status = os.waitpid(self.pid, os.WNOHANG | os.WUNTRACED)
        if not pid:
            return False
        if os.WIFSTOPPED(status):
            return True
        if os.WIFSIGNALED(status):
            self.exit = Exit(signal=os.WTERMSIG(status))
        else:
            self.exit = Exit(status=os.WEXITSTATUS(status))
        return False

    def send(self, number: int) -> None:
        """Send the program a signal, if it still is there and lets us."""
        if self.exit is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self.pid, number)

    def send_to_foreground(self, number: int) -> None:
        """Send a signal to what runs in the foreground of its terminal, as a key would."""
        if self.master is None:
            self.send(number)
        else:
            _send_to_group(self._foreground(), number)

    def send_to_all(self, number: int) -> None:
        """Send a signal to what runs in the foreground, and to the program; to nobody twice."""
        foreground = self._foreground()
        _send_to_group(foreground, number)
        if foreground != self.pid:  # a session's leader leads its group, too, and stays there
            self.send(number)

    def _foreground(self) -> int:
        """Return its terminal's foreground process group; 0: there is none, or none any more."""
        if self.master is None:
            return 0
        try:
            return os.tcgetpgrp(self.master)
        except OSError:
            return 0


def _send_to_group(group: int, number: int) -> None:
    if group:  # 0 would be our own
        with contextlib.suppress(OSError):
            os.killpg(group, number)


def find_program(command: Sequence[str]) -> None:
    """Check that the command can be started, before anything is recorded.

    Raises:
        ProgramNotFoundError: There is no such program.
        ProgramNotExecutableError: There is, but it cannot be run.
    """
    name = command[0]
    if shutil.which(name) is not None:
        return
    if "/" in name and os.path.exists(name):
        kind = "a directory" if os.path.isdir(name) else "not executable"
        raise ProgramNotExecutableError(f"{name}: {kind}")
    raise ProgramNotFoundError(f"{name}: no such program" if name else "the program has no name")


class Pseudoterminal:
    """A pseudo-terminal for a program that is yet to be started; it owns both descriptors.

    Attributes:
        master: The recorder's end.
        slave: The program's.
        name: The program's device.

    Raises:
        TerminalError: There is no pseudo-terminal left.
    """

    def __init__(self) -> None:
        try:
            self.master, self.slave = os.openpty()
        except OSError as error:
            raise TerminalError(f"no pseudo-terminal: {error.strerror}") from error
        self.name = os.ttyname(self.slave)

    def close(self) -> None:
        """Close what is still open of it."""
        self.close_slave()
        if self.master >= 0:
            os.close(self.master)
        self.master = -1

    def close_slave(self) -> None:
        """Close the program's end, which it has opened itself."""
        if self.slave >= 0:
            os.close(self.slave)
        self.slave = -1

    def take_master(self) -> int:
        """Hand over the recorder's end: the caller closes it."""
        master, self.master = self.master, -1
        return master


def start_on_terminal(
    command: Sequence[str],
    outer: OuterTerminal,
    inner: Pseudoterminal,
    *,
    keeps_error_apart: bool,
    argv0: str | None = None,
) -> Child:
    """Start `command` on the inner terminal, which takes the outer one's settings and size.

    The child owns the inner terminal's end then; if this fails, `inner` still does. With
    `keeps_error_apart` its standard error is a pipe. The program leads a session of its own;
    `argv0` is what it is called, if not as `command` says.

    Raises:
        ProgramNotFoundError, ProgramNotExecutableError, RecorderError: Nothing was started.
    """
    error_pipe = os.pipe2(os.O_CLOEXEC) if keeps_error_apart else None
    try:
        outer.copy_settings(inner.slave)
        window = outer.window()
        if window is not None:
            write_window(inner.master, *window)
        # Being opened by a session's leader makes it the session's controlling terminal.
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, inner.name, os.O_RDWR, 0),
            (os.POSIX_SPAWN_DUP2, 0, 1),
            (os.POSIX_SPAWN_DUP2, error_pipe[1] if error_pipe else 0, 2),
        ]
        pid = _spawn(command, actions, argv0=argv0, begins_session=True)
    except BaseException:
        if error_pipe:
            os.close(error_pipe[0])
        raise
    finally:
        inner.close_slave()
        if error_pipe:
            os.close(error_pipe[1])
    master = inner.take_master()
    os.set_blocking(master, False)
    error_fd = error_pipe[0] if error_pipe else None
    if error_fd is not None:
        os.set_blocking(error_fd, False)
    return Child(pid, output=master, error=error_fd, input=master, master=master)


def start_between_pipes(
    command: Sequence[str], *, relays_input: bool, argv0: str | None = None
) -> Child:
    """Start `command` with pipes for standard output and error, in our session and group.

    With `relays_input` its standard input is a pipe too; else it has ours. `argv0` is what it is
    called, if not as `command` says.

    Raises:
        ProgramNotFoundError, ProgramNotExecutableError, RecorderError: Nothing was started.
    """
    output, error = os.pipe2(os.O_CLOEXEC), os.pipe2(os.O_CLOEXEC)
    input_ = os.pipe2(os.O_CLOEXEC) if relays_input else None
    actions: list[tuple[int, int, int]] = []
    if input_:
        actions.append((os.POSIX_SPAWN_DUP2, input_[0], 0))
    actions += [(os.POSIX_SPAWN_DUP2, output[1], 1), (os.POSIX_SPAWN_DUP2, error[1], 2)]
    ours = [output[0], error[0], *([input_[1]] if input_ else [])]
    theirs = [output[1], error[1], *([input_[0]] if input_ else [])]
    try:
        pid = _spawn(command, actions, argv0=argv0, begins_session=False)
    except BaseException:
        for fd in ours:
            os.close(fd)
        raise
    finally:
        for fd in theirs:
            os.close(fd)
    for fd in ours:
        os.set_blocking(fd, False)
    return Child(pid, output=output[0], error=error[0], input=input_[1] if input_ else None)


def _spawn(
    command: Sequence[str], actions: Sequence[object], *, argv0: str | None, begins_session: bool
) -> int:
    try:
        return os.posix_spawnp(
            command[0],
            [command[0] if argv0 is None else argv0, *command[1:]],
            os.environ,
            file_actions=actions,  # type: ignore[arg-type]  # typeshed wants one shape of tuple
            setsid=begins_session,
            setsigdef=_RESET_SIGNALS,
        )
    except FileNotFoundError as error:
        if shutil.which(command[0]) is not None:
            reason = "the interpreter that it names does not exist"
            raise ProgramNotExecutableError(f"{command[0]}: {reason}") from error
        raise ProgramNotFoundError(f"{command[0]}: no such program") from error
    except PermissionError as error:
        raise ProgramNotExecutableError(f"{command[0]}: {error.strerror}") from error
    except OSError as error:
        if error.errno == errno.ENOEXEC:
            raise ProgramNotExecutableError(f"{command[0]}: {error.strerror}") from error
        raise RecorderError(f"{command[0]} cannot be started: {error.strerror}") from error
