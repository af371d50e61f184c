"""The alert rules: a TOML file into rules, what is wrong with it by line and key. Does no I/O.

docs/alerts.md describes the file.
"""

from __future__ import annotations

import re
import tomllib
from datetime import datetime
from typing import Annotated, NoReturn

import msgspec

from steno.audit.event import Event
from steno.errors import ConfigError, QueryError
from steno.policy.positions import Path, locate
from steno.store.alert_matching import (
    LineMatcher,
    make_matcher,
    needed_texts,
    possible_actions,
)
from steno.store.alerts import Severity
from steno.store.event_matching import EventMatcher
from steno.store.protocol import Summary
from steno.store.query import parse

RULES_LIMIT = 200

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]")
_PLACE = re.compile(r" - at `\$(.*)`\Z")
_TOML_PLACE = re.compile(r" \(at line (\d+), column (\d+)\)\Z")


class RuleText(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule as the file has it.

    Attributes:
        name: Its name: small letters, digits, `.`, `_` and `-`.
        severity: How bad it is.
        query: What is looked for, in the words of docs/find.md.
        description: What it means, for who gets the alert.
        is_enabled: Whether it is looked at (`enabled` in the file).
    """

    name: str
    severity: Severity
    query: str
    description: Annotated[str, msgspec.Meta(max_length=500)] = ""
    is_enabled: bool = msgspec.field(name="enabled", default=True)


class _Contents(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rule: list[RuleText] = []


class Rule:
    """A rule that can be looked with.

    Attributes:
        text: What the file says.
    """

    def __init__(self, text: RuleText, now: datetime) -> None:
        """Make ready to look; times in the query are counted from `now`.

        Raises:
            QueryError: It cannot be understood, or a rule cannot look for it.
        """
        self.text = text
        expression = parse(text.query)
        self._matcher = make_matcher(text.query, expression, now)
        self._actions = possible_actions(expression)
        self._needed = needed_texts(expression)

    @property
    def is_for_lines(self) -> bool:
        """Whether it looks at text on screens, not at events."""
        return isinstance(self._matcher, LineMatcher)

    def may_find(self, action: str) -> bool:
        """Return whether an event of that action can be what the rule looks for."""
        return not self.is_for_lines and (
            self._actions is None
            or any(action == one or action.startswith(f"{one} ") for one in self._actions)
        )

    def finds_event(self, event: Event, text: str | None = None) -> bool:
        """Return whether an event is what the rule looks for.

        Args:
            event: The event.
            text: `alert_matching.text_of` it, where several rules look at it: most events are
                sorted out by that.
        """
        needed = self._needed
        if text is not None and needed is not None and not any(one in text for one in needed):
            return False
        return isinstance(self._matcher, EventMatcher) and self._matcher.matches(event)

    def finds_line(self, line: str, summary: Summary) -> bool:
        """Return whether a line on a recording's screen is what the rule looks for."""
        return isinstance(self._matcher, LineMatcher) and self._matcher.matches(line, summary)


def parse_rules(data: bytes, file: str, now: datetime) -> tuple[Rule, ...]:
    """Return the rules that are enabled.

    Args:
        data: The file's content.
        file: Its name, for errors.
        now: What times in queries are counted from.

    Raises:
        ConfigError: It is no TOML, has an unknown key or a wrong value, a query that cannot be
            understood, or two rules of one name; the text names file, line and key.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError("not UTF-8", file=file, line=line) from error
    refuse = _Refusal(text, file)
    try:
        contents = msgspec.convert(tomllib.loads(text), _Contents)
    except tomllib.TOMLDecodeError as error:
        refuse.toml(error)
    except msgspec.ValidationError as error:
        refuse.validation(error)
    if len(contents.rule) > RULES_LIMIT:
        refuse.at(("rule", RULES_LIMIT), f"more than {RULES_LIMIT} rules")
    seen: set[str] = set()
    rules = []
    for number, one in enumerate(contents.rule):
        if not _NAME.fullmatch(one.name):
            reason = f"{one.name!r}: small letters, digits, `.`, `_` and `-`, at most 64"
            refuse.at(("rule", number, "name"), reason)
        if one.name in seen:
            refuse.at(("rule", number, "name"), f"{one.name} is the name of a rule before it")
        seen.add(one.name)
        try:
            rule = Rule(one, now)
        except QueryError as error:
            refuse.at(("rule", number, "query"), f"{error.reason}: {error.query}")
        if one.is_enabled:
            rules.append(rule)
    return tuple(rules)


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
        key = ".".join(str(step) for step in path if isinstance(step, str))
        raise ConfigError(
            _printable(reason), file=self._file, key=_printable(key) or None, line=lines.get(place)
        )

    def toml(self, error: tomllib.TOMLDecodeError) -> NoReturn:
        """Raise what tomllib says as a ConfigError."""
        reason = str(error)
        found = _TOML_PLACE.search(reason)
        line = int(found[1]) if found else self._text.count("\n") + 1
        reason = reason[: found.start()] if found else reason
        raise ConfigError(f"no TOML: {reason}", file=self._file, line=line) from error

    def validation(self, error: msgspec.ValidationError) -> NoReturn:
        """Raise what msgspec says as a ConfigError."""
        reason = str(error)
        found = _PLACE.search(reason)
        path: Path = ()
        if found:
            reason = reason[: found.start()]
            path = tuple(
                step[1] if step[1] is not None else int(step[2])
                for step in _STEP.finditer(found[1])
            )
        if unknown := re.fullmatch(r"Object contains unknown field `(.*)`", reason, re.DOTALL):
            self.at((*path, unknown[1]), "there is no such key")
        if missing := re.fullmatch(r"Object missing required field `(.*)`", reason):
            self.at(path, f"{missing[1]} is missing")
        reason = reason.replace("`", "").replace("Invalid enum value", "not a severity:")
        self.at(path, reason[:1].lower() + reason[1:])


def _printable(text: str) -> str:
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")
