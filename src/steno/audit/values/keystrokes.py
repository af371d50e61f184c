"""Keystrokes of TTY and USER_TTY records, spelled: `"ls -l",<ret>,<^D>`.

Text stands between quotes, keys between `<` and `>`. Keys are read from what they send:
ECMA-48 control sequences as xterm uses them (ctlseqs, "PC-Style Function Keys").
"""

from __future__ import annotations

import re

_CONTROL = {
    0x08: "backspace",
    0x09: "tab",
    0x0A: "nl",
    0x0D: "ret",
    0x1B: "esc",
    0x7F: "backspace",
}

_SEQUENCE = re.compile(rb"\x1b(?:O([A-Za-z])|\[([0-9;]*)([A-Za-z~]))|\x1b\[\[([A-E])")

_LETTERS = {
    "A": "up",
    "B": "down",
    "C": "right",
    "D": "left",
    "E": "begin",
    "F": "end",
    "H": "home",
    "P": "F1",
    "Q": "F2",
    "R": "F3",
    "S": "F4",
    "Z": "back-tab",
    "M": "enter",
}

_NUMBERS = {
    "1": "home",
    "2": "insert",
    "3": "delete",
    "4": "end",
    "5": "page-up",
    "6": "page-down",
    "7": "home",
    "8": "end",
    "200": "paste",
    "201": "/paste",
    **{str(number): f"F{number - 10}" for number in range(11, 16)},
    **{str(number): f"F{number - 11}" for number in range(17, 22)},
    **{str(number): f"F{number - 12}" for number in (23, 24, 25, 26)},
    **{str(number): f"F{number - 13}" for number in (28, 29)},
    **{str(number): f"F{number - 14}" for number in range(31, 35)},
}

_MODIFIERS = ((1, "shift"), (2, "alt"), (4, "ctrl"), (8, "meta"))


def spell_keystrokes(data: bytes) -> str:
    """Spell what was typed; a byte that is not UTF-8 as three octal digits."""
    spelled: list[str] = []
    text = ""
    position = 0
    while position < len(data):
        key, length = _key_at(data, position)
        if key is None:
            character, length = _character_at(data, position)
            text += character
        else:
            if text:
                spelled.append(f'"{text}"')
                text = ""
            spelled.append(f"<{key}>")
        position += length
    if text:
        spelled.append(f'"{text}"')
    return ",".join(spelled)


def _key_at(data: bytes, position: int) -> tuple[str | None, int]:
    """Return the key at `position`, and how many bytes it sent; None: it is text."""
    byte = data[position]
    if byte == 0x1B and (match := _SEQUENCE.match(data, position)):
        application, numbers, final, console = (
            None if part is None else part.decode() for part in match.groups()
        )
        key = _name_of_sequence(application, numbers, final, console)
        if key is not None:
            return key, match.end() - position
    if byte in _CONTROL:
        return _CONTROL[byte], 1
    return (f"^{chr(byte + 64)}", 1) if byte < 0x20 else (None, 0)


def _name_of_sequence(
    application: str | None, numbers: str | None, final: str | None, console: str | None
) -> str | None:
    if console is not None:
        return f"F{ord(console) - 64}"
    if application is not None:
        return _LETTERS.get(application)
    first, _, modifier = (numbers or "").partition(";")
    key = _NUMBERS.get(first) if final == "~" else _LETTERS.get(final or "")
    if key is None or (final != "~" and first not in ("", "1")):
        return None
    bits = int(modifier) - 1 if modifier.isdigit() and len(modifier) < 3 else 0
    return "-".join([*(name for bit, name in _MODIFIERS if bits & bit), key])


def _character_at(data: bytes, position: int) -> tuple[str, int]:
    """Return the character at `position` as it stands between quotes, and its length in bytes."""
    first = data[position]
    length = 1 if first < 0x80 else 2 if first < 0xE0 else 3 if first < 0xF0 else 4
    try:
        character = data[position : position + length].decode()
    except UnicodeDecodeError:
        return f"\\{first:03o}", 1
    if character in '\\"':
        return "\\" + character, 1
    return (character, length) if character.isprintable() else (repr(character)[1:-1], length)
