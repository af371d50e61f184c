"""Follow the lines on a screen: since when each stands there, and which of them to keep.

The rules are those of docs/formats/derived.md.
"""

from __future__ import annotations

import msgspec

from steno.model import TextLine

CURSOR_SETTLE_US = 600_000_000
"""A line that the cursor stands on is unfinished; after this long it counts all the same."""
_CURSOR_REPLACED_US = 2_000_000
_MAX_SEEN = 4096


class Shown(msgspec.Struct):
    """A line on the screen.

    Attributes:
        text: What it says.
        at_us: Since when.
        is_kept: Whether it was handed out already.
    """

    text: str
    at_us: int
    is_kept: bool = False


class TrackerState(msgspec.Struct):
    """What a tracker knows, to be saved."""

    settle_us: int
    skips_seen: bool
    shown: list[Shown] = []
    cursor_line: int = 0
    seen: list[str] = []


class LineTracker:
    """Follow one screen, the primary or the alternate one.

    Every method returns the lines that count from now on, in order.
    """

    def __init__(self, state: TrackerState) -> None:
        self._settle_us = state.settle_us
        self._skips_seen = state.skips_seen
        self._shown = state.shown
        self._cursor_line = state.cursor_line
        self._seen = dict.fromkeys(state.seen)

    def state(self) -> TrackerState:
        """Return what this tracker knows."""
        return TrackerState(
            self._settle_us, self._skips_seen, self._shown, self._cursor_line, list(self._seen)
        )

    def scroll(self, texts: list[str], at_us: int) -> list[TextLine]:
        """Take the lines that scrolled off since the last call, at the latest at `at_us`."""
        kept: list[TextLine] = []
        count = min(len(texts), len(self._shown))
        gone, self._shown = self._shown[:count], self._shown[count:]
        self._cursor_line -= count
        for number, text in enumerate(texts):
            old = gone[number] if number < count else None
            if old is not None and old.text != text:
                self._retire(old, text, at_us, kept)
                old = self._take_shown(text)
            if old is None:
                kept.append(TextLine(at_us, text))
            elif not old.is_kept:
                kept.append(TextLine(old.at_us, text))
        return kept

    def look(self, texts: list[str], cursor_line: int, at_us: int, since_us: int) -> list[TextLine]:
        """Take the screen's lines as they are at `at_us`; they changed at `since_us` or later."""
        kept: list[TextLine] = []
        old = self._shown
        shown: list[Shown | None] = [None] * len(texts)
        spare: dict[str, list[Shown]] = {}
        for number, line in enumerate(old):
            if number < len(texts) and line.text == texts[number]:
                shown[number] = line
            else:
                spare.setdefault(line.text, []).append(line)
        for number, text in enumerate(texts):
            if shown[number] is None:
                moved = spare.get(text)
                shown[number] = moved.pop(0) if moved else Shown(text, at_us)
        if spare:
            left = {id(line) for lines in spare.values() for line in lines}
            for number, line in enumerate(old):
                if id(line) in left:
                    text = texts[number] if number < len(texts) else ""
                    self._retire(line, text, since_us, kept, is_cursor=number == self._cursor_line)
        self._shown = [line for line in shown if line is not None]
        self._cursor_line = cursor_line
        return kept

    def settle(self, until_us: int) -> list[TextLine]:
        """Return the lines that stood unchanged long enough before `until_us`."""
        return self._keep(
            [
                until_us - line.at_us
                >= (CURSOR_SETTLE_US if number == self._cursor_line else self._settle_us)
                for number, line in enumerate(self._shown)
            ]
        )

    def clear(self, at_us: int) -> list[TextLine]:
        """Return the lines that count because the screen is about to be cleared at `at_us`.

        Lines that the screen already showed when it was cleared the last time do not.
        """
        if self._skips_seen:
            return self._keep([at_us - line.at_us >= self._settle_us for line in self._shown])
        kept = self._keep([True] * len(self._shown))
        self._seen = dict.fromkeys(line.text for line in self._shown)
        return kept

    def leave(self) -> list[TextLine]:
        """Return all lines that did not count yet: the screen is left, or the recording ends."""
        if not self._skips_seen:
            self._seen.clear()
        return self._keep([True] * len(self._shown))

    def _keep(self, is_due: list[bool]) -> list[TextLine]:
        kept: list[TextLine] = []
        blank: list[Shown] = []
        for line, due in zip(self._shown, is_due, strict=True):
            if not line.text:
                blank.append(line)
                continue
            if due and not line.is_kept and self._is_new(line):
                # Blank lines count together with what stands below them.
                for above in blank:
                    if not above.is_kept and not self._skips_seen:
                        above.is_kept = True
                        kept.append(TextLine(above.at_us, ""))
                line.is_kept = True
                kept.append(TextLine(line.at_us, line.text))
            blank.clear()
        return kept

    def _is_new(self, line: Shown) -> bool:
        if line.text in self._seen:
            return False
        if self._skips_seen:
            self._seen[line.text] = None
            if len(self._seen) > _MAX_SEEN:
                del self._seen[next(iter(self._seen))]
        return True

    def _take_shown(self, text: str) -> Shown | None:
        for number, line in enumerate(self._shown):
            if line.text == text:
                # Its place stays: the lines below it are matched by their place.
                self._shown[number] = Shown("", line.at_us, is_kept=True)
                return line
        return None

    def _retire(
        self, line: Shown, text: str, at_us: int, kept: list[TextLine], *, is_cursor: bool = False
    ) -> None:
        """Keep `line`, which `text` replaced, if it stood long enough and did not just grow."""
        settle_us = max(self._settle_us, _CURSOR_REPLACED_US) if is_cursor else self._settle_us
        has_stood = at_us - line.at_us >= settle_us
        if line.is_kept or not line.text or not has_stood or text.startswith(line.text):
            return
        line.is_kept = True
        if self._is_new(line):
            kept.append(TextLine(line.at_us, line.text))
