"""One process is killed at every system call while another has the same recording open."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from steno.store.protocol import OffsetError
from steno.store.truth import Truth

REC = "r"
DATA = b"".join(b'{"n":%d,"x":"%x"}\n' % (n, n * 0x9E3779B97F4A7C15) for n in range(20_000))
BEFORE, AFTER = 100, 320_000
"""What stands in the tail at first, and how long a packed append makes the recording."""


def append_and_die(place: Path, calls: int) -> bool:
    """Append in a child that is killed after so many system calls; return whether it was."""
    child = os.fork()
    if child:
        return os.WIFSIGNALED(os.waitpid(child, 0)[1])
    left = calls

    def count(_frame: FrameType, event: str, function: Any) -> None:  # noqa: ANN401 - sys.setprofile's
        nonlocal left
        if event == "c_return" and function.__module__ in ("posix", "fcntl", "_io"):
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

    truth = Truth(place)
    sys.setprofile(count)
    truth.append(REC, BEFORE, DATA[BEFORE:AFTER], "web1")
    os._exit(0)


def test_killed_beside_another(tmp_path: Path) -> None:
    """Whatever instant a process dies at, what another acknowledges afterwards is kept."""
    calls = 0
    was_killed = True
    while was_killed:
        calls += 1
        place = tmp_path / str(calls)
        survivor = Truth(place)
        survivor.append(REC, 0, DATA[:BEFORE], "web1")
        was_killed = append_and_die(place, calls)
        length = survivor.durable_bytes(REC)
        end = survivor.append(REC, length, DATA[length : length + 50], "web1")
        assert end == length + 50
        opened_later = Truth(place)
        assert b"".join(opened_later.read(REC, 0, None)) == DATA[:end], f"after {calls} calls"
        opened_later.close()
        survivor.close()
    assert calls > 20


@pytest.mark.parametrize(
    "ask",
    [
        lambda truth, data: truth.durable_bytes(REC),
        lambda truth, data: truth.append(REC, 0, data, "web1"),
        lambda truth, data: _refused(truth, len(data) + 7),
    ],
    ids=["asked", "sent again", "refused"],
)
def test_unsynced_bytes_of_another_are_synced_before_they_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ask: Callable[[Truth, bytes], int]
) -> None:
    """What a process wrote that was killed before it synced is not called safe until it is."""
    survivor = Truth(tmp_path)
    survivor.append(REC, 0, DATA[:BEFORE], "web1")
    (tail,) = tmp_path.glob("*/*/0.tail")
    with tail.open("ab") as file:
        file.write(DATA[BEFORE : 2 * BEFORE])
    synced: list[str] = []
    sync = os.fdatasync

    def note(descriptor: int) -> None:
        sync(descriptor)
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))

    monkeypatch.setattr(os, "fdatasync", note)
    assert survivor.size_bytes(REC) == 2 * BEFORE
    assert synced == []
    for _ in range(2):
        assert ask(survivor, DATA[: 2 * BEFORE]) == 2 * BEFORE
        assert synced == [str(tail)]
    survivor.close()


def _refused(truth: Truth, offset_bytes: int) -> int:
    with pytest.raises(OffsetError) as refusal:
        truth.append(REC, offset_bytes, b"x", "web1")
    return refusal.value.durable_bytes
