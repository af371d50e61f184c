"""Find the commands that a person entered, from what stands on the screen.

A first cut: a prompt is a line that ends like one and that the cursor waits on; the command is what
stands behind it when the cursor leaves the line. See docs/formats/derived.md.
"""

from __future__ import annotations

import re

import msgspec

from steno.model import Command
from steno.screen.sequences import Effect

_PROMPT = re.compile(r"(?:(?:|.*\S\s?)[$#>\u276f\u00bb\u03bb]|(?:|.*[^\s0-9]\s?)%) \Z")
_BEGINNING = re.compile(r"[^\n]{0,200}?[$#%>\u276f\u00bb\u03bb] (?=\S)")
_CONTINUATION = "> "
_MAX_LINES = 500
_MAX_PROMPT_CHARACTERS = 400


class FinderState(msgspec.Struct):
    """What a finder knows, to be saved.

    Attributes:
        prompt: The prompt that stands before the cursor, or the last one that did.
        right: What stood to the right of the cursor then (zsh's RPROMPT).
        line: The prompt's line, counted from the top of the screen at the last look; None when no
            prompt is waiting.
        cursor_line: The cursor's line at the last look; None when lines are not where they were.
        gone: Lines that scrolled off since then.
        gone_count: How many.
        pending: A command that may go on in a continuation line.
        has_marks: Whether the shell marks its prompts (OSC 133), so that shapes do not count.
        is_editing: Whether the shell began to read a line at the last look, and has not taken it.
    """

    prompt: str = ""
    right: str = ""
    line: int | None = None
    cursor_line: int | None = None
    gone: list[str] = []
    gone_count: int = 0
    pending: Command | None = None
    has_marks: bool = False
    is_editing: bool = False


class CommandFinder:
    """Watch the primary screen. Every method returns the commands that are complete."""

    def __init__(self, user: str, host: str, state: FinderState | None = None) -> None:
        self._state = state or FinderState()
        short_host = host.partition(".")[0]
        self._own_prompt = re.compile(
            rf".{{0,80}}\b{re.escape(user)}@{re.escape(short_host)}\b.{{0,200}}?[$#%>\u276f] (?=\S)"
        )

    def state(self) -> FinderState:
        """Return what this finder knows."""
        return self._state

    def scroll(self, texts: list[str]) -> None:
        """Take lines that scrolled off."""
        state = self._state
        room = _MAX_LINES - len(state.gone)
        if room > 0:
            state.gone += texts[:room]
        state.gone_count += len(texts)

    def forget(self) -> None:
        """The screen is about to be cleared or left: no line is where it was."""
        state = self._state
        state.gone.clear()
        state.gone_count = 0
        state.line = None
        state.cursor_line = None

    def mark_input(self, line: int, before: str) -> None:
        """The shell said that `before`, on this line of the screen, is its prompt."""
        state = self._state
        state.has_marks = True
        self._wait_at(state.gone_count + line, before, "")
        # Lines are counted from the last look's screen, and more may have scrolled off since.

    def is_new_prompt(self, cursor_line: int, before: str) -> bool:
        """Return whether text before the cursor looks like a prompt that was not seen waiting."""
        state = self._state
        if state.has_marks or state.line == state.gone_count + cursor_line:
            return False
        return _is_prompt(before)

    def look(
        self,
        texts: list[str],
        cursor_line: int,
        before: str,
        entered_us: int,
        effect: Effect | None = None,
    ) -> list[Command]:
        """Take the screen's lines; a command was entered at `entered_us`, if one was.

        Args:
            texts: The lines.
            cursor_line: The cursor's.
            before: What stands before the cursor.
            entered_us: The instant.
            effect: Why this look is taken: the shell begins to read a line where the cursor is,
                its prompt drawn or not yet (EDIT), or has taken it (ACCEPT). Else None.
        """
        state = self._state
        found: list[Command] = []
        cursor = state.gone_count + cursor_line
        start = state.cursor_line if state.line is None else state.line
        if start is not None and start < cursor:
            self._enter(self._texts_between(start, cursor, texts), entered_us, found)
        if state.line != cursor:
            state.line = None
        if state.line is not None and not self._text_at(cursor, texts).startswith(
            state.prompt.rstrip()
        ):
            state.line = None
        state.line = None if state.line is None else cursor_line
        state.cursor_line = cursor_line
        state.gone.clear()
        state.gone_count = 0
        current = texts[cursor_line] if cursor_line < len(texts) else ""
        if not state.has_marks:
            self._find_prompt(current, cursor_line, before, effect)
        # Between two lines nobody knows yet whether the command goes on: the next prompt tells.
        is_between = effect in (Effect.EDIT, Effect.ACCEPT)
        state.is_editing = effect is Effect.EDIT or (state.is_editing and not is_between)
        goes_on = state.line is not None and state.prompt == _CONTINUATION
        if state.pending is not None and not is_between and not goes_on:
            found.append(state.pending)
            state.pending = None
        return found

    def _find_prompt(self, current: str, line: int, before: str, effect: Effect | None) -> None:
        """Look for a prompt on the cursor's line, in which `before` is before the cursor."""
        state = self._state
        right = current[len(before) :]
        # Where a line editor draws its prompt before it begins, it need not look like one. What
        # was typed ahead stands there too, where it draws the prompt only then.
        is_drawn = effect is Effect.EDIT and before.endswith(" ") and bool(before.strip())
        if is_drawn or _is_prompt(before, right):
            self._wait_at(line, before, right.strip())
        elif state.line is None and len(state.prompt) > 2:
            # Typed ahead: the prompt came together with what the shell had been sent before.
            start = current.rfind(state.prompt)
            if start >= 0:
                self._wait_at(line, current[: start + len(state.prompt)], "")

    def finish(self) -> list[Command]:
        """Return what was still waiting for a continuation."""
        pending, self._state.pending = self._state.pending, None
        return [pending] if pending is not None else []

    def _wait_at(self, line: int, prompt: str, right: str) -> None:
        self._state.line = line
        self._state.prompt = prompt
        self._state.right = right

    def _text_at(self, number: int, texts: list[str]) -> str:
        between = self._texts_between(number, number + 1, texts)
        return between[0] if between else ""

    def _texts_between(self, start: int, end: int, texts: list[str]) -> list[str]:
        """Return lines counted from the last look's screen; those not remembered are left out."""
        state = self._state
        from_gone = state.gone[start:end]
        low = max(0, start - state.gone_count)
        high = max(0, end - state.gone_count)
        return from_gone + texts[low:high]

    def _enter(self, lines: list[str], at_us: int, found: list[Command]) -> None:
        """Take the prompt's line, and those up to the cursor's, in which more may have been run."""
        state = self._state
        for number, line in enumerate(lines[:_MAX_LINES]):
            prompt: str | None = None
            is_waiting = number == 0 and state.line is not None
            if is_waiting or (len(state.prompt) > 2 and line.startswith(state.prompt)):
                prompt = state.prompt if line.startswith(state.prompt) else None
            elif not state.has_marks and (match := self._own_prompt.match(line)):
                prompt = match.group()
            elif state.is_editing and not state.has_marks:
                # What the shell read as one line begins with its prompt, whatever that looks like.
                prompt = _prompt_of(line, state.prompt)
            state.is_editing = state.is_editing and prompt is None
            if prompt is None:
                continue
            text = line[len(prompt) :].removesuffix(state.right).strip()
            if text and not text.endswith("^C"):
                self._add(text, at_us, prompt, found)

    def _add(self, text: str, at_us: int, prompt: str, found: list[Command]) -> None:
        state = self._state
        if state.pending is not None and prompt == _CONTINUATION:
            state.pending = Command(state.pending.at_us, f"{state.pending.text}\n{text}")
            return
        if state.pending is not None:
            found.append(state.pending)
        state.pending = Command(at_us, text)


def _prompt_of(line: str, known: str) -> str | None:
    """Return the prompt that a line begins with, which was read by a shell."""
    if known and line.startswith(known):
        return known
    match = _BEGINNING.match(line)
    return None if match is None else match.group()


def _is_prompt(before: str, right: str = "") -> bool:
    """Tell whether text up to the cursor looks like a prompt that waits for input."""
    if len(before) > _MAX_PROMPT_CHARACTERS or not _PROMPT.match(before):
        return False
    return not right.strip() or right.startswith("  ")
