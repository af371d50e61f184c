"""Sessions of real shells, and an agent that is killed under them."""

from __future__ import annotations

import pytest
from counting import COUNTING, Person, check_recording
from kept_host import KeptHost
from waiting import wait_for


def _survive(kept_host: KeptHost, kills: int) -> None:
    session = kept_host.start("-c", COUNTING)
    person = Person(session)
    person.disturb(kept_host.kill, kills)
    person.quit(session)
    wait_for(kept_host.recordings, "the recording")
    [path] = kept_host.recordings()
    check_recording(path.read_bytes(), person, bytes(person.seen), kills)
    session.close()


@pytest.mark.real
@pytest.mark.slow
def test_a_session_survives_kills(kept_host: KeptHost) -> None:
    """All that passes, passes once and is recorded once, whenever the agent dies."""
    _survive(kept_host, 12)


@pytest.mark.lab
@pytest.mark.timeout(600)
def test_a_session_survives_a_hundred_kills(kept_host: KeptHost) -> None:
    """As above, a hundred times."""
    _survive(kept_host, 100)
