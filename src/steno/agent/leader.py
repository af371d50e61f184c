"""The process that leads a session, and the `steno-shell` that may wait for it."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import socket
from collections.abc import Callable

from steno.agent.exits import Exit, ExitWatch, watch_process
from steno.agent.handshake import Report, decode_report
from steno.agent.loop import READABLE, Loop, Timer
from steno.agent.peers import read_parent
from steno.agent.session import Descriptors, SessionFacts
from steno.errors import ProtocolError

_PACKET_BYTES = 16384
_REAP_US = 10_000_000
"""How long the parent of a leader that is dead, or was killed, may take to reap it and to say how
it ended: on a busy machine that is seconds. Only the recording's end waits for that."""

log = logging.getLogger("steno.agent")


class Leader:
    """Knows when the session's leading process has ended, and how.

    Usually that is the process that asked for the session, and has become the shell. Where
    `steno-shell` had to stay as its parent, it is a child of that, and the parent reports.

    Attributes:
        exit: How it ended, once that is known.
    """

    def __init__(
        self,
        loop: Loop,
        facts: SessionFacts,
        descriptors: Descriptors,
        *,
        on_report: Callable[[Report], None],
        on_end: Callable[[], None],
        on_orphaned: Callable[[], None],
        on_parent: Callable[[], None],
    ) -> None:
        """Take over `leader` and `connection` of the descriptors.

        Args:
            loop: The loop.
            facts: The session's facts.
            descriptors: The session's descriptors.
            on_report: Called with what the parent reports, other than the end.
            on_end: Called when the leader has ended.
            on_orphaned: Called when the parent that waited has died.
            on_parent: Called when it turns out that there is a parent.
        """
        self.exit: Exit | None = None
        self._loop = loop
        self._facts = facts
        self._pidfd = descriptors.leader
        self._connection = descriptors.connection
        self._has_parent = facts.has_parent
        self._on_report = on_report
        self._on_end = on_end
        self._on_orphaned = on_orphaned
        self._on_parent = on_parent
        self._watch: ExitWatch | None = None
        self._then: Callable[[], None] | None = None
        self._is_killed = False
        self._timer: Timer | None = None
        self._report_timer: Timer | None = None

    @property
    def descriptors(self) -> dict[str, int]:
        """Those that are open, by name."""
        named = {"leader": self._pidfd, "connection": self._connection}
        return {name: fd for name, fd in named.items() if fd is not None}

    def start(self) -> None:
        """Begin to watch."""
        self._begin_watch()
        if self._connection is not None:
            self._loop.watch(self._connection, READABLE, self._take_report)

    def is_gone(self) -> bool:
        """Return whether the leader has ended, reaped or not; True when there is none to watch."""
        if self._pidfd is None or self.exit is not None:
            return True
        ready = select.poll()
        ready.register(self._pidfd, select.POLLIN)
        return bool(ready.poll(0))

    def has_lost_parent(self) -> bool:
        """Return whether the parent that waited has ended, as one does that waited too long."""
        if not self._has_parent or self._connection is None:
            return self._has_parent
        ready = select.poll()
        ready.register(self._connection, 0)
        return bool(ready.poll(0))

    @property
    def is_unknown(self) -> bool:
        """Whether there is nothing to watch."""
        return self._pidfd is None

    def hang_up(self) -> None:
        """Send the leader a hang-up."""
        if self._pidfd is not None:
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGHUP)

    def say(self, packet: bytes) -> None:
        """Tell the parent, if there is one that waits."""
        if self._connection is not None:
            # One that does not read what it waits for has itself to blame.
            with contextlib.suppress(OSError):
                os.write(self._connection, packet)

    def await_end(
        self, patience_us: int, then: Callable[[], None], *, is_killed: bool = False
    ) -> None:
        """Call `then` when it is known how the leader ended, or after `patience_us`.

        Args:
            patience_us: How long to wait for a leader that lives.
            then: What to call.
            is_killed: Whether a leader that lives on then is killed first. Without an
                administrator's order it is not: what ignores a hang-up may go on, as ever.
        """
        if self._then is not None:
            return
        self._then = then
        self._is_killed = is_killed
        if self.exit is not None or self._is_unheard:
            self._loop.post(self._conclude)
        else:
            self._timer = self._loop.call_in(patience_us, self._lose_patience)

    def close(self) -> None:
        """Let go of everything."""
        self._drop_pidfd()
        self._drop_connection()
        for timer in (self._timer, self._report_timer):
            if timer is not None:
                timer.cancel()

    @property
    def _is_unheard(self) -> bool:
        """Whether neither the kernel nor a parent is still to say how the leader ended."""
        return self._pidfd is None and not (self._has_parent and self._connection is not None)

    def _begin_watch(self) -> None:
        if self._pidfd is not None:
            self._watch = ExitWatch(self._loop, self._pidfd, self._meet_end)

    def _meet_end(self, exit_: Exit | None) -> None:
        self.exit = self.exit or exit_
        self._drop_pidfd()
        if self.exit is not None or self._is_unheard:
            self._tell_end()
        else:
            # Linux before 6.15 does not say how. The parent, which has reaped it, is about to.
            self._report_timer = self._loop.call_in(_REAP_US, self._tell_end)

    def _tell_end(self) -> None:
        self._on_end()
        if self._then is not None:
            self._conclude()

    def _lose_patience(self) -> None:
        is_alive = not self.is_gone()
        if self._is_unheard or (is_alive and not self._is_killed):
            self._conclude()
            return
        if is_alive and self._pidfd is not None:
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        self._timer = self._loop.call_in(_REAP_US, self._conclude)

    def _conclude(self) -> None:
        then, self._then = self._then, None
        if then is not None:
            then()

    def _drop_pidfd(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        fd, self._pidfd = self._pidfd, None
        if fd is not None:
            os.close(fd)

    def _drop_connection(self) -> None:
        fd, self._connection = self._connection, None
        if fd is not None:
            self._loop.ignore(fd)
            os.close(fd)

    # What steno-shell reports.

    def _take_report(self, _events: int) -> None:
        if self._connection is None:
            return
        try:
            packet = _peek(self._connection)
            report = decode_report(packet) if packet else None
        except BlockingIOError:
            return
        except (OSError, ProtocolError) as error:
            facts = {"rec": self._facts.rec, "why": str(error)}
            log.warning("a session's steno-shell cannot be understood", extra=facts)
            report = None
        if report is not None:
            self._obey(report)
            if self._connection is not None:
                os.read(self._connection, _PACKET_BYTES)
            return
        self._drop_connection()
        if self._has_parent and self.exit is None:
            self._on_orphaned()
            if self._report_timer is not None:
                self._tell_end()

    def _obey(self, report: Report) -> None:
        if report.kind == "started":
            self._has_parent = True
            self._change_leader(report.pid)
            self._on_parent()
        elif report.kind == "failed":
            facts = {"rec": self._facts.rec, "why": report.text.decode("utf-8", "replace")}
            log.warning("a session's shell could not be run", extra=facts)
        elif report.kind == "ended":
            self.exit = self.exit or Exit(status=report.exit_status, signal=report.signal)
            self._tell_end()
        else:
            self._on_report(report)

    def _change_leader(self, pid: int) -> None:
        """Watch the parent's child instead of the parent."""
        fd = watch_process(pid)
        if fd is None:
            return
        # Looked at once we hold it: a number may be another process's by now.
        if read_parent(pid) != self._facts.peer_pid:
            os.close(fd)
            return
        self._drop_pidfd()
        self._pidfd = fd
        self._begin_watch()


def _peek(connection: int) -> bytes:
    """Return the packet that comes next, and leave it there: whoever dies now has not lost it.

    Raises:
        OSError: There is none, or the peer is gone.
    """
    with socket.socket(fileno=os.dup(connection)) as copy:
        return copy.recv(_PACKET_BYTES, socket.MSG_PEEK)
