"""Keeping sessions' descriptors beyond this process: systemd's descriptor store, or the keeper.

Both speak one protocol: a datagram to $NOTIFY_SOCKET hands descriptors in, and they come back
to the next process as descriptors 3 and up, named in $LISTEN_FDNAMES. steno.agent.keeper is the
other side of it where no service manager is.

Source: sd_notify(3) (FDSTORE, FDSTOREREMOVE, FDNAME, FDPOLL) and sd_listen_fds(3).
"""

from __future__ import annotations

import itertools
import os
import re
import socket
import sys
import threading
from collections.abc import Iterable, Mapping, MutableMapping
from pathlib import Path
from typing import NoReturn, Protocol

from steno.agent import keeper
from steno.agent.strangers import look_at
from steno.errors import RecorderError, UnreachableError

FIRST_FD = 3
_TIMEOUT_S = 1.0
"""How long a service manager may be too busy to take a datagram."""

_LETTERS = {
    "ring": "R",
    "ring-input": "I",
    "spool": "S",
    "outer": "O",
    "master": "M",
    "leader": "L",
    "connection": "C",
    "error": "E",
    "output": "P",
    "input": "N",
    "output-pipe": "Q",
    "error-pipe": "F",
    "input-pipe": "T",
    "handover": "H",
}
WORDS = frozenset(_LETTERS)
"""What a session's descriptors may be for."""
_WORDS = {letter: word for word, letter in _LETTERS.items()}
"""Those of a later version are words of their own, which `take_up` does not know."""
_NAME = re.compile(r"([0-9]+)([A-Z])")
_MAX_NAMES_BYTES = 120_000
"""All names together come back in one variable of the environment: 128 KiB at the most (Linux,
MAX_ARG_STRLEN). An agent that stored more could never be started again."""

Descriptors = dict[str, int]
"""Open descriptors of one session, by what they are for: `ring`, `outer`, `master` ..."""


class Keep(Protocol):
    """Holds descriptors while no agent runs."""

    @property
    def is_lasting(self) -> bool:
        """Whether anything outlives this process at all."""

    def store(self, rec: str, descriptors: Mapping[str, int]) -> None:
        """Keep copies of a session's descriptors, by what they are for.

        Those that were stored before, and are the same, stay; others take their place.

        Raises:
            UnreachableError: Some may not be kept.
        """

    def release(self, rec: str, words: Iterable[str]) -> None:
        """Let go of some of a session's descriptors: a terminal hangs up with its last copy.

        Raises:
            UnreachableError: They may still be kept.
        """

    def remove(self, rec: str) -> None:
        """Let go of all of a session's descriptors; harmless when there are none.

        Raises:
            UnreachableError: They may still be kept.
        """

    def recover(self) -> dict[int, Descriptors]:
        """Return what an agent before this one stored, session by session, under numbers.

        The descriptors are this process's to close, and stay stored. Once it is known which
        recording one is, say so to `adopt`. The second call returns nothing.
        """

    def adopt(self, number: int, rec: str) -> None:
        """Take note that the session recovered under this number is this recording's."""

    def discard(self, number: int) -> None:
        """Let go of a session that was recovered and not adopted; see `remove`."""


class NoKeep:
    """Keeps nothing: sessions end with the agent."""

    is_lasting = False

    def store(self, rec: str, descriptors: Mapping[str, int]) -> None:
        """Do nothing."""

    def release(self, rec: str, words: Iterable[str]) -> None:
        """Do nothing."""

    def remove(self, rec: str) -> None:
        """Do nothing."""

    def recover(self) -> dict[int, Descriptors]:
        """Return nothing."""
        return {}

    def adopt(self, number: int, rec: str) -> None:
        """Do nothing."""

    def discard(self, number: int) -> None:
        """Do nothing."""


class StoreKeep:
    """Keeps descriptors with who started this process: systemd, or the keeper.

    There, a session's descriptors are named with its number, and a letter for what each is
    for: short names, so that there may be thousands of sessions. Descriptors of other names
    (the sockets that the service manager listens on) are left to `others`. May be used by several
    threads at a time.

    Attributes:
        others: Descriptors handed over at the start that are no session's, by name.
    """

    is_lasting = True

    def __init__(self, address: str, inherited: Iterable[tuple[int, str]]) -> None:
        """Take over the `inherited` descriptors, each with its name."""
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self.others: Descriptors = {}
        self._recovered: dict[int, Descriptors] = {}
        self._numbers: dict[str, int] = {}
        self._stored: dict[int, dict[str, tuple[int, int, int]]] = {}
        self._names_bytes = 0
        for fd, name in inherited:
            self._take(fd, name)

    def store(self, rec: str, descriptors: Mapping[str, int]) -> None:
        """Send what is new; see Keep."""
        with self._lock:
            number = self._numbers.get(rec)
            if number is None:
                number = self._numbers[rec] = self._free_number()
            self._store(number, descriptors)

    def release(self, rec: str, words: Iterable[str]) -> None:
        """Have some closed; see Keep."""
        with self._lock:
            number = self._numbers.get(rec)
            stored = {} if number is None else self._stored.get(number, {})
            for word in words:
                if number is not None and word in stored:
                    self._remove(number, word)

    def remove(self, rec: str) -> None:
        """Have them all closed; see Keep."""
        with self._lock:
            number = self._numbers.pop(rec, None)
            if number is not None:
                self._discard(number)

    def recover(self) -> dict[int, Descriptors]:
        """Return what was handed over at the start; see Keep."""
        recovered, self._recovered = self._recovered, {}
        return recovered

    def adopt(self, number: int, rec: str) -> None:
        """Take note of a session's recording; see Keep."""
        with self._lock:
            self._numbers[rec] = number

    def discard(self, number: int) -> None:
        """Have them all closed; see Keep."""
        with self._lock:
            self._discard(number)

    def notify(self, text: str) -> None:
        """Tell who started this process something else: READY=1, WATCHDOG=1 ...

        Raises:
            UnreachableError: Nobody takes it.
        """
        with self._lock:
            self._send(text, [])

    def _take(self, fd: int, name: str) -> None:
        os.set_inheritable(fd, False)
        match = _NAME.fullmatch(name)
        if match is None:
            self.others[name] = fd
            return
        word = _WORDS.get(match[2], match[2])
        number = int(match[1])
        if word in self._stored.setdefault(number, {}):
            os.close(fd)  # An agent died while it put another in its place.
            return
        self._recovered.setdefault(number, {})[word] = fd
        self._stored[number][word] = _identify(fd)
        self._names_bytes += len(name) + 1

    def _store(self, number: int, descriptors: Mapping[str, int]) -> None:
        stored = self._stored.setdefault(number, {})
        for word, fd in descriptors.items():
            name = f"{number}{_LETTERS[word]}"
            identity = _identify(fd)
            if stored.get(word) == identity:
                continue
            if word in stored:
                self._remove(number, word)
            if self._names_bytes + len(name) + 1 > _MAX_NAMES_BYTES:
                raise UnreachableError("too many sessions to be kept beyond the agent's end")
            # FDPOLL=0: a hang-up must not make the store forget a terminal, whose session the
            # next agent has to end properly.
            self._send(f"FDSTORE=1\nFDNAME={name}\nFDPOLL=0", [fd])
            stored[word] = identity
            self._names_bytes += len(name) + 1

    def _discard(self, number: int) -> None:
        for word in [*self._stored.get(number, {})]:
            self._remove(number, word)
        self._stored.pop(number, None)

    def _free_number(self) -> int:
        return next(number for number in itertools.count() if number not in self._stored)

    def _remove(self, number: int, word: str) -> None:
        name = f"{number}{_LETTERS.get(word, word)}"
        self._send(f"FDSTOREREMOVE=1\nFDNAME={name}", [])
        del self._stored[number][word]
        self._names_bytes -= len(name) + 1

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


def _identify(fd: int) -> tuple[int, int, int]:
    inode = look_at(fd)
    return fd, inode.place, inode.number


def open_keep(environ: MutableMapping[str, str]) -> StoreKeep | NoKeep:
    """Return the keep that `environ` tells of, and take it out, so that no child believes in it."""
    address = environ.pop("NOTIFY_SOCKET", None)
    inherited = _take_inherited(environ)
    if not address:
        return NoKeep()
    return StoreKeep(address, inherited)


def become_keeper(address: Path) -> NoReturn:
    """Become the keeper, which listens on `address` and starts this program again as its agent.

    The program's arguments stay but for `--keeper`.

    Raises:
        RecorderError: That cannot be done.
    """
    agent = [sys.executable, "-P", "-m", "steno.cli"]
    agent += [argument for argument in sys.argv[1:] if argument != "--keeper"]
    # Without site and environment it is smaller, and its own.
    command = [sys.executable, "-I", "-S", keeper.__file__, str(address), *agent]
    try:
        address.parent.mkdir(parents=True, exist_ok=True)
        os.execv(command[0], command)  # noqa: S606  # no shell is wanted
    except OSError as error:
        raise RecorderError(f"the keeper cannot be started: {error.strerror}") from error


def _take_inherited(environ: MutableMapping[str, str]) -> list[tuple[int, str]]:
    pid, count = environ.pop("LISTEN_PID", ""), environ.pop("LISTEN_FDS", "")
    names = environ.pop("LISTEN_FDNAMES", "").split(":")
    if pid != str(os.getpid()) or not count.isdigit():
        return []
    names += ["unknown"] * (int(count) - len(names))
    return [(FIRST_FD + number, names[number]) for number in range(int(count))]


def _connect(address: str) -> socket.socket:
    connected = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    try:
        connected.settimeout(_TIMEOUT_S)
        connected.connect(address)
    except OSError:
        connected.close()
        raise
    return connected
