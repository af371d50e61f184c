"""Take in the lines of a recording or a trail, however its bytes come. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from steno.errors import FormatError
from steno.formats.lines import MAX_LINE_BYTES, Line, LineSplitter
from steno.integrity.chain import ChainState, ChainVerifier
from steno.model import Damage


class LineIntake:
    """Accounts for each line: its number and place, the chain that it is in, what is unreadable.

    Attributes:
        lines: So many lines were taken in, the one in hand included.
        upto_bytes: All lines that end here or before are accounted for. The one in hand
            begins here.
        is_torn: A last line without its newline was accounted for as damage: if more bytes come
            after all, what is derived is wrong about it and must be built anew.
        chain: The verdict on the lines so far.
    """

    def __init__(
        self,
        *,
        limit_bytes: int = MAX_LINE_BYTES,
        lines: int = 0,
        upto_bytes: int = 0,
        is_torn: bool = False,
        chain: ChainState | None = None,
    ) -> None:
        """Begin before the first line, or where another intake stood."""
        self.lines = lines
        self.upto_bytes = upto_bytes
        self.is_torn = is_torn
        self.chain = ChainVerifier(chain)
        self._limit_bytes = limit_bytes
        self._splitter = LineSplitter(
            limit_bytes=limit_bytes, first_line=lines + 1, offset_bytes=upto_bytes
        )
        self._damages: list[Damage] = []

    @property
    def next_bytes(self) -> int:
        """Where the bytes for the next `feed` begin."""
        return self._splitter.next_bytes

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the lines that `data` completes, newlines included.

        Each is accounted for when the next one is asked for.
        """
        return self._account(self._splitter.feed(data))

    def finish(self) -> Iterator[bytes]:
        """Yield a last line without its newline: no more bytes are to be expected."""
        torn = self._splitter.finish()
        yield from self._account(torn)
        self.is_torn = self.is_torn or bool(torn)

    def add_damage(self, length_bytes: int, reason: str) -> None:
        """Take note of what is wrong with so much of the line in hand, or after the last one."""
        self._damages.append(Damage(self.lines, self.upto_bytes, length_bytes, reason))

    def add_unreadable(self, line: bytes, error: FormatError) -> None:
        """Take note that the line in hand cannot be read."""
        torn = "" if line.endswith(b"\n") else "torn line: "
        self.add_damage(len(line), torn + error.reason)

    def take_damages(self) -> list[Damage]:
        """Return the damages since the last call."""
        damages, self._damages = self._damages, []
        return damages

    def _account(self, lines: Iterable[Line]) -> Iterator[bytes]:
        for line in lines:
            self.lines = line.number
            if line.data is None:
                self.chain.feed(b"\n")
                reason = f"line is longer than {self._limit_bytes} bytes"
                self.add_damage(line.length_bytes, reason)
            else:
                data = line.data + b"\n" if line.is_whole else line.data
                self.chain.feed(data)
                yield data
            self.upto_bytes = line.offset_bytes + line.length_bytes
