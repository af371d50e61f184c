"""Real recordings as messages, and what the tests of the screen do with them."""

from __future__ import annotations

from pathlib import Path

from steno.formats.tlog import Decoder, Placed
from steno.model import Message, Output, Piece
from steno.screen.deriver import Deriver, Findings

NAMES = (
    "01-simple-commands",
    "02-vim-edit",
    "03-resize",
    "04-invalid-utf8",
    "05-bulk-output",
    "06-wide-chars",
    "07-with-input",
    "08-pipe-no-tty",
)


def read_messages(folder: Path, name: str) -> list[Placed]:
    """Return the messages of a recording."""
    decoder = Decoder()
    found = decoder.feed((folder / f"{name}.log").read_bytes())
    return [placed for placed in found if isinstance(placed, Placed)]


def make_message(number: int, *pieces: Piece) -> Message:
    """Return a message that holds these pieces."""
    pos_ms = pieces[0].at_us // 1000 if pieces else 0
    return Message("2.3", "host", "r1", "user", "xterm", 1, number, pos_ms, None, pieces)


def derive(*pieces: Piece, user: str = "user", host: str = "host") -> Findings:
    """Return all that is derived from these pieces, to their end."""
    deriver = Deriver(user, host)
    deriver.feed(make_message(1, *pieces), 0)
    deriver.finish()
    return deriver.take()


def texts(findings: Findings) -> list[str]:
    """Return the lines' texts."""
    return [line.text for line in findings.lines]


def output(at_ms: int, data: bytes) -> Output:
    """Return an output piece."""
    return Output(at_ms * 1000, data)
