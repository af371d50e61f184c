"""tlog-play's journal match symbols, said as journalctl's arguments. Does no I/O.

Source: sd_journal_add_match(3): matches of one field are alternatives, those of different fields
all hold; "OR" begins an alternative to the matches before it, "AND" something that must hold
besides everything before it. journalctl(1) knows `+` for the first, and nothing for the second, so
that "AND" is multiplied out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import product

from steno.errors import UsageError

_FIELD = re.compile(r"_?[A-Z0-9](?:[A-Z0-9_])*\Z")
_NOTHING = ["_BOOT_ID=none"]
"""A match that no entry fits: the kernel's ids are hexadecimal."""

_Term = dict[str, set[str]]
"""Fields, and the values that each may have."""


def translate_matches(symbols: Sequence[str]) -> list[str]:
    """Return the arguments for journalctl that select the same entries.

    Raises:
        UsageError: A symbol is neither FIELD=value nor OR nor AND.
    """
    groups: list[list[_Term]] = [[{}]]
    for number, symbol in enumerate(symbols, 1):
        if symbol.upper() == "AND":
            groups.append([{}])
        elif symbol.upper() == "OR":
            groups[-1].append({})
        else:
            field, equals, value = symbol.partition("=")
            if not equals or not _FIELD.match(field):
                raise UsageError(f"journal match {number}, {symbol!r}: not FIELD=VALUE, OR or AND")
            groups[-1][-1].setdefault(field, set()).add(value)
    # A symbol without anything beside it says nothing.
    said = [[term for term in group if term] for group in groups]
    terms = list(_multiply([group for group in said if group]))
    arguments: list[str] = []
    for term in terms:
        separator = ["+"] if arguments else []
        fields = [f"{field}={value}" for field in term for value in sorted(term[field])]
        arguments += [*separator, *fields]
    return arguments or _NOTHING


def _multiply(groups: list[list[_Term]]) -> Iterator[_Term]:
    """Yield the alternatives, each of which holds one alternative of every group."""
    for choice in product(*groups):
        merged: _Term = {}
        for term in choice:
            for field, values in term.items():
                merged[field] = merged[field] & values if field in merged else set(values)
        if all(merged.values()):
            yield merged
