"""What the tests of tlog's stand-ins share."""

from __future__ import annotations

from pathlib import Path

import pytest
from tlog_programs import Programs, install_stand_ins


@pytest.fixture(scope="session")
def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where Steno's stand-ins for tlog's programs are installed."""
    return install_stand_ins(tmp_path_factory.mktemp("stand-ins"))


@pytest.fixture
def programs(tmp_path: Path, stand_ins: Path) -> Programs:
    """Tlog's programs, and Steno's stand-ins, with a configuration of their own."""
    return Programs(tmp_path, stand_ins)
