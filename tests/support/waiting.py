"""Waiting for what other processes and threads bring about."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(look: Callable[[], T | None], what: str, timeout_s: float = 60.0) -> T:
    """Return what `look` does as soon as that is true; fail naming `what` if it is not in time.

    It is asked often in the first seconds, then ten times a second: what it does may cost much.
    """
    began_s = time.monotonic()
    while not (found := look()):
        waited_s = time.monotonic() - began_s
        assert waited_s < timeout_s, f"waited {timeout_s:.0f} s in vain: {what}"
        time.sleep(min(0.02 + waited_s / 50, 0.1))
    return found
