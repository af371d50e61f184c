"""A file of rules in TOML: its values, and what is wrong with them by line and key. Does no I/O."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Any, NoReturn, TypeVar

import msgspec

from steno.errors import ConfigError
from steno.policy.positions import Path, locate
from steno.structs import convert

T = TypeVar("T")

_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")
_PLACE = re.compile(r" - at `\$(.*)`\Z")
_LINE = re.compile(r" \(at line (\d+), column (\d+)\)\Z")


class RuleFile:
    """The text of a file of rules, and where things stand in it."""

    def __init__(self, data: bytes, file: str, choices: Mapping[str, str]) -> None:
        """Read what TOML says.

        Args:
            data: The file's content.
            file: Its name, for errors.
            choices: What the keys that have a choice may be, in words.

        Raises:
            ConfigError: It is not UTF-8, or no TOML; the text names file and line.
        """
        self._file = file
        self._choices = choices
        self._text = _decode(data, file)
        self._values = _load(self._text, file)

    def convert(self, kind: type[T]) -> T:
        """Return the values as `kind` has them.

        Raises:
            ConfigError: A key is unknown or missing, or a value is wrong; see `refuse`.
        """
        try:
            converted = convert(self._values, kind)
        except msgspec.ValidationError as error:
            self._refuse_as_said(str(error))
        return converted

    def refuse(self, path: Path, reason: str) -> NoReturn:
        """Raise ConfigError for the value at `path`, or for what is nearest around it."""
        lines = locate(self._text)
        place = path
        while place and place not in lines:
            place = place[:-1]
        key = _printable(".".join(str(step) for step in path if isinstance(step, str)))
        raise ConfigError(
            _printable(reason), file=self._file, line=lines.get(place), key=key or None
        )

    def _refuse_as_said(self, text: str) -> NoReturn:
        """Raise what msgspec says as a ConfigError."""
        found = _PLACE.search(text)
        reason = text[: found.start()] if found else text
        path = self._path_of(found[1] if found else "")
        if unknown := re.fullmatch(r"Object contains unknown field `(.*)`", reason, re.DOTALL):
            self.refuse((*path, unknown[1]), "there is no such key")
        if missing := re.fullmatch(r"Object missing required field `(.*)`", reason):
            self.refuse(path, f"{missing[1]} is missing")
        self.refuse(path, self._plain(reason, path))

    def _path_of(self, place: str) -> Path:
        """Return msgspec's words for a place as the way to it."""
        path: list[str | int] = []
        for step in _STEP.finditer(place):
            path.append(step[1] if step[1] is not None else self._element(step[2], path))
        return tuple(path)

    def _element(self, word: str, path: list[str | int]) -> str | int:
        """Return an array's element number, or the key that msgspec calls `...`, of a table."""
        if word != "...":
            return int(word)
        table = self._values
        for step in path:
            table = table[str(step)]
        for key, patterns in table.items():
            try:
                convert(patterns, tuple[str, ...])
            except msgspec.ValidationError:
                return str(key)
        raise AssertionError(path)  # msgspec has just found one

    def _plain(self, reason: str, path: Path) -> str:
        """Return msgspec's reason in words for people."""
        last = path[-1] if path else ""
        if reason.startswith("Invalid enum value") and last in self._choices:
            return f"{reason.removeprefix('Invalid enum value ')} is not {self._choices[str(last)]}"
        text = reason.replace("`", "").replace(" | null", "")
        return text[:1].lower() + text[1:]


def _decode(data: bytes, file: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError("not UTF-8", file=file, line=line) from error


def _load(text: str, file: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        reason = str(error)
        found = _LINE.search(reason)
        if found is None:
            line = text.count("\n") + 1
            reason = reason.removesuffix(" (at end of document)")
        else:
            line = int(found[1])
            reason = f"{reason[: found.start()]} (column {found[2]})"
        raise ConfigError(f"no TOML: {reason}", file=file, line=line) from error
    except RecursionError as error:
        raise ConfigError("nested too deeply", file=file) from error


def _printable(text: str) -> str:
    """Return a text from the file so that it can stand in a log's line."""
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")
