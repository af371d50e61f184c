"""What all formats have in common: a header, then what happened, then an end.

Every decoder yields items: first one Header, then pieces in the order of their instants, with a
Damage wherever something could not be read, and last one Finish. Every encoder takes them, and says
in the end what its format could not hold.
"""

from __future__ import annotations

import shlex
from typing import Any

import msgspec

from steno.model import NO_AUDIT_SESSION, Damage, End, Input, Note, Output, Piece, Start, Window

MAX_AT_US = 10**15
"""The latest instant that is believed, some thirty years into a recording."""
MAX_CELLS = 65535
"""The widest and highest window that a terminal's driver can tell of."""


class Header(msgspec.Struct, frozen=True):
    """What is known of a recording before its first piece.

    Attributes:
        start: The facts; "" for an unknown user, host or recorder, 0 for an unknown
            `started_unix_us`. Its columns and rows are the window at the start.
        term: The terminal's type ($TERM); "" when unknown.
        title: The recording's title.
        rec: The recording's id, where the format has one.
        session: The audit session's id.
        environment: Other variables of the environment that were kept.
        is_terminal: Whether it is a terminal's; else pipes', whose lines end in a newline only.
        extras: What only one family of formats knows, under that family's names.
    """

    start: Start
    term: str = ""
    title: str | None = None
    rec: str | None = None
    session: int = NO_AUDIT_SESSION
    environment: dict[str, str] = {}
    is_terminal: bool = True
    extras: dict[str, Any] = {}


class Finish(msgspec.Struct, frozen=True):
    """The recording's end: when, and what is known about why."""

    at_us: int
    end: End


Item = Header | Piece | Finish | Damage


def unknown_start(**facts: Any) -> Start:  # noqa: ANN401  # the facts' types are Start's own
    """Return start facts of which only `facts` are known."""
    return Start(**{"user": "", "host": "", "recorder": "", "started_unix_us": 0, **facts})


class Ledger:
    """Add up what an encoder could not write, or a decoder could not keep."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], int | None] = {}

    def add(self, what: str) -> None:
        """Note a loss that cannot be counted; again and again is once."""
        self._counts[(what, "")] = None

    def count(self, what: str, number: int, unit: str = "") -> None:
        """Note a loss of `number` units; none is no loss."""
        if number:
            key = (what, unit)
            self._counts[key] = (self._counts.get(key) or 0) + number

    def add_facts(self, header: Header, kept: frozenset[str]) -> None:
        """Note what `header` knows that is not in `kept`: facts by name, variables as `$NAME`."""
        facts = msgspec.structs.asdict(header.start)
        del facts["recorder"]
        facts |= {"term": header.term, "title": header.title}
        facts |= header.extras
        names = sorted(name for name, value in facts.items() if value and name not in kept)
        self._add_names("facts of the start", names)
        variables = sorted(name for name in header.environment if f"${name}" not in kept)
        self._add_names("variables of the environment", variables)

    def texts(self) -> list[str]:
        """Return one text a loss."""
        return [
            what if number is None else f"{what}: {number} {unit}".rstrip()
            for (what, unit), number in self._counts.items()
        ]

    def _add_names(self, what: str, names: list[str]) -> None:
        if names:
            self.add(f"{what}: {show(', '.join(names))}")


class Tally:
    """Follow a recording's pieces: latest instant, bytes each way, window."""

    def __init__(self) -> None:
        self.at_us = 0
        self.output_bytes = 0
        self.input_bytes = 0

    def add(self, piece: Piece) -> None:
        """Count `piece`."""
        self.at_us = max(self.at_us, piece.at_us)
        if isinstance(piece, Output):
            self.output_bytes += len(piece.data)
        elif isinstance(piece, Input):
            self.input_bytes += len(piece.data)

    def finish(
        self, *, exit_status: int | None = None, signal: int | None = None, at_us: int = 0
    ) -> Finish:
        """Return the end of what was counted, at `at_us` if that is later than the last piece."""
        reason = "unknown"
        if signal is not None:
            reason = "signal"
        elif exit_status is not None:
            reason = "exit"
        end = End(reason, exit_status, signal, self.output_bytes, self.input_bytes)
        return Finish(max(self.at_us, at_us), end)


class Clock:
    """Turn instants that may step back into ones that do not, and never leave the range.

    A step back, or one out of the range, counts as no time at all; what follows is counted from
    there.
    """

    def __init__(self, start: int = 0) -> None:
        self._at = 0
        self._last = start

    def read(self, instant: int) -> tuple[int, int]:
        """Return the instant since the start, and the step that was not followed (0 if none)."""
        step = instant - self._last
        self._last = instant
        if step < 0 or self._at + step > MAX_AT_US:
            return self._at, step
        self._at += step
        return self._at, 0


def is_initial_window(piece: Item, header: Header) -> bool:
    """Return whether `piece` only repeats, at the very start, the window of `header`."""
    return (
        isinstance(piece, Window)
        and piece.at_us == 0
        and (piece.columns, piece.rows) == (header.start.columns, header.start.rows)
    )


def make_clock_note(at_us: int, step_us: int) -> Note:
    """Return the note about a step of the clock that was not followed."""
    return Note(at_us, "clock", {"step_us": step_us})


def name_note(note: Note) -> str:
    """Return what a list of losses calls `note`."""
    return f"notes ({show(note.kind)})"


def show(text: str) -> str:
    """Return `text` as it can be shown on a terminal, whoever wrote it: no control characters."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def join_command(command: list[str] | None) -> str:
    """Return `command` as a shell would take it: a single text is one already."""
    if not command:
        return ""
    return command[0] if len(command) == 1 else shlex.join(command)


def describe_end(finish: Finish) -> str:
    """Return the end in a word or two."""
    end = finish.end
    if end.signal is not None:
        return f"signal {end.signal}"
    if end.exit_status is not None:
        return f"exit status {end.exit_status}"
    return show(end.reason)
