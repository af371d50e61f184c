"""Commands as they stand behind prompts."""

from __future__ import annotations

from pathlib import Path

import pytest
from recordings import derive, make_message, output, read_messages

from steno.model import Command, Piece, Window
from steno.screen.deriver import Deriver

WINDOW = Window(0, 60, 10)


def commands(*pieces: Piece, user: str = "user", host: str = "host") -> list[str]:
    """Return the commands' texts."""
    return [command.text for command in derive(WINDOW, *pieces, user=user, host=host).commands]


def type_at(at_ms: int, text: str) -> list[Piece]:
    """Return the echo of `text`, typed one key every 100 ms."""
    return [output(at_ms + 100 * n, key.encode()) for n, key in enumerate(text)]


def test_commands_of_a_real_shell(tlog_recordings: Path) -> None:
    """Every command is found as it was entered, also one typed ahead, with its instant."""
    deriver = Deriver("user", "host")
    for placed in read_messages(tlog_recordings, "01-simple-commands"):
        deriver.feed(placed.message, placed.offset_bytes)
    deriver.finish()
    found = deriver.take().commands
    assert [command.text for command in found] == [
        "echo hello world",
        "pwd",
        "ls -la /etc/tlog",
        "false; echo rc=$?",
        "for i in 1 2 3; do echo line $i; sleep 0.3; done",
        'printf "tab\\tbell\\a\\n"',
        "exit 3",
    ]
    assert found[0] == Command(983000, "echo hello world", "screen")


@pytest.mark.parametrize(
    "prompt", ["$ ", "# ", "host% ", "> ", "\u276f ", "sh-5.2$ ", "[me@box ~]$ ", ">>> "]
)
def test_prompts_of_many_shapes(prompt: str) -> None:
    """The common prompts are known, with or without who and where before them."""
    pieces = [output(0, prompt.encode()), *type_at(1000, "make all"), output(2000, b"\r\nok\r\n")]
    assert commands(*pieces, output(3000, prompt.encode())) == ["make all"]


def test_a_command_is_what_is_left_after_editing() -> None:
    """Corrections are resolved: the line as it was when it was entered counts."""
    pieces = [output(0, b"$ "), *type_at(500, "rm -rf /"), output(2000, b"\b\b\b\x1b[K/tmp/x")]
    assert commands(*pieces, output(3000, b"\r\n$ ")) == ["rm -r/tmp/x"]


def test_what_was_not_entered_is_no_command() -> None:
    """An empty line, an interrupted one and one still being typed are none."""
    pieces = [output(0, b"$ "), output(1000, b"\r\n$ "), *type_at(2000, "rm"), output(3000, b"^C")]
    assert commands(*pieces, output(3010, b"\r\n$ "), *type_at(4000, "half")) == []


def test_output_is_no_command() -> None:
    """Progress and prices are no prompts."""
    bars = [output(200 * n, b"\r%d%% " % n) for n in range(10)]
    assert commands(*bars, output(5000, b"\r100% done\r\n")) == []


def test_continued_lines_are_one_command() -> None:
    """A loop over several lines is joined."""
    pieces = [output(0, b"$ "), *type_at(100, "for i in 1 2"), output(2000, b"\r\n> ")]
    pieces += [*type_at(2100, "do echo $i"), output(4000, b"\r\n> "), *type_at(4100, "done")]
    assert commands(*pieces, output(5000, b"\r\n1\r\n2\r\n$ ")) == [
        "for i in 1 2\ndo echo $i\ndone"
    ]


def test_a_prompt_at_the_right_is_no_part_of_it() -> None:
    """What zsh shows at the right edge is left out."""
    pieces = [output(0, b"host% \x1b[40C[12:00]\x1b[7G"), *type_at(100, "ls")]
    assert commands(*pieces, output(1000, b"\r\nfile\r\nhost% ")) == ["ls"]


def test_marks_from_the_shell_are_better_than_shapes() -> None:
    """With OSC 133 even a prompt of no known shape is known, and lookalikes are not."""
    prompt = b"\x1b]133;A\x07what now: \x1b]133;B\x07"
    pieces = [output(0, prompt), *type_at(100, "ls")]
    pieces += [output(1000, b"\r\n\x1b]133;C\x07$ "), output(2000, b"x\r\n"), output(2100, prompt)]
    assert commands(*pieces) == ["ls"]


def test_pasted_commands_are_found_by_who_and_where() -> None:
    """Commands that ran too fast to be seen waiting are known by user@host."""
    pasted = b"".join(b"avery@web1:~$ echo %d\r\n%d\r\n" % (n, n) for n in range(3))
    pieces = [output(0, b"avery@web1:~$ "), output(1000, b"true\r\n" + pasted)]
    found = commands(*pieces, output(2000, b"avery@web1:~$ "), user="avery", host="web1.example")
    assert found == ["true", "echo 0", "echo 1", "echo 2"]


def test_what_was_typed_ahead_is_found() -> None:
    """A command that waited for the one before it runs at once, with its prompt and output."""
    pieces = [output(0, b"sh-5.2# "), *type_at(100, "slow"), output(1000, b"\r\n")]
    pieces += [output(1500, b"ls\r\n"), output(3000, b"sh-5.2# ls\r\nfile\r\nsh-5.2# ")]
    assert commands(*pieces) == ["slow", "ls"]


def test_what_is_typed_right_after_the_prompt_is_found() -> None:
    """Somebody answers the prompt in the same moment, the very first one as well."""
    pieces: list[Piece] = []
    for number in range(3):
        at_ms = 10 * number
        pieces += [output(at_ms, b"$ "), output(at_ms + 1, b"ls %d\r\n" % number)]
        pieces += [output(at_ms + 2, b"file\r\n")]
    assert commands(*pieces, output(40, b"$ ")) == ["ls 0", "ls 1", "ls 2"]


def test_lines_that_a_line_editor_took_are_found_within_one_piece() -> None:
    """Bracketed paste goes on where a shell begins to read and off where it has the line."""
    took = b"".join(b"\x1b[?2004h%% echo %d\r\n\x1b[?2004l\r$ %d\r\n" % (n, n) for n in range(300))
    assert commands(output(0, took)) == [f"echo {n}" for n in range(300)]
    drawn = b"\r\xe2\x9e\x9c  ~ \x1b[?2004h"
    pieces = [output(0, drawn + b"ls\x1b[?2004l\r\r\nx\r\n" + drawn + b"pwd\x1b[?2004l\r\r\n/\r\n")]
    assert commands(*pieces, output(9, drawn)) == ["ls", "pwd"]


def test_clearing_the_screen_hides_no_command() -> None:
    """The command that clears the screen is found too."""
    pieces = [output(0, b"$ "), *type_at(100, "clear"), output(1000, b"\r\n\x1b[H\x1b[2J\x1b[3J$ ")]
    assert commands(*pieces, *type_at(2000, "ls"), output(3000, b"\r\nf\r\n$ ")) == ["clear", "ls"]


def test_a_full_screen_program_is_a_command() -> None:
    """An editor is found, and nothing within it is taken for a command."""
    pieces = [
        output(0, b"$ "),
        *type_at(100, "vi x"),
        output(1000, b"\r\n\x1b[?1049h\x1b[2J\x1b[H$ "),
    ]
    pieces += [*type_at(2000, "not me"), output(3000, b"\r\n"), output(4000, b"\x1b[?1049l$ ")]
    assert commands(*pieces, *type_at(5000, "ls"), output(6000, b"\r\n$ ")) == ["vi x", "ls"]


def test_a_command_comes_out_before_the_recording_ends() -> None:
    """A live recording's command is known as soon as its output comes."""
    deriver = Deriver()
    pieces = [output(0, b"$ "), *type_at(100, "ls"), output(1000, b"\r\n")]
    deriver.feed(make_message(1, WINDOW, *pieces, output(1200, b"file\r\n")), 0)
    deriver.settle(3_000_000)
    assert [command.text for command in deriver.take().commands] == ["ls"]
