"""A recording's notes in words: what happened to it, for who watches it."""

from __future__ import annotations

from collections.abc import Mapping

from steno.formats.tlog_track import describe_gap
from steno.formats.track import show
from steno.model import Note

_FIXED_TEXTS = {"restart": "the recorder was restarted", "clock": "the clock made a step"}


def describe_note(note: Note) -> str:
    """Return what `note` tells, on one line without control characters, whoever wrote it."""
    facts = note.facts
    match note.kind:
        case "gap":
            return describe_gap(facts)
        case "unseen":
            return f"{_number(facts, 'input_bytes')} bytes were typed unseen, and not kept"
        case "drop":
            return f"{_passed_bytes(facts)} bytes were not kept: the rate limit"
        case "delay":
            return f"held back for {_number(facts, 'held_us') / 1e6:.1f} s by the rate limit"
        case "torn":
            return f"the recorder died; {_number(facts, 'cut_bytes')} torn bytes were cut off"
        case "lost":
            return show(f"lost: {facts.get('what', '')}")
        case "marker":
            return show(f"mark: {facts.get('label', '')}")
        case "signal":
            return show(f"signal {facts.get('name', '')}")
        case _:
            return show(_describe_act(note))


def _describe_act(note: Note) -> str:
    """Return what somebody did to the session, or the note's bare word."""
    if note.kind == "message":
        return f"message from {note.facts.get('by', '')}: {note.facts.get('text', '')}"
    if note.kind == "kill":
        return f"ended by {note.facts.get('by', '')}"
    return _FIXED_TEXTS.get(note.kind, note.kind)


def _number(facts: Mapping[str, object], name: str) -> int:
    value = facts.get(name)
    return value if isinstance(value, int) else 0


def _passed_bytes(facts: Mapping[str, object]) -> int:
    return _number(facts, "output_bytes") + _number(facts, "input_bytes")
