"""The query language: what parses, what is refused and where, and that trees print as queries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.errors import QueryError
from steno.store.expressions import And, Expression, Field, Not, Or, Phrase, Regex, Substring, Word
from steno.store.fields import FIELDS, STATES
from steno.store.query import DEPTH_LIMIT, QUERY_LIMIT_CHARACTERS, TERMS_LIMIT, format_query, parse

TREES = (
    ("passwd", Word("passwd", 0)),
    ("  passwd ", Word("passwd", 2)),
    ('"a b"', Phrase("a b", 0)),
    (r'"say \"hi\" c:\\d \n"', Phrase(r'say "hi" c:\d \n', 0)),
    ("*cme/secr*", Substring("cme/secr", 0)),
    (r"*a b\*c\\*", Substring("a b*c\\", 0)),
    ("/err(or|no)/", Regex("err(or|no)", False, 0)),
    ("/err or/i", Regex("err or", True, 0)),
    (r"/a\/b\\/", Regex("a/b\\\\", False, 0)),
    ("/etc/passwd", Word("/etc/passwd", 0)),
    ("/tmp", Word("/tmp", 0)),
    ("/", Word("/", 0)),
    ("//", Word("//", 0)),
    ("user:avery", Field("user", "avery", 0)),
    ("USER:Avery", Field("user", "Avery", 0)),
    ('host:"my host"', Field("host", "my host", 0)),
    ("remote:2001:db8::1", Field("remote", "2001:db8::1", 0)),
    ("error:", Word("error:", 0)),
    ("http://x/y", Word("http://x/y", 0)),
    ("10.0.0.1:22", Word("10.0.0.1:22", 0)),
    ("--force", Word("--force", 0)),
    ("-", Word("-", 0)),
    ("->", Word("->", 0)),
    ("a b", And([Word("a", 0), Word("b", 2)])),
    ("a AND b", And([Word("a", 0), Word("b", 6)])),
    ("a or and b", And([Word("a", 0), Word("or", 2), Word("and", 5), Word("b", 9)])),
    ("ORa", Word("ORa", 0)),
    ("-a", Not(Word("a", 1))),
    ("NOT a", Not(Word("a", 4))),
    ("-user:x", Not(Field("user", "x", 1))),
    ("-(a b)", Not(And([Word("a", 2), Word("b", 4)]))),
    ("a OR b c", Or([Word("a", 0), And([Word("b", 5), Word("c", 7)])])),
    ("(a OR b) c", And([Or([Word("a", 1), Word("b", 6)]), Word("c", 9)])),
    ("NOT a OR b", Or([Not(Word("a", 4)), Word("b", 9)])),
    ("f(x)", And([Word("f", 0), Word("x", 2)])),
    ("(ran:x)", And([Field("ran", "x", 1)])),
    ("(user:x)", Field("user", "x", 1)),
    ("-(file:/a) ran:x", And([Not(And([Field("file", "/a", 2)])), Field("ran", "x", 11)])),
)


@pytest.mark.parametrize(("text", "tree"), TREES, ids=[text for text, _ in TREES])
def test_trees(text: str, tree: Expression) -> None:
    """Each form of the language means what docs/find.md says."""
    assert parse(text) == tree


REFUSED = (
    ("", 0, "nothing to look for"),
    ("   ", 3, "nothing to look for"),
    ("a OR", 4, "missing"),
    ("a AND", 5, "missing"),
    ("OR a", 0, "OR needs something before it"),
    ("a AND AND b", 6, "AND needs something before it"),
    ("NOT", 3, "missing"),
    ("(a", 0, "never closed"),
    ("a (b (c)", 2, "never closed"),
    ("a)", 1, "nothing is open"),
    ("()", 1, "missing"),
    ('a "b', 2, "never closed"),
    ('""', 0, "nothing between"),
    ('a"b"', 1, "unexpected"),
    ("*abc", 0, "between two stars"),
    ("**", 0, "between two stars"),
    ("*", 0, "between two stars"),
    ("*a*b", 3, "unexpected b"),
    ("pass*", 4, r"write \*pass\*"),
    ("/a(/", 0, "not a regular expression: missing \\)"),
    ("x /(?<=a)b/", 2, "not a regular expression"),
    (r"/(\w)\1/", 0, "not a regular expression"),
    ("/(((a{100}){100}){100})/", 0, "not a regular expression"),
    ("usr:root", 0, "no field usr; there are user"),
    ("x longer:5", 9, "longer: not a duration"),
    ("after:tomorrowish", 6, "after: not a time"),
    ("after:2026-13-01", 6, "after: not a time"),
    ("after:25:00", 6, "after: not a time"),
    ("after:99999999w", 6, "after: not a time"),
    ("is:happy", 3, "no such state; there are live"),
    ("status:x", 7, "not a number"),
    ("addr:300.1.2.3", 5, "not an address"),
    ("addr:10.0.0.0/33", 5, "not an address"),
    ("addr::70000", 5, "a port is at most"),
    ("result:happy", 7, "not a result"),
    ('ran:" "', 4, "a value is missing"),
    ("session:-1", 8, "not a number"),
    ('user:""', 5, "a value is missing"),
    ("user:", 5, "a value is missing; for the text write"),
    ("a (Host: b)", 8, "a value is missing"),
    ("(status:)", 8, "a value is missing"),
    ("(" * (DEPTH_LIMIT + 1), DEPTH_LIMIT, "levels deep"),
    ("-" + "(-" * 60, 50, "levels deep"),
    ("a " * (TERMS_LIMIT + 1), 2 * TERMS_LIMIT, "at most"),
    ("a" * (QUERY_LIMIT_CHARACTERS + 1), QUERY_LIMIT_CHARACTERS, "at most"),
    ("a \ud800", 2, "not valid Unicode"),
)


@pytest.mark.parametrize(
    ("text", "position", "reason"), REFUSED, ids=[text[:20] for text, _, _ in REFUSED]
)
def test_refused(text: str, position: int, reason: str) -> None:
    """What cannot be understood is refused with the reason and the place."""
    with pytest.raises(QueryError, match=reason) as caught:
        parse(text)
    assert caught.value.position == position


def test_caret_points_at_the_place() -> None:
    """The message shows the query with a caret below the place."""
    with pytest.raises(QueryError) as caught:
        parse("user:avery is:happy")
    assert str(caught.value).splitlines()[1:] == ["  user:avery is:happy", "                ^"]


FRAGMENTS = [
    *'()"*/\\-:. \té漢ab1\0\n', "AND", "OR", "NOT", "user:", "is:live", "after:", "3d", "10m", "i",
    "[", "{2}", "?", "+", "(?i)", "\\Q", "https://", "longer:",
]  # fmt: skip


@given(st.text() | st.lists(st.sampled_from(FRAGMENTS)).map("".join))
def test_any_text_parses_or_is_refused_with_a_place(text: str) -> None:
    """Any text either is a query that prints as itself, or is refused with a place within it."""
    try:
        tree = parse(text)
    except QueryError as error:
        refusal = error
    else:
        assert stripped(parse(format_query(tree))) == stripped(tree)
        return
    assert refusal.reason
    assert 0 <= refusal.position <= len(text)


VALUES = {
    "session": "42", "status": "0", "after": "2026-11-20", "before": "yesterday", "at": "14:30",
    "longer": "1h30m", "shorter": "90s", "is": "live", "ran": "useradd temp9", "file": "/etc/*",
    "addr": "[2001:db8::/32]:443", "action": "changed mode of", "result": "EACCES",
}  # fmt: skip
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
LEAVES = st.one_of(
    st.from_regex(r"[A-Za-z0-9._/@=é]{1,8}", fullmatch=True)
    .filter(lambda text: text not in ("AND", "OR", "NOT") and not text.startswith("/"))
    .map(lambda text: Word(text, 0)),
    TEXTS.filter(str.strip).map(lambda text: Phrase(text, 0)),
    TEXTS.map(lambda text: Substring(text, 0)),
    st.builds(
        Regex,
        st.lists(st.sampled_from(["a", "/", r"\.", r"\\", "[^/]", "(x|y)", "é", " "]), min_size=1)
        .map("".join),
        st.booleans(),
        st.just(0),
    ),
    st.sampled_from(sorted(FIELDS)).flatmap(
        lambda name: (st.just(VALUES[name]) if name in VALUES else TEXTS).map(
            lambda value: Field(name, value, 0)
        )
    ),
)  # fmt: skip
EXPRESSIONS = st.recursive(
    LEAVES,
    lambda parts: st.one_of(
        st.lists(parts, min_size=2, max_size=4).map(And),
        st.lists(parts, min_size=2, max_size=4).map(Or),
        parts.map(Not),
    ),
    max_leaves=12,
)


@given(EXPRESSIONS)
def test_printed_trees_parse_back(tree: Expression) -> None:
    """Every tree prints as a query that parses to the same tree."""
    assert stripped(parse(format_query(tree))) == stripped(tree)


def stripped(tree: Expression) -> Expression:
    """Return the tree without positions."""
    match tree:
        case And(parts):
            return And([stripped(part) for part in parts])
        case Or(parts):
            return Or([stripped(part) for part in parts])
        case Not(part):
            return Not(stripped(part))
        case Field(name, value):
            return Field(name, value, 0)
        case Regex(pattern, ignores_case):
            return Regex(pattern, ignores_case, 0)
        case Word(text) | Phrase(text) | Substring(text):
            return type(tree)(text, 0)


EXAMPLES = {
    "user": "avery", "login": "blake", "host": "web*", "service": "sshd", "remote": "192.0.2.7",
    "command": "vim", "label": "audit-2026", "rec": "3f2a", "session": "42",
    "after": "2026-11-20", "before": "yesterday", "at": "2026-11-20T14:30", "longer": "10m",
    "shorter": "90s", "status": "3", "is": "live", "ran": "curl", "file": "/etc/passwd",
    "addr": "192.0.2.0/24", "action": "wrote", "result": "EACCES",
}  # fmt: skip


def test_every_field_takes_its_values() -> None:
    """Each field takes a value of its kind, and every state is one."""
    assert EXAMPLES.keys() == FIELDS.keys()
    for name, value in EXAMPLES.items():
        assert parse(f'{name}:"{value}"') == Field(name, value, 0)
    for state in STATES:
        assert parse(f"is:{state.upper()}")
