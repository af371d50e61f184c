"""Patterns with stars, as the fields of events take them."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from steno.store.event_matching import glob


@given(st.text("ab*", max_size=8), st.text("ab\n", max_size=10))
def test_a_star_stands_for_anything(pattern: str, text: str) -> None:
    """Anywhere and any number of them, as in a regular expression."""
    expression = ".*".join(map(re.escape, pattern.split("*")))
    assert glob(pattern)(text) == (re.fullmatch(expression, text, re.DOTALL) is not None)


def test_many_stars_end_in_time() -> None:
    """A pattern that a regular expression would try for longer than the world has stood."""
    assert not glob("a*" * 1000 + "b")("a" * 5000 + "c")
    assert glob("a*" * 1000 + "b")("a" * 5000 + "b")
