"""Lines, keyframes and commands from real and made-up recordings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recordings import NAMES, derive, make_message, output, read_messages, texts

from steno.model import Message, Output, Piece, Start, TextLine, Window
from steno.screen.deriver import Deriver, Findings
from steno.screen.emulator import Emulator

WINDOW = Window(0, 40, 6)


def derive_recording(folder: Path, name: str) -> Findings:
    """Return all that is derived from a real recording."""
    deriver = Deriver("user", "host")
    for placed in read_messages(folder, name):
        deriver.feed(placed.message, placed.offset_bytes)
    deriver.finish()
    return deriver.take()


def test_the_text_of_plain_commands(tlog_recordings: Path) -> None:
    """What was typed and shown is found, each line once, with its instant."""
    findings = derive_recording(tlog_recordings, "01-simple-commands")
    assert findings.lines[:5] == [
        TextLine(828000, "user@host:~# echo hello world"),
        TextLine(983000, "hello world"),
        TextLine(1439000, "user@host:~# pwd"),
        TextLine(1566000, "/home/user1/home"),
        TextLine(2404000, "user@host:~# ls -la /etc/tlog"),
    ]
    assert texts(findings)[-1] == "exit"


def test_bulk_output_loses_no_line(tlog_recordings: Path) -> None:
    """All of 36,760 lines are there, in order."""
    found = texts(derive_recording(tlog_recordings, "05-bulk-output"))
    stream = (tlog_recordings / "05-bulk-output.out").read_bytes().decode()
    printed = re.sub("\x1b\\[\\?2004[hl]\r?", "", stream).split("\r\n")
    # Readline's redraws of the lines typed at are the screen's business.
    plain = [line for line in printed if line and not set(line) & set("\x1b\x07\b")]
    known = set(plain)
    assert [line for line in found if line in known] == plain
    assert len(found) == 36760


def test_full_screen_programs_are_searchable(tlog_recordings: Path) -> None:
    """What stood on vim's screen is found, whole, and once for each time it stood there."""
    found = texts(derive_recording(tlog_recordings, "02-vim-edit"))
    for line in ("First line of notes", "Second line with änderung and 漢字", ":set number"):
        assert found.count(line) == 1
    assert "      2 First LINE of notes" in found
    assert found.count("~") == 1


def test_a_pipe_has_plain_lines(tlog_recordings: Path) -> None:
    """Without a window lines begin at the left edge; invalid bytes are replacement characters."""
    findings = derive_recording(tlog_recordings, "08-pipe-no-tty")
    assert texts(findings)[:2] == ["LINE ONE", "LINE TWO CAFé"]
    assert texts(findings)[3] == "\ufffd\ufffd BINARY"
    assert findings.commands == []


def test_the_start_facts_tell_the_window() -> None:
    """Where windows are not recorded, the size at the start is used."""
    start = Start(user="u", host="h", started_unix_us=0, recorder="steno", columns=10, rows=3)
    deriver = Deriver()
    message = Message("2.3", "h", "r", "u", "xterm", 1, 1, 0, None, (), start=start)
    deriver.feed(message, 0)
    assert deriver.window == (10, 3)


def test_a_progress_bar_is_its_last_state() -> None:
    """A line redrawn in place counts once, as it stood at the end."""
    bars = [output(20 * n, b"\r%d%% %s" % (n, b"#" * (n // 10))) for n in range(101)]
    findings = derive(WINDOW, *bars, output(2100, b"\r\ndone\r\n"))
    assert findings.lines == [TextLine(2_000_000, "100% ##########"), TextLine(2_100_000, "done")]


def test_a_cleared_screen_was_seen() -> None:
    """What is wiped away at once is found all the same."""
    findings = derive(WINDOW, output(0, b"secret\r\n\x1b[H\x1b[2Jnew"), output(9000, b"\x1bcend"))
    assert texts(findings) == ["secret", "new", "end"]


def test_what_is_redrawn_after_clearing_counts_once() -> None:
    """A screen cleared and redrawn the same every second does not fill the index."""
    frames = [output(2000 * n, b"\x1b[H\x1b[2Jtitle\r\nvalue %d\r\n" % n) for n in range(20)]
    found = texts(derive(WINDOW, *frames))
    # The last frame stands on the screen at the end, where everything counts.
    assert found.count("title") <= 2
    assert [line for line in found if line != "title"] == [f"value {n}" for n in range(20)]


def test_lines_settle_without_further_output() -> None:
    """A live recording's lines count once they stood for a second; the prompt's does not yet."""
    deriver = Deriver()
    deriver.feed(make_message(1, WINDOW, output(0, b"hello\r\n$ ")), 0)
    deriver.settle(900_000)
    assert deriver.take().lines == []
    deriver.settle(1_000_000)
    assert deriver.take().lines == [TextLine(0, "hello")]
    deriver.feed(make_message(2, output(5000, b"ls\r\nfile\r\n$ ")), 100)
    deriver.finish()
    assert texts(deriver.take()) == ["$ ls", "file", "$"]


def test_nothing_counts_twice_when_it_scrolls_off_later() -> None:
    """Lines that settled are not handed out again when they leave the screen."""
    lines = [f"line {n}" for n in range(50)]
    pieces = [output(1500 * n, f"{line}\r\n".encode()) for n, line in enumerate(lines)]
    findings = derive(WINDOW, *pieces)
    assert texts(findings) == lines
    assert [line.at_us for line in findings.lines] == [1_500_000 * n for n in range(50)]


def test_standard_error_is_text_too() -> None:
    """A pipe's standard error is on the screen among its standard output."""
    found = derive(output(0, b"out\n"), Output(1000, b"err\n", is_stderr=True))
    assert texts(found) == ["out", "err"]


def test_a_flood_of_text_from_little_output_is_bounded() -> None:
    """A few bytes that fill the screen again and again cannot fill the index, and that is said."""
    screen = b"\x1b[?1049h" + b"".join(b"\x1b[%dHx\x1b[999b" % row for row in range(1, 200))
    frames = [output(1000 * n, screen + b"\x1b[H%d\x1b[L" % n) for n in range(40)]
    pieces: list[Piece] = [Window(0, 1000, 200), *frames]
    findings = derive(*pieces)
    sent = sum(len(piece.data) for piece in pieces if isinstance(piece, Output))
    assert sum(len(line.text) for line in findings.lines) <= 1024 * 1024 + 64 * sent


def test_keyframes_come_by_time_and_by_size() -> None:
    """A keyframe stands before the piece that comes 10 s or 256 KB after the last one."""
    deriver = Deriver()
    deriver.feed(make_message(1, WINDOW, output(0, b"a"), output(9999, b"b")), 0)
    assert deriver.take().keyframes == []
    deriver.feed(make_message(2, output(10000, b"c"), output(10001, b"x" * 300_000)), 500)
    deriver.feed(make_message(3, output(10002, b"d")), 900)
    first, second = deriver.take().keyframes
    assert (first.at_us, first.offset_bytes, first.piece) == (9_999_000, 500, 0)
    assert (second.at_us, second.offset_bytes, second.piece) == (10_001_000, 900, 0)
    assert (first.columns, first.rows) == (40, 6)


def test_keyframes_wait_for_the_parser() -> None:
    """No keyframe is taken in the middle of a sequence or a character."""
    deriver = Deriver()
    pieces = (output(0, b"a\x1b[3"), output(11000, b"1mred\xe6"), output(12000, b"\xbc\xa2"))
    deriver.feed(make_message(1, WINDOW, *pieces, output(13000, b"z")), 0)
    (keyframe,) = deriver.take().keyframes
    assert (keyframe.at_us, keyframe.piece) == (12_000_000, 4)


@pytest.mark.parametrize("name", NAMES)
def test_playing_from_a_keyframe_shows_what_playing_from_the_start_shows(
    tlog_recordings: Path, name: str
) -> None:
    """Each keyframe, followed by the pieces after it, ends on the recording's last screen."""
    deriver = Deriver()
    pieces: list[tuple[tuple[int, int], Piece]] = []
    for placed in read_messages(tlog_recordings, name):
        # Instants are stretched, for a keyframe before almost every piece.
        slow = [type(p)(p.at_us * 1000, *_rest_of(p)) for p in placed.message.pieces]
        deriver.feed(make_message(placed.message.id, *slow), placed.offset_bytes)
        pieces += [((placed.offset_bytes, n), piece) for n, piece in enumerate(slow)]
    keyframes = deriver.take().keyframes
    if name == "08-pipe-no-tty":
        return
    assert len(keyframes) >= 8
    expected = _play(Emulator(), [piece for _, piece in pieces])
    for keyframe in keyframes[:: max(1, len(keyframes) // 25)]:
        emulator = Emulator(keyframe.columns, keyframe.rows)
        emulator.feed(keyframe.data)
        rest = [p for place, p in pieces if place >= (keyframe.offset_bytes, keyframe.piece)]
        if not any(isinstance(piece, Window) for piece in rest):
            assert _play(emulator, rest) == expected


def _rest_of(piece: Piece) -> tuple[object, ...]:
    if isinstance(piece, Window):
        return piece.columns, piece.rows
    return (getattr(piece, "data", b""),)


def _play(emulator: Emulator, pieces: list[Piece]) -> str:
    for piece in pieces:
        if isinstance(piece, Window):
            emulator.resize(piece.columns, piece.rows)
        elif isinstance(piece, Output):
            emulator.feed(piece.data)
    return emulator.text()


@given(st.data())
def test_the_cut_of_what_came_at_one_instant_changes_nothing(
    tlog_recordings: Path, data: st.DataObject
) -> None:
    """The same bytes at the same instants give the same findings, however they were read."""
    name = data.draw(st.sampled_from(("01-simple-commands", "02-vim-edit", "04-invalid-utf8")))
    whole, cut = Deriver("user", "host"), Deriver("user", "host")
    for placed in read_messages(tlog_recordings, name):
        pieces: list[Piece] = []
        for piece in placed.message.pieces:
            if isinstance(piece, Output) and len(piece.data) > 1:
                at = data.draw(st.integers(0, len(piece.data)))
                pieces += [
                    Output(piece.at_us, part) for part in (piece.data[:at], piece.data[at:]) if part
                ]
            else:
                pieces.append(piece)
        whole.feed(placed.message, 0)
        cut.feed(make_message(placed.message.id, *pieces), 0)
    for deriver in (whole, cut):
        deriver.finish()
    expected, found = whole.take(), cut.take()
    assert (found.lines, found.commands) == (expected.lines, expected.commands)
    assert found.activity == expected.activity


@given(st.sampled_from(NAMES[:4]), st.sets(st.integers(0, 200), max_size=8))
def test_a_saved_deriver_goes_on_as_if_it_had_never_stopped(
    tlog_recordings: Path, name: str, stops: set[int]
) -> None:
    """Saving and restoring between any two pieces changes nothing that is found."""
    whole = derive_recording(tlog_recordings, name)
    lines, commands, keyframes = [], [], []
    deriver = Deriver("user", "host")
    number = 0
    for placed in read_messages(tlog_recordings, name):
        for piece in placed.message.pieces:
            number += 1
            deriver.feed(make_message(number, piece), placed.offset_bytes)
            if number in stops:
                found = deriver.take()
                lines += found.lines
                commands += found.commands
                keyframes += found.keyframes
                deriver = Deriver.restore(deriver.save())
    deriver.finish()
    found = deriver.take()
    assert lines + found.lines == whole.lines
    assert commands + found.commands == whole.commands


@given(st.lists(st.tuples(st.integers(0, 3000), st.binary(max_size=80)), max_size=30))
def test_any_output_can_be_derived_from(parts: list[tuple[int, bytes]]) -> None:
    """Rubbish gives some text, never a failure; instants never run ahead of the output."""
    at_ms, pieces = 0, []
    for gap_ms, data in parts:
        at_ms += gap_ms
        pieces.append(output(at_ms, data))
    findings = derive(WINDOW, *pieces)
    assert all(line.at_us <= at_ms * 1000 for line in findings.lines)
    assert sum(findings.activity.values()) == sum(len(data) for _, data in parts)
