"""The alert rules: a TOML file into rules, what is wrong with it by line and key. Does no I/O.

docs/alerts.md describes the file.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

import msgspec

from steno.audit.event import Event
from steno.errors import QueryError
from steno.policy.rule_files import RuleFile
from steno.store.alert_matching import (
    LineMatcher,
    make_matcher,
    needed_texts,
    possible_actions,
)
from steno.store.alerts import SEVERITIES, Severity
from steno.store.event_matching import EventMatcher
from steno.store.protocol import Summary
from steno.store.query import parse

RULES_LIMIT = 200

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_CHOICES = {"severity": f"{', '.join(SEVERITIES[:-1])} or {SEVERITIES[-1]}"}


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
    read = RuleFile(data, file, _CHOICES)
    contents = read.convert(_Contents)
    if len(contents.rule) > RULES_LIMIT:
        read.refuse(("rule", RULES_LIMIT), f"more than {RULES_LIMIT} rules")
    seen: set[str] = set()
    rules = []
    for number, one in enumerate(contents.rule):
        if not _NAME.fullmatch(one.name):
            reason = f"{one.name!r}: small letters, digits, `.`, `_` and `-`, at most 64"
            read.refuse(("rule", number, "name"), reason)
        if one.name in seen:
            read.refuse(("rule", number, "name"), f"{one.name} is the name of a rule before it")
        seen.add(one.name)
        try:
            rule = Rule(one, now)
        except QueryError as error:
            read.refuse(("rule", number, "query"), f"{error.reason}: {error.query}")
        if one.is_enabled:
            rules.append(rule)
    return tuple(rules)
