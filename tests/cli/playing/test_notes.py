"""Notes in words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.cli.playing.notes import describe_note
from steno.model import Note


@pytest.mark.parametrize(
    ("kind", "facts", "text"),
    [
        ("gap", {"first_id": 3, "last_id": 4}, "messages 3 to 4 are missing"),
        ("unseen", {"input_bytes": 7}, "7 bytes were typed unseen, and not kept"),
        ("drop", {"output_bytes": 7, "input_bytes": 2}, "9 bytes were not kept: the rate limit"),
        ("delay", {"held_us": 1_250_000}, "held back for 1.2 s by the rate limit"),
        ("torn", {"cut_bytes": 40}, "the recorder died; 40 torn bytes were cut off"),
        ("lost", {"what": "line 3"}, "lost: line 3"),
        ("marker", {"label": "here\x1b[2J"}, "mark: here\ufffd[2J"),
    ],
)
def test_notes_are_told(kind: str, facts: dict[str, Any], text: str) -> None:
    """Each kind says what happened, with its numbers, and drives no terminal."""
    assert describe_note(Note(0, kind, facts)) == text


@given(
    st.sampled_from(["gap", "unseen", "drop", "delay", "torn", "lost", "marker", "signal", "x"])
    | st.text(),
    st.dictionaries(st.sampled_from(["first_id", "input_bytes", "held_us", "what"]), st.text()),
)
def test_any_facts_are_bearable(kind: str, facts: dict[str, Any]) -> None:
    """Facts that a stranger wrote never break the player nor drive the terminal."""
    assert describe_note(Note(0, kind, facts)).isprintable()
