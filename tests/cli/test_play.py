"""Playing in a terminal: a person's keys, on a real pseudo-terminal."""

from __future__ import annotations

import os
import shlex
import termios
import time
from pathlib import Path

import pytest
from cli_recordings import make_recording
from driven import STENO
from waiting import Patience
from watching import Watcher

from steno.server.indexer import Indexer
from steno.store.opening import open_store


class Person(Watcher):
    """Someone at a terminal in which `steno play` runs."""

    def __init__(self, *arguments: str | Path, columns: int = 80, rows: int = 26) -> None:
        super().__init__([*STENO, "play", *map(str, arguments)], columns=columns, rows=rows)


def play_piped(pipe: Path, *options: str) -> Watcher:
    """Play what comes out of `pipe`, on a terminal."""
    words = [shlex.join([*STENO, "play", *options]), shlex.join(["cat", str(pipe)])]
    return Watcher(["sh", "-c", f"{words[1]} | {words[0]} -"])


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A recording of 20 seconds: a line each, with a prompt's line every five."""
    texts = [f"[avery@web01 ~]$ run {i}" if i % 5 == 0 else f"line {i}" for i in range(20)]
    path = tmp_path / "r.log"
    path.write_bytes(make_recording("r", texts))
    return path


def test_it_plays_at_its_speed_and_ends(recording: Path) -> None:
    """Everything is shown by the end, after the time it took, divided by the speed."""
    began = time.monotonic()
    person = Person("-s", "16", recording)
    person.wait_for("line 19")
    assert person.finish() == 0
    assert time.monotonic() - began > 19 / 16


def test_pause_step_and_speed(recording: Path) -> None:
    """Paused nothing moves; a step shows one more line; the speed is shown."""
    person = Person("-p", recording)
    person.wait_for("paused 0:00.0")
    person.send(b".")
    person.wait_for("line 1")
    assert "line 2" not in person.text()
    person.send(b"}}")
    person.wait_for("x4")
    person.send(b"\x7f{")
    person.wait_for("x0.5")
    person.send(b"q")
    assert person.finish() == 0


def test_seeking_forward_back_and_to_a_time(recording: Path) -> None:
    """Going somewhere shows exactly what stood on the screen there."""
    person = Person("-p", "-g", "12", recording)
    person.wait_for("line 12")
    assert "line 13" not in person.text()
    person.send(b"\x1b[D")
    person.wait_for("paused 0:07.0")
    assert "line 8" not in person.text()
    person.send(b"0:16G")
    person.wait_for("line 16")
    person.send(b"^")
    person.wait_for("paused 0:00.0")
    assert "line" not in person.text()
    person.send(b"$")
    person.wait_for("line 19")
    person.send(b"q")
    assert person.finish() == 0


def test_going_to_commands(tlog_recordings: Path) -> None:
    """C and C go from one command to the next and back."""
    person = Person("-p", tlog_recordings / "01-simple-commands.log")
    person.wait_for("paused")
    person.send(b"c")
    person.wait_for("command 1 of ")
    person.send(b"c")
    person.wait_for("command 2 of ")
    person.send(b"C")
    person.wait_for("command 1 of ")
    person.send(b"q")
    assert person.finish() == 0


def press_in_time(person: Person, key: bytes, text: str) -> None:
    """Press a key a moment later, and again where a busy machine was too late with it."""
    patience = Patience(60)
    while True:
        time.sleep(0.3)
        person.send(key)
        try:
            person.wait_for(text, timeout_s=5)
        except AssertionError:
            assert patience.lasts()
        else:
            return


def test_going_back_while_it_plays(recording: Path) -> None:
    """Shortly after a jump, C leads to the command before, though playing has gone on."""
    person = Person("-s", "0.0625", recording)
    person.wait_for("run 0")
    person.send(b"ccc")
    person.wait_for("command 3 of 3")
    for number in (2, 1):
        press_in_time(person, b"C", f"command {number} of 3")
    person.send(b"q")
    assert person.finish() == 0


def test_going_to_matches(recording: Path) -> None:
    """/ finds text, n and N go on from there; ? shows the keys."""
    person = Person("-p", recording)
    person.wait_for("paused")
    person.send(b"/line 1")
    person.wait_for("/line 1_")
    person.send(b"\r")
    person.wait_for("match 1 of 9")
    person.send(b"n")
    person.wait_for("match 2 of 9")
    person.send(b"N")
    person.wait_for("match 1 of 9")
    person.send(b"/zebra\r")
    person.wait_for("not found: zebra")
    person.send(b"?")
    person.wait_for("pause, go on")
    person.send(b"q")
    assert person.finish() == 0


def test_what_is_missing_is_said_where_it_plays(tmp_path: Path) -> None:
    """Where messages are missing, the player says so."""
    lines = make_recording("r", [f"line {i}" for i in range(4)]).splitlines(keepends=True)
    path = tmp_path / "r.log"
    path.write_bytes(b"".join([lines[0], *lines[2:]]))
    person = Person(path)
    person.wait_for("message 2 is missing")
    person.send(b"q")
    person.finish()


def test_a_small_window_shows_the_part_around_the_cursor(tmp_path: Path) -> None:
    """In a window too small for it, the recording is cropped and the cursor's row is in sight."""
    path = tmp_path / "r.log"
    path.write_bytes(make_recording("r", [f"row {i} " + "x" * 70 for i in range(20)]))
    person = Person("-p", "-g", "19", path, columns=60, rows=8)
    person.wait_for("part of 80x24")
    person.wait_for("row 19")
    person.resize(100, 30)
    person.wait_for("row 0 ")
    person.wait_for("paused 0:19.0 / 0:19.0\n")
    person.send(b"q")
    assert person.finish() == 0


def test_a_live_recording_is_followed_to_its_end(tmp_path: Path) -> None:
    """What is appended is shown as it comes; the end of the recording ends the player."""
    path = tmp_path / "r.log"
    lines = make_recording("r", ["early", "later", "last"]).splitlines(keepends=True)
    path.write_bytes(lines[0])
    person = Person("-f", path)
    person.wait_for("early")
    with path.open("ab") as file:
        file.write(lines[1])
        file.flush()
        person.wait_for("later")
        file.write(b"".join(lines[2:]))
    person.wait_for("last")
    assert person.finish() == 0


def test_a_recording_on_standard_input(recording: Path) -> None:
    """A pipe's recording plays, and the keys come from the terminal, which is restored."""
    person = play_piped(recording, "-p")
    person.wait_for("paused 0:00.0")
    person.send(b".")
    person.wait_for("line 1")
    person.send(b"12G")
    person.wait_for("line 12")
    person.send(b"q")
    assert person.finish() == 0
    assert termios.tcgetattr(person.slave) == person.before


def test_a_pipe_is_followed(tmp_path: Path) -> None:
    """What comes through a pipe is shown as it comes, and keys count in between."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    lines = make_recording("r", ["early", "later", "last"]).splitlines(keepends=True)
    person = play_piped(pipe, "--follow")
    with pipe.open("wb", buffering=0) as file:
        file.write(lines[0])
        person.wait_for("early")
        file.write(lines[1])
        person.wait_for("later")
        person.send(b"?")
        person.wait_for("twice as fast")
        person.send(b"?")
        file.write(b"".join(lines[2:]))
        person.wait_for("last")
    assert person.finish() == 0


def test_keys_and_recording_do_not_come_from_one_terminal() -> None:
    """Where standard input is the terminal, nobody waits for a recording to be typed."""
    person = Person("-")
    person.wait_for("standard input is the terminal")
    assert person.finish() == 2


def test_a_live_recording_that_is_caught_up_with_is_followed(tmp_path: Path) -> None:
    """At the end of what a library has of a live recording, the player waits for the rest."""
    data = make_recording("r", ["early", "later", "last"], started_unix_us=time.time_ns() // 1000)
    lines = data.splitlines(keepends=True)
    store = open_store(tmp_path / "store")
    indexer = Indexer(store)
    store.append("r", 0, b"".join(lines[:2]), sender=None)
    indexer.drain()
    person = Person("-s", "16", "--store", tmp_path, "r")
    person.wait_for("later")
    time.sleep(0.5)
    store.append("r", len(b"".join(lines[:2])), b"".join(lines[2:]), sender=None)
    indexer.drain()
    store.close()
    person.wait_for("last")
    assert person.finish() == 0


def test_the_terminal_is_restored(recording: Path) -> None:
    """After the player, the terminal's settings are what they were."""
    person = Person("-p", recording)
    person.wait_for("paused")
    assert termios.tcgetattr(person.slave) != person.before
    person.send(b"q")
    assert person.finish() == 0
    assert termios.tcgetattr(person.slave) == person.before


def test_a_terminal_that_vanishes_ends_the_player(recording: Path) -> None:
    """A hang-up ends it, with no loop left behind."""
    person = Person("-p", recording)
    person.wait_for("paused")
    person.hang_up()
    assert person.process.wait(timeout=60) != 0


def test_hostile_codes_do_not_reach_the_terminal(tmp_path: Path) -> None:
    """Titles, clipboard, links and queries in the recording are not written out."""
    path = tmp_path / "r.log"
    evil = "\x1b]0;evil\x07\x1b]52;c;ZXZpbA==\x07\x1b[c\x1b[6n\x1bP$qm\x1b\\\x1b[?1003hshown"
    path.write_bytes(make_recording("r", [evil, "next"]))
    person = Person("-p", "-g", "0.5", path)
    person.wait_for("shown")
    person.send(b"q")
    assert person.finish() == 0
    for code in (b"\x1b]0", b"\x1b]52", b"\x1b[c", b"\x1b[6n", b"\x1bP", b"1003"):
        assert code not in person.seen
