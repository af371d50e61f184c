"""Passes on what changed in the store, from its threads to the event loop's streams."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from steno.store.protocol import Change, Store


class ChangeHub:
    """One subscription to the store for all streams."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._listeners: set[Callable[[Change], None]] = set()
        self._unsubscribe: Callable[[], None] | None = None

    def start(self) -> None:
        """Begin to listen to the store; call it in the event loop that the streams run in."""
        loop = asyncio.get_running_loop()

        def pass_on(change: Change) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._tell, change)

        self._unsubscribe = self._store.subscribe(pass_on)

    def stop(self) -> None:
        """Listen no more."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None

    def _tell(self, change: Change) -> None:
        for listener in list(self._listeners):
            listener(change)

    def add(self, listener: Callable[[Change], None]) -> None:
        """Call `listener` in the event loop after each change; it must be quick."""
        self._listeners.add(listener)

    def remove(self, listener: Callable[[Change], None]) -> None:
        """Call `listener` no more."""
        self._listeners.discard(listener)
