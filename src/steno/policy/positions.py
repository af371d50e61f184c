"""On which line of a TOML file each key stands: tomllib says so only of what is no TOML.

Source: TOML v1.0.0, https://toml.io/en/v1.0.0. Only for text that tomllib has taken: what could be
wrong with it is not looked for again. Does no I/O.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right

Path = tuple[str | int, ...]
"""The way to a value: keys, and the numbers of arrays' elements from 0."""

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}'
    r"|'''(?:.*?)'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}#\r\n]+")


def locate(text: str) -> dict[Path, int]:
    """Return the line, from 1, on which each table, key and array element of `text` begins."""
    return _Locator(text).locate()


class _Locator:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line_ends = [found.start() for found in re.finditer("\n", text)]
        self._lines: dict[Path, int] = {}
        self._last: dict[Path, int] = {}
        """The number of the last element of each array of tables."""

    def locate(self) -> dict[Path, int]:
        table: Path = ()
        self._skip_blank()
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                table = self._read_header()
            else:
                self._read_pair(table)
            self._skip_blank()
        return self._lines

    def _read_header(self) -> Path:
        start = self._at
        is_array = self._text.startswith("[[", self._at)
        self._at += 2 if is_array else 1
        keys = self._read_key()
        self._at += 2 if is_array else 1
        path = self._resolve(keys[:-1]) + keys[-1:]
        if is_array:
            self._note(path, start)
            self._last[path] = self._last.get(path, -1) + 1
            path = (*path, self._last[path])
        elif path in self._last:
            path = (*path, self._last[path])
        self._note(path, start)
        return path

    def _resolve(self, keys: Path) -> Path:
        """Return the way to a table: within an array of tables, its last element is meant."""
        path: Path = ()
        for key in keys:
            path = (*path, key)
            if path in self._last:
                path = (*path, self._last[path])
        return path

    def _read_pair(self, table: Path) -> None:
        start = self._at
        path = table
        for key in self._read_key():
            path = (*path, key)
            self._note(path, start)
        self._at += 1  # the equals sign
        self._skip_space()
        self._read_value(path)

    def _read_key(self) -> Path:
        """Read a dotted key, with the blanks around it."""
        keys: list[str] = []
        while True:
            self._skip_space()
            if found := _STRING.match(self._text, self._at):
                keys.append(tomllib.loads(f"key = {found[0]}")["key"])
            elif found := _BARE_KEY.match(self._text, self._at):
                keys.append(found[0])
            else:
                return tuple(keys)
            self._at = found.end()
            self._skip_space()
            if not self._text.startswith(".", self._at):
                return tuple(keys)
            self._at += 1

    def _read_value(self, path: Path) -> None:
        if self._text.startswith("[", self._at):
            self._read_array(path)
        elif self._text.startswith("{", self._at):
            self._read_inline_table(path)
        elif found := _STRING.match(self._text, self._at) or _SCALAR.match(self._text, self._at):
            self._at = found.end()

    def _read_array(self, path: Path) -> None:
        self._at += 1
        self._skip_blank()
        number = 0
        while self._text[self._at : self._at + 1] not in ("]", ""):
            self._note((*path, number))
            self._read_value((*path, number))
            number += 1
            self._skip_commas()
        self._at += 1

    def _read_inline_table(self, path: Path) -> None:
        self._at += 1
        self._skip_blank()
        while self._text[self._at : self._at + 1] not in ("}", ""):
            self._read_pair(path)
            self._skip_commas()
        self._at += 1

    def _skip_commas(self) -> None:
        self._skip_blank()
        if self._text.startswith(",", self._at):
            self._at += 1
            self._skip_blank()

    def _skip_space(self) -> None:
        while self._text[self._at : self._at + 1] in (" ", "\t"):
            self._at += 1

    def _skip_blank(self) -> None:
        found = _BLANK.match(self._text, self._at)
        if found:
            self._at = found.end()

    def _note(self, path: Path, at: int | None = None) -> None:
        """Keep on which line `path` begins, unless that is known already."""
        place = self._at if at is None else at
        self._lines.setdefault(path, bisect_right(self._line_ends, place - 1) + 1)
