"""tlog-play's journal match symbols as journalctl's arguments."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.cli.tlog.journal_matches import translate_matches
from steno.errors import UsageError

WORDS = ["A=1", "A=2", "B=1", "B=2", "C=1", "OR", "AND"]
ENTRIES = [dict(zip("ABC", values, strict=True)) for values in product("123", repeat=3)]


def fits_symbols(symbols: list[str], entry: dict[str, str]) -> bool:
    """Tell whether the symbols select the entry, by the letter of sd_journal_add_match(3)."""
    joined = " ".join(symbols)
    groups = [[part.split() for part in group.split("OR")] for group in joined.split("AND")]
    for group in groups:
        terms = [term for term in group if term]
        if terms and not any(fits_term(term, entry) for term in terms):
            return False
    return True


def fits_term(words: list[str], entry: dict[str, str]) -> bool:
    """Tell whether every field that the words name has one of the values that they give it."""
    fields = {word[0] for word in words}
    return all(f"{field}={entry[field]}" in words for field in fields)


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=9))
def test_the_same_entries_are_selected(symbols: list[str]) -> None:
    """Whatever the symbols, journalctl's `+` selects what the journal's library would."""
    if not any("=" in symbol for symbol in symbols):
        return
    arguments = translate_matches(symbols)
    alternatives = [part.split() for part in " ".join(arguments).split("+")]
    for entry in ENTRIES:
        everything = {**entry, "_BOOT_ID": "0"}
        chosen = any(
            all(
                any(f"{f}={everything[f]}" == word for word in words)
                for f in {word.partition("=")[0] for word in words}
            )
            for words in alternatives
        )
        assert chosen == fits_symbols(symbols, entry), (symbols, arguments, entry)


@pytest.mark.parametrize("symbol", ["bad", "a=1", "=1", "__CURSOR=x", "A B=1", "--file=/x", "+"])
def test_what_is_no_match_is_refused(symbol: str) -> None:
    """Only fields, OR and AND reach journalctl: no options, no paths."""
    with pytest.raises(UsageError, match="not FIELD=VALUE, OR or AND"):
        translate_matches(["A=1", symbol])


def test_words_may_be_small() -> None:
    """`or` is OR, as with tlog-play."""
    assert translate_matches(["A=1", "or", "B=2"]) == ["A=1", "+", "B=2"]
