"""What the host knows about a session."""

from __future__ import annotations

import multiprocessing
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from steno.errors import StoreError
from steno.recorder.facts import audited_pid, find_in_utmp, make_rec, take_number, to_text


def entry(kind: int, line: bytes, host: bytes) -> bytes:
    """Return one utmp record, laid out as utmp(5) has it."""
    numbers = (0,) * 5
    layout = "<hxxi32s4s32s256shhiii16s20x"
    return struct.pack(layout, kind, 1, line, b"", b"u", host, *numbers, b"")


def test_remote_from_utmp() -> None:
    """The host of the last login on the terminal; other lines and other kinds don't count."""
    data = entry(7, b"pts/1", b"10.0.0.1") + entry(8, b"pts/3", b"dead")
    data += entry(7, b"pts/3", b"10.0.0.9") + entry(7, b"pts/30", b"other") + b"torn"
    assert find_in_utmp(data, "/dev/pts/3") == "10.0.0.9"
    assert find_in_utmp(data, "/dev/pts/4") is None
    assert find_in_utmp(entry(7, b"tty1", b""), "/dev/tty1") is None


def count_many(directory: Path, times: int) -> list[int]:
    """Take some numbers."""
    return [take_number(directory) for _ in range(times)]


def test_numbers_are_unique_and_without_gaps(tmp_path: Path) -> None:
    """Recorders that count at the same time get the numbers 1 to n, each once."""
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        found = pool.starmap(count_many, [(tmp_path / "state", 20)] * 3)
    assert sorted(number for numbers in found for number in numbers) == [*range(1, 61)]


def test_number_that_cannot_be_kept(tmp_path: Path) -> None:
    """A state directory that cannot be used is an error that names it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="file"):
        take_number(tmp_path / "file" / "state")


def test_a_containers_process_ids_are_not_told() -> None:
    """The audit trail has the host's ids: one of another namespace would name somebody else."""
    is_first = os.stat("/proc/self/ns/pid").st_ino == 4026531836
    assert audited_pid(77) == (77 if is_first else None)
    program = "from steno.recorder.facts import audited_pid; print(audited_pid(77))"
    words = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", sys.executable, "-c"]
    told = subprocess.run([*words, program], capture_output=True, text=True, check=False)
    if told.returncode:
        pytest.skip(f"no namespace of process ids can be made here: {told.stderr.strip()}")
    assert told.stdout == "None\n"


def test_rec_tells_boot_process_and_start() -> None:
    """The id names the process's start, its id and the boot, what differs most first."""
    ticks, pid, boot = make_rec("ab" * 16).split("-")
    stat = Path("/proc/self/stat").read_text()
    assert boot == "ab" * 16
    assert int(pid, 16) == int(stat.split()[0])
    assert int(ticks, 16) == int(stat.rpartition(")")[2].split()[19])


def test_arguments_that_are_no_text() -> None:
    """Bytes that are not UTF-8 become escapes: JSON can hold them."""
    assert to_text("gr\u00fcn") == "gr\u00fcn"
    assert to_text("\udcff!") == "\\xff!"
