"""What reading an audit log has to say on standard error: what was no record, what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from steno.audit.records import DamagedLine
from steno.cli.messages import say
from steno.errors import FormatError

_SHOWN_DAMAGES = 20


class Teller:
    """Says what could not be read, a line each, and counts.

    Args:
        has_several: Whether more than one log is read: their lines are counted, each for itself.

    Attributes:
        damaged: How many lines were no audit records.
        lost: How many events are missing, by their numbers; callers add to it.
        is_cut: Whether a packed file was damaged, so that nothing was read from there on.
    """

    def __init__(self, *, has_several: bool = True) -> None:
        self._has_several = has_several
        self.damaged = 0
        self.lost = 0
        self.is_cut = False
        self._name = ""
        self._begin_lines = self._begin_bytes = 0
        self._lines = self._bytes = 0

    def hold(self, pieces: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
        """Yield `pieces` up to a damaged packed file; what came before it is good."""
        try:
            for name, piece in pieces:
                if name != self._name:
                    self._name = name
                    self._begin_lines, self._begin_bytes = self._lines, self._bytes
                yield name, piece
                if self._has_several:
                    self._lines += piece.count(b"\n")
                    self._bytes += len(piece)
        except FormatError as error:
            self.is_cut = True
            say(str(error))

    def tell(self, damages: Iterable[DamagedLine]) -> None:
        """Say what was no record in the log that the last piece was of."""
        for damage in damages:
            self.damaged += 1
            if self.damaged <= _SHOWN_DAMAGES:
                line = damage.number - self._begin_lines
                place = f"line {line}, byte {damage.offset_bytes - self._begin_bytes}"
                say(f"{self._name}: {place}: {damage.reason}: {_begin(damage.line)}")

    def finish(self) -> int:
        """Say the sums; return the exit code."""
        if self.damaged > _SHOWN_DAMAGES:
            say(f"and {self.damaged - _SHOWN_DAMAGES} more lines that are no audit records")
        if self.lost:
            are = "event is" if self.lost == 1 else "events are"
            say(f"{self.lost} {are} missing in the log, by their numbers")
        return FormatError.exit_code if self.damaged or self.is_cut else 0


def _begin(line: bytes) -> str:
    text = line[:60].decode(errors="replace")
    return f"{text}…" if len(line) > 60 else text
