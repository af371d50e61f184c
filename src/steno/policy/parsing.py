"""The policy file's text into a policy; what is wrong with it by line and key. Does no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from steno.policy.positions import Path
from steno.policy.rule_files import RuleFile
from steno.policy.rules import Contents, Effects, Policy, Rule

_NAME = re.compile(r"[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]{0,99}")
_ADDRESS = re.compile(r"[^\s@<>,;:\"\x00-\x1f\x7f]+@[^\s@<>,;:\"\x00-\x1f\x7f]+")
"""One plain address: no list and no display name, so that nothing can slip into a mail's head."""
_SHELL = re.compile(r"/[^\s\x00-\x1f\x7f:]+")
_CHOICES = {
    "sessions": "record or off",
    "commands": "command, capture or off",
    "input": "none, seen or all",
    "on_failure": "deny or allow",
    "audit": "none, login or session",
    "audited": "recorded or all",
    "action": "pass, delay or drop",
}


def parse_policy(data: bytes, file: str) -> Policy:
    """Return the policy that `data` is, the content of a policy file.

    Args:
        data: The content; b"" is a policy without rules.
        file: The file's name, for errors.

    Raises:
        ConfigError: It is no TOML, has an unknown key or a wrong value, or two rules of one name;
            the text names file, line and key.
    """
    read = RuleFile(data, file, _CHOICES)
    contents = read.convert(Contents)
    _check_names(contents, read)
    for path, effects in _all_effects(contents):
        _check_texts(path, effects, read)
    return Policy(contents)


def _check_names(contents: Contents, read: RuleFile) -> None:
    seen: set[str] = set()
    for number, rule in enumerate(contents.rule):
        if not _NAME.fullmatch(rule.name):
            read.refuse(("rule", number, "name"), f"{rule.name!r} is no name: 1 to 100 characters")
        if rule.name in seen:
            read.refuse(("rule", number, "name"), f"a second rule is called {rule.name!r}")
        seen.add(rule.name)
        _check_when(number, rule, read)
    for name in contents.host_groups:
        if not _NAME.fullmatch(name):
            read.refuse(("host_groups", name), f"{name!r} is no name: 1 to 100 characters")


def _check_when(number: int, rule: Rule, read: RuleFile) -> None:
    for key, words in msgspec.structs.asdict(rule.when).items():
        if words == ():
            read.refuse(("rule", number, "when", key), "an empty list fits nothing")
        for place, word in enumerate(words if isinstance(words, tuple) else ()):
            if not word.removeprefix("!"):
                read.refuse(("rule", number, "when", key, place), "an empty name fits nothing")


def _all_effects(contents: Contents) -> Iterator[tuple[Path, Effects]]:
    yield ("defaults",), contents.defaults
    for number, rule in enumerate(contents.rule):
        yield ("rule", number), rule


def _check_texts(path: Path, effects: Effects, read: RuleFile) -> None:
    for place, address in enumerate(effects.mail_to or ()):
        if not _ADDRESS.fullmatch(address):
            read.refuse((*path, "mail_to", place), f"{address!r} is no plain mail address")
    for place, label in enumerate(effects.labels or ()):
        if not label.strip() or not label.isprintable() or len(label) > 200:
            read.refuse((*path, "labels", place), f"{label!r} is no label: 1 to 200 characters")
    if effects.shell is not None and not _SHELL.fullmatch(effects.shell):
        read.refuse((*path, "shell"), f"{effects.shell!r} is no absolute path")
