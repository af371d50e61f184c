"""Sessions of real shells, and an agent that is killed under them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from counting import COUNTING, Person, check_recording, wait_for
from kept_host import KeptHost
from shell_builds import Build, build_shell


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


def _survive(host: KeptHost, kills: int) -> None:
    session = host.start("-c", COUNTING)
    person = Person(session)
    person.disturb(host.kill, kills)
    person.quit(session)
    wait_for(host.recordings, "the recording")
    [path] = host.recordings()
    check_recording(path.read_bytes(), person, bytes(person.seen), kills)
    session.close()


@pytest.mark.real
@pytest.mark.slow
def test_a_session_survives_kills(host: KeptHost) -> None:
    """All that passes, passes once and is recorded once, whenever the agent dies."""
    _survive(host, 12)


@pytest.mark.lab
@pytest.mark.timeout(600)
def test_a_session_survives_a_hundred_kills(host: KeptHost) -> None:
    """As above, a hundred times."""
    _survive(host, 100)
