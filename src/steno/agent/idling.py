"""Looking after sessions in which nothing happens: window sizes, and memory.

No signal tells the agent that a terminal's size has changed, so it looks: often where something
has passed lately, and seldom elsewhere, a part of them at a time.
"""

from __future__ import annotations

from typing import Protocol

from steno.agent.loop import Loop, now_us

_TICK_US = 125_000
_SLOW_TICKS = 8
"""Every session is looked at once in so many ticks: each second."""
_ACTIVE_US = 30_000_000
"""For so long after something has passed a session is looked at in every second tick."""
_REST_US = 5_000_000
"""After so long without anything a session gives back memory."""


class Idle(Protocol):
    """A session that is looked after."""

    @property
    def active_us(self) -> int:
        """When something last passed, on the loop's clock."""

    def look_at_window(self) -> None:
        """Look whether the outer terminal's size has changed."""

    def rest(self) -> None:
        """Give memory back: nothing has passed for a while."""


class Idling:
    """Looks at all sessions in turn, while there are any."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._sessions: dict[str, Idle] = {}
        self._tick_number = 0
        self._is_ticking = False

    def add(self, rec: str, session: Idle) -> None:
        """Look after a session from now on."""
        self._sessions[rec] = session
        self._wake()

    def remove(self, rec: str) -> None:
        """Look after it no longer."""
        self._sessions.pop(rec, None)

    def _wake(self) -> None:
        if not self._is_ticking:
            self._is_ticking = True
            self._loop.call_in(_TICK_US, self._tick)

    def _tick(self) -> None:
        self._is_ticking = False
        if not self._sessions:
            return
        self._wake()
        self._tick_number += 1
        at_us = now_us()
        for number, session in enumerate([*self._sessions.values()]):
            idle_us = at_us - session.active_us
            is_turn = (number + self._tick_number) % _SLOW_TICKS == 0
            is_active = idle_us < _ACTIVE_US and (number + self._tick_number) % 2 == 0
            if is_turn or is_active:
                session.look_at_window()
            if is_turn and _REST_US <= idle_us < _REST_US + 2 * _TICK_US * _SLOW_TICKS:
                session.rest()
