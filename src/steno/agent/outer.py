"""The person's terminal, as the agent uses it: through a description of its own, never blocking.

The descriptors that a session hands over share their flags with other processes, which could make
them block at any time and with them all other sessions; so the terminal is opened once more, with
the rights that the session's own descriptors show it to have, and no others.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import termios

from steno.agent.strangers import look_at
from steno.errors import TerminalError
from steno.recorder.terminal import make_raw_flags

_TIOCGDEV = 0x80045432
"""The number of the terminal that is meant, also by /dev/tty. <asm-generic/ioctls.h>"""
_TCGETS2, _TCSETS2 = 0x802C542A, 0x402C542B
_TERMIOS2 = struct.Struct("=4IB19s2I")
"""struct termios2, <asm-generic/termbits.h>: flags for input, output, control, local; the line
discipline; the special characters; the speeds, which may be any number."""
_WINDOW = struct.Struct("=4H")
_NO_WINDOW = bytes(_WINDOW.size)
_VTIME, _VMIN = 5, 6


def find_terminal(descriptors: tuple[int, int, int]) -> int | None:
    """Return which of a session's descriptors is its terminal: the first that is one.

    None: there is none through which a person could be asked and answered: standard input and
    output or error must be the same terminal.
    """
    numbers = [_device(fd) for fd in descriptors]
    if numbers[0] is None or numbers[0] not in numbers[1:]:
        return None
    return descriptors[0]


def open_outer(descriptors: tuple[int, int, int]) -> int:
    """Open the terminal behind a session's descriptors once more; the caller's to close.

    Raises:
        TerminalError: The session may not both read and write it, it has vanished, or the system
            lets nobody open it.
    """
    device = _device(descriptors[0])
    ours = [fd for fd in descriptors if _device(fd) == device]
    if device is None or not _may(ours, os.O_RDONLY) or not _may(ours, os.O_WRONLY):
        raise TerminalError("the terminal may not be read and written by the session")
    if look_at(ours[0]).device != device:
        # /dev/tty, or a master. By its number it might be another's terminal: numbers are unique
        # in one instance of devpts only, and anybody can have more of these.
        raise TerminalError("the terminal is not there by its own name")
    flags = os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        fd = os.open(f"/proc/self/fd/{ours[0]}", flags)
    except OSError as error:
        raise TerminalError(f"the terminal cannot be opened: {error.strerror}") from error
    return fd


def name_terminal(fd: int) -> str:
    """Return the terminal's name, for people: /dev/pts/3; its numbers where it has none here."""
    with contextlib.suppress(OSError):
        name = os.ttyname(fd)
        if not name.startswith("/proc/"):
            return name
    device = _device(fd) or 0
    return f"tty {os.major(device)}:{os.minor(device)}"


def read_settings(fd: int) -> bytes:
    """Return the terminal's settings, as the kernel has them.

    Raises:
        TerminalError: It has vanished.
    """
    try:
        return fcntl.ioctl(fd, _TCGETS2, bytes(_TERMIOS2.size))
    except OSError as error:
        raise TerminalError(f"the terminal has vanished: {error.strerror}") from error


def write_settings(fd: int, settings: bytes) -> None:
    """Give a terminal these settings; quiet when it has vanished: who reads it next will notice.

    Nothing is waited for: what was written has been through the terminal's processing already.
    """
    with contextlib.suppress(OSError):
        fcntl.ioctl(fd, _TCSETS2, settings)


def make_raw(settings: bytes) -> bytes:
    """Return these settings changed so that every byte passes, both ways."""
    *flags, line, special, ispeed, ospeed = _TERMIOS2.unpack(settings)
    characters = bytearray(special)
    characters[_VMIN], characters[_VTIME] = 1, 0
    raw = make_raw_flags(*flags)
    return _TERMIOS2.pack(*raw, line, bytes(characters), ispeed, ospeed)


def take(fd: int) -> None:
    """Let every byte through, both ways, and nobody else in; quiet when it has vanished.

    The terminal is the user's: opened again by its name, it would be a way around the recording.
    Who has CAP_SYS_ADMIN can do so all the same.
    """
    with contextlib.suppress(OSError, TerminalError):
        fcntl.ioctl(fd, termios.TIOCEXCL)
        write_settings(fd, make_raw(read_settings(fd)))


def give_back(fd: int, settings: bytes) -> None:
    """Undo `take`: give the terminal these settings; quiet when it has vanished."""
    with contextlib.suppress(OSError):
        fcntl.ioctl(fd, termios.TIOCNXCL)
    write_settings(fd, settings)


def read_window(fd: int) -> bytes | None:
    """Return the terminal's size as the kernel has it; None when the terminal has vanished."""
    try:
        return fcntl.ioctl(fd, termios.TIOCGWINSZ, _NO_WINDOW)
    except OSError:
        return None


def write_window(fd: int, window: bytes) -> None:
    """Give a pseudo-terminal, by its master, this size; quiet when it has vanished."""
    with contextlib.suppress(OSError):
        fcntl.ioctl(fd, termios.TIOCSWINSZ, window)


def size_of(window: bytes) -> tuple[int, int] | None:
    """Return (columns, rows); None when the terminal does not know its size (0x0)."""
    rows, columns, _, _ = _WINDOW.unpack(window)
    return (columns, rows) if rows and columns else None


def _device(fd: int) -> int | None:
    """Return the number of the terminal behind `fd`; None when it is no terminal."""
    try:
        # Of a file nothing is asked: its file system may be a program of the user's that does not
        # answer, and whatever its name is in the user's own name space.
        if not look_at(fd).is_device:
            return None
        answer = fcntl.ioctl(fd, _TIOCGDEV, bytes(4))
    except OSError:
        return None
    number = int.from_bytes(answer, "little")
    # The kernel packs it as new_encode_dev(): minor's low byte, major, minor's rest.
    major, minor = number >> 8 & 0xFFF, number & 0xFF | number >> 12 & 0xFFF00
    return os.makedev(major, minor)


def _may(fds: list[int], wanted: int) -> bool:
    modes = [fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE for fd in fds]
    return wanted in modes or os.O_RDWR in modes
