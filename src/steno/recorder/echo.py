"""Whether what is typed can be seen: the difference between a command and a password.

Does no I/O. A terminal echoes; or it assembles lines without echoing them, which is a password
prompt; or a program takes single keys and draws what it likes. In the last case shells with line
editing show what is typed, while a password prompt behind ssh, sudo with `pwfeedback` and dialogs
don't: only the output that follows can tell.
"""

from __future__ import annotations

import enum
import re

import msgspec

PATIENCE_US = 1_000_000
"""What was typed and isn't shown within this time counts as unseen. It bridges slow networks."""
_KEPT_BYTES = 16384
"""How much earlier output an echo that comes in parts is looked for in."""
_OPEN_BYTES = 65536
"""How much may wait for its echo; what was typed before that counts as unseen."""
_CONTROLS = re.compile(
    rb"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor keys, marks of a paste
    rb"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # OSC: titles
    rb"|\x1bO.|\x1b[ -/]*[0-~]"
    rb"|[\x00-\x1f\x7f]"
)


class Echo(enum.Enum):
    """What becomes of typed bytes."""

    SHOWN = enum.auto()
    HIDDEN = enum.auto()
    DRAWN = enum.auto()


class Typed(msgspec.Struct, frozen=True):
    """Typed bytes whose fate is open: seen if `text`, in one piece, turns up in the output.

    Attributes:
        at_us: When the first of them was typed.
        until_us: When the last of them was.
        data: The bytes.
        text: What of them can be drawn.
    """

    at_us: int
    until_us: int
    data: bytes
    text: bytes


class WatchState(msgspec.Struct, frozen=True, array_like=True):
    """What a watch waits for; see EchoWatch."""

    open: list[Typed] = []
    is_line_open: bool = False
    shown: bytes = b""


class EchoWatch:
    """Holds what was typed until the output shows it, or doesn't in time.

    Keys that were typed ahead of their echo are looked for together, up to where the output goes on
    to another line: what a program says after a password can't confirm it letter by letter.
    """

    def __init__(self) -> None:
        self._open: list[Typed] = []
        self._is_line_open = False
        self._shown = b""

    def state(self) -> WatchState:
        """Return what another watch needs to go on."""
        if not self._open:
            return WatchState()
        return WatchState([*self._open], self._is_line_open, self._shown)

    def resume(self, state: WatchState) -> None:
        """Go on where another watch was."""
        self._open = [*state.open]
        self._is_line_open = state.is_line_open
        self._shown = state.shown

    @property
    def due_us(self) -> int | None:
        """When `expire` has something to say; None while nothing is open."""
        return self._open[0].until_us + PATIENCE_US if self._open else None

    def type(self, at_us: int, data: bytes) -> bytes:
        """Take in typed bytes; return those that are seen at once: keys that draw nothing."""
        text = _CONTROLS.sub(b"", data)
        if not self._open:
            if not text:
                return data
            self._shown = b""
        if self._open and self._is_line_open:
            before = self._open.pop()
            joined = before.data + data, before.text + text
            self._open.append(Typed(before.at_us, at_us, *joined))
        else:
            self._open.append(Typed(at_us, at_us, data, text))
        self._is_line_open = b"\r" not in data and b"\n" not in data
        return b""

    def show(self, data: bytes) -> bytes:
        """Take in output; return the typed bytes that it shows to have been seen."""
        self._shown = (self._shown + _CONTROLS.sub(b"", data))[-_KEPT_BYTES:]
        seen = b""
        still_open = []
        last = self._open[-1:]
        for typed in self._open:
            found = self._shown.find(typed.text)
            if found < 0:
                still_open.append(typed)
            else:
                self._shown = self._shown[found + len(typed.text) :]
                seen += typed.data
        self._open = still_open
        if b"\n" in data or still_open[-1:] != last:
            # Also when what was typed last is seen: the next key has nothing to do with older ones.
            self._is_line_open = False
        return seen

    def expire(self, at_us: int) -> list[Typed]:
        """Return what has not been shown in time."""
        count = 0
        size_bytes = sum(len(typed.data) for typed in self._open)
        for typed in self._open:
            if at_us < typed.until_us + PATIENCE_US and size_bytes <= _OPEN_BYTES:
                break
            size_bytes -= len(typed.data)
            count += 1
        unseen, self._open = self._open[:count], self._open[count:]
        return unseen

    def give_up(self) -> list[Typed]:
        """Return all that is still open."""
        unseen, self._open = self._open, []
        return unseen
