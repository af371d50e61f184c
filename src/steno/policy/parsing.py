"""The policy file's text into a policy; what is wrong with it by line and key. Does no I/O."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Any, NoReturn

import msgspec

from steno.errors import ConfigError
from steno.policy.positions import Path, locate
from steno.policy.rules import Contents, Effects, Policy, Rule

_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")
_PLACE = re.compile(r" - at `\$(.*)`\Z")
_NAME = re.compile(r"[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]{0,99}")
_ADDRESS = re.compile(r"[^\s@<>,;:\"\x00-\x1f\x7f]+@[^\s@<>,;:\"\x00-\x1f\x7f]+")
"""One plain address: no list and no display name, so that nothing can slip into a mail's head."""
_SHELL = re.compile(r"/[^\s\x00-\x1f\x7f:]+")
_CHOICES = {
    "sessions": "record or off",
    "commands": "command, capture or off",
    "input": "none, seen or all",
    "on_failure": "deny or allow",
    "audit": "none, login or session",
    "audited": "recorded or all",
    "action": "pass, delay or drop",
}
_LINE = re.compile(r" \(at line (\d+), column (\d+)\)\Z")


def parse_policy(data: bytes, file: str) -> Policy:
    """Return the policy that `data` is, the content of a policy file.

    Args:
        data: The content; b"" is a policy without rules.
        file: The file's name, for errors.

    Raises:
        ConfigError: It is no TOML, has an unknown key or a wrong value, or two rules of one name;
            the text names file, line and key.
    """
    text = _decode(data, file)
    values = _load(text, file)
    refuse = _Refusal(text, file)
    try:
        contents = msgspec.convert(values, Contents)
    except msgspec.ValidationError as error:
        refuse.validation(error, values)
    _check_names(contents, refuse)
    for path, effects in _all_effects(contents):
        _check_texts(path, effects, refuse)
    return Policy(contents)


def _decode(data: bytes, file: str) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError("not UTF-8", file=file, line=line) from error
    return text


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


class _Refusal:
    """Says what is wrong, and where in the file."""

    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._file = file

    def at(self, path: Path, reason: str) -> NoReturn:
        """Raise ConfigError for the value at `path`, or for what is nearest around it."""
        lines = locate(self._text)
        place = path
        while place and place not in lines:
            place = place[:-1]
        key = _printable(".".join(str(step) for step in path if isinstance(step, str)))
        raise ConfigError(
            _printable(reason), file=self._file, line=lines.get(place), key=key or None
        )

    def validation(self, error: msgspec.ValidationError, values: dict[str, Any]) -> NoReturn:
        """Raise what msgspec says as a ConfigError."""
        text = str(error)
        found = _PLACE.search(text)
        reason = text[: found.start()] if found else text
        path = _path_of(found[1] if found else "", values)
        if unknown := re.fullmatch(r"Object contains unknown field `(.*)`", reason, re.DOTALL):
            self.at((*path, unknown[1]), "there is no such key")
        if missing := re.fullmatch(r"Object missing required field `(.*)`", reason):
            self.at(path, f"{missing[1]} is missing")
        self.at(path, _plain(reason, path))


def _printable(text: str) -> str:
    """Return a text from the file so that it can stand in a log's line."""
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")


def _path_of(place: str, values: dict[str, Any]) -> Path:
    """Return msgspec's words for a place as the way to it."""
    path: list[str | int] = []
    for step in _STEP.finditer(place):
        path.append(step[1] if step[1] is not None else _element(step[2], path, values))
    return tuple(path)


def _element(word: str, path: list[str | int], values: dict[str, Any]) -> str | int:
    """Return an array's element number, or the key that msgspec calls `...`, of [host_groups]."""
    if word != "...":
        return int(word)
    for key, patterns in values["host_groups"].items():
        try:
            msgspec.convert(patterns, tuple[str, ...])
        except msgspec.ValidationError:
            return str(key)
    raise AssertionError(path)  # msgspec has just found one


def _plain(reason: str, path: Path) -> str:
    """Return msgspec's reason in words for people."""
    last = path[-1] if path else ""
    if reason.startswith("Invalid enum value") and last in _CHOICES:
        return f"{reason.removeprefix('Invalid enum value ')} is not {_CHOICES[str(last)]}"
    text = reason.replace("`", "").replace(" | null", "")
    return text[:1].lower() + text[1:]


def _check_names(contents: Contents, refuse: _Refusal) -> None:
    seen: set[str] = set()
    for number, rule in enumerate(contents.rule):
        if not _NAME.fullmatch(rule.name):
            refuse.at(("rule", number, "name"), f"{rule.name!r} is no name: 1 to 100 characters")
        if rule.name in seen:
            refuse.at(("rule", number, "name"), f"a second rule is called {rule.name!r}")
        seen.add(rule.name)
        _check_when(number, rule, refuse)
    for name in contents.host_groups:
        if not _NAME.fullmatch(name):
            refuse.at(("host_groups", name), f"{name!r} is no name: 1 to 100 characters")


def _check_when(number: int, rule: Rule, refuse: _Refusal) -> None:
    for key, words in msgspec.structs.asdict(rule.when).items():
        if words == ():
            refuse.at(("rule", number, "when", key), "an empty list fits nothing")
        for place, word in enumerate(words if isinstance(words, tuple) else ()):
            if not word.removeprefix("!"):
                refuse.at(("rule", number, "when", key, place), "an empty name fits nothing")


def _all_effects(contents: Contents) -> Iterator[tuple[Path, Effects]]:
    yield ("defaults",), contents.defaults
    for number, rule in enumerate(contents.rule):
        yield ("rule", number), rule


def _check_texts(path: Path, effects: Effects, refuse: _Refusal) -> None:
    for place, address in enumerate(effects.mail_to or ()):
        if not _ADDRESS.fullmatch(address):
            refuse.at((*path, "mail_to", place), f"{address!r} is no plain mail address")
    for place, label in enumerate(effects.labels or ()):
        if not label.strip() or not label.isprintable() or len(label) > 200:
            refuse.at((*path, "labels", place), f"{label!r} is no label: 1 to 200 characters")
    if effects.shell is not None and not _SHELL.fullmatch(effects.shell):
        refuse.at((*path, "shell"), f"{effects.shell!r} is no absolute path")
