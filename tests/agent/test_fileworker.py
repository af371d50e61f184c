"""Files that take any time, beside a loop that must not wait."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from steno.agent.fileworker import FileWorker
from steno.agent.loop import Loop


@pytest.fixture
def loop() -> Iterator[Loop]:
    """Return a loop."""
    made = Loop(threads=1)
    yield made
    made.close()


def test_the_loop_goes_on_while_a_file_takes_its_time(loop: Loop, tmp_path: Path) -> None:
    """Work that does not come back holds up nobody; its result comes when it does."""
    fd = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    worker, may_go = FileWorker(loop, fd), threading.Event()
    results: list[object] = []

    def wait_and_write(mine: int) -> int:
        may_go.wait()
        return os.write(mine, b"late")

    worker.do(wait_and_write, results.append)
    ticks: list[int] = []
    loop.call_in(0, lambda: ticks.append(1))
    while not ticks:
        loop.turn()
    assert (worker.is_busy, results) == (True, [])
    may_go.set()
    while not results:
        loop.turn()
    assert (worker.is_busy, results) == (False, [4])
    worker.stop()


def test_the_descriptor_is_closed_when_its_work_is_done(loop: Loop, tmp_path: Path) -> None:
    """Stopped in the middle of work, the worker closes its file afterwards, and tells nothing."""
    fd = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    worker, may_go, began = FileWorker(loop, fd), threading.Event(), threading.Event()
    others = {*threading.enumerate()}  # another test's worker may still be closing its file
    results: list[object] = []

    def wait_and_write(mine: int) -> int:
        began.set()
        may_go.wait()
        return os.write(mine, b"late")

    worker.do(wait_and_write, results.append)
    began.wait()
    (thread,) = {*threading.enumerate()} - others
    worker.stop()
    os.fstat(fd)
    may_go.set()
    while worker.is_busy:
        loop.turn()
    assert results == []
    assert (tmp_path / "file").read_bytes() == b"late"
    thread.join()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_errors_are_results(loop: Loop, tmp_path: Path) -> None:
    """What the system says is told, not raised."""
    (tmp_path / "file").touch()
    worker = FileWorker(loop, os.open(tmp_path / "file", os.O_RDONLY))
    results: list[object] = []
    worker.do(lambda fd: os.write(fd, b"x"), results.append)
    while not results:
        loop.turn()
    assert isinstance(results[0], OSError)
    worker.stop()
