"""The spool keeps what it promised, within its limits, for several processes at a time."""

from __future__ import annotations

import os
import resource
import signal
import stat
import threading
from pathlib import Path

import pytest

from steno.delivery.spool import Spool
from steno.delivery.spool_limits import SpoolLimits
from steno.delivery.syncing import SyncRule, SyncThread
from steno.errors import ConfigError, NoSpaceError, NotFoundError, StoreError, UsageError


class Clock:
    """An instant that the test moves."""

    def __init__(self) -> None:
        self.now_us = 0

    def __call__(self) -> int:
        """Read the clock."""
        return self.now_us


def line_of(length_bytes: int) -> bytes:
    """Return a line of exactly this length."""
    return b"x" * (length_bytes - 1) + b"\n"


def test_lines_are_read_back_as_they_were_appended(tmp_path: Path) -> None:
    """What was appended is what a reader finds, and finishing says that no more will come."""
    spool = Spool(tmp_path / "spool")
    file = spool.begin("a-1")
    file.append(b"one\n")
    file.append(b"two\n")
    reader = spool.open("a-1")
    assert reader.available() == (8, False)
    file.append(b"three\n")
    file.finish()
    assert reader.available() == (14, True)
    assert reader.read(0, 14) == b"one\ntwo\nthree\n"
    assert reader.read(4, 8) == b"two\n"
    reader.close()
    [entry] = spool.entries()
    assert (entry.rec, entry.size_bytes, entry.is_finished) == ("a-1", 14, True)


def test_a_torn_line_is_not_available(tmp_path: Path) -> None:
    """Bytes after the last newline are never offered for sending."""
    spool = Spool(tmp_path)
    file = spool.begin("r")
    file.append(line_of(100_000))
    with (tmp_path / "r.open").open("ab") as torn:
        torn.write(b"y" * 200_000)
    reader = spool.open("r")
    assert reader.available() == (100_000, False)
    reader.close()
    file.close()


def test_nobody_else_may_read_the_spool(tmp_path: Path) -> None:
    """The directory has mode 0700 and every file in it 0600, whatever the umask is."""
    before = os.umask(0)
    try:
        spool = Spool(tmp_path / "spool")
        file = spool.begin("r")
        file.append(b"secret\n")
        file.finish()
        spool.acknowledge("r", 3)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "spool").stat().st_mode) == 0o700
    modes = {
        item.name: stat.S_IMODE(item.stat().st_mode) for item in (tmp_path / "spool").iterdir()
    }
    assert modes == {".lock": 0o600, "r.done": 0o600, "r.delivered": 0o600}


@pytest.mark.parametrize("rec", ["", ".", "../x", "a/b", "a b", "-a", "ä", "a" * 129, "a\n"])
def test_a_strange_id_never_becomes_a_file(tmp_path: Path, rec: str) -> None:
    """An id that could leave the directory or hide in it is refused."""
    spool = Spool(tmp_path)
    with pytest.raises(UsageError):
        spool.begin(rec)
    with pytest.raises(UsageError):
        spool.open(rec)


def test_an_id_is_used_once(tmp_path: Path) -> None:
    """A second recording of the same id is refused, finished or not."""
    spool = Spool(tmp_path)
    file = spool.begin("r")
    with pytest.raises(StoreError, match="exists already"):
        spool.begin("r")
    file.append(b"x\n")
    file.finish()
    with pytest.raises(StoreError, match="exists already"):
        spool.begin("r")
    with pytest.raises(NotFoundError):
        spool.open("other")


def test_a_full_spool_refuses_and_writes_nothing(tmp_path: Path) -> None:
    """Under `refuse`, a line beyond the limit raises and writes nothing; an end may come."""
    spool = Spool(tmp_path, SpoolLimits(total_bytes=100_000, free_bytes=0))
    file = spool.begin("r")
    file.append(line_of(60_000))
    with pytest.raises(NoSpaceError, match="60000 of at most 100000"):
        file.append(line_of(50_000))
    assert (tmp_path / "r.open").stat().st_size == 60_000
    file.append(line_of(30_000))
    with pytest.raises(NoSpaceError):
        spool.begin("another")
    assert not (tmp_path / "another.open").exists()
    file.append(line_of(20_000), is_ending=True)
    file.finish()
    assert (tmp_path / "r.done").stat().st_size == 110_000


def test_a_scarce_disk_refuses(tmp_path: Path) -> None:
    """What must stay free on the disk stays free."""
    disk = os.statvfs(tmp_path)
    spool = Spool(tmp_path, SpoolLimits(free_bytes=disk.f_blocks * disk.f_frsize * 2))
    with pytest.raises(NoSpaceError, match="must stay so"):
        spool.begin("r")


def test_a_disk_that_is_full_loses_only_the_new_line(tmp_path: Path) -> None:
    """When the system refuses a write half-way, the file keeps whole lines only."""
    spool = Spool(tmp_path)
    file = spool.begin("r")
    file.append(line_of(5000))
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8000, limits[1]))
    try:
        with pytest.raises(NoSpaceError):
            file.append(line_of(5000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert (tmp_path / "r.open").read_bytes() == line_of(5000)
    file.append(line_of(10))
    file.finish()
    assert (tmp_path / "r.done").stat().st_size == 5010


def test_delivered_recordings_go_at_once_under_refuse(tmp_path: Path) -> None:
    """A finished recording that a server has wholly is removed; an unfinished one stays."""
    spool = Spool(tmp_path)
    for rec in ("a", "b"):
        file = spool.begin(rec)
        file.append(b"line\n")
        if rec == "a":
            file.finish()
        spool.acknowledge(rec, 5)
    spool.complete("a")
    assert [(entry.rec, entry.delivered_bytes) for entry in spool.entries()] == [("b", 5)]
    assert sorted(item.name for item in tmp_path.iterdir()) == [".lock", "b.delivered", "b.open"]


def test_the_oldest_delivered_make_room(tmp_path: Path) -> None:
    """Under `drop-oldest-delivered` copies stay until room is needed; undelivered ones stay."""
    limits = SpoolLimits(total_bytes=200_000, free_bytes=0, policy="drop-oldest-delivered")
    spool = Spool(tmp_path, limits)
    for number, rec in enumerate(("a", "b", "c")):
        file = spool.begin(rec)
        file.append(line_of(40_000))
        file.finish()
        os.utime(tmp_path / f"{rec}.done", (number, number))
        spool.acknowledge(rec, 40_000)
    spool.complete("b")
    spool.complete("c")
    spool.complete("c")
    file = spool.begin("d")
    delivered = [(entry.rec, entry.is_delivered) for entry in spool.entries()]
    assert delivered == [("a", False), ("b", True), ("c", True), ("d", False)]
    file.append(line_of(100_000))
    assert [entry.rec for entry in spool.entries()] == ["a", "c", "d"]
    with pytest.raises(NoSpaceError):
        file.append(line_of(100_000))
    assert [entry.rec for entry in spool.entries()] == ["a", "d"]
    file.close()
    reader = spool.open("a")
    assert reader.available() == (40_000, True)
    reader.close()


def test_a_sync_is_due_a_second_after_the_first_unsynced_write() -> None:
    """Later writes do not put the sync off, and a failed one stays due."""
    rule = SyncRule(1000)
    assert rule.due_us is None
    rule.wrote(10)
    rule.wrote(900)
    assert rule.due_us == 1010
    began = rule.begin_sync()
    assert rule.due_us is None
    rule.failed(began)
    assert rule.due_us == 1010


def test_the_file_says_when_it_must_be_synced(tmp_path: Path) -> None:
    """The recorder's loop learns its next deadline from the file, on the injected clock."""
    clock = Clock()
    spool = Spool(tmp_path, clock=clock, sync_every_us=1000)
    file = spool.begin("r")
    assert file.sync_due_us is None
    clock.now_us = 5
    file.append(b"x\n")
    assert (file.sync_due_us, file.synced_bytes) == (1005, 0)
    file.sync()
    assert (file.sync_due_us, file.synced_bytes) == (None, 2)
    file.finish()
    file.sync()
    file.close()


def test_the_thread_syncs_what_is_due() -> None:
    """A watched file is synced when its instant has come, and a forgotten one is not."""

    class File:
        def __init__(self) -> None:
            self.sync_due_us: int | None = 1_000_000
            self.synced = threading.Event()

        def sync(self) -> None:
            self.sync_due_us = None
            self.synced.set()

    clock = Clock()
    clock.now_us = 2_000_000
    with SyncThread(clock) as thread:
        forgotten, watched = File(), File()
        forgotten.sync_due_us = None
        thread.watch(forgotten)
        thread.forget(forgotten)
        thread.watch(watched)
        assert watched.synced.wait(60)
    assert not forgotten.synced.is_set()


def test_a_spool_that_may_not_be_used_says_so(tmp_path: Path) -> None:
    """A file in the directory's place is one clear error."""
    (tmp_path / "spool").write_text("no directory")
    with pytest.raises(StoreError, match="spool"):
        Spool(tmp_path / "spool")


def test_a_directory_of_others_does_not_become_a_spool(tmp_path: Path) -> None:
    """One that was named by mistake keeps its mode and what is in it; an empty one is taken."""
    common = tmp_path / "common"
    common.mkdir(mode=0o755)
    Spool(common)
    assert stat.S_IMODE(common.stat().st_mode) == 0o700
    common.chmod(0o755)
    (common / "limits.toml").touch()
    (common / "r.done").touch()
    Spool(common)
    assert stat.S_IMODE(common.stat().st_mode) == 0o700
    common.chmod(0o755)
    (common / "somebody's").touch()
    with pytest.raises(StoreError, match="holds somebody's"):
        Spool(common)
    assert stat.S_IMODE(common.stat().st_mode) == 0o755


def test_the_limits_stand_in_the_spool(tmp_path: Path) -> None:
    """All who use a spool go by its limits.toml; without one, by the defaults."""
    assert Spool(tmp_path).limits == SpoolLimits()
    (tmp_path / "limits.toml").write_text(
        'total_bytes = 2_000_000\nfree_bytes = 0\npolicy = "drop-oldest-delivered"\n'
    )
    limits = SpoolLimits(total_bytes=2_000_000, free_bytes=0, policy="drop-oldest-delivered")
    assert Spool(tmp_path).limits == limits
    assert Spool(tmp_path).entries() == []


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("total = 5", "limits.toml: total: there is no such key"),
        ('policy = "drop"', "policy"),
        ("total_bytes = 5", "total_bytes"),
        ("total_bytes =", "limits.toml"),
        ("\xff", "limits.toml"),
    ],
)
def test_wrong_limits_are_named(tmp_path: Path, text: str, place: str) -> None:
    """An unknown key or a wrong value is an error that names file and key."""
    (tmp_path / "limits.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match=place):
        Spool(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can write into another user's spool")
def test_what_root_writes_belongs_to_the_spools_owner(tmp_path: Path) -> None:
    """A recording that root makes in a service's spool can be delivered by that service."""
    directory = tmp_path / "spool"
    directory.mkdir()
    os.chown(directory, 4711, 4712)
    spool = Spool(directory)
    spool.begin("rec").finish()
    spool.acknowledge("rec", 0)
    spool.lock_delivery()
    owners = {(path.name, path.stat().st_uid, path.stat().st_gid) for path in directory.iterdir()}
    assert {(uid, gid) for _, uid, gid in owners} == {(4711, 4712)}
    assert len(owners) == 4
