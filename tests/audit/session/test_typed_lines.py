"""Lines from keystrokes and screens, and what shells make of them."""

from __future__ import annotations

import pytest

from steno.audit.session.line_matching import TICK_US, Begun, SplitLine, match, measure_tick
from steno.audit.session.shell_lines import is_unfinished, split_line
from steno.audit.session.typed_lines import TypedLine, lines_of_keys, merge_lines


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("ls", [("ls", 1, False)]),
        ("a | b|c", [("a", 1, False), ("b", 1, False), ("c", 1, False)]),
        ("a && b | c &", [("a", 1, False), ("b", 2, True), ("c", 2, True)]),
        ("X=1 Y=2 make -j", [("make", 1, False)]),
        ("echo 'a | b' \"c; d\" e\\;f", [("echo", 1, False)]),
        ("echo hi >out 2>&1; wc <in", [("echo", 1, False), ("wc", 2, False)]),
        ("for i in 1 2; do ls $i; done", [("i", 1, False), ("ls", 2, False), ("done", 3, False)]),
        ("ls # | rm", [("ls", 1, False)]),
        ("sleep 1 & wait", [("sleep", 1, True), ("wait", 2, False)]),
        ("", []),
    ],
)
def test_lines_are_split_as_shells_split_them(
    text: str, parts: list[tuple[str, int, bool]]
) -> None:
    """Names, pipelines and background jobs of a line."""
    found = split_line(text)
    chains = {chain: n for n, chain in enumerate(dict.fromkeys(one.chain for one in found), 1)}
    assert [(one.name, chains[one.chain], one.is_background) for one in found] == parts


def test_substituted_commands_are_found_too() -> None:
    """What stands in `$(...)`, backticks and process substitutions is run as well."""
    names = {part.name for part in split_line("a $(b | c) \"x $(d)\" `e` <(f) 'g $(h)'")}
    assert names == {"a", "b", "c", "d", "e", "f"}


def test_words_are_what_the_program_gets() -> None:
    """Quotes and escapes are gone, also those of `$'...'`."""
    (part,) = split_line("mv 'a b' \"q\\\"d\" $'tab\\there' x\\ y")
    assert part.words == ["mv", "a b", 'q"d', "tab\there", "x y"]


@pytest.mark.parametrize(
    ("text", "is_open"),
    [
        ("ls", False),
        ("echo 'a", True),
        ("a |", True),
        ("a &&", True),
        ("a \\", True),
        ("$(b", True),
    ],
)
def test_an_unfinished_line_goes_on(text: str, is_open: bool) -> None:
    """Where a shell would show its second prompt, the next line belongs to this one."""
    assert is_unfinished(text) is is_open


@pytest.mark.parametrize(
    ("keys", "lines"),
    [
        ("ls -l\r", [("ls -l", "ls -l")]),
        ("lx\x7fs\rpwd\r", [("ls", "ls"), ("pwd", "pwd")]),
        ("rm -rf\x15ls\r", [("ls", "ls")]),
        ("cat one\x17two\r", [("cat two", "cat two")]),
        ("cat /etc/ho\t\r", [("cat /etc/ho", "cat /etc/ho")]),
        ("cat /et\tho\t\r", [("cat /etho", "cat /et")]),
        ("\x1b[A\r", []),
        ("sleep 9\x03ls\r", [("ls", "ls")]),
        ("echo 'a\rb'\r", [("echo 'a\nb'", "echo 'a\nb'")]),
        ("\r\r", []),
    ],
)
def test_keystrokes_make_lines(keys: str, lines: list[tuple[str, str]]) -> None:
    """Editing is done again; of what was completed only what was typed before it is sure."""
    assert lines_of_keys(keys) == lines


def test_the_screen_dates_lines_and_keystrokes_add_those_it_missed() -> None:
    """A line that both have comes once, with the screen's instant and text."""
    seen = [TypedLine("cat /etc/hostname", 100), TypedLine("exit", 900)]
    keys = [
        TypedLine("PS1=x", 0, 1000, 7),
        TypedLine("cat /etc/ho", 0, 1000, 7, "cat /etc/ho"[:-1]),
        TypedLine("su -", 0, 1000, 7),
        TypedLine("exit", 0, 1000, 7),
    ]
    merged = merge_lines(seen, keys)
    assert [(one.text, one.at_unix_us, one.until_unix_us) for one in merged] == [
        ("PS1=x", 0, 100),
        ("cat /etc/hostname", 100, None),
        ("su -", 100, 900),
        ("exit", 900, None),
    ]
    assert {one.pid for one in merged} == {7}


def test_the_inner_shells_lines_are_taken_first() -> None:
    """Two shells were left with `exit`: the earlier one on the screen is the inner one's."""
    seen = [TypedLine("exit", 500_000), TypedLine("exit", 900_000)]
    outer = [TypedLine("su -", 0, 910_000, 1), TypedLine("exit", 0, 910_000, 1)]
    inner = [TypedLine("exit", 200_000, 510_000, 2)]
    merged = merge_lines(seen, [*outer, *inner])
    exits = [(one.at_unix_us, one.pid) for one in merged if one.text == "exit"]
    assert exits == [(500_000, 2), (900_000, 1)]


def test_stamps_tell_how_long_the_clocks_tick_is() -> None:
    """All 4 or 10 ms apart: that is the tick; else, and where few are known, the longest."""
    stamps = [1_700_000_000_000_000 + n * n * 4000 for n in range(20)]
    assert measure_tick(stamps) == 5000
    assert measure_tick([one // 4000 * 10_000 for one in stamps]) == TICK_US
    assert measure_tick([one + n * 1000 for n, one in enumerate(stamps)]) == TICK_US
    assert measure_tick(stamps[:3]) == TICK_US


def test_the_same_line_twice_begins_each_its_own() -> None:
    """Without instants, a pause tells where the second of two equal lines begins."""
    line = SplitLine.of(TypedLine("make | tee log", 0, 10_000_000))
    begun = [
        Begun(at, frozenset({name}), ended_unix_us=at + 1000)
        for at in (1_000_000, 3_000_000)
        for name in ("make", "tee")
    ]
    assert match([line, line], begun) == [0, 0, 1, 1]


def test_without_lines_nothing_is_matched() -> None:
    """No lines: nothing belongs to any."""
    assert match([], [Begun(1)]) == [None]
