"""Whom a rule concerns: a rule's conditions against one session. Does no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import translate

import msgspec

from steno.policy.subject import Subject


class Missed(msgspec.Struct, frozen=True):
    """The first condition that a session does not meet.

    Attributes:
        condition: The key below `when`.
        reason: Why, for people.
    """

    condition: str
    reason: str


class Patterns:
    """A list of names with wildcards, the ones behind `!` being exceptions.

    It takes a name that one of the patterns without `!` fits (any name, where all have one) and
    that no exception fits. `*`, `?` and `[abc]` are those of shells.
    """

    def __init__(self, patterns: Iterable[str], *, ignores_case: bool = False) -> None:
        self.words = tuple(patterns)
        flags = re.IGNORECASE if ignores_case else 0
        wanted = [word for word in self.words if not word.startswith("!")]
        excepted = [word[1:] for word in self.words if word.startswith("!")]
        self._wanted = _compile(wanted or ["*"], flags)
        self._excepted = _compile(excepted, flags) if excepted else None

    def take(self, names: Iterable[str]) -> bool:
        """Tell whether one of `names` is wanted and none of them excepted."""
        given = tuple(names)
        if self._excepted is not None and any(map(self._excepted.match, given)):
            return False
        if all(word.startswith("!") for word in self.words):
            return True
        return any(map(self._wanted.match, given))


def _compile(patterns: Iterable[str], flags: int) -> re.Pattern[str]:
    return re.compile("|".join(map(translate, patterns)), flags)


class Conditions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`when` of a rule: a session must meet all that are given; lists are those of `Patterns`.

    Attributes:
        users: Names of accounts; `#1000` stands for a numeric id.
        groups: Groups, one of which the account must be in.
        services: What let the person in.
        hosts: Host names; a pattern without a dot is compared with the name's first label too.
        host_groups: Groups of hosts, those of the file's `[host_groups]` and those of the host.
        kinds: What is started.
        terminal: Whether there is a terminal.
        graphical: Whether a graphical login is around it.
    """

    users: tuple[str, ...] | None = None
    groups: tuple[str, ...] | None = None
    services: tuple[str, ...] | None = None
    hosts: tuple[str, ...] | None = None
    host_groups: tuple[str, ...] | None = None
    kinds: tuple[str, ...] | None = None
    terminal: bool | None = None
    graphical: bool | None = None


class Matcher:
    """One rule's conditions, ready to be compared with sessions."""

    def __init__(self, conditions: Conditions) -> None:
        self._conditions = conditions
        self._patterns = {
            name: Patterns(words, ignores_case=name == "hosts")
            for name in ("users", "groups", "services", "hosts", "host_groups", "kinds")
            if (words := getattr(conditions, name)) is not None
        }

    def find_missed(self, subject: Subject, host_groups: Iterable[str]) -> Missed | None:
        """Return the first condition that `subject` does not meet, or None: the rule applies."""
        for name, wanted in (
            ("terminal", subject.has_terminal),
            ("graphical", subject.is_graphical),
        ):
            asked = getattr(self._conditions, name)
            if asked is not None and asked is not wanted:
                return Missed(name, f"the session has {'a' if wanted else 'no'} {_FLAGS[name]}")
        names = {
            "users": (subject.user, f"#{subject.uid}"),
            "groups": subject.groups,
            "services": (subject.service,),
            "hosts": names_of_host(subject.host),
            "host_groups": tuple(host_groups),
            "kinds": (subject.kind,),
        }
        for name, patterns in self._patterns.items():
            if not patterns.take(names[name]):
                has = ", ".join(names[name]) or "none"
                return Missed(name, f"{', '.join(patterns.words) or 'nothing'} does not fit {has}")
        return None


_FLAGS = {"terminal": "terminal", "graphical": "graphical login around it"}


def names_of_host(host: str) -> tuple[str, ...]:
    """Return the names that patterns may fit: the whole one, and its first label."""
    return tuple(dict.fromkeys((host, host.partition(".")[0])))
