"""Every error that Steno raises for a caller to react to, each with its exit code.

One class per reaction. The codes are documented in docs/exit-codes.md; a test
compares the two.
"""

from __future__ import annotations

import errno
import unicodedata


class StenoError(Exception):
    """Something went wrong that one line of text explains.

    `str(error)` is that line: what is wrong, and where.
    """

    exit_code = 1


class UsageError(StenoError):
    """The command was called in a way that cannot work; nothing was done."""

    exit_code = 2


class ConfigError(StenoError):
    """A configuration file has an unknown key, a wrong value, or is unreadable.

    Attributes:
        reason: What is wrong, without the place.
        file: The file.
        key: The key in it, dotted.
        line: The line, from 1, where it is known.
    """

    exit_code = 3

    def __init__(
        self,
        reason: str,
        *,
        file: str | None = None,
        key: str | None = None,
        line: int | None = None,
    ) -> None:
        at_line = f"line {line}" if line is not None else None
        place = ": ".join(part for part in (file, at_line, key) if part)
        super().__init__(f"{place}: {reason}" if place else reason)
        self.reason = reason
        self.file = file
        self.key = key
        self.line = line


class FormatError(StenoError):
    """Bytes are not what their format demands.

    Attributes:
        reason: What is wrong, without the place.
        line: The line's number, from 1, where the format has lines.
        offset_bytes: Where in the input the bad piece begins.
    """

    exit_code = 4

    def __init__(
        self,
        reason: str,
        *,
        line: int | None = None,
        offset_bytes: int | None = None,
        source: str | None = None,
    ) -> None:
        places = []
        if line is not None:
            places.append(f"line {line}")
        if offset_bytes is not None:
            places.append(f"byte {offset_bytes}")
        where = ", ".join(places)
        text = f"{where}: {reason}" if where else reason
        super().__init__(f"{source}: {text}" if source else text)
        self.reason = reason
        self.line = line
        self.offset_bytes = offset_bytes
        self.source = source


class NotFoundError(StenoError):
    """No recording, user, host or file goes by that name."""

    exit_code = 5


class AmbiguousError(StenoError):
    """A shortened recording id fits more than one recording."""

    exit_code = 6


class QueryError(StenoError):
    """A search query cannot be understood.

    Attributes:
        reason: What is wrong.
        query: The query as it was given.
        position: Where in it, counted in characters from 0.
        pointed: The query, or what is around the place, and a line with a caret for below it.
    """

    exit_code = 7

    def __init__(self, reason: str, *, query: str, position: int) -> None:
        self.pointed = _point_at(query, position)
        super().__init__("\n  ".join([reason, *self.pointed]))
        self.reason = reason
        self.query = query
        self.position = position


_POINTED_CHARACTERS = 60
"""So much of a query is shown on each side of the place that a caret points at."""


def _point_at(query: str, position: int) -> tuple[str, str]:
    """Return what of `query` is around `position`, on one line, and the caret's line below it.

    What cannot be shown is shown as U+FFFD, so that it takes one column.
    """
    first = max(0, position - _POINTED_CHARACTERS)
    before = query[first:position]
    after = query[position : position + _POINTED_CHARACTERS]
    shown = [char if char.isprintable() else "\ufffd" for char in before + after]
    cut = "…" if first else "", "…" if position + len(after) < len(query) else ""
    columns = len(cut[0]) + sum(map(_columns, shown[: len(before)]))
    return cut[0] + "".join(shown) + cut[1], " " * columns + "^"


def _columns(char: str) -> int:
    """Return how many columns of a terminal `char` takes."""
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1


class BrokenChainError(StenoError):
    """A recording was altered, cut or re-ordered after it was written."""

    exit_code = 8


class StoreError(StenoError):
    """What keeps recordings (a store, spool, file) cannot be used: newer, in use, damaged."""

    exit_code = 9


class NoSpaceError(StenoError):
    """A disk is full, or a configured limit on size is reached; nothing was written."""

    exit_code = 10


DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What the kernel says when there is no room: of the disk, the quota, or the process's limit."""


class UnreachableError(StenoError):
    """A server or socket does not answer; trying again later may help."""

    exit_code = 11


class RefusedError(StenoError):
    """A server, or this system, said no: credentials, permission, or certificate."""

    exit_code = 12


class ProtocolError(StenoError):
    """A peer answered with something that its protocol does not allow."""

    exit_code = 13


class AddressInUseError(StenoError):
    """The address to listen on is taken."""

    exit_code = 14


class TerminalError(StenoError):
    """The terminal cannot be used, or vanished."""

    exit_code = 15


class UnsafeHostError(StenoError):
    """A host is set up so that sessions escape, people are locked out, or secrets are kept."""

    exit_code = 16


class RecorderError(StenoError):
    """The recorder failed before the recorded program could run.

    125 leaves the codes up to 124 to the recorded program, as env(1) and timeout(1) do.
    """

    exit_code = 125


class ProgramNotExecutableError(StenoError):
    """The program to record exists but cannot be run."""

    exit_code = 126


class ProgramNotFoundError(StenoError):
    """The program to record does not exist."""

    exit_code = 127
