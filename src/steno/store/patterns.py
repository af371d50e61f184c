"""Regular expressions that end in time, whatever the pattern: RE2, thinly wrapped.

RE2 takes time linear in the text, so that no pattern, however meant, holds up a server; it
knows no look-around and no back-references. Its syntax: https://github.com/google/re2/wiki/Syntax
"""

from __future__ import annotations

import re

import re2


class Pattern:
    """A compiled regular expression."""

    def __init__(self, pattern: str, *, ignores_case: bool) -> None:
        """Compile.

        Raises:
            ValueError: It is no regular expression, or too large a one; says why.
        """
        options = re2.Options()
        options.log_errors = False
        options.case_sensitive = not ignores_case
        try:
            self._lines = re2.compile(pattern, options)
            # Over several lines at once, ^ and $ must match at each.
            is_plain = not re.search(r"\\[AzCQ]|\(\?(?!:|P?<|i\))", pattern)
            self._chunk = re2.compile(f"(?m:{pattern})", options) if is_plain else None
        except re2.error as error:
            reason = error.args[0] if error.args else ""
            if isinstance(reason, bytes):
                reason = reason.decode(errors="replace")
            raise ValueError(reason) from None

    def may_match_within(self, text: bytes) -> bool:
        """Return False only if no line of `text`, UTF-8 with newlines, matches."""
        return self._chunk is None or self._chunk.search(text) is not None

    def spans(self, line: str) -> list[tuple[int, int]] | None:
        """Return where it matches, empty matches left out; None when it doesn't."""
        if self._lines.search(line) is None:
            return None
        found = (match.span() for match in self._lines.finditer(line))
        return [span for span in found if span[0] < span[1]]

    def first_span(self, line: str, start: int) -> tuple[int, int] | None:
        """Return where it matches first, from character `start` on."""
        match = self._lines.search(line, start)
        return None if match is None else match.span()


def compile_pattern(pattern: str, *, ignores_case: bool) -> Pattern:
    """Return a compiled regular expression.

    Raises:
        ValueError: It is no regular expression, or too large a one; says why.
    """
    return Pattern(pattern, ignores_case=ignores_case)


def escape(text: str) -> str:
    """Return a regular expression that matches just `text`."""
    return "".join(
        character if character.isalnum() or character > "\x7f" else f"\\x{{{ord(character):x}}}"
        for character in text
    )
