"""How every store searches."""

from __future__ import annotations

import pytest
from hypothesis import (
    given,
)
from hypothesis import strategies as st
from naive import (
    NaiveStore,
)
from places import (
    HOUR_US,
    START_US,
    found,
    listed,
    put,
    summary,
    text_lines,
    turn_pages,
)

from steno.errors import (
    UsageError,
)
from steno.model import (
    TextLine,
)
from steno.store.expressions import And, Expression, Field, Not, Or, Phrase, Regex, Substring, Word
from steno.store.protocol import (
    Store,
)
from steno.store.query import parse


class SearchSuite:
    """Terms, order, pages, permissions."""

    def test_newest_first(self, store: Store) -> None:
        """Hits come newest recording first, in it the newest line first; in one, oldest first."""
        put(store, "old", "needle 0", "x", "needle 2")
        put(store, "newest", "needle", started_unix_us=START_US + 2 * HOUR_US)
        put(store, "new", *["needle"] * 130, started_unix_us=START_US + HOUR_US)
        expected = [
            ("newest", 0),
            *(("new", n) for n in range(129, -1, -1)),
            ("old", 2),
            ("old", 0),
        ]
        assert found(store, "needle", limit=200) == expected
        assert found(store, "needle", rec="new", limit=200) == [("new", n) for n in range(130)]
        for limit in (1, 7, 133):
            pages = list(turn_pages(lambda cursor, limit=limit: store.search(
                parse("needle"), limit=limit, cursor=cursor)))  # fmt: skip
            assert [(hit.summary.rec, hit.number) for page in pages for hit in page] == expected
            assert max(map(len, pages)) <= limit
            within = list(turn_pages(lambda cursor, limit=limit: store.search(
                parse("needle"), rec="new", limit=limit, cursor=cursor)))  # fmt: skip
            assert [hit.number for page in within for hit in page] == list(range(130))

    def test_search_pages_while_recordings_arrive(self, store: Store) -> None:
        """A search goes on where it was, though recordings come in and grow."""
        for number in range(4):
            put(store, f"r{number}", *["needle"] * 3, started_unix_us=START_US + number * HOUR_US,
                is_live=True)  # fmt: skip
        page = store.search(parse("needle"), limit=5)
        put(store, "new", "needle", started_unix_us=START_US + 99 * HOUR_US)
        put(store, "r2", *["needle"] * 70, started_unix_us=START_US + 2 * HOUR_US, is_live=True)
        rest = store.search(parse("needle"), limit=99, cursor=page.cursor)
        got = [(hit.summary.rec, hit.number) for hit in [*page.items, *rest.items]]
        assert got == [(f"r{number}", line) for number in (3, 2, 1, 0) for line in (2, 1, 0)]

    def test_hits_have_line_context_and_highlights(self, store: Store) -> None:
        """A hit has its line and instant, the lines around it, and where in it the terms stand."""
        texts = [f"line {number}" for number in range(130)]
        texts[64] = "Permission denied, permission DENIED; x"
        put(store, "r", *texts, user="blake")
        (hit,) = store.search(parse('"permission denied" *denied*'), context_lines=3).items
        assert hit.summary.user == "blake"
        assert (hit.number, hit.line) == (64, TextLine(64_000, texts[64]))
        assert hit.highlights == [(0, 17), (19, 36)]
        assert [line.text for line in hit.before] == ["line 61", "line 62", "line 63"]
        assert [line.text for line in hit.after] == ["line 65", "line 66", "line 67"]
        (first,) = store.search(parse('"line 0"'), context_lines=3).items
        assert (first.before, len(first.after)) == ([], 3)
        (last,) = store.search(parse('"line 129"'), context_lines=3).items
        assert (len(last.before), last.after) == (3, [])

    TERMS = (
        ("denied", "Permission DENIED", True), ("denied", "undenied", False),
        ("denied", "denied_1", True), ("passwd", "cat /etc/passwd", True),
        ("/etc/passwd", "cat /etc/passwd;", True), ("/etc/passwd", "cat /etc/passwd2", False),
        ("10.0.0.1", "from 10.0.0.1:22", True), ("10.0.0.1", "from 110.0.0.1", False),
        ("--force", "git push --force", True), ("größe", "GRÖSSE GRÖßE", True), ("é", "É", True),
        ("cafe", "cafe\u0301", False), ("漢字", "漢字", True), ("ж", "Ж.", True),
        ('"a b"', "a   b", True), ('"a b"', "a, b", False), ('"a b"', "ca b", False),
        ('"|"', "a | b", True), ('"||"', "a | b", False), ('"user@"', "x user@host", True),
        ("*cme/secr*", "/srv/acme/secret", True), ("*SECR*", "secret", True),
        ("*a b*", "xa by", True),
        ("*zz*", "fuzzy", True), ("*z*", "abc", False), ("/err(or|no)/", "errno 3", True),
        ("/err(or|no)/", "ERROR", False), ("/err(or|no)/i", "ERROR", True), ("/^ab$/", "ab", True),
        ("/^b/", "ab", False), (r"/\d{3}-x/", "a 123-x", True), ("/a.c/", "a\tc", True),
        ("/^x*$/", "", True), (r"/\Qa.b\E/", "a.b", True), (r"/[[:digit:]]+foo/", "1foo", True),
        (r"/\pLoo bar/", "foo bar", True), (r"/(?i)ABC/", "xabcx", True), (r"/\Aab\z/", "ab", True),
    )  # fmt: skip

    @pytest.mark.parametrize(("query", "line", "expected"), TERMS)
    @pytest.mark.parametrize("is_live", [True, False])
    def test_terms(
        self, store: Store, query: str, line: str, expected: bool, is_live: bool
    ) -> None:
        """Words, phrases, substrings and regular expressions match as docs/find.md says."""
        put(store, "r", "first", line, "last", is_live=is_live)
        assert found(store, query) == ([("r", 1)] if expected else [])

    def test_terms_join_over_a_recording(self, store: Store) -> None:
        """Terms side by side must be in one recording, on any lines; hits are all their lines."""
        put(store, "both", "alpha", "x", "beta")
        put(store, "one", "alpha", started_unix_us=START_US + HOUR_US)
        assert found(store, "alpha beta") == [("both", 2), ("both", 0)]
        assert found(store, "alpha -beta") == [("one", 0)]
        assert found(store, "alpha OR beta") == [("one", 0), ("both", 2), ("both", 0)]
        assert found(store, "x OR host:web1") == [("one", None), ("both", 1)]
        assert found(store, "-beta") == [("one", None)]
        assert listed(store, "alpha beta") == ["both"]
        assert listed(store, "-beta") == ["one"]

    def test_live_lines_are_found_at_once(self, store: Store) -> None:
        """A line is found as soon as it is in the index, be its recording live or ended."""
        for number in range(150):
            put(store, "r", f"tick{number}", is_live=True)
            assert found(store, f"tick{number}") == [("r", number)]
        put(store, "r", is_live=False)
        assert found(store, "tick149") == [("r", 149)]
        put(store, "r", "afterwards", is_live=True)
        assert found(store, "afterwards") == [("r", 150)]
        assert found(store, "*tick149*") == [("r", 149)]

    def test_only_visible_recordings_are_found(self, store: Store) -> None:
        """Whoever may see only their own finds nothing else, in lists and searches alike."""
        put(store, "own", "needle", user="avery")
        put(store, "as-root", "needle", user="root", login_user="avery")
        put(store, "other", "needle", user="blake", login_user="blake")
        put(store, "case", "needle", user="Avery")
        own = {"own", "as-root"}
        for query in ("needle", "-nothing", "user:*", "needle OR user:blake", "*eedl*", "/n..dle/"):
            assert {rec for rec, _ in found(store, query, visible_to="avery")} == own
            assert set(listed(store, query, visible_to="avery")) == own
        assert set(listed(store, visible_to="avery")) == own
        for rec in ("other", "case", "unknown"):
            assert found(store, "needle", rec=rec, visible_to="avery") == []
        assert found(store, "needle", rec="other") == [("other", 0)]
        assert found(store, "needle", visible_to="") == []

    @pytest.mark.parametrize("cursor", ["x", "", "W10", "é", "bnVsbA", "WzEsMl0=="])
    def test_bad_cursor(self, store: Store, cursor: str) -> None:
        """A cursor that is none of the store's is refused in one line."""
        put(store, "r", "x")
        with pytest.raises(UsageError):
            store.recordings(cursor=cursor)

    def test_search_as_a_naive_one_would(self, store: Store) -> None:
        """Any query over any text, put in any pieces, finds what looking at every line finds."""

        @given(contents=_CONTENTS, queries=st.lists(_QUERIES, min_size=1, max_size=4))
        def check(contents: list[list[list[str]]], queries: list[Expression]) -> None:
            naive = NaiveStore()
            for item in store.recordings().items:
                store.clear_derived(item.rec)
            for number, pieces in enumerate(contents):
                facts = {
                    "user": ("avery", "blake")[number % 2],
                    "host": ("web1", "web2")[number // 2 % 2],
                    "is_live": number % 3 == 0,
                    "started_unix_us": START_US + number * HOUR_US,
                }
                for texts in pieces:
                    put(store, f"r{number}", *texts, **facts)
                    naive.put(summary(f"r{number}", **facts), text_lines(*texts))
            for query in queries:
                pages = list(turn_pages(lambda cursor, query=query: store.search(
                    query, limit=50, cursor=cursor)))  # fmt: skip
                got = [(hit.summary.rec, hit.number, None) for page in pages for hit in page]
                assert got == naive.hits(query)
                recs = [item.rec for item in store.recordings(query).items]
                assert len(recs) == len(set(recs))
                assert set(recs) == naive.matching(query)

        check()


_ATOMS = [
    "err",
    "no",
    "Error",
    "ab",
    "b",
    "é",
    "É",
    "_",
    ".",
    "/",
    "  ",
    " ",
    "-",
    "1",
    "ж",
    "漢",
    '"',
]
_TEXTS = st.lists(st.sampled_from(_ATOMS), max_size=8).map("".join)
_LINES = st.lists(_TEXTS, max_size=30)
_CONTENTS = st.lists(st.lists(_LINES, min_size=1, max_size=4), min_size=1, max_size=5)
_NEEDLES = st.lists(st.sampled_from(_ATOMS), min_size=1, max_size=4).map("".join)
_REGEXES = st.sampled_from(
    [
        "err(or|no)",
        "^ab",
        "b$",
        "a.?b",
        "[eé]r+",
        "(no|1)+",
        "ab|ж",
        "(^|-)no",
        "err.*no",
        "x{0}ab",
        "é",
    ]
)
_LEAVES: st.SearchStrategy[Expression] = st.one_of(
    _NEEDLES.filter(lambda text: not any(map(str.isspace, text))).map(lambda text: Word(text, 0)),
    _NEEDLES.filter(str.strip).map(lambda text: Phrase(text, 0)),
    _NEEDLES.map(lambda text: Substring(text, 0)),
    st.builds(lambda pattern, flag: Regex(pattern, flag, 0), _REGEXES, st.booleans()),
    st.sampled_from([Field("user", "avery", 0), Field("host", "web2", 0), Field("is", "live", 0)]),
)
_QUERIES: st.SearchStrategy[Expression] = st.recursive(
    _LEAVES,
    lambda parts: st.one_of(
        st.lists(parts, min_size=2, max_size=3).map(And),
        st.lists(parts, min_size=2, max_size=3).map(Or),
        parts.map(Not),
    ),
    max_leaves=5,
)
