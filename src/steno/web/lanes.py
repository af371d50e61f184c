"""A recording's audit events in lanes: what a timeline draws, however many there were."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from steno.web.trail_shapes import RecordedEvent

STRETCHES = 1000
"""So many stretches at most in one lane: more than there are pixels between them."""
_LANES = frozenset({"typed", "files", "network", "privileges", "denials"})
_TEXT_CHARACTERS = 160

Stretch = tuple[int, int, int, int, str]
"""First and last instant, how many events, how many of them failed, the first one's sentence."""


class Lanes(msgspec.Struct, frozen=True):
    """What happened, by kind, in short stretches of time.

    Attributes:
        lanes: By kind: [first and last instant, how many, how many failed, the first one's words].
    """

    lanes: dict[str, list[Stretch]]


def lay_out(events: Iterable[RecordedEvent], duration_us: int) -> Lanes:
    """Put events, given in order, into lanes; those so near that they would touch, together."""
    width_us = max(1, duration_us // STRETCHES)
    lanes: dict[str, list[Stretch]] = {}
    for recorded in events:
        if recorded.kind not in _LANES:
            continue
        lane = lanes.setdefault(recorded.kind, [])
        failures = int(recorded.event.result == "failure")
        at_us = recorded.at_us
        if lane and at_us - lane[-1][0] < width_us:
            first_us, last_us, count, failed, text = lane[-1]
            lane[-1] = (first_us, max(last_us, at_us), count + 1, failed + failures, text)
        else:
            lane.append((at_us, at_us, 1, failures, recorded.event.text[:_TEXT_CHARACTERS]))
    return Lanes(lanes)
