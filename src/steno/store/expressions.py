"""What a search or a filter asks for, as a tree; `query` makes it from text."""

from __future__ import annotations

from datetime import timezone

import msgspec


class Word(msgspec.Struct, frozen=True, tag=True):
    """A whole word on the screen, in any case."""

    text: str
    position: int


class Phrase(msgspec.Struct, frozen=True, tag=True):
    """Words beside each other on one line: "permission denied"."""

    text: str
    position: int


class Substring(msgspec.Struct, frozen=True, tag=True):
    """Characters anywhere in a line, also within words: *cme/secr*."""

    text: str
    position: int


class Regex(msgspec.Struct, frozen=True, tag=True):
    """A regular expression that some line matches: /err(or|no)/ or /error/i."""

    pattern: str
    ignores_case: bool
    position: int


class Field(msgspec.Struct, frozen=True, tag=True):
    """A fact about the recording: user:avery, longer:10m, status:3, is:live.

    `zone` is the one that a time is in which names none; None: this machine's.
    """

    name: str
    value: str
    position: int
    zone: timezone | None = None


class And(msgspec.Struct, frozen=True, tag=True):
    """All of these."""

    parts: list[Expression]


class Or(msgspec.Struct, frozen=True, tag=True):
    """Any of these."""

    parts: list[Expression]


class Not(msgspec.Struct, frozen=True, tag=True):
    """Not this."""

    part: Expression


class EventGroup(msgspec.Struct, frozen=True, tag=True):
    """Some audit event of the recording for which all of this holds; `event_groups` makes it."""

    part: Expression


Expression = Word | Phrase | Substring | Regex | Field | And | Or | Not | EventGroup


def asks_for_text(expression: Expression) -> bool:
    """Return whether any part of a query looks at what was on the screens."""
    match expression:
        case And(parts) | Or(parts):
            return any(map(asks_for_text, parts))
        case Not(part):
            return asks_for_text(part)
        case Field() | EventGroup():
            return False
        case _:
            return True
