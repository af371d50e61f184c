"""Who writes the host's trail: auditd's plugin before the journal's reader."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

from steno.agent.auditing.precedence import Precedence, is_taken


def test_it_lasts_as_long_as_the_plugin(tmp_path: Path) -> None:
    """It is taken while the plugin has it, and free before and afterwards."""
    assert not is_taken(tmp_path)
    precedence = Precedence(tmp_path)
    assert is_taken(tmp_path)
    precedence.close()
    assert not is_taken(tmp_path)


def test_who_only_looks_does_not_keep_the_plugin_from_it(tmp_path: Path) -> None:
    """A plugin that starts in the moment of somebody's look takes it when that is over."""
    looking = os.open(tmp_path / ".dispatched", os.O_RDWR | os.O_CREAT)
    fcntl.flock(looking, fcntl.LOCK_SH)
    looked = threading.Timer(0.5, os.close, [looking])
    looked.start()
    precedence = Precedence(tmp_path, patience_s=100)
    looked.join()
    assert is_taken(tmp_path)
    precedence.close()


def test_where_there_can_be_no_lock_nobody_waits(tmp_path: Path) -> None:
    """A spool that cannot be made keeps the plugin from nothing."""
    (tmp_path / "file").write_text("")
    Precedence(tmp_path / "file" / "spool").close()
    assert not is_taken(tmp_path / "file" / "spool")
