"""Sessions of real shells, and an agent that is killed under them."""

from __future__ import annotations

import os
import random
import re
import select
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from driven import Driven
from kept_host import LONG_S, KeptHost, count_notes, read_recording, wait_for
from shell_builds import Build, build_shell

from steno.model import Input, Output

_COUNTING = r"""
i=0
stty -echo
exec 9<> <(:)
while :; do
  i=$((i+1)); echo "o $i $RANDOM$RANDOM"
  if [ $((i % 200)) = 0 ]; then
    while read -r -t 0; do
      read -r word
      [ "$word" = quit ] && exit 7
      echo "e $word"
    done
    read -r -t 0.01 -u 9
  fi
done
"""


@pytest.fixture(scope="module")
def build() -> Iterator[Build]:
    """`steno-shell`."""
    with tempfile.TemporaryDirectory(prefix="steno-") as directory:
        yield build_shell(Path(directory))


@pytest.fixture
def host(tmp_path: Path, build: Build) -> Iterator[KeptHost]:
    """A host with a kept agent."""
    with KeptHost(tmp_path, build) as kept:
        yield kept


class _Person(threading.Thread):
    """Sees all that is shown, and types numbers."""

    def __init__(self, session: Driven) -> None:
        super().__init__(daemon=True)
        self.seen = bytearray()
        self.typed = 0
        self.is_typing = False
        self._fd = session.master
        self.start()

    def run(self) -> None:
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        next_s = 0.0
        while True:
            if poll.poll(20):
                try:
                    data = os.read(self._fd, 65536)
                except OSError:
                    return
                self.seen += data
            if self.is_typing and time.monotonic() >= next_s:
                next_s = time.monotonic() + 0.01
                self.typed += 1
                os.write(self._fd, b"%d\r" % self.typed)


def _survive(host: KeptHost, kills: int) -> None:
    session = host.start("-c", _COUNTING)
    person = _Person(session)
    seed = random.randrange(1 << 32)
    moments = random.Random(seed)
    print(f"seed {seed}")
    wait_for(lambda: b"o 1 " in person.seen, "the first output")
    person.is_typing = True
    for _ in range(kills):
        seen_bytes = len(person.seen)
        wait_for(lambda seen=seen_bytes: len(person.seen) > seen, "output")
        time.sleep(moments.random() * 0.05)
        host.kill()
    seen_bytes = len(person.seen)
    wait_for(lambda: len(person.seen) > seen_bytes, "output")
    person.is_typing = False
    last = b"e %d\r\n" % person.typed
    wait_for(lambda: last in person.seen, "the last echo")
    os.write(session.master, b"quit\r")
    assert session.process.wait(LONG_S) == 7
    wait_for(host.recordings, "the recording")
    os.close(session.slave)
    person.join(LONG_S)
    _compare(host, person, kills)


def _compare(host: KeptHost, person: _Person, kills: int) -> None:
    [path] = host.recordings()
    pieces, end = read_recording(path)
    shown = bytes(person.seen)
    typed = b"".join(b"%d\r" % (number + 1) for number in range(person.typed)) + b"quit\r"
    assert b"".join(piece.data for piece in pieces if isinstance(piece, Output)) == shown
    assert b"".join(piece.data for piece in pieces if isinstance(piece, Input)) == typed
    printed = [int(number) for number in re.findall(rb"o (\d+) \d+\r\n", shown)]
    assert printed == [*range(1, len(printed) + 1)]
    echoed = [int(number) for number in re.findall(rb"e (\d+)\r\n", shown)]
    assert echoed == [*range(1, person.typed + 1)]
    assert count_notes(pieces, "restart") == kills
    assert (end.reason, end.exit_status) == ("exit", 7)
    assert (end.output_bytes, end.input_bytes) == (len(shown), len(typed))


@pytest.mark.real
@pytest.mark.slow
def test_a_session_survives_kills(host: KeptHost) -> None:
    """All that passes, passes once and is recorded once, whenever the agent dies."""
    _survive(host, 15)


@pytest.mark.lab
@pytest.mark.timeout(600)
def test_a_session_survives_a_hundred_kills(host: KeptHost) -> None:
    """As above, a hundred times."""
    _survive(host, 100)
