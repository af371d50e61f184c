"""What the parts of the suite share: places to open stores on, short ways to fill and ask them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from steno.model import TextLine, Verification
from steno.store.protocol import Derived, Page, Store, Summary
from steno.store.query import parse

T = TypeVar("T")

HOUR_US = 3_600_000_000
START_US = 1_760_000_000_000_000


def summary(rec: str, **facts: object) -> Summary:
    """Return a summary with everything that need not be given."""
    defaults: dict[str, Any] = {
        "host": "web1",
        "user": "avery",
        "started_unix_us": START_US,
        "duration_us": 60_000_000,
        "is_live": False,
        "messages": 3,
        "size_bytes": 1000,
        "chain": Verification("so_far", 3),
    }
    return Summary(rec=rec, **(defaults | facts))


def text_lines(*texts: str) -> list[TextLine]:
    """Return lines a millisecond apart."""
    return [TextLine(number * 1000, text) for number, text in enumerate(texts)]


def put(store: Store, rec: str, *texts: str, **facts: object) -> None:
    """Give a recording some more lines."""
    state = store.derived_state(rec)
    store.put_derived(
        rec,
        Derived(
            upto_bytes=state.upto_bytes + 10,
            summary=summary(rec, **facts),
            from_bytes=state.upto_bytes,
            from_serial=state.serial,
            lines=text_lines(*texts),
        ),
    )


def found(
    store: Store,
    query: str,
    *,
    rec: str | None = None,
    limit: int = 50,
    visible_to: str | None = None,
) -> list[tuple[str, int | None]]:
    """Return (recording, line number) of each hit on the first page."""
    page = store.search(parse(query), rec=rec, limit=limit, visible_to=visible_to)
    return [(hit.summary.rec, hit.number) for hit in page.items]


def listed(
    store: Store,
    query: str | None = None,
    *,
    sort: str = "-started",
    visible_to: str | None = None,
) -> list[str]:
    """Return the ids of the recordings on the first page of a list."""
    expression = None if query is None else parse(query)
    page = store.recordings(expression, sort=sort, visible_to=visible_to)
    return [item.rec for item in page.items]


class Stores:
    """Opens stores on one place, as other processes would."""

    def __init__(self, opener: Callable[[], Store]) -> None:
        self._opener = opener
        self._open: list[Store] = []

    def open(self) -> Store:
        """Open a store; it is closed with the others."""
        store = self._opener()
        self._open.append(store)
        return store

    def close(self) -> None:
        """Close all."""
        for store in self._open:
            store.close()


def turn_pages(fetch: Callable[[str | None], Page[T]]) -> Iterator[list[T]]:
    """Yield the items of each page, from the first to the last."""
    cursor = None
    while True:
        page = fetch(cursor)
        yield page.items
        cursor = page.cursor
        if cursor is None:
            return
