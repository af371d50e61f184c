"""From a query to SQL: which recordings may match, and what is true of each."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from steno.store.chunks import CHUNK_MASK
from steno.store.expressions import And, Expression, Field, Not, Or
from steno.store.fields import parse_duration, parse_instant
from steno.store.index import CHUNK_BITS

_STATES = {
    "live": "is_live",
    "ended": "end_reason IS NOT NULL",
    "cut": "end_reason IS NULL AND NOT is_live",
    "complete": "chain_state = 'complete'",
    "broken": "chain_state = 'broken'",
    "unchained": "chain_state = 'unchained'",
    "damaged": "damages > 0",
    "gaps": "gaps > 0",
}
_TEXT_COLUMNS = {
    "user": "user",
    "login": "login_user",
    "host": "host",
    "service": "service",
    "remote": "remote",
}


class Condition(msgspec.Struct, frozen=True):
    """Some SQL about a row of `recordings`, always 0 or 1, and the values for its `?`."""

    sql: str
    values: tuple[Any, ...] = ()


ALWAYS = Condition("1")


def field_condition(field: Field, now: datetime) -> Condition:
    """Return when a recording has what `field` asks for."""
    condition = _condition(field.name, field.value, now.astimezone(field.zone))
    return Condition(f"ifnull({condition.sql}, 0)", condition.values)


def visible_condition(visible_to: str | None) -> Condition:
    """Return when a recording may be seen by the person with this name; None sees all."""
    if visible_to is None:
        return ALWAYS
    return Condition("ifnull(user = ? OR login_user = ?, 0)", (visible_to, visible_to))


def all_of(conditions: list[Condition]) -> Condition:
    """Return when all of these hold."""
    return _joined(conditions, " AND ")


def possible_condition(
    expression: Expression, leaf: Callable[[Expression, bool], Condition]
) -> Condition:
    """Return a condition that no matching recording fails.

    `leaf` is asked for each term, and whether it stands under an odd number of NOTs.
    """
    return _possible(expression, False, leaf)


def chunks_condition(table: str, query: str, *, is_rare: bool) -> Condition:
    """Return when a recording has chunks that a full-text index finds, or unindexed ones.

    For a rare text the index is asked once, for all recordings; for a common one recording by
    recording, so that what is not looked at costs nothing.
    """
    if is_rare:
        return Condition(
            f"(key IN (SELECT rowid >> {CHUNK_BITS} FROM {table} WHERE {table} MATCH ?"  # noqa: S608 - constants
            f" UNION ALL SELECT id >> {CHUNK_BITS} FROM chunks WHERE NOT is_indexed))",
            (query,),
        )
    span = f"BETWEEN key << {CHUNK_BITS} AND (key << {CHUNK_BITS}) + {CHUNK_MASK}"
    return Condition(
        f"(EXISTS(SELECT 1 FROM {table} WHERE {table} MATCH ? AND rowid {span})"  # noqa: S608 - constants
        f" OR EXISTS(SELECT 1 FROM chunks WHERE NOT is_indexed AND id {span}))",
        (query,),
    )


def _possible(
    expression: Expression, is_negated: bool, leaf: Callable[[Expression, bool], Condition]
) -> Condition:
    match expression:
        case Not(part):
            return _possible(part, not is_negated, leaf)
        case And(parts) | Or(parts):
            conditions = [_possible(part, is_negated, leaf) for part in parts]
            is_all = isinstance(expression, And) != is_negated
            return _joined(conditions, " AND " if is_all else " OR ")
        case _:
            return leaf(expression, is_negated)


def _joined(conditions: list[Condition], operator: str) -> Condition:
    sql = operator.join(f"({condition.sql})" for condition in conditions)
    return Condition(sql, tuple(value for condition in conditions for value in condition.values))


def _condition(name: str, value: str, now: datetime) -> Condition:
    if name in _TEXT_COLUMNS:
        return Condition(f"{_TEXT_COLUMNS[name]} LIKE ? ESCAPE '\\'", (like_pattern(value),))
    match name:
        case "command":
            return Condition("command LIKE ? ESCAPE '\\'", (f"%{like_pattern(value)}%",))
        case "label":
            sql = "EXISTS(SELECT 1 FROM json_each(labels) WHERE value LIKE ? ESCAPE '\\')"
            return Condition(sql, (like_pattern(value),))
        case "rec":
            return Condition("rec LIKE ? ESCAPE '\\'", (f"{like_pattern(value)}%",))
        case "session":
            return Condition("audit_session = ?", (int(value),))
        case "status":
            return Condition("exit_status = ?", (int(value),))
        case "longer":
            return Condition("duration_us > ?", (parse_duration(value),))
        case "shorter":
            return Condition("duration_us < ?", (parse_duration(value),))
        case "is":
            return Condition(_STATES[value.lower()])
        case _:
            return _instant_condition(name, value, now)


def _instant_condition(name: str, value: str, now: datetime) -> Condition:
    start, end = parse_instant(value, now)
    if name == "after":
        return Condition("started_unix_us >= ?", (start,))
    if name == "before":
        return Condition("started_unix_us < ?", (start,))
    # An instant has no width; at least its own microsecond must fit in.
    return Condition(
        "started_unix_us < ? AND started_unix_us + duration_us >= ?", (max(end, start + 1), start)
    )


def like_pattern(value: str) -> str:
    r"""Return a LIKE pattern: `*` stands for anything, all else for itself in any case."""
    for character in "\\%_":
        value = value.replace(character, f"\\{character}")
    return value.replace("*", "%")
