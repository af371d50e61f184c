"""Recordings into named pipes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from driven import STENO, Recorded
from recorded_lines import make_lines

from steno.delivery.writers.file import FileWriter
from steno.delivery.writers.pipe import PipeWriter, open_path
from steno.errors import NotFoundError, UnreachableError


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """A named pipe."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


def test_a_pipe_without_a_reader_is_refused(pipe: Path) -> None:
    """Nobody waits for a reader who may never come: one line says that there is none."""
    with pytest.raises(UnreachableError, match="a pipe that nobody reads"):
        open_path(str(pipe))
    command = [*STENO, "rec", "-q", "--file", str(pipe), "--", "echo", "ran"]
    ran = subprocess.run(command, capture_output=True, check=False, timeout=60)
    assert (ran.returncode, ran.stdout, ran.stderr.count(b"\n")) == (11, b"", 1)


def test_a_slow_reader_gets_all_in_order(pipe: Path) -> None:
    """What does not fit waits, without making anybody wait; the reader sees the end at last."""
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    lines = make_lines("rec", 3) * 500
    writer = open_path(str(pipe))
    writer.write(lines)
    assert writer.pending_bytes > 0
    assert writer.fileno() is not None
    data = b""
    while writer.pending_bytes:
        data += os.read(reader, 65536)
        writer.flush()
    writer.close()
    with os.fdopen(reader, "rb") as rest:
        assert data + rest.read() == b"".join(lines)
    assert writer.handed_bytes == len(b"".join(lines))


def test_a_reader_that_goes_is_told(pipe: Path) -> None:
    """When nobody reads any more, that is an error, not a signal or a silence."""
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    writer = PipeWriter(str(pipe))
    os.close(reader)
    with pytest.raises(UnreachableError, match="nobody reads it any more"):
        writer.write(make_lines("rec", 1))
    writer.close()


def test_a_command_is_recorded_into_a_pipe(pipe: Path, tmp_path: Path) -> None:
    """`steno rec --file PIPE` hands the whole recording to the program that reads there."""
    with (tmp_path / "kept").open("wb") as kept:
        reader = subprocess.Popen(["cat", str(pipe)], stdout=kept)
        command = [*STENO, "rec", "-q", "--file", str(pipe), "--", "seq", "30000"]
        waited = subprocess.run(
            ["sh", "-c", f'exec 3>{pipe}; "$@"', "x", *command],
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert waited.returncode == 0, waited.stderr
        assert reader.wait(60) == 0
    assert Recorded(tmp_path / "kept").output() == waited.stdout
    assert Recorded(tmp_path / "kept").end.exit_status == 0


def test_other_paths_are_files(tmp_path: Path) -> None:
    """A new path becomes a file; what is wrong with a path is said as before."""
    writer = open_path(str(tmp_path / "new"))
    assert isinstance(writer, FileWriter)
    writer.close()
    with pytest.raises(NotFoundError):
        open_path(str(tmp_path / "no/where"))
