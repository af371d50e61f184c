"""Keeping sessions' descriptors beyond this process: systemd's descriptor store, or the keeper.

Both speak one protocol: a datagram to $NOTIFY_SOCKET hands descriptors in, and they come back
to the next process as descriptors 3 and up, named in $LISTEN_FDNAMES. steno.agent.keeper is the
other side of it where no service manager is.

Source: sd_notify(3) (FDSTORE, FDSTOREREMOVE, FDNAME, FDPOLL) and sd_listen_fds(3).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, MutableMapping
from typing import Protocol

from steno.errors import UnreachableError

FIRST_FD = 3
_TIMEOUT_S = 5.0
"""How long a service manager may be too busy to take a datagram."""

Descriptors = dict[str, int]
"""Open descriptors of one session, by what they are for: `ring`, `outer`, `master` ..."""


class Keep(Protocol):
    """Holds descriptors while no agent runs."""

    @property
    def is_lasting(self) -> bool:
        """Whether anything outlives this process at all."""

    def store(self, name: str, descriptors: Mapping[str, int]) -> None:
        """Keep copies of a session's descriptors; its others, stored before, stay.

        Args:
            name: The recording's id.
            descriptors: By what they are for, a word of lower-case letters and `-`.

        Raises:
            UnreachableError: They may not be kept, some or all.
        """

    def remove(self, name: str) -> None:
        """Let go of all of a session's descriptors; harmless when there are none.

        Raises:
            UnreachableError: They may still be kept.
        """

    def recover(self) -> dict[str, Descriptors]:
        """Return what an agent before this one stored; they are this process's to close.

        They stay stored. The second call returns nothing.
        """


class NoKeep:
    """Keeps nothing: sessions end with the agent."""

    is_lasting = False

    def store(self, name: str, descriptors: Mapping[str, int]) -> None:
        """Do nothing."""

    def remove(self, name: str) -> None:
        """Do nothing."""

    def recover(self) -> dict[str, Descriptors]:
        """Return nothing."""
        return {}


class StoreKeep:
    """Keeps descriptors with who started this process: systemd, or the keeper.

    A descriptor's name there is `REC.WORD`. Descriptors that other things are named for (the
    sockets that the service manager listens on) are left to `others`.

    Attributes:
        others: Descriptors handed over at the start that no session stored, by name.
    """

    is_lasting = True

    def __init__(self, address: str, inherited: Mapping[int, str]) -> None:
        """Take over the `inherited` descriptors, each with its name."""
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket: socket.socket | None = None
        self.others: Descriptors = {}
        self._sessions: dict[str, Descriptors] = {}
        for fd, name in inherited.items():
            rec, dot, word = name.rpartition(".")
            os.set_inheritable(fd, False)
            if dot and word in WORDS:
                self._sessions.setdefault(rec, {})[word] = fd
            else:
                self.others[name] = fd

    def store(self, name: str, descriptors: Mapping[str, int]) -> None:
        """Send the descriptors; see Keep."""
        for word, fd in descriptors.items():
            # FDPOLL=0: a hang-up must not make the store forget a terminal, whose session the next
            # agent has to end properly.
            text = f"FDSTORE=1\nFDNAME={name}.{word}\nFDPOLL=0"
            self._send(text, [fd])

    def remove(self, name: str) -> None:
        """Have them all closed; see Keep."""
        for word in WORDS:
            self._send(f"FDSTOREREMOVE=1\nFDNAME={name}.{word}", [])

    def recover(self) -> dict[str, Descriptors]:
        """Return what was handed over at the start."""
        sessions, self._sessions = self._sessions, {}
        return sessions

    def notify(self, text: str) -> None:
        """Tell who started this process something else: READY=1, WATCHDOG=1 ...

        Raises:
            UnreachableError: Nobody takes it.
        """
        self._send(text, [])

    def _send(self, text: str, fds: list[int]) -> None:
        try:
            if self._socket is None:
                self._socket = _connect(self._address)
            socket.send_fds(self._socket, [text.encode()], fds)
        except OSError as error:
            if self._socket is not None:
                self._socket.close()
                self._socket = None
            reason = error.strerror or "no answer"
            raise UnreachableError(f"notify socket {self._address!r}: {reason}") from error


WORDS = ("ring", "ring-input", "spool", "outer", "master", "leader", "connection", "lock")
"""What a session's descriptors may be for."""


def open_keep(environ: MutableMapping[str, str]) -> StoreKeep | NoKeep:
    """Return the keep that `environ` tells of, and take it out, so that no child believes in it."""
    address = environ.pop("NOTIFY_SOCKET", None)
    inherited = _take_inherited(environ)
    if address is None:
        return NoKeep()
    return StoreKeep(address, inherited)


def _take_inherited(environ: MutableMapping[str, str]) -> dict[int, str]:
    pid, count = environ.pop("LISTEN_PID", ""), environ.pop("LISTEN_FDS", "")
    names = environ.pop("LISTEN_FDNAMES", "").split(":")
    if pid != str(os.getpid()) or not count.isdigit():
        return {}
    names += ["unknown"] * (int(count) - len(names))
    return {FIRST_FD + number: names[number] for number in range(int(count))}


def _connect(address: str) -> socket.socket:
    connected = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    try:
        connected.settimeout(_TIMEOUT_S)
        connected.connect(address)
    except OSError:
        connected.close()
        raise
    return connected
