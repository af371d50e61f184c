"""Hearing from the kernel what grew in a spool."""

from __future__ import annotations

import struct
import threading
from pathlib import Path

import pytest

from steno.delivery.notices import SpoolNotices, read_events
from steno.delivery.spool import Spool


class Heard:
    """What was told, and a wait for it."""

    def __init__(self) -> None:
        self.recs: set[str] = set()
        self._changed = threading.Condition()

    def take(self, recs: set[str] | None) -> None:
        """Keep what was told."""
        with self._changed:
            self.recs |= recs if recs is not None else {"all"}
            self._changed.notify_all()

    def wait_for(self, rec: str) -> None:
        """Wait until `rec` was told of; then forget everything."""
        with self._changed:
            assert self._changed.wait_for(lambda: rec in self.recs, 60)
            self.recs.clear()


def test_beginning_growing_and_ending_are_heard(tmp_path: Path) -> None:
    """Each by the recording's id; what else happens in the directory is not of interest."""
    spool, heard = Spool(tmp_path), Heard()
    notices = SpoolNotices(tmp_path, heard.take)
    file = spool.begin("r1")
    heard.wait_for("r1")
    file.append(b"line\n")
    heard.wait_for("r1")
    spool.acknowledge("r1", 5)
    (tmp_path / "limits.toml").touch()
    file.finish()
    heard.wait_for("r1")
    notices.close()
    spool.begin("r2").close()
    assert heard.recs <= {"r1"}, "the end of r1 may be heard in two parts; r2 was not begun then"


def test_events_that_were_lost_are_told(tmp_path: Path) -> None:
    """After an overflow, or when the directory is gone, nothing is known of any recording."""
    modified = struct.pack("iIII", 1, 0x2, 0, 16) + b"r1.open".ljust(16, b"\0")
    strange = struct.pack("iIII", 1, 0x2, 0, 16) + b"..open".ljust(16, b"\0")
    assert read_events(modified + strange) == {"r1"}
    assert read_events(modified + struct.pack("iIII", -1, 0x4000, 0, 0)) is None
    assert read_events(struct.pack("iIII", 1, 0x8000, 0, 0)) is None
    assert read_events(b"") == set()
    with pytest.raises(FileNotFoundError):
        SpoolNotices(tmp_path / "none", lambda _: None)
