"""What comes again and again is worked out once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")

LIMIT = 8192
"""So many answers are remembered; then all are forgotten."""


class Memory(dict[Key, Value]):
    """Answers of a function, by what it was asked; `memory[key]` asks if it must."""

    def __init__(self, answer: Callable[[Key], Value]) -> None:
        super().__init__()
        self._answer = answer

    def __missing__(self, key: Key) -> Value:
        if len(self) >= LIMIT:
            self.clear()
        value = self[key] = self._answer(key)
        return value
