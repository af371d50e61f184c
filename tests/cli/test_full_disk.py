"""Disks that are full: one line, code 10, nothing half-written, and going on once there is room."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_recordings import make_recording
from live_server import STENO, LiveServer, run_steno
from recorded_lines import fill_spool

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0
    or subprocess.run(["unshare", "--mount", "true"], check=False).returncode != 0,
    reason="needs root and the right to mount, to make a disk that fills up",
)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 3 MB."""
    path = tmp_path / "disk"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "none", str(path)], check=True)
    yield path
    subprocess.run(["umount", str(path)], check=True)


def fill(disk: Path) -> None:
    """Leave no byte free."""
    with (disk / "filler").open("ab", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            return


def check_refusal(done: subprocess.CompletedProcess[str], text: str) -> None:
    """Check that this is code 10 and one line that says `text`."""
    assert done.returncode == 10, done.stderr
    [line] = done.stderr.splitlines()
    assert line.startswith("steno: ")
    assert text in line


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run steno in a process of its own: recorders need one."""
    command = [*STENO, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_session_outlives_the_disk_of_its_recording(disk: Path, tmp_path: Path) -> None:
    """The program runs on, whole lines stay, other places have all of it, the code is 10."""
    spool = ["--spool", tmp_path / "state/spool"]
    files = ["--file", disk / "a.log", "--file", tmp_path / "b.log"]
    done = run("rec", *spool, *files, "--", "head", "-c", "4000000", "/dev/zero")
    check_refusal(done, f"file {disk}/a.log: No space left on device; no longer recorded there")
    assert len(done.stdout) == 4_000_000
    assert (disk / "a.log").read_bytes().endswith(b"}\n")
    verified = run_steno("verify", disk / "a.log", tmp_path / "b.log")
    assert verified.returncode == 0
    assert "unbroken so far" in verified.stdout
    assert "complete" in verified.stdout


def test_a_recording_is_made_although_it_cannot_be_counted(disk: Path, tmp_path: Path) -> None:
    """The number of recordings has no room: that is said, and the recording is whole."""
    fill(disk)
    done = run("rec", "--spool", disk / "spool", "--file", tmp_path / "a.log", "--", "echo", "hi")
    assert (done.returncode, done.stdout) == (0, "hi\n")
    assert done.stderr == (
        f"steno: {disk}/local/number: No space left on device; this recording has no number\n"
    )
    assert "complete" in run_steno("verify", tmp_path / "a.log").stdout


def test_what_finds_no_room_leaves_nothing(disk: Path, tmp_path: Path) -> None:
    """Conversions, accounts, certificates, spools, servers: told, and nothing half-made remains."""
    source = tmp_path / "x.log"
    source.write_bytes(make_recording("r", ["x" * 9000]))
    fill(disk)
    before = sorted(disk.iterdir())
    converted = run_steno("convert", "--to", "tlog", source, disk / "y.log")
    check_refusal(converted, f"{disk}/y.log: the disk is full; nothing was kept")
    assert sorted(disk.iterdir()) == before
    init = run_steno("server", "init", "localhost", "--directory", disk / "a")
    check_refusal(init, f"{disk}/a/ca: No space left on device")
    assert list((disk / "a/ca").iterdir()) == []
    add = ["user", "add", "x", "--role", "user", "--no-password", "--directory", disk / "b"]
    check_refusal(run_steno(*add), f"{disk}/b/accounts.sqlite: the disk is full")
    serve = run("serve", "--directory", disk / "c", "--listen", "127.0.0.1:0")
    check_refusal(serve, "full")
    enrol = ["host", "enrol", "https://127.0.0.1:9", "CODE", "--host-directory", disk / "d"]
    check_refusal(run_steno(*enrol), f"{disk}/d: No space left on device")
    assert list((disk / "d").iterdir()) == []


def test_a_spool_keeps_its_disk_from_filling_up(disk: Path, tmp_path: Path) -> None:
    """Recording to a server needs the spool's room: without it nothing is started."""
    with LiveServer(tmp_path, is_https=False) as server:
        host = server.enrol("h1", tmp_path / "host")
        rec = ["rec", "--spool", disk / "spool", "--host-directory", host, "--to", "server"]
        done = run(*rec, "--", "touch", tmp_path / "started")
    check_refusal(done, "bytes free, and 67108864 must stay so; nothing was written")
    assert not (tmp_path / "started").exists()


def test_a_server_without_room_says_so_and_takes_the_rest_later(disk: Path, tmp_path: Path) -> None:
    """Deliveries end with code 10 and keep everything; with room again all of it arrives."""
    written = fill_spool(tmp_path / "spool", ["r-1", "r-2"], 40, output_bytes=80_000)
    with LiveServer(disk, is_https=False) as server:
        host = server.enrol("h1", tmp_path / "host")
        places = ["--spool", tmp_path / "spool", "--host-directory", host]
        check_refusal(run_steno("deliver", *places), "has no room: recording r-")
        kept = {path.stem: path.read_bytes() for path in (tmp_path / "spool").glob("*.done")}
        assert kept.keys() <= written.keys()
        assert kept
        assert all(written[rec] == data for rec, data in kept.items())
        subprocess.run(["mount", "-o", "remount,size=40m", str(disk)], check=True)
        assert run_steno("deliver", *places).returncode == 0
    assert {rec: data for rec, (_, data) in server.stored().items()} == written
    assert "Traceback" not in (disk / "server.log").read_text()
