"""Keys mean what docs/play.md says."""

from __future__ import annotations

import pytest

from steno.cli.playing.keys import KEYS, Action, KeyReader, Pressed, parse_time


@pytest.mark.parametrize(("action", "keys", "_meaning"), KEYS)
def test_every_key_does_what_the_table_says(
    action: Action, keys: tuple[str, ...], _meaning: str
) -> None:
    """Each key gives its action; `/` first waits for a text."""
    for key in keys:
        typed = key + "text\r" if action is Action.FIND else key
        text = "text" if action is Action.FIND else ""
        assert list(KeyReader().feed(typed)) == [Pressed(action, text=text)]


@pytest.mark.parametrize(
    ("text", "at_us"),
    [
        ("90", 90_000_000),
        ("1:30", 90_000_000),
        ("1:02:03.5", 3_723_500_000),
        ("0.25", 250_000),
        ("1:2:3:4", None),
        ("x", None),
        ("", None),
    ],
)
def test_times_are_read_as_people_write_them(text: str, at_us: int | None) -> None:
    """Seconds, minutes:seconds, hours:minutes:seconds, with fractions."""
    assert parse_time(text) == at_us


def test_a_time_before_g_goes_there() -> None:
    """`1:30G` goes to 1:30; a lone G to the end; another key forgets the digits."""
    reader = KeyReader()
    assert list(reader.feed("1:3")) == []
    assert reader.typed == "1:3"
    assert list(reader.feed("0G")) == [Pressed(Action.GOTO, 90_000_000)]
    assert list(reader.feed("G")) == [Pressed(Action.END)]
    assert list(reader.feed("12 G")) == [Pressed(Action.PAUSE), Pressed(Action.END)]


def test_a_text_to_find_can_be_corrected_and_given_up() -> None:
    """Backspace takes a character back; Escape gives up; Enter searches."""
    reader = KeyReader()
    assert list(reader.feed("/pasx\x7fs\r")) == [Pressed(Action.FIND, text="pass")]
    assert list(reader.feed("/q")) == []
    assert reader.typed == "/q"
    assert list(reader.feed("\x1b")) == []
    assert list(reader.feed("q")) == [Pressed(Action.QUIT)]
