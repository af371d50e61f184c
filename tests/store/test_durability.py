"""Acknowledged means safe: however the process ends, whatever a crash leaves, on a full disk."""

from __future__ import annotations

import errno
import io
import json
import multiprocessing
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import killed_writer
import pytest
import zstandard
from places import found, put
from processes import open_files

from steno.errors import NoSpaceError, StenoError, StoreError
from steno.store.opening import open_store
from steno.store.protocol import OffsetError, Store
from steno.store.truth import Truth, directory_name, shard_name

KILLS = 200
DATA = b"".join(b'{"n":%d}\n' % number for number in range(100_000))
FIRST, SECOND = DATA[:300_000], DATA[300_000:700_000]
"""More than a frame each, so that each is packed at once."""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Give a directory for a store."""
    return tmp_path / "store"


@pytest.fixture
def files(place: Path) -> Path:
    """Make a recording of three frames' worth and a tail; return its directory."""
    store = open_store(place)
    store.append("r", 0, FIRST, sender="web1")
    store.append("r", len(FIRST), SECOND, sender="web1")
    store.append("r", 700_000, DATA[700_000:700_100], sender="web1")
    store.close()
    directory = place / "recordings" / shard_name("r") / directory_name("r")
    assert {path.name for path in directory.iterdir()} == {
        "header.json", "lines.zst", "lines.index", "700000.tail",
    }  # fmt: skip
    return directory


def whole(place: Path) -> bytes:
    """Return the recording as a store opened anew reads it."""
    store = open_store(place)
    try:
        data = b"".join(store.read("r"))
        assert store.durable_bytes("r") == len(data)
        return data
    finally:
        store.close()


@pytest.mark.slow
def test_kills_lose_nothing(place: Path) -> None:
    """A writer killed at random, again and again: all it was told is safe is there each time."""
    program = Path(__file__).with_name("killed_writer.py")
    done = subprocess.run(
        [sys.executable, str(program), str(place), str(KILLS), "7"],
        capture_output=True, text=True, timeout=280, check=False,
        env={**os.environ, "PYTHONPATH": str(program.parent)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["rounds"] == KILLS
    assert report["appends"] >= KILLS


def test_processes_work_side_by_side(place: Path) -> None:
    """Three processes that append and index one recording at once leave it whole, once."""
    length = 1_500_000
    spawn = multiprocessing.get_context("spawn")
    processes = [
        spawn.Process(target=killed_writer.write_together, args=(place, length)) for _ in range(3)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(100)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert killed_writer.check(place, {0: length}) == length


def test_what_lies_on_disk_is_plain_zstd(files: Path) -> None:
    """Frames and tail together are the recording, for anyone with zstdcat."""
    with (files / "lines.zst").open("rb") as file:
        reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
        packed = io.BufferedReader(reader).read()
    assert packed + (files / "700000.tail").read_bytes() == DATA[:700_100]


def leave_torn_frame(files: Path) -> None:
    """As after a crash while a frame was written."""
    with (files / "lines.zst").open("ab") as file:
        file.write(zstandard.ZstdCompressor().compress(DATA[700_000:700_100])[:-7])


def leave_whole_frame(files: Path) -> None:
    """As after a crash before the new tail was made."""
    with (files / "lines.zst").open("ab") as file:
        file.write(zstandard.ZstdCompressor().compress(DATA[700_000:700_100]))


def leave_zeros(files: Path) -> None:
    """As after a power cut that kept a file's length, not its bytes."""
    with (files / "lines.zst").open("ab") as file:
        file.write(bytes(5000))


def leave_old_tails(files: Path) -> None:
    """As after a crash before old tails were removed."""
    (files / "0.tail").write_bytes(DATA[:300_000])
    (files / "300000.tail").write_bytes(DATA[300_000:700_000])


def lose_index(files: Path) -> None:
    """As after a power cut: the index was never synced."""
    (files / "lines.index").unlink()


def shorten_index(files: Path) -> None:
    """As after a power cut in the middle of the index."""
    os.truncate(files / "lines.index", 20)


def scramble_index(files: Path) -> None:
    """As written by somebody else."""
    (files / "lines.index").write_bytes(os.urandom(64))


def zero_index(files: Path) -> None:
    """As after a power cut that kept its length, not its bytes."""
    (files / "lines.index").write_bytes(bytes(64))


def outrun_index(files: Path) -> None:
    """As when the index speaks of a frame that was cut off again."""
    with (files / "lines.index").open("ab") as file:
        file.write((700_100).to_bytes(8, "little") + (999_999).to_bytes(8, "little"))


def leave_new_directory(files: Path) -> None:
    """As after a crash while another recording began."""
    new = files.parent / ".new-1-2"
    new.mkdir()
    (new / "0.tail").write_bytes(b"x")
    (files.parent / "half").mkdir()


CRASHES = (
    leave_torn_frame, leave_whole_frame, leave_zeros, leave_old_tails, lose_index, shorten_index,
    scramble_index, zero_index, outrun_index, leave_new_directory,
)  # fmt: skip


@pytest.mark.parametrize("crash", CRASHES, ids=lambda crash: crash.__name__)
def test_any_crash_leaves_all_bytes(
    place: Path, files: Path, crash: Callable[[Path], None]
) -> None:
    """Whatever a crash leaves, the bytes are whole, and the recording goes on as before."""
    crash(files)
    assert whole(place) == DATA[:700_100]
    store = open_store(place)
    assert list(store.recs()) == ["r"]
    assert store.append("r", 699_000, DATA[699_000:1_000_000], sender="web1") == 1_000_000
    store.close()
    assert whole(place) == DATA[:1_000_000]
    (files / "lines.index").unlink()
    assert whole(place) == DATA[:1_000_000]


def test_new_tail_without_bytes(place: Path, files: Path) -> None:
    """A crash right after a new tail was made, the old one not removed, loses nothing."""
    os.rename(files / "700000.tail", files / "saved")
    store = open_store(place)
    with pytest.raises(StoreError, match="damaged"):
        store.durable_bytes("r")
    store.close()
    (files / "300000.tail").write_bytes(DATA[300_000:700_000])
    (files / "700000.tail").touch()
    assert whole(place) == DATA[:700_000]


def test_torn_append_is_completed(place: Path, files: Path) -> None:
    """Bytes of an append that was never acknowledged count, and sending it again completes it."""
    with (files / "700000.tail").open("ab") as file:
        file.write(DATA[700_100:700_133])
    store = open_store(place)
    assert store.durable_bytes("r") == 700_133
    assert store.append("r", 700_100, DATA[700_100:700_200], sender="web1") == 700_200
    store.close()
    assert whole(place) == DATA[:700_200]


@pytest.mark.parametrize("is_indexed", [True, False])
def test_damage_is_named(place: Path, files: Path, is_indexed: bool) -> None:
    """A cut or altered file is named in one line; bytes that are good can still be read."""
    if not is_indexed:
        (files / "lines.index").unlink()
    altered = bytearray((files / "lines.zst").read_bytes())
    altered[-3000] ^= 1
    (files / "lines.zst").write_bytes(altered)
    store = open_store(place)
    assert b"".join(store.read("r", 0, 300_000)) == FIRST
    assert b"".join(store.read("r", 700_000)) == DATA[700_000:700_100]
    with pytest.raises(StoreError, match=r"lines\.zst.*damaged"):
        list(store.read("r", 0))
    store.close()
    os.truncate(files / "lines.zst", 1000)
    store = open_store(place)
    with pytest.raises(StoreError, match=r"lines\.zst.*damaged"):
        list(store.read("r", 0))
    assert list(store.recs()) == ["r"]
    store.close()


def test_newer_recordings_are_left_alone(place: Path, files: Path) -> None:
    """Files of a newer format are refused in one line, not misread."""
    header = json.loads((files / "header.json").read_bytes())
    (files / "header.json").write_text(json.dumps({**header, "format": 2}))
    store = open_store(place)
    for use in (store.durable_bytes, lambda rec: list(store.read(rec))):
        with pytest.raises(StoreError, match="format 2 is newer"):
            use("r")
    store.close()


def test_ended_recordings_are_packed(place: Path) -> None:
    """Once a recording has ended, all of it is compressed, and it can still go on."""
    store = open_store(place)
    store.append("r", 0, DATA[:50_000], sender=None)
    put(store, "r", "x", is_live=False)
    directory = place / "recordings" / shard_name("r") / directory_name("r")
    assert (directory / "50000.tail").stat().st_size == 0
    assert 0 < (directory / "lines.zst").stat().st_size < 25_000
    store.append("r", 50_000, DATA[50_000:60_000], sender=None)
    store.close()
    assert whole(place) == DATA[:60_000]


def test_many_recordings_at_once(place: Path) -> None:
    """More recordings than are kept open at once are appended to in turn."""
    truth = Truth(place, open_limit=5)
    for turn in range(2):
        for number in range(20):
            truth.append(f"r{number}", turn * 3, b"%03d" % turn, None)
    assert len(open_files(place)) <= 2 * 5
    for number in range(20):
        assert b"".join(truth.read(f"r{number}", 0, None)) == b"000001"
    truth.close()


# A full disk.


@contextmanager
def limited_files(limit_bytes: int) -> Iterator[None]:
    """Let no file grow beyond a limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_file_limit(place: Path, files: Path) -> None:
    """When a file cannot grow, nothing of the append counts; it goes through once there is room."""
    store = open_store(place)
    tail = len(DATA[700_000:700_100])
    with limited_files(tail + 5000), pytest.raises(NoSpaceError):
        store.append("r", 700_100, DATA[700_100:710_000], sender="web1")
    assert store.durable_bytes("r") == 700_100
    assert b"".join(store.read("r", 700_000)) == DATA[700_000:700_100]
    assert store.append("r", 700_100, DATA[700_100:710_000], sender="web1") == 710_000
    store.close()
    assert whole(place) == DATA[:710_000]


def test_frames_that_find_no_room_wait(place: Path, files: Path) -> None:
    """An append is good although packing found no room; packing is tried again later."""
    store = open_store(place)
    size = (files / "lines.zst").stat().st_size
    noise = os.urandom(300_000)
    with limited_files(max(size + 1000, 300_200)):
        assert store.append("r", 700_100, noise, sender="web1") == 1_000_100
    assert (files / "700000.tail").exists()
    assert (files / "lines.zst").stat().st_size == size
    assert store.append("r", 1_000_100, noise, sender="web1") == 1_300_100
    assert (files / "1300100.tail").exists()
    store.close()
    assert whole(place) == DATA[:700_100] + noise * 2


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of 3 MB."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a small disk needs root and Debian's mount")
    directory = tmp_path / "disk"
    directory.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "steno-test", str(directory)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if mounted.returncode:
        pytest.skip(f"no small disk here: {mounted.stderr.strip()}")
    yield directory
    subprocess.run(["umount", "-l", str(directory)], check=True)


def append_until_full(store: Store, step: int) -> int:
    """Append noise until there is no room; return the length."""
    length = 0
    while True:
        try:
            length = store.append("r", length, noise_at(length, step), sender=None)
        except NoSpaceError:
            assert store.durable_bytes("r") == length
            return length


def noise_at(offset: int, length: int) -> bytes:
    """Return bytes that do not compress, the same for the same place."""
    import random

    return random.Random(offset).randbytes(length)


def test_full_disk(small_disk: Path) -> None:
    """On a full disk appends are refused whole; what was acknowledged stays readable."""
    store = open_store(small_disk / "store")
    length = append_until_full(store, 7000)
    expected = b"".join(noise_at(offset, 7000) for offset in range(0, length, 7000))
    assert b"".join(store.read("r")) == expected
    for rec in ("new1", "new2"):
        with pytest.raises(NoSpaceError):
            store.append(rec, 0, noise_at(1, 300_000), sender=None)
        assert store.durable_bytes(rec) == 0
    with pytest.raises(NoSpaceError):
        put(store, "r", *(noise_at(number, 400).hex() for number in range(2000)))
    assert store.derived_state("r").serial == 0
    store.close()
    reopened = open_store(small_disk / "store")
    assert b"".join(reopened.read("r")) == expected
    assert list(reopened.recs()) == ["r"]
    reopened.close()


# The index.


def test_newer_index_is_refused(place: Path) -> None:
    """An index of a newer version is refused in one line that names both versions."""
    import apsw

    open_store(place).close()
    connection = apsw.Connection(str(place / "index.sqlite"))
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreError, match=r"index\.sqlite: version 99 is newer") as caught:
        open_store(place)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("junk", [b"no database" * 300, b"SQLite format 3\0" + b"\xff" * 5000])
def test_damaged_index_is_named(place: Path, junk: bytes) -> None:
    """A damaged index is named with what to do; once removed, the recordings are still there."""
    store = open_store(place)
    store.append("r", 0, b"one\n", sender=None)
    put(store, "r", "needle")
    store.close()
    (place / "index.sqlite").write_bytes(junk)
    for name in ("index.sqlite-wal", "index.sqlite-shm"):
        (place / name).unlink(missing_ok=True)
    with pytest.raises(StoreError, match="steno server reindex"):
        open_store(place)
    (place / "index.sqlite").unlink()
    store = open_store(place)
    assert b"".join(store.read("r")) == b"one\n"
    assert store.derived_bytes("r") == 0
    put(store, "r", "needle")
    assert found(store, "needle") == [("r", 0)]
    store.close()


def test_unusable_directory(tmp_path: Path) -> None:
    """A directory that cannot be made or must exist and does not is named in one line."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match=os.strerror(errno.ENOTDIR)):
        open_store(tmp_path / "file" / "store")
    with pytest.raises(StenoError, match="no store in"):
        open_store(tmp_path / "missing", must_exist=True)
    assert not (tmp_path / "missing").exists()


def test_errors_are_one_line(place: Path) -> None:
    """What goes wrong is told in one line."""
    store = open_store(place)
    with pytest.raises(OffsetError) as caught:
        store.append("r", 5, b"x", sender=None)
    assert "\n" not in str(caught.value)
    store.close()
