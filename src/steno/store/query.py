"""The query language: from text to a tree, and back."""

from __future__ import annotations

import re
from datetime import timezone

from steno.errors import QueryError
from steno.store.event_groups import is_event_term
from steno.store.expressions import (
    And,
    EventGroup,
    Expression,
    Field,
    Not,
    Or,
    Phrase,
    Regex,
    Substring,
    Word,
)
from steno.store.fields import FIELDS
from steno.store.patterns import compile_pattern

QUERY_LIMIT_CHARACTERS = 4000
DEPTH_LIMIT = 50
"""Parentheses and NOTs within each other."""

TERMS_LIMIT = 200

_FIELD_NAME = re.compile(r"[A-Za-z_]+(?=:)")
_BLANKS = re.compile(r"\s*")
_BARE = re.compile(r'[^\s()"]+')


def parse(text: str, zone: timezone | None = None) -> Expression:
    """Return what a query asks for; docs/find.md describes the language.

    Times that name no zone are in `zone`, by default this machine's.

    Raises:
        QueryError: It cannot be understood; its position lies within `text` or at its end.
    """
    if len(text) > QUERY_LIMIT_CHARACTERS:
        raise QueryError(
            f"a query has at most {QUERY_LIMIT_CHARACTERS} characters",
            query=text[:QUERY_LIMIT_CHARACTERS],
            position=QUERY_LIMIT_CHARACTERS,
        )
    if surrogate := re.search("[\ud800-\udfff]", text):
        text = text.encode(errors="replace").decode()
        raise QueryError("not valid Unicode", query=text, position=surrogate.start())
    return _Parser(text, zone).parse()


def format_query(expression: Expression) -> str:
    """Return the query that `parse` reads as this tree (positions aside)."""
    match expression:
        case Or(parts):
            return " OR ".join(_within(part, (Or,)) for part in parts)
        case And(parts):
            text = " ".join(_within(part, (Or, And)) for part in parts)
            return f"({text})" if len(parts) == 1 else text
        case Not(part):
            return "NOT " + _within(part, (Or, And))
        case EventGroup(part):
            return _within(part, (Or, And))
        case Phrase(text):
            return _quote(text)
        case Substring(text):
            return "*" + text.replace("\\", "\\\\").replace("*", "\\*") + "*"
        case Regex(pattern, ignores_case):
            return f"/{_escape_slashes(pattern)}/{'i' if ignores_case else ''}"
        case Field(name, value):
            return f"{name}:{value if _BARE.fullmatch(value) else _quote(value)}"
        case Word(text):
            return text


def _within(part: Expression, kinds: tuple[type, ...]) -> str:
    text = format_query(part)
    return f"({text})" if isinstance(part, kinds) else text


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _escape_slashes(pattern: str) -> str:
    return re.sub(
        r"\\.|/", lambda match: "\\/" if match[0] == "/" else match[0], pattern, flags=re.S
    )


class _Parser:
    """Recursive descent over one query.

    or: and ("OR" and)*; and: not ("AND"? not)*; not: ("NOT" | "-") not | "(" or ")" | term.
    """

    def __init__(self, text: str, zone: timezone | None) -> None:
        self._text = text
        self._zone = zone
        self._position = 0
        self._depth = 0
        self._terms = 0

    def parse(self) -> Expression:
        self._skip_blanks()
        if self._at_end():
            raise self._error("nothing to look for", self._position)
        expression = self._or()
        if not self._at_end():
            raise self._error("nothing is open here to close", self._position)
        return expression

    def _or(self) -> Expression:
        parts = [self._and()]
        while self._take_keyword("OR"):
            parts.append(self._and())
        return parts[0] if len(parts) == 1 else Or(parts)

    def _and(self) -> Expression:
        parts = [self._not()]
        while True:
            if not self._take_keyword("AND") and (
                self._at_end() or self._peek() == ")" or self._sees_keyword("OR")
            ):
                return parts[0] if len(parts) == 1 else And(parts)
            parts.append(self._not())

    def _not(self) -> Expression:
        start = self._position
        if self._take_keyword("NOT") or self._take_minus():
            self._enter(start)
            inner = self._not()
            self._depth -= 1
            return Not(inner)
        if self._peek() == "(":
            self._enter(start)
            self._position += 1
            self._skip_blanks()
            inner = self._or()
            if self._peek() != ")":
                raise self._error("this parenthesis is never closed", start)
            self._position += 1
            self._skip_blanks()
            self._depth -= 1
            # Parentheses around a term of events say that it is an event of its own.
            return And([inner]) if isinstance(inner, Field) and is_event_term(inner) else inner
        return self._term()

    def _term(self) -> Expression:
        start = self._position
        for keyword in ("AND", "OR"):
            if self._sees_keyword(keyword):
                raise self._error(f"{keyword} needs something before it", start)
        if self._at_end() or self._peek() == ")":
            raise self._error("something to look for is missing here", start)
        self._terms += 1
        if self._terms > TERMS_LIMIT:
            raise self._error(f"a query has at most {TERMS_LIMIT} terms", start)
        term = self._read_term(start)
        self._skip_blanks()
        return term

    def _read_term(self, start: int) -> Expression:
        first = self._peek()
        if first == '"':
            return self._phrase(start)
        if first == "*":
            return self._substring(start)
        if first == "/" and (regex := self._regex(start)) is not None:
            return regex
        if match := _FIELD_NAME.match(self._text, start):
            if not self._is_word(match.end()):
                return self._field(match[0], start)
            self._refuse_empty(match[0], match.end())
        return self._word(start)

    def _phrase(self, start: int) -> Phrase:
        text = self._quoted(start)
        if not text.strip():
            raise self._error("there is nothing between these quotes", start)
        return Phrase(text, start)

    def _quoted(self, start: int) -> str:
        characters: list[str] = []
        position = start + 1
        while position < len(self._text):
            character = self._text[position]
            if character == '"':
                self._position = position + 1
                return "".join(characters)
            if character == "\\" and self._text[position + 1 : position + 2] in ('"', "\\"):
                position += 1
                character = self._text[position]
            characters.append(character)
            position += 1
        raise self._error("this quote is never closed", start)

    def _substring(self, start: int) -> Substring:
        characters: list[str] = []
        position = start + 1
        while position < len(self._text):
            character = self._text[position]
            if character == "*" and characters:
                self._position = position + 1
                self._expect_end_of_term("after the closing *")
                return Substring("".join(characters), start)
            if character == "*":
                break
            if character == "\\" and self._text[position + 1 : position + 2] in ("*", "\\"):
                position += 1
                character = self._text[position]
            characters.append(character)
            position += 1
        raise self._error(
            'characters within words go between two stars: *part*; or quote "*"', start
        )

    def _regex(self, start: int) -> Regex | None:
        """Return the regular expression here; None when it is a path such as /etc/passwd."""
        match = re.compile(r"/((?:\\.|[^\\/])+)/(i?)(?=[\s()]|$)", re.S).match(self._text, start)
        if match is None:
            return None
        pattern = re.sub(
            r"\\.", lambda pair: "/" if pair[0] == "\\/" else pair[0], match[1], flags=re.S
        )
        try:
            compile_pattern(pattern, ignores_case=bool(match[2]))
        except ValueError as error:
            raise self._error(f"not a regular expression: {error}", start) from None
        self._position = match.end()
        return Regex(pattern, bool(match[2]), start)

    def _is_word(self, colon: int) -> bool:
        """Return whether a colon belongs to plain text: `error:`, or `http://...`."""
        after = self._text[colon + 1 : colon + 3]
        return not after or after[0].isspace() or after[0] in "()" or after == "//"

    def _refuse_empty(self, name: str, colon: int) -> None:
        """Refuse a field's name without a value: only as text it could mean something."""
        if name.lower() in FIELDS and self._text[colon + 1 : colon + 3] != "//":
            raise self._error(
                f'{name}: a value is missing; for the text write "{name}:"', colon + 1
            )

    def _field(self, name: str, start: int) -> Field:
        check = FIELDS.get(name.lower())
        if check is None:
            known = ", ".join(FIELDS)
            raise self._error(
                f'no field {name}; there are {known}; for the text write "{name}:..."', start
            )
        self._position = value_start = start + len(name) + 1
        value = self._quoted(value_start) if self._peek() == '"' else self._bare()
        try:
            check(value)
        except ValueError as error:
            raise self._error(f"{name}: {error}", value_start) from None
        self._expect_end_of_term(f"after the value of {name}")
        return Field(name.lower(), value, start, self._zone)

    def _word(self, start: int) -> Word:
        text = self._bare()
        if "*" in text:
            raise self._error(
                f"for characters within words write *{text.replace('*', '')}*; or quote the star",
                start + text.index("*"),
            )
        self._expect_end_of_term("within a word; quote the whole")
        return Word(text, start)

    def _bare(self) -> str:
        match = _BARE.match(self._text, self._position)
        text = match[0] if match else ""
        self._position += len(text)
        return text

    def _expect_end_of_term(self, where: str) -> None:
        if not self._at_end() and not (self._peek().isspace() or self._peek() in "()"):
            raise self._error(f"unexpected {self._peek()} {where}", self._position)

    def _enter(self, start: int) -> None:
        self._depth += 1
        if self._depth > DEPTH_LIMIT:
            raise self._error(f"more than {DEPTH_LIMIT} levels deep", start)

    def _sees_keyword(self, keyword: str) -> bool:
        if not self._text.startswith(keyword, self._position):
            return False
        after = self._text[self._position + len(keyword) :][:1]
        return not after or after.isspace() or after in "()"

    def _take_keyword(self, keyword: str) -> bool:
        if not self._sees_keyword(keyword):
            return False
        self._position += len(keyword)
        self._skip_blanks()
        return True

    def _take_minus(self) -> bool:
        """Take a `-` that means NOT; `--force`, `-` and `->` are words."""
        after = self._text[self._position + 1 : self._position + 2]
        if self._peek() != "-" or not after or after.isspace() or after in "->)":
            return False
        self._position += 1
        return True

    def _skip_blanks(self) -> None:
        match = _BLANKS.match(self._text, self._position)
        if match:
            self._position = match.end()

    def _peek(self) -> str:
        return self._text[self._position : self._position + 1]

    def _at_end(self) -> bool:
        return self._position >= len(self._text)

    def _error(self, reason: str, position: int) -> QueryError:
        return QueryError(reason, query=self._text, position=position)
