"""Which of two values of a setting is the stricter one. Does no I/O.

Strict is what keeps more of the truth: more is recorded, less may be lost, fewer sessions start
without being recorded. docs/policy.md has the table for people.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from steno.policy.decision import Limit

Rank = Callable[[Any], Any]
"""Maps a setting's value to something that sorts: what ranks higher is stricter."""


def _by_order(*words: str) -> Rank:
    return words.index


def rank_limit(limit: Limit) -> tuple[int, int, int]:
    """Rank a limit: `drop` loses, `pass` does not, `delay` does not and holds floods back too.

    Among `drop`s more is kept with the higher numbers; among `delay`s the lower ones hold back
    more.
    """
    sign = -1 if limit.action == "delay" else 1
    place = ("drop", "pass", "delay").index(limit.action)
    return place, sign * limit.rate_bytes, sign * limit.burst_bytes


RANKS: Mapping[str, Rank] = {
    "sessions": _by_order("off", "record"),
    "commands": _by_order("off", "command", "capture"),
    "output": bool,
    "input": _by_order("none", "seen", "all"),
    "window": bool,
    "limit": rank_limit,
    "latency_ms": lambda milliseconds: -milliseconds,
    "payload_bytes": lambda size_bytes: -size_bytes,
    "capture_bytes": lambda size_bytes: size_bytes,
    "on_failure": _by_order("allow", "deny"),
    "audit": _by_order("none", "login", "session"),
}
"""The settings of which the strictest value wins, and how."""

UNITED = ("labels", "mail_to")
"""The settings to which all rules add, whatever their priority: nothing takes away."""


def unite(values: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """Return all words of `values`, each once, sorted."""
    return tuple(sorted({word for value in values for word in value}))
