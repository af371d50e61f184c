"""Exit statuses of processes that are somebody else's children."""

from __future__ import annotations

import os
import platform
import select
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from steno.agent.exits import ExitWatch, read_exit, watch_process
from steno.agent.loop import Loop
from steno.recorder.child import Exit

_KERNEL = tuple(int(part) for part in platform.release().split("-")[0].split(".")[:2])
needs_status = pytest.mark.skipif(
    _KERNEL < (6, 15), reason="needs Linux 6.15 or later, which tells the exit status"
)

_PARENT = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-S", "-c", sys.argv[1]], stdin=subprocess.PIPE)
print(child.pid, flush=True)
sys.stdin.readline()
child.stdin.close()
sys.stdin.readline()
child.wait()
print("reaped", flush=True)
sys.stdin.readline()
"""


class Stranger:
    """A process whose parent is not this one and obeys: `end` lets it end, `reap` reaps it."""

    def __init__(self, program: str) -> None:
        self._parent = subprocess.Popen(
            [sys.executable, "-S", "-c", _PARENT, program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._parent.stdout is not None
        self.pid = int(self._parent.stdout.readline())

    def _tell(self) -> None:
        assert self._parent.stdin is not None
        self._parent.stdin.write("\n")
        self._parent.stdin.flush()

    def end(self) -> None:
        """Let the program's input end."""
        self._tell()

    def reap(self) -> None:
        """Let its parent wait for it; return when that is done."""
        self._tell()
        assert self._parent.stdout is not None
        assert self._parent.stdout.readline() == "reaped\n"

    def close(self) -> None:
        """Let all come to its end."""
        self._parent.communicate()


def _wait(pidfd: int, mask: int) -> int:
    poll = select.poll()
    poll.register(pidfd, mask)
    events = poll.poll(60_000)
    assert events
    return events[0][1]


@pytest.fixture
def make_stranger() -> Iterator[type[Stranger]]:
    """Return what starts strangers; they are gone afterwards."""
    made: list[Stranger] = []

    class Kept(Stranger):
        def __init__(self, program: str) -> None:
            super().__init__(program)
            made.append(self)

    yield Kept
    for stranger in made:
        stranger.close()


@needs_status
@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("import sys; sys.stdin.read()", Exit(status=0)),
        ("import sys; sys.stdin.read(); sys.exit(7)", Exit(status=7)),
        ("import sys; sys.stdin.read(); sys.exit(255)", Exit(status=255)),
        (
            "import os, sys; sys.stdin.read(); os.kill(os.getpid(), 15)",
            Exit(signal=signal.SIGTERM),
        ),
        ("import os, sys; sys.stdin.read(); os.kill(os.getpid(), 9)", Exit(signal=signal.SIGKILL)),
    ],
)
def test_tells_how_another_parents_child_ended(
    make_stranger: type[Stranger], program: str, expected: Exit
) -> None:
    """The status or the signal of a process that is not our child is told after it was reaped."""
    stranger = make_stranger(program)
    pidfd = watch_process(stranger.pid)
    assert pidfd is not None
    try:
        assert read_exit(pidfd) is None
        stranger.end()
        assert _wait(pidfd, select.POLLIN) & select.POLLIN
        assert read_exit(pidfd) is None, "it ended but nobody has reaped it"
        stranger.reap()
        assert _wait(pidfd, 0) & select.POLLHUP
        assert read_exit(pidfd) == expected
        assert read_exit(pidfd) == expected, "told once, told again"
    finally:
        os.close(pidfd)


def test_has_no_descriptor_for_a_process_that_is_gone() -> None:
    """A process that ended before it could be watched has none, and raises nothing."""
    gone = subprocess.Popen([sys.executable, "-S", "-c", ""])
    gone.wait()
    assert watch_process(gone.pid) is None


def test_tells_nothing_of_what_is_no_pidfd() -> None:
    """A kernel that does not know the question (as for any other descriptor) gives None."""
    reader, writer = os.pipe()
    try:
        assert read_exit(reader) is None
    finally:
        os.close(reader)
        os.close(writer)


@needs_status
def test_watch_tells_once_after_the_reaping(make_stranger: type[Stranger]) -> None:
    """A watch says nothing while the process lives or waits for its parent, then how it ended."""
    stranger = make_stranger("import sys; sys.stdin.read(); sys.exit(9)")
    pidfd = watch_process(stranger.pid)
    assert pidfd is not None
    told: list[Exit | None] = []
    loop = Loop(threads=1)
    try:
        ExitWatch(loop, pidfd, told.append)
        stranger.end()
        _wait(pidfd, select.POLLIN)
        loop.turn()
        assert told == []
        stranger.reap()
        while not told:
            loop.turn()
        assert told == [Exit(status=9)]
    finally:
        loop.close()
        os.close(pidfd)
