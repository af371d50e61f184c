"""Recordings in plain files."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from recorded_lines import make_lines

from steno.delivery.writers.file import FileWriter
from steno.errors import FormatError, NotFoundError, StoreError
from steno.formats.tlog import Damage, Decoder


def test_appends_lines(tmp_path: Path) -> None:
    """Lines stand in the file as they were given, behind what was there, readable to us only."""
    path = tmp_path / "a.log"
    first, second = make_lines("one", 3), make_lines("two", 2)
    for lines in (first, second):
        writer = FileWriter(str(path))
        writer.write(lines)
        assert writer.pending_bytes == 0
        writer.close()
        writer.close()
    assert path.read_bytes() == b"".join(first + second)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_torn_last_line_is_ended(tmp_path: Path) -> None:
    """Behind a torn line a new recording starts on a line of its own."""
    path = tmp_path / "a.log"
    old, new = make_lines("one", 2), make_lines("two", 1)
    path.write_bytes(b"".join(old)[:-5])
    writer = FileWriter(str(path))
    writer.write(new)
    writer.close()
    assert path.read_bytes() == b"".join(old)[:-5] + b"\n" + b"".join(new)


def test_refuses_what_is_no_recording(tmp_path: Path) -> None:
    """A file that holds something else is left as it is."""
    path = tmp_path / "notes.txt"
    path.write_text("buy milk\n")
    with pytest.raises(FormatError, match=r"notes\.txt: is no recording"):
        FileWriter(str(path))
    assert path.read_text() == "buy milk\n"


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    """A missing directory and a directory in its place are errors that name the path."""
    with pytest.raises(NotFoundError, match="no such directory"):
        FileWriter(str(tmp_path / "none" / "a.log"))
    with pytest.raises(StoreError, match="Is a directory"):
        FileWriter(str(tmp_path))


def test_a_device_will_do() -> None:
    """Devices, which cannot be synced, are no failure."""
    writer = FileWriter("/dev/null")
    writer.write([b"{}\n"])
    writer.close()


FILL = """
import sys
from steno.delivery.writers.file import FileWriter
from steno.errors import NoSpaceError
writer = FileWriter(sys.argv[1])
line = b'{"a":"' + b"x" * 700 + b'"}\\n'
try:
    for count in range(1000):
        writer.write([line, line])
except NoSpaceError as error:
    print(error)
writer.close()
"""


def test_a_full_disk_leaves_whole_lines(tmp_path: Path) -> None:
    """When no more fits, that is said, and no part of a line stays behind."""
    path = tmp_path / "a.log"

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    run = subprocess.run(
        [sys.executable, "-c", FILL, str(path)],
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=True,
    )
    data = path.read_bytes()
    line_bytes = 700 + 9
    assert run.stdout == f"file {path}: File too large\n"
    assert len(data) == 100_000 // line_bytes * line_bytes
    assert data.endswith(b'"}\n')
    decoder = Decoder()
    assert all(isinstance(item, Damage) for item in decoder.feed(data))
