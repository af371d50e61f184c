"""What the index is asked for a regular expression never excludes a text that matches."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from steno.store.folding import fold
from steno.store.literals import literals_query, trigram_query
from steno.store.patterns import compile_pattern


def is_found(query: str | None, text: str) -> bool:
    """Return whether the trigram index would find `text` for an FTS5 query."""
    if query is None:
        return True
    trigrams = {text[start : start + 3] for start in range(len(text) - 2)}
    condition = re.sub(
        r'"((?:[^"]|"")*)"',
        lambda match: repr(match[1].replace('""', '"') in trigrams),
        query,
    )
    return bool(eval(condition.lower().replace("true", "True").replace("false", "False")))


@pytest.mark.parametrize(
    ("pattern", "query"),
    [
        ("abcd", '("abc" AND "bcd")'),
        ("need_[0-9]+_xyz", '("nee" AND "eed" AND "ed_" AND "_xy" AND "xyz")'),
        ("(abc|xyz)d?", '((("abc") OR ("xyz")))'),
        ("ABC", '("abc")'),
        (r"a\.b\x41", '("a.b" AND ".ba")'),
        ("abc|.", None),
        ("ab", None),
        ("(abc)?", None),
        ("(abc){0,3}x", None),
        ("abc*", None),
        ("abcd*", '("abc")'),
        ("abcd+ef", '("abc" AND "bcd")'),
        (r"[a\]bcd]efg", '("efg")'),
        ("[]abc]", None),
        (r"\Qabc\E", None),
        (r"\d{3}abc", '("abc")'),
        ("a{2}{0}bcd", None),
        ("(?i)abc", '("abc")'),
        ('say "hi"', '("say" AND "ay " AND "y """ AND " ""h" AND """hi" AND "hi""")'),
    ],
)  # fmt: skip
def test_literals(pattern: str, query: str | None) -> None:
    """The longest certain stretches of a pattern are asked for; doubt asks for nothing."""
    assert literals_query(pattern) == (query and f"({query})")


PIECES = [
    "a", "b", "ab", "abc", "bca", "É", "ß", "\u017f", "K", "ΐ", "-", " ", ".", "^", "$", "|",
    "(", ")", "(?:", "(?i)", "(?i:", "(?P<n>", "*", "+", "?", "*?", "{0}", "{2}", "{1,2}", "{0,}",
    "{", "[ab]", "[^b]", "[]a]", "[^]a]", "[[:alpha:]]", r"[\]a]", r"[a\-b]", r"\.", r"\d", r"\w",
    r"\pL", r"\p{Greek}", r"\x61", r"\x{62}", r"\Qa.b\E", r"\b", r"\B", r"\n", r"\(", r"\\",
    r"\141",
]  # fmt: skip
TEXTS = st.text("abcABéÉßẞsS\u017fkKΐ- .1(\\]{", max_size=14)


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=8).map("".join), TEXTS, st.booleans())
@settings(max_examples=150)
@example("a{2}{0}bcd", "bcd", False)
@example(r"[[:alpha:]]]abc", "a]abc", False)
def test_matching_texts_are_found(pattern: str, text: str, ignores_case: bool) -> None:
    """Whenever a pattern matches a text, the index finds that text for it."""
    try:
        compiled = compile_pattern(pattern, ignores_case=ignores_case)
    except ValueError:
        return  # more than half of them are none
    if compiled.spans(text) is not None:
        assert is_found(literals_query(pattern), fold(text))
        assert compiled.may_match_within(f"x\n{text}\ny".encode())


@given(st.text(max_size=8), st.text(max_size=8), st.text(max_size=8))
def test_contained_texts_are_found(before: str, text: str, after: str) -> None:
    """Whatever surrounds a text, the index finds it."""
    assert is_found(trigram_query(text), fold((before + text + after).replace("\0", "")))


@given(st.text(max_size=200))
def test_any_pattern_is_read(pattern: str) -> None:
    """No text makes the reader of patterns fail."""
    literals_query(pattern)
    literals_query("(" * 500 + pattern)
