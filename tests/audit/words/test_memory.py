"""What is worked out once."""

from __future__ import annotations

from steno.audit.words.memory import LIMIT, LONGEST_BYTES, Memory


def test_answers_are_asked_for_once() -> None:
    """The same question is answered from memory."""
    asked: list[bytes] = []
    memory = Memory[bytes, int](lambda key: asked.append(key) or len(key))
    assert [memory[b"ab"], memory[b"ab"], memory[b"c"]] == [2, 2, 1]
    assert asked == [b"ab", b"c"]


def test_a_memory_does_not_grow_without_end() -> None:
    """After so many answers it begins anew, and long questions are never kept."""
    memory = Memory[bytes, int](len)
    for number in range(3 * LIMIT):
        memory[b"%d" % number]
    assert len(memory) <= LIMIT
    before = len(memory)
    assert memory[bytes(LONGEST_BYTES + 1)] == LONGEST_BYTES + 1
    assert len(memory) == before
