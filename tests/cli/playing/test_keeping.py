"""Long recordings are read and played in little memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from driven import STENO
from hypothesis import given
from hypothesis import strategies as st
from watching import Watcher

from steno.cli.playing.keeping import KeptPieces
from steno.cli.playing.playback import Timeline
from steno.formats.cutter import Cutter, Identity
from steno.model import End, Output, Start, Window

INSTANTS = st.integers(0, 1 << 50)
PIECES = st.lists(
    st.builds(Output, INSTANTS, st.binary(max_size=20), st.booleans())
    | st.builds(Window, INSTANTS, st.integers(0, 65535), st.integers(0, 65535))
)


@given(PIECES, st.integers(1, 40))
def test_kept_pieces_are_what_was_given(pieces: list[Output | Window], memory_bytes: int) -> None:
    """From memory or from the disk, every piece comes back as it was, in any order."""
    kept = KeptPieces(memory_bytes)
    timeline = Timeline(kept)
    for piece in pieces:
        timeline.add([piece])
        assert kept[-1] == piece
    assert [kept[index] for index in range(len(kept))] == pieces
    assert [piece for run in timeline.runs(0, len(kept)) for piece in run] == pieces
    with pytest.raises(IndexError):
        kept[len(pieces)]
    kept.close()


def make_long_recording(path: Path, megabytes: int) -> int:
    """Write a recording of about so many megabytes; return how much output is in it."""
    start = Start(user="avery", host="web01", started_unix_us=10**15, recorder="test")
    cutter = Cutter(Identity("web01", "long-1", "avery", "xterm", 5, start))
    data = b"0123456789abcde\n" * 256
    written = 0
    with path.open("wb") as file:
        file.write(cutter.begin(0))
        while file.tell() < megabytes << 20:
            file.writelines(cutter.add(Output(written // 100, data)))
            written += len(data)
        file.writelines(cutter.end(End("exit", 0), written // 100))
    return written


MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


@pytest.mark.parametrize("command", [["cat"], ["play"], ["tlog", "play", "-i"]])
def test_a_long_file_is_written_out_in_little_memory(tmp_path: Path, command: list[str]) -> None:
    """A recording ten times as long takes no more memory to write out."""
    peaks_kib = []
    for megabytes in (4, 40):
        path = tmp_path / f"{megabytes}.log"
        make_long_recording(path, megabytes)
        ran = subprocess.run(
            [sys.executable, "-c", MEASURE, *STENO, *command, str(path)],
            capture_output=True,
            check=True,
            timeout=100,
        )
        peaks_kib.append(int(ran.stdout))
    assert peaks_kib[1] < peaks_kib[0] + 16 * 1024


def read_peak_kib(pid: int) -> int:
    """Return the most memory that a process has used so far."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1])


def test_a_long_file_is_played_in_bounded_memory(tmp_path: Path) -> None:
    """Of a long recording the player has the output on disk: memory doesn't grow with it."""
    path = tmp_path / "r.log"
    written = make_long_recording(path, 90)
    watcher = Watcher([*STENO, "play", "-p", str(path)])
    try:
        watcher.wait_for("paused", timeout_s=100)
        assert read_peak_kib(watcher.process.pid) * 1024 < written
        watcher.send(b"q")
        assert watcher.finish() == 0
    finally:
        watcher.close()
