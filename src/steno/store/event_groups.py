"""Which parts of a query for recordings speak of one and the same event. Pure.

Terms of events that stand beside each other (AND) hold of one event, alternatives in parentheses
(OR) and what is denied of it (`-term`) among them. Parentheses around terms that stand side by
side make an event of their own; NOT before such parentheses, or with no other term of events
beside it, says that there is no such event. docs/find.md says it with examples.
"""

from __future__ import annotations

from steno.errors import QueryError
from steno.store.event_fields import EVENT_FIELDS, SHARED_FIELDS
from steno.store.expressions import And, EventGroup, Expression, Field, Not, Or


def is_event_term(expression: Expression) -> bool:
    """Return whether a term speaks of events only."""
    return isinstance(expression, Field) and expression.name in EVENT_FIELDS


def group_events(expression: Expression) -> Expression:
    """Return the query with an `EventGroup` in place of what speaks of one event."""
    match expression:
        case And(parts):
            return _group(parts)
        case Or(parts):
            return Or([group_events(part) for part in parts])
        case Not(part):
            return Not(group_events(part))
        case _ if is_event_term(expression):
            return EventGroup(expression)
        case _:
            return expression


def _group(parts: list[Expression]) -> Expression:
    asked = [part for part in parts if _is_asked(part)]
    denied = [part for part in parts if isinstance(part, Not) and _is_asked(part.part)]
    if not asked:
        return And([group_events(part) for part in parts])
    joined = [part for part in parts if part in asked or part in denied]
    group = EventGroup(joined[0] if len(joined) == 1 else And(joined))
    rest = [group_events(part) for part in parts if part not in joined]
    return And([group, *rest]) if rest else group


def _is_asked(expression: Expression) -> bool:
    """Return whether this is a term of events, or alternatives of nothing else."""
    if isinstance(expression, Or):
        return all(map(_is_asked, expression.parts))
    return is_event_term(expression)


def asks_for_events(expression: Expression) -> bool:
    """Return whether any part of a query speaks of events."""
    match expression:
        case And(parts) | Or(parts):
            return any(map(asks_for_events, parts))
        case Not(part) | EventGroup(part):
            return asks_for_events(part)
        case _:
            return is_event_term(expression)


def check_event_query(expression: Expression, query: str, *, allows_text: bool = True) -> None:
    """See that a query says nothing but what events can answer.

    Text is looked for in the sentence that an event is told with, unless `allows_text` is false.

    Raises:
        QueryError: It looks for text, or names a field that only recordings have.
    """
    match expression:
        case And(parts) | Or(parts):
            for part in parts:
                check_event_query(part, query, allows_text=allows_text)
        case Not(part) | EventGroup(part):
            check_event_query(part, query, allows_text=allows_text)
        case Field(name):
            if name not in (*EVENT_FIELDS, *SHARED_FIELDS):
                known = ", ".join((*EVENT_FIELDS, *SHARED_FIELDS))
                reason = f"{name}: says something of recordings; of events: {known}"
                raise QueryError(reason, query=query, position=expression.position)
        case _ if not allows_text:
            reason = "this looks for text on screens; events are found by ran:, file:, addr: ..."
            raise QueryError(reason, query=query, position=expression.position)
