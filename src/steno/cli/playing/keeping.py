"""Where a player keeps a recording's pieces: a long one's on disk, so that memory stays small."""

from __future__ import annotations

import tempfile
from array import array

from steno.model import Output, Window

_MEMORY_BYTES = 32 << 20
"""So much output is kept in memory; more goes to a file that has no name and ends with us."""
_OUTPUT, _ERROR, _WINDOW = range(3)


class KeptPieces:
    """A growing sequence of pieces. `close` lets go of them."""

    def __init__(self, memory_bytes: int = _MEMORY_BYTES) -> None:
        """Keep up to `memory_bytes` of output in memory."""
        made = tempfile.SpooledTemporaryFile(memory_bytes)  # noqa: SIM115  # `close` closes it
        self._file = made
        self._at_us = array("q")
        self._ends = array("q")
        self._kinds = array("B")

    def __len__(self) -> int:
        return len(self._kinds)

    def __getitem__(self, index: int) -> Output | Window:
        index = range(len(self))[index]
        start = self._ends[index - 1] if index else 0
        self._file.seek(start)
        data = self._file.read(self._ends[index] - start)
        kind, at_us = self._kinds[index], self._at_us[index]
        if kind == _WINDOW:
            columns, rows = (int.from_bytes(data[at : at + 2], "big") for at in (0, 2))
            return Window(at_us, columns, rows)
        return Output(at_us, data, is_stderr=kind == _ERROR)

    def append(self, piece: Output | Window) -> None:
        """Keep one more."""
        if isinstance(piece, Window):
            kind = _WINDOW
            data = piece.columns.to_bytes(2, "big") + piece.rows.to_bytes(2, "big")
        else:
            kind = _ERROR if piece.is_stderr else _OUTPUT
            data = piece.data
        self._file.seek(self._ends[-1] if self._ends else 0)
        self._file.write(data)
        self._ends.append((self._ends[-1] if self._ends else 0) + len(data))
        self._at_us.append(piece.at_us)
        self._kinds.append(kind)

    def close(self) -> None:
        """Forget all pieces."""
        self._file.close()
