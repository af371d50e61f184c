"""What commands say to people on standard error, and the standard streams it goes by.

Names and recorded texts are others' words: what is no printable character in them is shown as an
escape, so that a line stays a line and nothing drives the reader's terminal.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer

_BYTES_AS_SURROGATES = range(0xDC80, 0xDD00)
"""How Python writes the bytes of file names and arguments that are no UTF-8 (PEP 383)."""


def escape_controls(text: str) -> str:
    r"""Return `text` on one line and harmless: a newline as `\n`, the byte 0xFF as `\xff`."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def _escape(char: str) -> str:
    code = ord(char)
    if code in _BYTES_AS_SURROGATES:
        return f"\\x{code - 0xDC00:02x}"
    return char.encode("unicode_escape").decode("ascii")


def say(text: str, *more: str, program: str = "steno") -> None:
    """Print `steno: ` and `text` as one line on standard error, if anybody can read it there.

    Each of `more` becomes a line below it.
    """
    lines = [
        f"{program}: {escape_controls(text)}",
        *(f"  {escape_controls(line)}" for line in more),
    ]
    with contextlib.suppress(OSError):
        print("\n".join(lines), file=sys.stderr, flush=True)


class _Output(io.FileIO):
    """Standard output, whose failures say that it is that."""

    def write(self, data: Buffer, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            error.filename = "standard output"
            raise


def open_standard_streams() -> None:
    """Open /dev/null where a standard stream is closed; let none of them fail on odd characters.

    No other file must take the place of a closed one.
    """
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(fd, True)
    os.close(fd)
    # Python has none of those that were closed when it started.
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  # lives as long as we
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115  # the same
    if sys.stdout is None or sys.stdout is sys.__stdout__:
        sys.stdout = io.TextIOWrapper(
            io.BufferedWriter(_Output(1, "w", closefd=False)),
            encoding="utf-8" if sys.stdout is None else sys.stdout.encoding,
            errors="backslashreplace",
            line_buffering=os.isatty(1),
        )


def flush_standard_streams() -> None:
    """Write out what waits; what nobody takes is dropped, so that the exit is not disturbed."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
            os.dup2(null, stream.fileno())
            os.close(null)
