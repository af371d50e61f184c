"""Whether what is typed can be seen."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from steno.recorder.echo import PATIENCE_US, EchoWatch


def test_keys_that_draw_nothing_are_seen_at_once() -> None:
    """Enter, cursor keys and Ctrl-C carry no secret."""
    watch = EchoWatch()
    for keys in (b"\r", b"\x1b[A", b"\x1bOB", b"\x03", b"\x1b[200~"):
        assert watch.type(0, keys) == keys
    assert watch.due_us is None


def test_an_echo_may_come_in_parts_and_colours() -> None:
    """What a line editor draws is recognised, however it is cut and coloured."""
    watch = EchoWatch()
    assert watch.type(0, b"\x1b[200~echo hi\x1b[201~") == b""
    assert watch.show(b"\x1b[7mec") == b""
    assert watch.show(b"ho\x1b[27m h") == b""
    assert watch.show(b"i") == b"\x1b[200~echo hi\x1b[201~"


def test_a_line_typed_ahead_is_seen_as_a_whole() -> None:
    """What is said after a password does not confirm its letters."""
    watch = EchoWatch()
    for number, key in enumerate(b"secret\r"):
        assert watch.type(number, bytes([key])) == b""
    assert watch.show(b"\r\nsome trace of every letter\r\n") == b""
    assert watch.type(100, b"q") == b""
    assert watch.show(b"q") == b"q"
    assert watch.expire(PATIENCE_US) == []
    assert [typed.data for typed in watch.expire(PATIENCE_US + 6)] == [b"secret\r"]


def test_keys_typed_ahead_are_seen_once_all_are_shown() -> None:
    """On a slow line, keys whose echo lags behind are recognised when it has caught up."""
    watch = EchoWatch()
    assert watch.type(0, b"l") == b""
    assert watch.type(100_000, b"s") == b""
    assert watch.show(b"l") == b""
    assert watch.type(200_000, b" ") == b""
    assert watch.show(b"s") == b""
    assert watch.show(b" ") == b"ls "


def test_a_new_line_begins_anew() -> None:
    """What follows keys that were never shown is recognised by itself, on the next line."""
    watch = EchoWatch()
    for number, key in enumerate(b"1234"):
        watch.type(number, bytes([key]))
    assert watch.show(b"\r\nyou have 3 tries, 1 or 2 or 4\r\n$ ") == b""
    assert watch.type(100, b"exit\r") == b""
    assert watch.show(b"exit\r\n") == b"exit\r"
    assert [typed.data for typed in watch.give_up()] == [b"1234"]


def test_keys_that_were_never_shown_do_not_drag_later_ones_along() -> None:
    """An editor's keys are unseen; what is typed at the shell right after them is seen."""
    watch = EchoWatch()
    for key in (b"i", b"h", b"i", b"\x1b", b":", b"w", b"q", b"\r"):
        watch.type(0, key)
    assert watch.show(b"\r\n$ ") == b""
    for number, key in enumerate(b"curl"):
        assert watch.type(100 + number, bytes([key])) == b""
        assert watch.show(bytes([key])) == bytes([key])
    assert [typed.data for typed in watch.expire(PATIENCE_US)] == [b"ihi\x1b:wq\r"]


def test_asterisks_do_not_confirm() -> None:
    """A prompt that draws a star for each key has shown nothing."""
    watch = EchoWatch()
    for number, key in enumerate(b"secret"):
        watch.type(number, bytes([key]))
        assert watch.show(b"*") == b""
    assert watch.show(b"some trace of every letter") == b""
    assert [typed.data for typed in watch.expire(2 * PATIENCE_US)] == [b"secret"]


@given(st.lists(st.one_of(st.binary(min_size=1, max_size=30), st.none()), max_size=40))
def test_every_byte_has_one_fate(steps: list[bytes | None]) -> None:
    """Whatever is typed and shown, each typed byte comes out once, as seen or unseen."""
    watch = EchoWatch()
    typed = seen = unseen = 0
    for number, data in enumerate(steps):
        at_us = number * 200_000
        if data is None:
            seen += len(watch.show(b"abc\r\n"))
        else:
            typed += len(data)
            seen += len(watch.type(at_us, data))
        unseen += sum(len(one.data) for one in watch.expire(at_us))
    unseen += sum(len(one.data) for one in watch.give_up())
    assert seen + unseen == typed
