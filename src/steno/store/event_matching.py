"""What a query's fields say of one audit event: does it hold? Pure; docs/find.md describes them.

The index (`event_terms`) only finds events for which they may hold; this decides.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import cached_property

from steno.audit.event import Event, Thing
from steno.store.addresses import is_within, parse_address, plain_address
from steno.store.expressions import And, EventGroup, Expression, Field, Not, Or
from steno.store.fields import parse_instant
from steno.store.terms import TextTerm

_PATH_KINDS = frozenset({"file", "directory", "program"})


def command_words(event: Event) -> list[str]:
    """Return the words of what an event ran, folded: every argument, cut at its blanks."""
    if not _has_run(event):
        return []
    arguments = event.process.arguments
    if arguments is None and event.action != "ran":
        # What only a program tells of (sudo's USER_CMD) is one text.
        arguments = [thing.name for thing in event.objects if _is_program(thing)]
    return [word for argument in arguments or [] for word in argument.casefold().split()]


def programs(event: Event) -> list[str]:
    """Return what else names the program that an event ran, folded."""
    if not _has_run(event):
        return []
    names = [thing.name.casefold() for thing in event.objects if _is_program(thing)]
    has_begun = event.process.arguments is not None or event.action != "ran"
    if event.process.program and has_begun:
        names.append(event.process.program.casefold())
    return names


def _has_run(event: Event) -> bool:
    return event.action == "ran" or event.action.startswith("ran ")


def _is_program(thing: Thing) -> bool:
    return thing.kind == "program" and thing.role != "interpreter"


def paths(event: Event) -> list[str]:
    """Return the paths of what an event was about, folded."""
    return [
        thing.name.casefold()
        for thing in event.objects
        if thing.kind in _PATH_KINDS or thing.name.startswith("/")
    ]


def addresses(event: Event) -> list[Thing]:
    """Return the addresses that an event was about."""
    return [thing for thing in event.objects if thing.kind == "address"]


def base_name(path: str) -> str:
    """Return what stands behind the last slash, for directories too."""
    return path.rstrip("/").rpartition("/")[2]


def glob(pattern: str) -> Callable[[str], bool]:
    """Return what tells whether folded text is this folded pattern; `*` stands for anything.

    No regular expression: with many stars that would take for ever.
    """
    if "*" not in pattern:
        return pattern.__eq__
    first, *middle, last = pattern.split("*")

    def matches(text: str) -> bool:
        position, end = len(first), len(text) - len(last)
        if position > end or not (text.startswith(first) and text.endswith(last)):
            return False
        for part in middle:
            found = text.find(part, position, end)
            if found < 0:
                return False
            position = found + len(part)
        return True

    return matches


class EventMatcher:
    """Tells for which events an expression holds.

    Everything in it must speak of events; And, Or and Not are about one and the same event.
    """

    def __init__(self, expression: Expression, now: datetime) -> None:
        """Make ready to look; times are counted from `now`, in its zone where they name none.

        Raises:
            TypeError: Something in it says nothing of events; `check_event_query` was not asked.
        """
        self._holds = _build(expression, now)

    def matches(self, event: Event) -> bool:
        """Return whether it holds for this event."""
        return self._holds(_Looked(event))


class _Looked:
    """An event, and what several terms ask about it, found out once: commands may be long."""

    def __init__(self, event: Event) -> None:
        self.event = event

    @cached_property
    def words(self) -> list[str]:
        return command_words(self.event)

    @cached_property
    def programs(self) -> list[str]:
        return programs(self.event)

    @cached_property
    def names(self) -> frozenset[str]:
        """All that a word of `ran:` without stars can be."""
        said = [*self.words, *self.programs]
        return frozenset(said + [base_name(word) for word in said if "/" in word])

    @cached_property
    def paths(self) -> list[str]:
        return paths(self.event)


Test = Callable[[_Looked], bool]


def _build(expression: Expression, now: datetime) -> Test:
    match expression:
        case And(parts):
            tests = [_build(part, now) for part in parts]
            return lambda looked: all(test(looked) for test in tests)
        case Or(parts):
            tests = [_build(part, now) for part in parts]
            return lambda looked: any(test(looked) for test in tests)
        case Not(part):
            inner = _build(part, now)
            return lambda looked: not inner(looked)
        case EventGroup(part):
            return _build(part, now)
        case Field(name):
            test = _TESTS.get(name)
            if test is not None:
                return test(expression.value.casefold())
            if name in ("after", "before", "at"):
                return _instant(name, expression.value, now.astimezone(expression.zone))
        case _:
            return _text(TextTerm(expression))
    raise TypeError(f"says nothing of events: {expression}")


def _text(term: TextTerm) -> Test:
    return lambda looked: any(term.spans(said) is not None for said in sentences(looked.event))


def sentences(event: Event) -> list[str]:
    """Return the texts in which a query's words are looked for."""
    return [event.text, event.typed] if event.typed else [event.text]


def _instant(name: str, value: str, now: datetime) -> Test:
    start, end = parse_instant(value, now)
    if name == "after":
        return lambda looked: looked.event.at_unix_us >= start
    if name == "before":
        return lambda looked: looked.event.at_unix_us < start
    return lambda looked: start <= looked.event.at_unix_us < max(end, start + 1)


def _ran(value: str) -> Test:
    tests = [_named(glob(word), word) for word in value.split()]
    if not tests:
        return lambda looked: _has_run(looked.event)
    whole = frozenset(word for word in value.split() if "*" not in word)

    def holds(looked: _Looked) -> bool:
        if not whole <= looked.names:
            return False
        if _in_order(tests, looked.words):
            return True
        is_named = any(tests[0](name) for name in looked.programs)
        return is_named and _in_order(tests[1:], looked.words[1:])

    return holds


def _in_order(tests: list[Callable[[str], bool]], words: list[str]) -> bool:
    """Return whether there is a word for each test, in their order; others may stand between."""
    left = iter(words)
    return all(any(test(word) for word in left) for test in tests)


def _named(test: Callable[[str], bool], pattern: str) -> Callable[[str], bool]:
    """Return a test of a word, which also looks at the name at a path's end."""
    if "/" in pattern:
        return test
    return lambda word: test(word) or ("/" in word and test(base_name(word)))


def _file(value: str) -> Test:
    if "/" not in value:
        test = glob(value)
        return lambda looked: any(test(base_name(path)) for path in looked.paths)
    test = glob(value + "*" if value.endswith("/") else value)
    return lambda looked: any(map(test, looked.paths))


def _address(value: str) -> Test:
    wanted = parse_address(value)
    test = None if wanted.name is None else glob(wanted.name)

    def fits(thing: Thing) -> bool:
        if test is not None:
            return test(thing.name.casefold())
        if wanted.port is not None and thing.port != wanted.port:
            return False
        if wanted.network is None:
            return True
        address = plain_address(thing.address or "")
        return address is not None and is_within(address, wanted.network)

    return lambda looked: any(map(fits, addresses(looked.event)))


def _action(value: str) -> Test:
    test, longer = glob(value), glob(value + " *")

    def holds(looked: _Looked) -> bool:
        action = looked.event.action.casefold()
        return test(action) or longer(action)

    return holds


def _result(value: str) -> Test:
    return lambda looked: value in (looked.event.result, (looked.event.error or "").casefold())


def _user(value: str) -> Test:
    test = glob(value)

    def holds(looked: _Looked) -> bool:
        who = looked.event.who
        return any(map(test, account_names(who.user, who.uid)))

    return holds


def _login(value: str) -> Test:
    test = glob(value)

    def holds(looked: _Looked) -> bool:
        who = looked.event.who
        return any(map(test, account_names(who.login_user, who.login_uid)))

    return holds


def account_names(name: str | None, number: int | None) -> list[str]:
    """Return what an account may be called in a query: its name and its number."""
    found = [] if name is None else [name.casefold()]
    return found if number is None else [*found, str(number)]


def _host(value: str) -> Test:
    test = glob(value)
    return lambda looked: test(looked.event.host.casefold())


def _session(value: str) -> Test:
    return lambda looked: looked.event.audit_session == int(value)


_TESTS: dict[str, Callable[[str], Test]] = {
    "ran": _ran,
    "file": _file,
    "addr": _address,
    "action": _action,
    "result": _result,
    "user": _user,
    "login": _login,
    "host": _host,
    "session": _session,
}
