"""Keystrokes of TTY records, spelled."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steno.audit.values.keystrokes import spell_keystrokes


@pytest.mark.parametrize(
    ("data", "spelled"),
    [
        (b"ls -l\r", '"ls -l",<ret>'),
        (b"\x03\x04\x1a", "<^C>,<^D>,<^Z>"),
        (b"a\x7f\tb\n", '"a",<backspace>,<tab>,"b",<nl>'),
        (b"\x1b[A\x1bOB\x1b[1;5C\x1b[3~", "<up>,<down>,<ctrl-right>,<delete>"),
        (b"\x1bOP\x1b[15~\x1b[24;3~\x1b[Z\x1b[[A", "<F1>,<F5>,<alt-F12>,<back-tab>,<F1>"),
        (b"\x1b[200~x\x1b[201~", '<paste>,"x",</paste>'),
        (b"\x1b:wq\r", '<esc>,":wq",<ret>'),
        (b"\x1b[999~", '<esc>,"[999~"'),
        (b'"\\', '"\\"\\\\"'),
        ("né".encode() + b"\xff", '"né\\377"'),
        (b"", ""),
    ],
)
def test_keys_are_spelled(data: bytes, spelled: str) -> None:
    """Text stands between quotes, keys have their names, bad bytes are three octal digits."""
    assert spell_keystrokes(data) == spelled


@given(st.binary())
def test_any_bytes_can_be_spelled(data: bytes) -> None:
    """What is spelled has no control characters left, and nothing typed becomes nothing."""
    spelled = spell_keystrokes(data)
    assert all(character.isprintable() for character in spelled)
    assert bool(spelled) == bool(data)
