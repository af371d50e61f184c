"""Denials that say the same, told as one: `ps` asks for files of every process that there is.

One process, one action (reading and writing are opening), one error, within moments: such events
are a bunch, one row of a list and one mark of a timeline. Each of them is still there, and can be
asked for.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Sequence

import msgspec

from steno.audit.event import Event
from steno.audit.sorts import kind_of

NEAR_US = 1_000_000
"""No further apart are two that follow each other in a bunch."""

_OPENING = frozenset({"opened", "read", "wrote"})
_VERB = re.compile(r"\bcould not (\w+)")

LEAST = 4
"""Fewer are shown one by one: each of their names may matter."""


class Bunch(msgspec.Struct, frozen=True):
    """Several events told as one.

    Attributes:
        events: How many.
        last_us: The instant of the last one, counted as the first one's beside it.
        text: The sentence for all: `*` stands for parts of a path that differ, `…` for more parts.
        serials: Their numbers, in order.
    """

    events: int
    last_us: int
    text: str
    serials: list[int]


def bunch_key(event: Event) -> Hashable | None:
    """Return what the events of a bunch have in common; None: it is never in one."""
    if kind_of(event) != "denials" or event.process.pid is None:
        return None
    process = event.process
    return (
        event.host,
        event.boot_id,
        event.audit_session,
        process.pid,
        process.program,
        "opened" if event.action in _OPENING else event.action,
        event.error,
        event.who.user,
        event.who.effective_user,
    )


def find_bunches(keyed: Iterable[tuple[int, Hashable | None]]) -> dict[int, list[int]]:
    """Return the numbers of the events in each bunch, by its first one's.

    Args:
        keyed: Each event's instant in microseconds and its key, in order, from either end.
    """
    found: list[list[int]] = []
    current: dict[Hashable, tuple[int, list[int]]] = {}
    for number, (at_us, key) in enumerate(keyed):
        if key is None:
            continue
        last_us, numbers = current.get(key, (0, []))
        if not numbers or abs(at_us - last_us) > NEAR_US:
            numbers = []
            found.append(numbers)
        numbers.append(number)
        current[key] = at_us, numbers
    return {numbers[0]: numbers for numbers in found if len(numbers) >= LEAST}


def tell_bunch(texts: Sequence[str], names: Sequence[str]) -> str:
    """Return the sentence for a bunch.

    Args:
        texts: The sentence of each of its events.
        names: What each is chiefly about; "" for nothing.
    """
    text = texts[0]
    if names and names[0] and (common := _common_name(names)) != names[0]:
        first = names[0]
        whole = re.compile(rf"(?<![\w/]){re.escape(first)}(?![\w/])")
        text = whole.sub(lambda _: common, text, count=1)
    verbs = dict.fromkeys(found[1] for one in texts if (found := _VERB.search(one)) is not None)
    text = _VERB.sub(f"could not {' or '.join(verbs)}", text, count=1)
    return f"{text} ({len(texts):,} times)"


def name_in_bunch(event: Event) -> str:
    """Return what an event is chiefly about: the first thing's name."""
    return event.objects[0].name if event.objects else ""


def _common_name(names: Sequence[str]) -> str:
    """Return a pattern of all names: `/proc/*/stat`, `/etc/…`."""
    different = list(dict.fromkeys(names))
    if len(different) == 1:
        return different[0]
    split = [name.split("/") for name in different]
    least = min(map(len, split))
    parts = ["*" if len(set(column)) > 1 else column[0] for column in zip(*split, strict=False)]
    if all(len(one) == least for one in split):
        return "/".join(parts)
    while parts and parts[-1] == "*":
        parts.pop()
    return "/".join([*parts, "…"])
