"""Let through of recorded output what draws, and nothing that reaches beyond the screen.

A recording is hostile input: its escape codes may ask the player's terminal for answers (which
would arrive as keys), set titles, write the clipboard, report the mouse. Source of the codes:
ECMA-48 and XTerm Control Sequences.
"""

from __future__ import annotations

import re

_HELD_LIMIT_BYTES = 4096
_TOKEN = re.compile(
    rb"(?P<csi>\x1b\[[0-?]*[ -/]*[@-~])"
    rb"|(?P<string>\x1b[]PX^_])"
    rb"|(?P<escape>\x1b(?:[ -/]+[0-~]|[0-OQ-WYZ\\`-~]))"
    rb"|(?P<c1>\xc2[\x80-\x9f])"
    rb"|(?P<enquiry>\x05)"
)
_UNFINISHED = re.compile(rb"(?:\x1b(?:\[[0-?]*[ -/]*|[ -/]*)|\xc2)\Z")
_STRING_END = re.compile(rb"\x07|\x1b\\|\x18|\x1a|\xc2\x9c")
_ASKS = re.compile(
    rb"\x1b\[(?:"
    rb"[?>=]?[0-9;]*[cn]"  # device attributes, status reports
    rb"|[0-9;?]*\$p"  # request mode
    rb"|[0-9;]*t"  # window operations and reports
    rb"|[0-9;]*x"  # terminal parameters
    rb"|[>=<?][0-9;]*[uqmf]"  # keyboard protocols, terminal version, key modifiers
    rb"|[0-9;]*\*y"  # checksum of a rectangle
    rb"|[0-9;]*i"  # printing
    rb")\Z"
)
_MODES = re.compile(rb"\x1b\[\?([0-9;]*)([hlsr])\Z")
_KEPT_MODES = frozenset(b"1 3 5 6 7 8 12 25 40 45 47 66 69 95 1047 1048 1049 2026 2027".split())
"""Private modes that change how things are drawn; not mouse, focus, paste and key reports."""


class Sanitizer:
    """A filter over output that comes in pieces. Does no I/O."""

    def __init__(self) -> None:
        self._held = b""
        self._is_in_string = False

    def feed(self, data: bytes) -> bytes:
        """Return what of `data` may go to a terminal; an unfinished sequence waits for its rest."""
        data = self._held + data
        self._held = b""
        kept: list[bytes] = []
        at = 0
        while at < len(data):
            if self._is_in_string:
                at = self._skip_string(data, at)
                continue
            match = _TOKEN.search(data, at)
            if match is None:
                kept.append(self._hold_unfinished(data[at:]))
                break
            kept.append(data[at : match.start()])
            at = match.end()
            if match.lastgroup == "string":
                self._is_in_string = True
            elif match.lastgroup == "csi":
                kept.append(_filter_csi(match[0]))
            elif match.lastgroup == "escape" and match[0] not in (b"\x1bZ", b"\x1bc"):
                kept.append(match[0])
            elif match[0] == b"\x1bc":
                # A full reset would also undo what the player set up.
                kept.append(b"\x1b[!p\x1b[2J\x1b[H")
        return b"".join(kept)

    def _skip_string(self, data: bytes, at: int) -> int:
        end = _STRING_END.search(data, at)
        if end is None:
            # The terminator itself may be cut in two.
            self._held = data[-1:] if data[-1:] in (b"\x1b", b"\xc2") else b""
            return len(data)
        self._is_in_string = False
        return end.end()

    def _hold_unfinished(self, rest: bytes) -> bytes:
        match = _UNFINISHED.search(rest)
        if match is None or len(match[0]) > _HELD_LIMIT_BYTES:
            return rest
        self._held = match[0]
        return rest[: match.start()]


def _filter_csi(sequence: bytes) -> bytes:
    modes = _MODES.match(sequence)
    if modes is not None:
        kept = [mode for mode in modes[1].split(b";") if mode in _KEPT_MODES]
        return b"\x1b[?%s%s" % (b";".join(kept), modes[2]) if kept else b""
    return b"" if _ASKS.match(sequence) else sequence
