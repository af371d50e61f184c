"""What comes again and again is worked out once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")

LIMIT = 8192
"""So many answers are remembered; then all are forgotten."""

LONGEST_BYTES = 512
"""What is longer, is not remembered: a memory holds some megabytes at the most."""


class Memory(dict[Key, Value]):
    """Answers of a function, by what it was asked; `memory[key]` asks if it must."""

    def __init__(self, answer: Callable[[Key], Value]) -> None:
        super().__init__()
        self._answer = answer

    def __missing__(self, key: Key) -> Value:
        value = self._answer(key)
        if _length_of(key) > LONGEST_BYTES:
            return value
        if len(self) >= LIMIT:
            self.clear()
        self[key] = value
        return value


def _length_of(key: object) -> int:
    if isinstance(key, tuple):
        return sum(map(_length_of, key))
    return len(key) if isinstance(key, bytes) else 0
