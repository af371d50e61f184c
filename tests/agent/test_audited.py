"""What the agent decides of audit sessions comes to who writes the audit trail."""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path

import pytest

from steno.agent.audited import AuditedNotes, AuditedSessions
from steno.policy.decision import AuditWord


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        """Go on a second, and say when that is."""
        self.now_ns += 1_000_000_000
        return self.now_ns


def test_what_is_noted_is_read(tmp_path: Path) -> None:
    """A decision is there for the reader at its next look; of several the strictest."""
    reader = AuditedSessions(tmp_path / "audited", Clock())
    assert reader.level_of(7) is None
    assert not reader.is_agent_there
    notes = AuditedNotes(tmp_path / "audited")
    assert reader.is_agent_there
    steps: list[tuple[AuditWord, AuditWord]] = [
        ("none", "none"),
        ("login", "login"),
        ("session", "session"),
        ("none", "session"),
    ]
    for noted, expected in steps:
        notes.note(7, noted)
        assert reader.level_of(7) == expected
    assert reader.level_of(8) is None
    notes.note(None, "session")
    notes.close()
    assert not reader.is_agent_there
    assert reader.level_of(7) == "session"


def test_a_new_agent_goes_on(tmp_path: Path) -> None:
    """What an earlier agent noted stays, also behind half a line; a second one at a time fails."""
    path = tmp_path / "audited"
    first = AuditedNotes(path)
    first.note(7, "session")
    with pytest.raises(OSError, match="another agent"):
        AuditedNotes(path)
    first.close()
    with path.open("ab") as file:
        file.write(b"9 sess")
    second = AuditedNotes(path)
    second.note(8, "login")
    reader = AuditedSessions(path, Clock())
    assert [reader.level_of(session) for session in (7, 8, 9)] == ["session", "login", None]
    assert os.stat(path).st_mode & 0o777 == 0o600
    second.close()


def test_the_file_stays_small(tmp_path: Path) -> None:
    """A long file is written anew: the last sessions stay known, to who reads meanwhile too."""
    path = tmp_path / "audited"
    notes = AuditedNotes(path, limit_bytes=6400)
    reader = AuditedSessions(path, Clock())
    for session in range(5000):
        notes.note(session, "session")
        if session % 50 == 0:
            assert reader.level_of(session) == "session"
            assert reader.is_agent_there
    assert path.stat().st_size <= 6400 + 20
    late = AuditedSessions(path, Clock())
    assert late.level_of(4999) == "session"
    notes.close()


def test_what_the_reader_knows_costs_no_look(tmp_path: Path) -> None:
    """A session whose events are all kept is not looked up again, nor others too often."""
    notes = AuditedNotes(tmp_path / "audited")
    notes.note(1, "session")
    now_ns = 0
    reader = AuditedSessions(tmp_path / "audited", lambda: now_ns)
    assert reader.level_of(1) == "session"
    notes.note(2, "login")
    assert reader.level_of(2) is None
    now_ns += 300_000_000
    assert reader.level_of(2) == "login"
    notes.close()


def test_a_note_that_is_cut_short_ends_the_noting(tmp_path: Path) -> None:
    """Where a line does not fit, nobody decides any more, and what stands there stays readable."""
    notes = AuditedNotes(tmp_path / "audited")
    notes.note(7, "login")
    reader = AuditedSessions(tmp_path / "audited", Clock())
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len("7 login\n") + 3, limits[1]))
    try:
        notes.note(1234567, "none")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert reader.level_of(7) == "login"
    assert not reader.is_agent_there
    notes.note(8, "none")
    assert AuditedSessions(tmp_path / "audited", Clock()).level_of(8) is None
