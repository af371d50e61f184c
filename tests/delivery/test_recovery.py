"""A recording that a crash left open is closed, its torn end cut off and the cut recorded."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recorded_lines import make_lines

from steno.delivery.recovery import recover
from steno.delivery.spool import Spool
from steno.formats.tlog import decode_message
from steno.integrity.chain import verify_lines
from steno.model import End, Note, Output


def leave(directory: Path, rec: str, data: bytes) -> Spool:
    """Leave `data` in a spool as a crashed recorder does."""
    spool = Spool(directory)
    file = spool.begin(rec)
    file.close()
    (directory / f"{rec}.open").write_bytes(data)
    return spool


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_crash_at_any_byte_leaves_a_good_chain(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whatever the last byte on disk is, whole lines stay, the cut is noted, the chain ends."""
    lines = make_lines("r", 4)
    whole = b"".join(lines)
    at = data.draw(st.integers(0, len(whole)))
    directory = tmp_path_factory.mktemp("spool")
    spool = leave(directory, "r", whole[:at])
    [recovery] = recover(spool)
    kept = [line for number, line in enumerate(lines) if len(b"".join(lines[: number + 1])) <= at]
    cut_bytes = at - len(b"".join(kept))
    assert recovery.cut_bytes == cut_bytes
    if not kept:
        assert spool.entries() == []
        assert (directory / "r.torn").exists() == (at > 0)
        return
    [entry] = spool.entries()
    assert entry.is_finished
    found = (directory / "r.done").read_bytes().splitlines(keepends=True)
    assert found[:-1] == kept
    last = decode_message(found[-1])
    assert [piece for piece in last.pieces if isinstance(piece, Note)] == [
        Note((len(kept) - 1) * 1_000_000, "torn", {"cut_bytes": cut_bytes})
    ]
    passed = [piece for line in kept for piece in decode_message(line).pieces]
    output_bytes = sum(len(piece.data) for piece in passed if isinstance(piece, Output))
    assert output_bytes > 0
    assert last.end == End("recorder", output_bytes=output_bytes)
    assert verify_lines(found).state == "complete"
    assert recover(spool) == []


def test_a_recording_with_its_end_needs_no_note(tmp_path: Path) -> None:
    """A crash between the last line and finishing changes no byte."""
    whole = b"".join(make_lines("r", 2, is_ended=True))
    spool = leave(tmp_path, "r", whole)
    recover(spool)
    assert (tmp_path / "r.done").read_bytes() == whole


def test_lines_that_the_disk_lost_are_cut_and_counted(tmp_path: Path) -> None:
    """NUL bytes with newlines among them, as a power cut leaves them, are no lines."""
    lines = make_lines("r", 3)
    lost = b"\0" * 100 + b"\n" + b"\0" * 50
    spool = leave(tmp_path, "r", b"".join(lines) + lost)
    [recovery] = recover(spool)
    assert recovery.cut_bytes == len(lost)
    assert (
        verify_lines((tmp_path / "r.done").read_bytes().splitlines(keepends=True)).state
        == "complete"
    )


def test_bytes_that_a_server_has_are_never_cut(tmp_path: Path) -> None:
    """What was acknowledged stays, even if it cannot be read: the server has it too."""
    lines = make_lines("r", 2)
    bad = b"not a message\n"
    spool = leave(tmp_path, "r", b"".join(lines) + bad)
    spool.acknowledge("r", len(b"".join(lines) + bad))
    recover(spool)
    assert (tmp_path / "r.done").read_bytes().startswith(b"".join(lines) + bad)


def test_an_interrupted_recovery_is_recovered(tmp_path: Path) -> None:
    """The closing line, already written over the torn one, is kept and what follows it cut."""
    lines = make_lines("r", 3)
    torn = lines[2][:-5] + b"x" * 400
    spool = leave(tmp_path, "r", b"".join(lines[:2]) + torn)
    recover(spool)
    closed = (tmp_path / "r.done").read_bytes()
    (tmp_path / "r.done").rename(tmp_path / "r.open")
    with (tmp_path / "r.open").open("ab") as file:
        file.write(torn[len(closed) - len(b"".join(lines[:2])) :])
    recover(spool)
    assert (tmp_path / "r.done").read_bytes() == closed


RECORDER = """
import sys, time
from pathlib import Path
from steno.delivery.spool import Spool
file = Spool(Path(sys.argv[1])).begin("r")
for line in sys.stdin.buffer:
    file.append(line)
print("ready", flush=True)
time.sleep(600)
"""


def test_a_live_recorders_file_is_left_alone_until_it_dies(tmp_path: Path) -> None:
    """Recovery by another process waits for the recorder's end, even by SIGKILL."""
    lines = make_lines("r", 2)
    recorder = subprocess.Popen(
        [sys.executable, "-c", RECORDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert recorder.stdin is not None
        assert recorder.stdout is not None
        recorder.stdin.write(b"".join(lines))
        recorder.stdin.close()
        assert recorder.stdout.readline() == b"ready\n"
        spool = Spool(tmp_path)
        assert recover(spool) == []
        assert (tmp_path / "r.open").read_bytes() == b"".join(lines)
        os.kill(recorder.pid, signal.SIGKILL)
        recorder.wait(30)
        [recovery] = recover(spool)
        assert (recovery.rec, recovery.cut_bytes) == ("r", 0)
        found = (tmp_path / "r.done").read_bytes().splitlines(keepends=True)
        assert (len(found), verify_lines(found).state) == (3, "complete")
    finally:
        recorder.kill()
        recorder.wait(30)
        recorder.stdout.close() if recorder.stdout else None
