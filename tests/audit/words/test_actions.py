"""The tables of what system calls and records mean."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from steno.audit.ecs import KINDS
from steno.audit.record_types import NAMES
from steno.audit.values.tables import syscalls_i386, syscalls_x86_64
from steno.audit.words import calls
from steno.audit.words.actions import CALLS, FAMILIES, PLAIN, TYPES, WORDS, Shape
from steno.audit.words.reports import report_of

DOCUMENTATION = Path(__file__).parents[3] / "docs" / "formats" / "event.md"

ALLOWED = {
    "authentication": {"start", "end", "info"},
    "configuration": {"access", "change", "creation", "deletion", "info"},
    "driver": {"change", "end", "info", "start"},
    "file": {"access", "change", "creation", "deletion", "info"},
    "host": {"access", "change", "end", "info", "start"},
    "iam": {"admin", "change", "creation", "deletion", "group", "info", "user"},
    "intrusion_detection": {"allowed", "denied", "info"},
    "network": {"access", "allowed", "connection", "denied", "end", "info", "protocol", "start"},
    "package": {"access", "change", "deletion", "info", "installation", "start"},
    "process": {"access", "change", "end", "info", "start"},
    "session": {"start", "end", "info"},
}
"""ECS 8.17, "ECS categorization field: event.category", the expected types of each."""


def test_every_action_is_documented() -> None:
    """The documentation lists each action word with its meaning, and no other."""
    section = DOCUMENTATION.read_text().partition("## Actions\n")[2].partition("\n## ")[0]
    listed = dict(re.findall(r"^\| `([^`]+)` \| (.+) \|$", section, re.MULTILINE))
    assert listed == {word: entry.meaning for word, entry in WORDS.items()}


def test_tables_speak_of_known_words_only() -> None:
    """Each action of a system call or a record is in the list of words."""
    actions = {call.action for call in CALLS.values()} | {rule.action for rule in TYPES.values()}
    actions |= {rule.action for _, rule in FAMILIES}
    assert actions | {PLAIN.action} <= WORDS.keys()


def test_every_shape_is_read() -> None:
    """Each shape of a system call has its function, and is used."""
    assert set(get_args(Shape)) == set(calls._SHAPES) == {call.shape for call in CALLS.values()}


def test_calls_are_system_calls() -> None:
    """Each name is a system call of the kernel, on some architecture."""
    known = {*syscalls_x86_64.NAMES.values(), *syscalls_i386.NAMES.values()}
    others = {"send", "recv", "accept", "clone2", "utimensat_time64"}
    assert CALLS.keys() - known <= others


def test_record_types_have_rules() -> None:
    """Each rule is for a type that exists, and newer types go by their number."""
    assert TYPES.keys() <= set(NAMES.values())
    assert report_of("UNKNOWN[1423]") == TYPES["LANDLOCK_ACCESS"]
    assert report_of("ANOM_LOGIN_TIME").action == "raised alarm"
    assert report_of("SOMETHING_ELSE") == PLAIN


def test_every_action_has_its_ecs_kinds() -> None:
    """Each word has an ECS category and type, and only pairs that ECS allows."""
    assert KINDS.keys() == WORDS.keys()
    for categories, types in KINDS.values():
        assert all(set(types) <= ALLOWED[category] for category in categories)
