"""tlog-play's stand-in: keys, options and readers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from driven import STENO
from tlog_programs import BOTH, Programs, needs_both
from waiting import Patience
from watching import Watcher

from steno.screen.emulator import Emulator

MINUTE_MS, HOUR_MS = 60_000, 3_600_000


def make_message(number: int, pos_ms: int, text: str, rec: str = "r-1") -> str:
    """Return a message as tlog writes it."""
    message = {
        **{"ver": "2.3", "host": "web01", "rec": rec, "user": "avery", "term": "xterm"},
        **{"session": 5, "id": number, "pos": pos_ms, "time": 1790000000 + pos_ms / 1000},
        **{"timing": f"=80x24>{len(text)}", "in_txt": "", "in_bin": []},
        **{"out_txt": text, "out_bin": []},
    }
    return json.dumps(message) + "\n"


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Four lines: at once, after twenty minutes, and after an hour and two."""
    path = tmp_path / "r.log"
    times = {"one": 0, "two": 20 * MINUTE_MS, "three": HOUR_MS, "four": 2 * HOUR_MS}
    lines = [
        make_message(number, at_ms, f"{text}\r\n")
        for number, (text, at_ms) in enumerate(times.items(), 1)
    ]
    path.write_text("".join(lines))
    return path


@pytest.fixture
def play() -> Iterator[list[Watcher]]:
    """Players that are ended whatever happens."""
    running: list[Watcher] = []
    yield running
    for watcher in running:
        watcher.close()


def start(running: list[Watcher], *words: str | Path) -> Watcher:
    """Start the player on a terminal."""
    watcher = Watcher([*STENO, "tlog", "play", *map(str, words)])
    running.append(watcher)
    return watcher


def run(*words: str | Path) -> subprocess.CompletedProcess[bytes]:
    """Run the player without a terminal."""
    return subprocess.run(
        [*STENO, "tlog", "play", *map(str, words)],
        capture_output=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )


def test_a_dot_skips_the_pause_and_plays_on(play: list[Watcher], recording: Path) -> None:
    """`.` shows the next piece at once, and what follows at its time; at the end it ends."""
    watcher = start(play, "-i", recording)
    watcher.wait_for("one")
    for text in ("two", "three", "four"):
        assert text not in watcher.text()
        watcher.send(b".")
        watcher.wait_for(text)
    assert watcher.finish() == 0


def test_paused_steps_and_speeds(play: list[Watcher], recording: Path) -> None:
    """Paused, dots step and space goes on; braces and Backspace set the speed."""
    watcher = start(play, "-i", recording, "-p")
    watcher.wait_for("paused")
    watcher.wait_for("one")
    watcher.send(b".")
    watcher.wait_for("two")
    watcher.send(b"  ")
    watcher.wait_for("paused 20:0")
    watcher.send(b"}}")
    watcher.wait_for("x4")
    watcher.send(b"}}}}}")
    watcher.wait_for("x16")
    watcher.send(b"\x7f{")
    watcher.wait_for("x0.5")
    assert "three" not in watcher.text()
    watcher.send(b"q")
    assert watcher.finish() == 0


def test_g_goes_forward_only(play: list[Watcher], recording: Path) -> None:
    """Times in tlog's forms go there; one that was passed does nothing; G ends."""
    watcher = start(play, "-i", recording, "--paused")
    watcher.wait_for("paused 0:00")
    watcher.send(b"30:G")
    watcher.wait_for("two")
    watcher.wait_for("paused 30:00")
    watcher.send(b"10:G")
    watcher.send(b"61:G")
    watcher.wait_for("three")
    watcher.wait_for("paused 1:01:00")
    watcher.send(b":5G G")
    watcher.wait_for("four")
    assert watcher.finish() == 0


def test_goto_and_speed_may_be_anything(play: list[Watcher], recording: Path) -> None:
    """`--goto` takes start, end and times; `--speed` more than the keys do."""
    watcher = start(play, "-i", recording, "--speed=36000")
    watcher.wait_for("four")
    assert watcher.finish() == 0
    watcher = start(play, "-i", recording, "-g", "1::", "-p")
    watcher.wait_for("three")
    watcher.wait_for("paused 1:00:00")
    assert "four" not in watcher.text()
    watcher.send(b"q")
    assert watcher.finish() == 0
    assert start(play, "-i", recording, "-g", "END").finish() == 0


def test_ctrl_c_ends_it_as_a_signal_does(play: list[Watcher], recording: Path) -> None:
    """Ctrl-C ends the player by SIGINT; with --persist neither that nor q does anything."""
    watcher = start(play, "-i", recording)
    watcher.wait_for("one")
    watcher.send(b"\x03")
    assert watcher.finish() == -signal.SIGINT
    watcher = start(play, "-i", recording, "--persist")
    watcher.wait_for("one")
    watcher.send(b"q\x03\x04\x1c.")
    watcher.wait_for("two")
    watcher.send(b"..")
    assert watcher.finish() == 0


def test_follow_waits_for_more(play: list[Watcher], tmp_path: Path) -> None:
    """With --follow a recording is played from its start, and what comes later when it comes."""
    path = tmp_path / "r.log"
    path.write_text("")
    watcher = start(play, "-f", "-i", path)
    with path.open("a") as file:
        for number in (1, 2, 3):
            file.write(make_message(number, number * 100, f"line {number}\r\n"))
            file.flush()
            watcher.wait_for(f"line {number}")
    watcher.send(b"q")
    assert watcher.finish() == 0


def test_without_a_terminal_all_is_written_at_once(recording: Path) -> None:
    """Into a pipe the output goes byte for byte, without waiting two hours."""
    ran = run("-i", recording)
    assert (ran.returncode, ran.stdout) == (0, b"one\r\ntwo\r\nthree\r\nfour\r\n")


def test_a_missing_message_ends_playing_unless_lax(play: list[Watcher], tmp_path: Path) -> None:
    """Without --lax what is before the gap is played, and the gap told; with it, all there is."""
    path = tmp_path / "r.log"
    path.write_text(make_message(1, 0, "one\r\n") + make_message(3, 10, "three\r\n"))
    ran = run("-i", path)
    assert (ran.returncode, ran.stdout) == (1, b"one\r\n")
    assert b"message 2 is missing" in ran.stderr
    ran = run("-i", path, "--lax")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"one\r\nthree\r\n", b"")
    watcher = start(play, "-i", path)
    watcher.wait_for("is missing")
    assert watcher.finish() == 1
    assert "three" not in watcher.text()


def test_a_file_may_hold_several_recordings(tmp_path: Path) -> None:
    """`-m` says which; without it several are refused, by name."""
    path = tmp_path / "r.log"
    path.write_text(make_message(1, 0, "one", "r-1") + make_message(1, 0, "two", "r-2"))
    assert run("-i", path, "-m", "r-2").stdout == b"two"
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    feeding = threading.Thread(target=lambda: pipe.write_bytes(path.read_bytes()))
    feeding.start()
    for source in (path, pipe):
        ran = run("-i", source)
        assert (ran.returncode, ran.stdout) == (1, b"")
        assert b"r-1 and r-2" in ran.stderr
    feeding.join()


@pytest.mark.parametrize("words", [("-i", "EMPTY"), ("-i", "ONE", "-m", "r-9")])
def test_nothing_to_play_is_told(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Where there is nothing, a line says so; the status is 0, as with tlog."""
    (tmp_path / "EMPTY").write_text("")
    (tmp_path / "ONE").write_text(make_message(1, 0, "one"))
    ran = run(*(str(tmp_path / word) if word.isupper() else word for word in words))
    assert (ran.returncode, ran.stdout, ran.stderr.count(b"\n")) == (0, b"", 1)


def test_damage_is_told(tmp_path: Path) -> None:
    """A torn line is named; what is before it is played; the status is 1."""
    path = tmp_path / "r.log"
    path.write_text(make_message(1, 0, "one") + make_message(2, 10, "two")[:50])
    ran = run("-i", path)
    assert (ran.returncode, ran.stdout) == (1, b"one")
    assert b"line 2" in ran.stderr


@pytest.mark.real
@needs_both
@pytest.mark.parametrize("name", ["01-simple-commands", "02-vim-edit", "06-wide-chars"])
def test_both_leave_the_same_screen(
    programs: Programs, play: list[Watcher], tlog_recordings: Path, name: str
) -> None:
    """A real recording looks the same at its end, whichever program plays it."""
    wanted = Emulator(80, 24)
    wanted.feed((tlog_recordings / f"{name}.out").read_bytes())
    lines = read_lines(wanted)
    for kind in BOTH:
        words = ("-g", "end", "-f", "-i", str(tlog_recordings / f"{name}.log"))
        watcher = Watcher(programs.command(kind, "tlog-play", *words), rows=24)
        play.append(watcher)
        patience = Patience(60)
        while read_lines(watcher.read_screen()) != lines:
            assert patience.lasts(), (kind, watcher.text(), lines)


def read_lines(screen: Emulator) -> list[str]:
    """Return the screen's lines, without blanks at their ends and at the screen's."""
    return "\n".join(line.rstrip() for line in screen.text().splitlines()).rstrip().splitlines()
