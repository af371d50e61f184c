"""How names and command lines stand in sentences: as a shell would have to be given them."""

from __future__ import annotations

import re
import shlex

from steno.audit.event import Thing

LIMIT_CHARACTERS = 400
"""What is longer, is cut in sentences; the event has it whole."""

_SAFE = re.compile(r"[\w@%+=:,./~\[\]-]+\Z")
_SAFE_ALL = re.compile(r"[\w@%+=:,./~\[\] -]+\Z")


def quote(text: str) -> str:
    """Return `text` as a shell would have to be given it, control characters as escapes."""
    if _SAFE.match(text):
        return text
    if text.isprintable():
        return shlex.quote(text)
    escaped = "".join("\\" + char if char in "\\'" else escape(char) for char in text)
    return f"$'{escaped}'"


def escape(char: str) -> str:
    """Return `char`, a control character as a shell would write it."""
    if char.isprintable():
        return char
    if char in _ESCAPES:
        return _ESCAPES[char]
    code = ord(char)
    if code < 256:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"


_ESCAPES = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\x1b": "\\e"}


def name_of(thing: Thing) -> str:
    """Return what a sentence calls `thing`: files as a shell takes them, others as they are."""
    name = thing.name
    if thing.kind in _QUOTED and name[:6] != "inode ":
        return quote(name if len(name) <= LIMIT_CHARACTERS else name[: LIMIT_CHARACTERS - 1] + "…")
    return cut(name)


_QUOTED = frozenset({"file", "directory", "program", "account"})


def join_arguments(arguments: list[str]) -> str:
    """Return a command line of `arguments`, cut to `LIMIT_CHARACTERS`."""
    few = arguments[:LIMIT_CHARACTERS]
    line = " ".join(few)
    is_safe = _SAFE_ALL.match(line[: LIMIT_CHARACTERS + 1]) is not None
    if not is_safe or line.count(" ") != len(few) - 1 or "" in few:
        words: list[str] = []
        length = 0
        for argument in few:
            words.append(quote(argument[: LIMIT_CHARACTERS + 1]))
            length += len(words[-1]) + 1
            if length > LIMIT_CHARACTERS:
                break
        line = " ".join(words)
    return line if len(line) <= LIMIT_CHARACTERS else line[: LIMIT_CHARACTERS - 1] + "…"


def cut(text: str) -> str:
    """Return `text` with control characters as escapes, cut to `LIMIT_CHARACTERS`."""
    if text.isprintable() and len(text) <= LIMIT_CHARACTERS:
        return text
    shown = "".join(
        char if char.isprintable() else escape(char) for char in text[: LIMIT_CHARACTERS + 1]
    )
    return shown if len(shown) <= LIMIT_CHARACTERS else shown[: LIMIT_CHARACTERS - 1] + "…"
