"""The keeper: holds sessions' descriptors for an agent that no service manager looks after.

Starts the agent, starts it again when it dies, and hands it back what it stored: what systemd does
for a service with FileDescriptorStoreMax= and Restart=always, and by the same protocol
(sd_notify(3), sd_listen_fds(3)). It is a program of its own that imports nothing of Steno's and
little of Python's, for it is to be small and never to be upgraded while sessions live:

    python3 -I -S keeper.py SOCKET PROGRAM [ARGUMENT ...]

SIGTERM and SIGINT end the agent and then the keeper, and with it the sessions. SIGHUP goes on to
the agent. An agent that is killed in any other way, or ends, is started again, unless it never
got ready: then the keeper ends with its exit status.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import resource
import select
import signal
import socket
import struct
import sys

_FIRST_FD = 3
_MAX_BYTES = 4096
_MAX_FDS = 16
_CREDENTIALS = struct.Struct("3i")
_LONGEST_PAUSE_S = 30.0
"""An agent that died before it was ready is not started again at once, at last after so long."""
_FAILED = 1
_KILLED = 128


class Keeper:
    """One agent after the other, and what they stored."""

    def __init__(self, address: str, command: list[str]) -> None:
        """Listen on `address`.

        Raises:
            OSError: That cannot be done.
        """
        self._command = command
        self._address = address
        self._stored: list[tuple[str, int]] = []
        self._agent = 0
        self._is_ready = False
        self._is_stopping = False
        self._socket = _listen(address)
        self._wakeup, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: None)

    def run(self) -> int:
        """Keep an agent running until told to stop; return the exit status to end with."""
        pause_s, is_first = 0.0, True
        while True:
            self._is_ready = False
            status = self._run_agent()
            is_first, was_ready = is_first and not self._is_ready, self._is_ready
            if self._is_stopping or is_first:
                os.unlink(self._address)
                return status
            pause_s = 0.0 if was_ready else min(max(pause_s * 2, 0.1), _LONGEST_PAUSE_S)
            _say(f"the agent ended with status {status}; started again in {pause_s:g} s")
            self._wait_s(pause_s)
            if self._is_stopping:
                os.unlink(self._address)
                return status

    def _run_agent(self) -> int:
        """Start the agent, serve it until it has ended, and return its exit status."""
        self._agent = os.fork()
        if not self._agent:
            self._become_agent()
        pidfd = os.pidfd_open(self._agent)
        poll = select.poll()
        for fd in (pidfd, self._wakeup, self._socket.fileno()):
            poll.register(fd, select.POLLIN)
        # Between fork and exec a signal to the agent goes nowhere: it gets another one.
        while not any(fd == pidfd for fd, _ in poll.poll(1000 if self._is_stopping else None)):
            if self._is_stopping:
                os.kill(self._agent, signal.SIGTERM)
            self._take_signals()
            self._take_messages()
        os.close(pidfd)
        # What it had sent before it died counts.
        self._take_messages()
        _, status = os.waitpid(self._agent, 0)
        self._agent = 0
        code = os.waitstatus_to_exitcode(status)
        return code if code >= 0 else _KILLED - code

    def _wait_s(self, pause_s: float) -> None:
        poll = select.poll()
        poll.register(self._wakeup, select.POLLIN)
        poll.poll(pause_s * 1000)
        self._take_signals()

    def _take_signals(self) -> None:
        with contextlib.suppress(BlockingIOError):
            for number in os.read(self._wakeup, 256):
                self._is_stopping |= number != signal.SIGHUP
                if self._agent:
                    passed_on = signal.SIGHUP if number == signal.SIGHUP else signal.SIGTERM
                    os.kill(self._agent, passed_on)

    # What the agent says.

    def _take_messages(self) -> None:
        while True:
            try:
                text, fds, pid = _receive(self._socket)
            except BlockingIOError:
                return
            except OSError as error:
                _say(f"a message was lost: {error.strerror}")
                return
            if pid == self._agent:
                self._take(dict(line.partition("=")[::2] for line in text.splitlines()), fds)
            else:
                _close(fds)

    def _take(self, facts: dict[str, str], fds: list[int]) -> None:
        name = facts.get("FDNAME", "stored")
        if facts.get("READY") == "1":
            self._is_ready = True
        if facts.get("FDSTORE") == "1":
            self._stored += [(name, fd) for fd in fds]
            return
        _close(fds)
        if facts.get("FDSTOREREMOVE") == "1":
            _close([fd for stored, fd in self._stored if stored == name])
            self._stored = [pair for pair in self._stored if pair[0] != name]

    # The agent's process, until it is the agent.

    def _become_agent(self) -> None:
        try:
            last = _FIRST_FD + len(self._stored)
            # Out of the way first: each number may be needed by another one.
            high = [_copy_above(fd, last) for _, fd in self._stored]
            for number, fd in enumerate(high, _FIRST_FD):
                os.dup2(fd, number, inheritable=True)
            os.closerange(last, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
            environ = {**os.environ, "NOTIFY_SOCKET": self._address}
            if self._stored:
                environ["LISTEN_PID"] = str(os.getpid())
                environ["LISTEN_FDS"] = str(len(self._stored))
                environ["LISTEN_FDNAMES"] = ":".join(name for name, _ in self._stored)
            os.execvpe(self._command[0], self._command, environ)  # noqa: S606  # as we were told
        except OSError as error:
            _say(f"{self._command[0]}: {error.strerror}")
        finally:
            os._exit(_FAILED)


def _listen(address: str) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    listening.setblocking(False)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    if os.path.exists(address):
        _check_unused(address)
        os.unlink(address)
    before = os.umask(0o177)
    try:
        listening.bind(address)
    finally:
        os.umask(before)
    return listening


def _check_unused(address: str) -> None:
    """Raise OSError if another keeper is there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as trial:
        try:
            trial.connect(address)
        except ConnectionRefusedError:
            return
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def _receive(listening: socket.socket) -> tuple[str, list[int], int]:
    """Return a message: its text, the descriptors that came with it, who sent it."""
    space = socket.CMSG_SPACE(_MAX_FDS * 4) + socket.CMSG_SPACE(_CREDENTIALS.size)
    data, ancillary, _, _ = listening.recvmsg(_MAX_BYTES, space, socket.MSG_CMSG_CLOEXEC)
    fds: list[int] = []
    pid = 0
    for _, kind, content in ancillary:
        if kind == socket.SCM_RIGHTS:
            whole = len(content) - len(content) % 4
            fds += struct.unpack(f"{whole // 4}i", content[:whole])
        elif kind == socket.SCM_CREDENTIALS:
            pid = _CREDENTIALS.unpack(content[: _CREDENTIALS.size])[0]
    return data.decode("utf-8", "replace"), fds, pid


def _copy_above(fd: int, lowest: int) -> int:
    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, lowest)


def _close(fds: list[int]) -> None:
    for fd in fds:
        os.close(fd)


def _say(text: str) -> None:
    print(f"steno keeper: {text}", file=sys.stderr, flush=True)


def main(arguments: list[str]) -> int:
    """Keep the program that `arguments` name; return the exit status."""
    if len(arguments) < 2:
        _say("usage: keeper.py SOCKET PROGRAM [ARGUMENT ...]")
        return 2
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        keeper = Keeper(arguments[0], arguments[1:])
    except OSError as error:
        _say(f"{arguments[0]}: {error.strerror}")
        return _FAILED
    return keeper.run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
