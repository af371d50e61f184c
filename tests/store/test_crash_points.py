"""Power cuts at every system call: what may be on the disk then is enough for all acknowledged.

The test runs appends with Python's profiler looking on. After every system call it builds what a
disk may hold if the power goes now, and opens that. Names (of files in directories) and contents
may each be as they were last synced, or as they are: four disks for every call.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from steno.store.truth import Truth, shard_name

DATA = b"".join(b'{"n":%d,"x":"%x"}\n' % (n, n * 0x9E3779B97F4A7C15) for n in range(60_000))
REC = "r"
Tree = dict[str, "Tree | bytes"]


class Disk:
    """Knows what of a directory was synced."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._contents: dict[int, bytes] = {}
        self._names: dict[int, dict[str, int]] = {}
        self._held: dict[int, int] = {}

    def note_synced(self, descriptor: int) -> None:
        """Remember what a descriptor stands for, as synced now."""
        status = os.fstat(descriptor)
        if status.st_ino not in self._held:
            # Held open, so that no other file gets this inode's number.
            self._held[status.st_ino] = os.dup(descriptor)
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):
            with os.scandir(f"/proc/self/fd/{descriptor}") as entries:
                self._names[status.st_ino] = {entry.name: entry.inode() for entry in entries}
        else:
            self._contents[status.st_ino] = Path(f"/proc/self/fd/{descriptor}").read_bytes()

    def tree(self, *, synced_names: bool, synced_contents: bool) -> Tree:
        """Return what the disk may hold."""
        return self._tree(self._root, synced_names, synced_contents)

    def close(self) -> None:
        """Let go of all files."""
        for descriptor in self._held.values():
            os.close(descriptor)

    def _tree(self, directory: Path, synced_names: bool, synced_contents: bool) -> Tree:
        known = {path.stat().st_ino: path for path in self._root.rglob("*")}
        if synced_names:
            # A directory is a name in its parent: what was never synced there is not there.
            names = self._names.get(directory.stat().st_ino, {})
        else:
            names = {path.name: path.stat().st_ino for path in directory.iterdir()}
        tree: Tree = {}
        for name, inode in names.items():
            path = known.get(inode)
            if path is not None and path.is_dir():
                tree[name] = self._tree(path, synced_names, synced_contents)
            elif synced_contents:
                tree[name] = self._contents.get(inode, b"")
            elif path is not None:
                tree[name] = path.read_bytes()
            elif inode in self._held:
                tree[name] = Path(f"/proc/self/fd/{self._held[inode]}").read_bytes()
        return tree


def write_tree(tree: Tree, directory: Path) -> None:
    """Make a directory hold this."""
    directory.mkdir(parents=True)
    for name, content in tree.items():
        if isinstance(content, dict):
            write_tree(content, directory / name)
        else:
            (directory / name).write_bytes(content)


def digest(tree: Tree) -> bytes:
    """Return what tells two trees apart."""
    return hashlib.sha256(repr(sorted((k, digest(v) if isinstance(v, dict) else v)
                                      for k, v in tree.items())).encode()).digest()  # fmt: skip


class PowerCuts:
    """Runs work; looks at the disk after each system call."""

    def __init__(self, place: Path, scratch: Path) -> None:
        self._disk = Disk(place / shard_name(REC))
        self._scratch = scratch
        self._seen: set[tuple[bytes, int]] = set()
        self._is_checking = False
        self.acknowledged = 0
        self.images = 0

    def run(self, work: Callable[[], None], patch: pytest.MonkeyPatch) -> None:
        """Run `work`."""
        for name in ("fsync", "fdatasync"):
            patch.setattr(os, name, self._noting(getattr(os, name)))
        sys.setprofile(self._look)
        try:
            work()
        finally:
            sys.setprofile(None)
            patch.undo()
            self._disk.close()

    def _noting(self, sync: Callable[[int], None]) -> Callable[[int], None]:
        def wrapper(descriptor: int) -> None:
            sync(descriptor)
            if not self._is_checking:
                sys.setprofile(None)
                self._disk.note_synced(descriptor)
                sys.setprofile(self._look)

        return wrapper

    def _look(self, _frame: FrameType, event: str, function: Any) -> None:  # noqa: ANN401 - sys.setprofile's
        if event != "c_return" or function.__module__ not in ("posix", "fcntl", "_io"):
            return
        sys.setprofile(None)
        for synced_names in (True, False):
            for synced_contents in (True, False):
                tree = self._disk.tree(synced_names=synced_names, synced_contents=synced_contents)
                key = (digest(tree), self.acknowledged)
                if key not in self._seen:
                    self._seen.add(key)
                    self._check(tree, f"{function.__name__} {synced_names=} {synced_contents=}")
        sys.setprofile(self._look)

    def _check(self, tree: Tree, when: str) -> None:
        self.images += 1
        self._is_checking = True
        shutil.rmtree(self._scratch, ignore_errors=True)
        write_tree(tree, self._scratch / shard_name(REC))
        truth = Truth(self._scratch)
        length = truth.durable_bytes(REC)
        assert length >= self.acknowledged, when
        if length:
            assert b"".join(truth.read(REC, 0, None)) == DATA[:length], when
            assert truth.sender_of(REC) == "web1"
        else:
            assert list(truth.recs()) == []
        end = self.acknowledged + 300_000
        assert truth.append(REC, self.acknowledged, DATA[self.acknowledged : end], "web1") == end
        assert b"".join(truth.read(REC, 0, None)) == DATA[:end], when
        truth.close()
        self._is_checking = False


def test_power_cuts_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever of names and contents reached the disk, everything acknowledged can be read."""
    place = tmp_path / "recordings"
    truth = Truth(place)
    # What is looked at need not be on a disk: syncing it hundreds of times would take long.
    memory = Path("/dev/shm")
    scratch = Path(tempfile.mkdtemp(dir=memory if os.access(memory, os.W_OK) else tmp_path))
    cuts = PowerCuts(place, scratch / "image")

    def work() -> None:
        for size in (100, 5000, 300_000, 100, 200_000, 100_000):
            offset = cuts.acknowledged
            length = truth.append(REC, offset, DATA[offset : offset + size], "web1")
            cuts.acknowledged = length
        truth.settle(REC)
        offset = cuts.acknowledged
        cuts.acknowledged = truth.append(REC, offset, DATA[offset : offset + 100], "web1")

    try:
        cuts.run(work, monkeypatch)
    finally:
        shutil.rmtree(scratch)
    truth.close()
    assert cuts.acknowledged == 605_300
    assert cuts.images > 40
