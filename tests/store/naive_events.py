"""Audit events found as one would without an index: what every store's answers are compared with.

Written from docs/find.md, not from the store: a value's pattern is a translation to `re`, a
command's words are looked for one after the other.
"""

from __future__ import annotations

import ipaddress
import re

from naive import NaiveStore, matches

from steno.audit.event import Event, Thing
from steno.store.events import StoredEvent
from steno.store.expressions import And, Expression, Field, Not, Or
from steno.store.protocol import Summary

EARLY_US = 20_000
EVENT_FIELDS = ("ran", "file", "addr", "action", "result")


class NaiveEvents(NaiveStore):
    """Recordings and events in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[StoredEvent] = []
        self.joined: dict[str, tuple[dict[int, int], frozenset[int]]] = {}
        """Of recordings that were joined, by serial: the instants of their own events; the others
        that were looked at."""

    def events_of(self, summary: Summary) -> list[StoredEvent]:
        """Return the events of a recording: of its session, and its own as joining it said.

        What came in since it was joined is its own if it happened while it was made.
        """
        return [
            stored
            for stored in self.events
            if (stored.sender, stored.event.boot_id, stored.event.audit_session)
            == (summary.sender, summary.boot_id, summary.audit_session)
            and stored.event.boot_id is not None
            and stored.event.audit_session is not None
            and self.instant_of(summary, stored.event) is not None
        ]

    def instant_of(self, summary: Summary, event: Event) -> int | None:
        """Return the instant in a recording of an event of its session; None: it has none."""
        own, others = self.joined.get(summary.rec, ({}, frozenset[int]()))
        if event.serial in own:
            return own[event.serial]
        at_us = event.at_unix_us - summary.started_unix_us
        if event.serial in others or at_us < -EARLY_US:
            return None
        if not summary.is_live and at_us > summary.duration_us:
            return None
        return min(max(at_us, 0), summary.duration_us)

    def found(self, query: Expression, visible_to: str | None = None) -> list[tuple[str, int]]:
        """Return (trail, serial) of the events for which a query holds, oldest first."""
        seen = [stored for stored in self.events if event_holds(query, stored.event)]
        if visible_to is not None:
            allowed = [
                stored
                for summary, _ in self.recordings.values()
                if visible_to in (summary.user, summary.login_user)
                for stored in self.events_of(summary)
            ]
            seen = [stored for stored in seen if stored in allowed]
        seen.sort(key=lambda stored: stored.event.at_unix_us // 1000)
        return [(stored.trail, stored.event.serial) for stored in seen]

    def _positive_terms(self, query: Expression) -> list[Expression]:
        return _positive_parts(query)[0]

    def _serials(self, query: Expression, rec: str) -> list[int]:
        groups = _positive_parts(query)[1]
        events = [
            one.event
            for one in self.events_of(self.recordings[rec][0])
            if any(event_holds(group, one.event) for group in groups)
        ]
        events.sort(key=lambda event: (event.at_unix_us // 1000, event.serial), reverse=True)
        return [event.serial for event in events]

    def _holds(self, query: Expression, rec: str) -> bool:
        if isinstance(query, And):
            group, rest = _split(query.parts)
            return (group is None or self._has(group, rec)) and all(
                self._holds(part, rec) for part in rest
            )
        if _is_event_field(query):
            return self._has(query, rec)
        return super()._holds(query, rec)

    def _has(self, condition: Expression, rec: str) -> bool:
        summary, _ = self.recordings[rec]
        return any(event_holds(condition, one.event) for one in self.events_of(summary))


def _is_event_field(query: Expression) -> bool:
    return isinstance(query, Field) and query.name in EVENT_FIELDS


def _is_asked(query: Expression) -> bool:
    if isinstance(query, Or):
        return all(_is_asked(part) for part in query.parts)
    return _is_event_field(query)


def _split(parts: list[Expression]) -> tuple[Expression | None, list[Expression]]:
    """Return what of these must hold of one event, and what else there is."""
    asked = [part for part in parts if _is_asked(part)]
    if not asked:
        return None, parts
    group = asked + [part for part in parts if isinstance(part, Not) and _is_asked(part.part)]
    return And(group), [part for part in parts if part not in group]


def _positive_parts(
    query: Expression, *, is_negated: bool = False
) -> tuple[list[Expression], list[Expression]]:
    """Return the text terms, and the conditions on single events, that stand under no NOT."""
    if _is_event_field(query):
        return [], [] if is_negated else [query]
    match query:
        case Not(part):
            return _positive_parts(part, is_negated=not is_negated)
        case And(parts) | Or(parts):
            group, rest = _split(parts) if isinstance(query, And) else (None, parts)
            found = [_positive_parts(part, is_negated=is_negated) for part in rest]
            terms = [term for some, _ in found for term in some]
            groups = [one for _, some in found for one in some]
            return terms, groups + ([group] if group is not None and not is_negated else [])
        case Field():
            return [], []
        case _:
            return [] if is_negated else [query], []


def event_holds(query: Expression, event: Event) -> bool:
    """Return whether a query holds of one event."""
    match query:
        case And(parts):
            return all(event_holds(part, event) for part in parts)
        case Or(parts):
            return any(event_holds(part, event) for part in parts)
        case Not(part):
            return not event_holds(part, event)
        case Field(name, value):
            return _field_holds(name, value, event)
        case _:
            return any(matches(query, text) for text in (event.text, event.typed or ""))


def _field_holds(name: str, value: str, event: Event) -> bool:
    match name:
        case "ran":
            return _has_run(value.split(), event)
        case "file":
            return any(_is_path(value, thing.name) for thing in event.objects if _is_file(thing))
        case "addr":
            return any(_is_at(value, one) for one in event.objects if one.kind == "address")
        case "action":
            words = event.action.split(" ")
            return any(_like(value, " ".join(words[:count])) for count in range(1, len(words) + 1))
        case "result":
            return value.lower() in (event.result, (event.error or "").lower())
        case "user":
            return _is_account(value, event.who.user, event.who.uid)
        case "login":
            return _is_account(value, event.who.login_user, event.who.login_uid)
        case "host":
            return _like(value, event.host)
        case "session":
            return event.audit_session == int(value)
    raise TypeError(name)


def _like(pattern: str, text: str) -> bool:
    expression = "".join(".*" if part == "*" else re.escape(part) for part in pattern)
    return re.fullmatch(expression, text, re.IGNORECASE | re.DOTALL) is not None


def _name(path: str) -> str:
    return [part for part in path.split("/") if part][-1] if path.strip("/") else ""


def _is_file(thing: Thing) -> bool:
    return thing.kind in ("file", "directory", "program") or thing.name.startswith("/")


def _is_path(pattern: str, path: str) -> bool:
    if "/" not in pattern:
        return _like(pattern, _name(path))
    return _like(pattern + "*" if pattern.endswith("/") else pattern, path)


def _is_word(pattern: str, word: str) -> bool:
    return _like(pattern, word) or (
        "/" not in pattern and "/" in word and _like(pattern, _name(word))
    )


def _has_run(patterns: list[str], event: Event) -> bool:
    if event.action != "ran":
        return False
    words = [word for argument in event.process.arguments or [] for word in argument.split()]
    names = [one.name for one in event.objects if one.kind == "program"]
    if event.process.arguments is not None and event.process.program:
        names.append(event.process.program)
    lists = [words, *([name, *words[1:]] for name in names)]
    return any(_come_in_order(patterns, some) for some in lists)


def _come_in_order(patterns: list[str], words: list[str]) -> bool:
    if not patterns:
        return True
    return any(
        _is_word(patterns[0], word) and _come_in_order(patterns[1:], words[number + 1 :])
        for number, word in enumerate(words)
    )


def _is_at(value: str, thing: Thing) -> bool:
    if found := re.fullmatch(r"\[?(.*?)\]?:(\d+)", value):
        return thing.port == int(found[2]) and (not found[1] or _is_within(found[1], thing))
    if re.fullmatch(r"[\d./]+|[0-9a-f:.]+(/\d+)?", value):
        return _is_within(value, thing)
    return _like(value, thing.name)


def _is_within(network: str, thing: Thing) -> bool:
    if thing.address is None:
        return False
    one, wanted = ipaddress.ip_address(thing.address), ipaddress.ip_network(network, strict=False)
    if isinstance(one, ipaddress.IPv6Address) and one.ipv4_mapped and wanted.version == 4:
        one = one.ipv4_mapped
    return one.version == wanted.version and one in wanted


def _is_account(pattern: str, name: str | None, number: int | None) -> bool:
    texts = [name] if name is not None else []
    return any(
        _like(pattern, text) for text in [*texts, *([] if number is None else [str(number)])]
    )
