"""What an alert rule's query asks of one event or one line on a screen. Does no I/O.

A rule looks at one thing at a time: all of its query must hold for that event, or that line and
its recording. docs/alerts.md says which fields it may name.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from steno.audit.event import Event
from steno.errors import QueryError
from steno.store.event_fields import EVENT_FIELDS
from steno.store.event_groups import asks_for_events, check_event_query
from steno.store.event_matching import EventMatcher, glob
from steno.store.expressions import (
    And,
    EventGroup,
    Expression,
    Field,
    Not,
    Or,
    Phrase,
    Regex,
    Substring,
    Word,
    asks_for_text,
)
from steno.store.protocol import Summary
from steno.store.terms import TextTerm

Test = Callable[[str, Summary], bool]


class LineMatcher:
    """Tells for which lines on screens a query holds."""

    def __init__(self, expression: Expression) -> None:
        """Make ready to look.

        Raises:
            QueryError: It names what neither a line has nor its recording.
        """
        self._holds = _build(expression)

    def matches(self, line: str, summary: Summary) -> bool:
        """Return whether it holds for this line of this recording."""
        return self._holds(line, summary)


def make_matcher(query: str, expression: Expression, now: datetime) -> EventMatcher | LineMatcher:
    """Return what looks at events, or at lines, whatever the query speaks of.

    Args:
        query: Its text, for errors.
        expression: It.
        now: What times in it are counted from.

    Raises:
        QueryError: It speaks of both, of neither, or of what an alert rule cannot look at.
    """
    if asks_for_text(expression):
        if asks_for_events(expression):
            reason = "an alert rule looks at events or at text on screens: make two rules of it"
            raise QueryError(reason, query=query, position=0)
        return LineMatcher(expression)
    if not asks_for_events(expression):
        known = ", ".join(f"{name}:" for name in EVENT_FIELDS)
        reason = f"this would hold for everything: say what is looked for, text or {known}"
        raise QueryError(reason, query=query, position=0)
    check_event_query(expression, query, allows_text=False)
    return EventMatcher(expression, now)


def possible_actions(expression: Expression) -> frozenset[str] | None:
    """Return the actions, or their first words, of all events that it may hold for; None: any."""
    match expression:
        case And(parts):
            found = [actions for part in parts if (actions := possible_actions(part)) is not None]
            return min(found, key=len) if found else None
        case Or(parts):
            sets = list(map(possible_actions, parts))
            if any(actions is None for actions in sets):
                return None
            return frozenset(action for actions in sets for action in actions or ())
        case EventGroup(part):
            return possible_actions(part)
        case Field("ran"):
            return frozenset(["ran"])
        case Field("action", value) if "*" not in value:
            return frozenset([value.casefold()])
        case _:
            return None


def needed_texts(expression: Expression) -> frozenset[str] | None:
    """Return texts of which `text_of` an event has at least one where it may hold; None: any."""
    match expression:
        case And(parts):
            found = [texts for part in parts if (texts := needed_texts(part)) is not None]
            return min(found, key=len) if found else None
        case Or(parts):
            sets = list(map(needed_texts, parts))
            if any(texts is None for texts in sets):
                return None
            return frozenset(text for texts in sets for text in texts or ())
        case EventGroup(part):
            return needed_texts(part)
        case Field("ran" | "file", value):
            pieces = [piece for word in value.casefold().split() for piece in word.split("*")]
            longest = max(pieces, key=len, default="")
            return frozenset([longest]) if longest else None
        case _:
            return None


def text_of(event: Event) -> str:
    """Return all that `ran:` and `file:` look at, as one text: quick to look through."""
    names = [thing.name for thing in event.objects]
    return "\n".join(
        [*(event.process.arguments or ()), event.process.program or "", *names]
    ).casefold()


def _build(expression: Expression) -> Test:
    match expression:
        case And(parts):
            tests = [_build(part) for part in parts]
            return lambda line, summary: all(test(line, summary) for test in tests)
        case Or(parts):
            tests = [_build(part) for part in parts]
            return lambda line, summary: any(test(line, summary) for test in tests)
        case Not(part):
            inner = _build(part)
            return lambda line, summary: not inner(line, summary)
        case EventGroup(part):
            return _build(part)
        case Field():
            return _field(expression)
        case Word() | Phrase() | Substring() | Regex():
            term = TextTerm(expression)
            return lambda line, _: term.spans(line) is not None


def _field(field: Field) -> Test:
    name, value = field.name, field.value.casefold()
    test = glob(value)
    match name:
        case "user" | "login" | "host" | "service" | "remote":
            attribute = {"login": "login_user"}.get(name, name)
            return lambda _, summary: test((getattr(summary, attribute) or "").casefold())
        case "command":
            inner = glob(f"*{value}*")
            return lambda _, summary: inner(" ".join(summary.command or []).casefold())
        case "label":
            return lambda _, summary: any(test(label.casefold()) for label in summary.labels)
        case _:
            reason = (
                f"an alert rule for text on screens cannot ask for {name}; it can for user, login,"
                " host, service, remote, command, label"
            )
            raise QueryError(reason, query=f"{name}:{field.value}", position=0)
