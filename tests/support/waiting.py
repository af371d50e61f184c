"""Waiting for what other processes and threads bring about."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_LONGEST_LOOK_S = 5.0
"""What took longer than this between two looks was a machine that stood still, not a program."""


def wait_for(
    look: Callable[[], T | None], what: str | Callable[[], str], timeout_s: float = 60.0
) -> T:
    """Return what `look` does as soon as that is true; fail naming `what` if it is not in time.

    It is asked often in the first seconds, then ten times a second: what it does may cost much.
    Where `what` is to show how things stand, it is a function: that is called when time is over.
    """
    patience = Patience(timeout_s)
    while not (found := look()):
        if not patience.lasts():
            said = what() if callable(what) else what
            raise AssertionError(f"waited {timeout_s:.0f} s in vain: {said}")
        time.sleep(min(0.02 + patience.waited_s / 50, 0.1))
    return found


class Patience:
    """Counts for how long something was waited for; not while the whole machine stood still.

    Attributes:
        waited_s: How long that was until `lasts` was called last.
    """

    def __init__(self, timeout_s: float) -> None:
        self.waited_s = 0.0
        self._timeout_s = timeout_s
        self._looked_s = time.monotonic()

    def lasts(self) -> bool:
        """Return whether to go on; to be asked every second or more often."""
        now_s = time.monotonic()
        self.waited_s += min(now_s - self._looked_s, _LONGEST_LOOK_S)
        self._looked_s = now_s
        return self.waited_s < self._timeout_s
